"""HOCON through the library `hocon-parser`, every key with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.digits import integer
from runit_provision.hiera.yaml_document import place_of
from runit_provision.model.data import Array, Table

if TYPE_CHECKING:
    from hocon._internal.lexer.token import Token
    from hocon._internal.parser.ast import AstNode, AstObject
    from hocon.value import HoconValue

_FRACTION = re.compile(r"-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)", re.ASCII)
_LONGEST = 200
"""Characters of the library's messages, which may quote whole values."""
_HINT = "look for a missing quote, bracket or substitution there"

Path = tuple[str, ...]


def parse_hocon(text: str, file: str) -> Table:
    """Give the value of `text`; `file` names it in marks.

    An `include` finds nothing, as in Puppet, which parses the text alone; nor are environment variables substituted.
    Raises DataError, with its place, for what is no HOCON, and when the library is missing.
    """
    start = Mark(file, 1, 1)
    try:
        from hocon import ParseError, ResolveError
    except ImportError:
        hint = "pip install 'runit-provision[hocon]'"
        raise DataError(Problem("hocon_data needs the library `hocon-parser`", start, hint=hint)) from None
    if "\ufeff" in text:
        hint = "remove it: Puppet takes it for a letter; in a string write \\ufeff"
        raise DataError(Problem("not HOCON: a byte order mark", place_of(text, file, text.index("\ufeff")), hint=hint))
    try:
        return _parsed(text, file)
    except (ParseError, ResolveError) as error:
        raise DataError(Problem(f"not HOCON: {str(error)[:_LONGEST]}", Mark(file, error.line, error.col), hint=_HINT)) from None
    except RecursionError:
        raise DataError(Problem("not HOCON: nested too deep", start)) from None


def _parsed(text: str, file: str) -> Table:
    from hocon._internal.lexer.lexer import tokenize
    from hocon._internal.parser.parser import parse_tokens

    from runit_provision.hiera.hocon_resolution import resolved

    tokens = tokenize(text)
    _refuse_more_than_one_root(tokens)
    root = parse_tokens(tokens)
    start = Mark(file, 1, 1)
    if root.kind != "object":
        raise DataError(Problem("no data: it holds a list, not a hash", start, hint="write `key = value` lines"))
    marks = {path: Mark(file, line, column) for path, line, column in _places(root, ())}
    table = _plain(resolved(root), (), marks, start)
    assert isinstance(table, Table)
    return table


def _refuse_more_than_one_root(tokens: list[Token]) -> None:
    """To the library whatever follows the closing brace of the whole counts too; to Ruby's it is an error."""
    from hocon import ParseError

    written = [token for token in tokens if token.kind not in {"newline", "eof"}]
    if not written or written[0].kind != "lbrace":
        return
    depth = 0
    for token, following in pairwise(written):
        depth += {"lbrace": 1, "rbrace": -1}.get(token.kind, 0)
        if depth == 0:
            raise ParseError("something follows the closing brace of the whole", following.line, following.col)


def _places(node: AstNode, above: Path) -> Iterator[tuple[Path, int, int]]:
    """Give where each key of the hashes in `node` is written, the place that counts last."""
    match node.kind:
        case "object":
            yield from _places_of_fields(node, above)
        case "concat":
            for part in node.nodes:
                yield from _places(part, above)


def _places_of_fields(node: AstObject, above: Path) -> Iterator[tuple[Path, int, int]]:
    for field in node.fields:
        for depth in range(1, len(field.key) + 1):
            yield (*above, *field.key[:depth]), field.pos.line, field.pos.col
        yield from _places(field.value, (*above, *field.key))


def _plain(value: HoconValue, path: Path, marks: dict[Path, Mark], mark: Mark) -> Any:
    """Give the library's value as ours; what a substitution brought from elsewhere has the place of the key around it."""
    match value.kind:
        case "object":
            table = Table(mark=mark)
            for key, item in value.fields.items():
                place = table.marks[key] = marks.get((*path, key), mark)
                table[key] = _plain(item, (*path, key), marks, place)
            return table
        case "array":
            return Array([_plain(item, path, {}, mark) for item in value.items], marks=[mark] * len(value.items), mark=mark)
    match value.value_type:
        case "null":
            return None
        case "boolean":
            return value.raw == "true"
        case "number":
            return _number(value.raw)
        case _:
            return value.raw


def _number(text: str) -> float | str:
    """As Ruby's library has it: whole numbers are integers however they are written, a leading 0 means octal; `09` is text."""
    try:
        if _FRACTION.fullmatch(text):
            number = float(text)
            return int(number) if number.is_integer() else number
        return integer(text, 8 if re.match(r"-?0\d", text) else 10)
    except ValueError:
        return text
