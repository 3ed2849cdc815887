"""What stands in HOCON's text: the nodes that `hocon-parser` reads, and what is written for each key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

from hocon import ResolveError
from hocon._internal.parser.ast import AstArray, AstConcat, AstField, AstInclude, AstNode, AstObject, AstScalar, AstSubst, Pos


class Append:
    """`a += 1`: the value that `a` had so far, if it had one, and one item more."""

    kind: Literal["append"] = "append"

    def __init__(self, item: AstNode, pos: Pos) -> None:
        self.item = item
        self.pos = pos


Node = AstNode | Append
Fields = dict[str, list[Node]]
"""All that is written for each key of one hash, lowest first."""


def fields_of(node: AstObject) -> Iterator[tuple[str, Node]]:
    """Give what stands for each key: `a.b = 1` is a hash, `a = {..} {..}` is written twice, `a += 1` joins with what is below."""
    for each in node.fields:
        if isinstance(each.value, AstInclude):
            _refuse_unknown(each.value)
            continue
        name, *deeper = each.key
        if deeper:
            yield name, AstObject([AstField(deeper, each.value, each.append, each.pos)], each.pos)
        elif each.append:
            yield name, Append(each.value, each.pos)
        elif isinstance(each.value, AstConcat) and all(part.kind == "object" or is_blank(part) for part in each.value.nodes):
            yield from ((name, part) for part in each.value.nodes if part.kind == "object")
        else:
            yield name, each.value


def refuse_appends_in_lists(node: AstNode, *, in_list: bool) -> None:
    """Refuse `a = [{x += 1}]` as Puppet does, also where the list is that of another `+=`."""
    match node:
        case AstObject():
            for each in node.fields:
                if each.append and in_list:
                    raise ResolveError("+= within a list", ".".join(each.key), each.pos.line, each.pos.col)
                refuse_appends_in_lists(each.value, in_list=in_list or each.append)
        case AstArray():
            for item in node.items:
                refuse_appends_in_lists(item, in_list=True)
        case AstConcat():
            for part in node.nodes:
                refuse_appends_in_lists(part, in_list=in_list)


def _refuse_unknown(include: AstInclude) -> None:
    if include.required or include.qualifier.kind == "package":
        raise ResolveError("Puppet knows no such include", include.path, include.pos.line, include.pos.col)


def parts(node: AstConcat) -> Iterator[Sequence[Node]]:
    """Give what stands side by side, hashes that do so as one."""
    hashes: list[Node] = []
    for part in node.nodes:
        if isinstance(part, AstObject):
            hashes.append(part)
        elif not (hashes and is_blank(part)):
            yield from filter(None, (hashes, [part]))
            hashes = []
    if hashes:
        yield hashes


def is_blank(node: Node) -> bool:
    """Whether it is the blanks between two values."""
    return isinstance(node, AstScalar) and node.separator


def concatenations(node: AstNode, around: tuple[AstConcat, ...]) -> Iterator[tuple[int, tuple[AstConcat, ...]]]:
    """Give of each substitution (its id) the concatenations with substitutions that it is part of."""
    match node:
        case AstSubst():
            yield id(node), around
        case AstObject():
            for each in node.fields:
                yield from concatenations(each.value, around)
        case AstArray():
            for item in node.items:
                yield from concatenations(item, around)
        case AstConcat():
            within = (*around, node) if any(part.kind == "subst" for part in node.nodes) else around
            for part in node.nodes:
                yield from concatenations(part, within)
