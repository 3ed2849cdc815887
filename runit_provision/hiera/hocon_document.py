"""HOCON through the library `hocon-parser`, which tells no places: those of the top level's keys are sought in the text."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NoReturn

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.digits import integer
from runit_provision.hiera.yaml_document import place_of
from runit_provision.model.data import Array, Table

if TYPE_CHECKING:
    from hocon import HoconValue

_FRACTION = re.compile(r"-?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)", re.ASCII)
_LONGEST = 200
"""Characters of the library's messages, which may quote whole values."""
_HINT = "look for a missing quote, bracket or substitution there"


def parse_hocon(text: str, file: str) -> Table:
    """Give the value of `text`; `file` names it in marks.

    An `include` finds nothing, as in Puppet, which parses the text alone; nor are environment variables substituted.
    Raises DataError, with its place, for what is no HOCON, and when the library is missing.
    """
    start = Mark(file, 1, 1)
    try:
        from hocon import ConfigError, ParseError, ResolveError, parse
    except ImportError:
        hint = "pip install 'runit-provision[hocon]'"
        raise DataError(Problem("hocon_data needs the library `hocon-parser`", start, hint=hint)) from None
    try:
        tree = parse(text, read_file=_not_there, env={})
    except (ParseError, ResolveError) as error:
        raise DataError(Problem(f"not HOCON: {str(error)[:_LONGEST]}", Mark(file, error.line, error.col), hint=_HINT)) from None
    except ConfigError:
        raise DataError(Problem("no data: it holds a list, not a hash", start, hint="write `key = value` lines")) from None
    data = Table(mark=start)
    for key in tree.keys():  # noqa: SIM118 - the library's mapping is by path, its keys are not
        mark = _sought(key, text, file) or start
        value = tree.get_value(json.dumps(key, ensure_ascii=False))
        assert value is not None
        data[key] = _plain(value, mark)
        data.marks[key] = mark
    return data


def _not_there(path: str) -> NoReturn:
    raise FileNotFoundError(path)


def _sought(key: str, text: str, file: str) -> Mark | None:
    found = re.search(rf"^[ \t{{]*\"?({re.escape(key)})\"?(?=[\s.:={{+])", text, re.MULTILINE)
    return place_of(text, file, found.start(1)) if found else None


def _plain(value: HoconValue, mark: Mark) -> Any:
    match value.kind:
        case "object":
            items = [(key, _plain(item, mark)) for key, item in value.fields.items()]
            return Table(items, marks=dict.fromkeys(value.fields, mark), mark=mark)
        case "array":
            return Array([_plain(item, mark) for item in value.items], marks=[mark] * len(value.items), mark=mark)
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
