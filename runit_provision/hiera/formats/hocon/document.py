"""HOCON through the library `hocon-parser`, every key with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hocon import ParseError, ResolveError
from hocon._internal.lexer.lexer import tokenize
from hocon._internal.parser.ast import AstNode, AstObject
from hocon._internal.parser.parser import parse_tokens
from hocon.value import HoconValue

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.hocon.grammar import refuse_what_is_no_hocon
from runit_provision.hiera.formats.hocon.resolution import NowhereError, resolved
from runit_provision.hiera.formats.yaml_document import place_of
from runit_provision.hiera.values.digits import integer
from runit_provision.model.data import Array, Table

_FRACTION = re.compile(r"-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)", re.ASCII)
_LONGEST = 200
"""Characters of the library's messages, which may quote whole values."""
_HINT = "look for a missing quote, bracket or substitution there"
_NOWHERE_HINT = "define that key in this file, or write ${?...} if it may be missing; environment variables are not taken"

Path = tuple[str, ...]


def parse_hocon(text: str, file: str) -> Table:
    """Give the value of `text`; `file` names it in marks.

    An `include` finds nothing, as in Puppet, which parses the text alone; nor are environment variables substituted.
    Raises DataError, with its place, for what is no HOCON.
    """
    start = Mark(file, 1, 1)
    if "\ufeff" in text:
        hint = "remove it: Puppet takes it for a letter; in a string write \\ufeff"
        raise DataError(Problem("not HOCON: a byte order mark", place_of(text, file, text.index("\ufeff")), hint=hint))
    try:
        return _parsed(text, file)
    except (ParseError, ResolveError) as error:
        hint = _NOWHERE_HINT if isinstance(error, NowhereError) else _HINT
        raise DataError(Problem(f"not HOCON: {str(error)[:_LONGEST]}", Mark(file, error.line, error.col), hint=hint)) from None
    except RecursionError:
        raise DataError(Problem("not HOCON: nested too deep", start)) from None


def _parsed(text: str, file: str) -> Table:
    tokens = tokenize(text)
    refuse_what_is_no_hocon(tokens)
    root = parse_tokens(tokens)
    start = Mark(file, 1, 1)
    if root.kind != "object":
        raise DataError(Problem("no data: it holds a list, not a hash", start, hint="write `key = value` lines"))
    marks = {path: Mark(file, line, column) for path, line, column in _places(root, ())}
    table = _plain(resolved(root), (), marks, start)
    assert isinstance(table, Table)
    return table


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
