"""HOCON through the library `pyhocon`, which tells no places: keys of the top level are sought in the text, the rest has theirs."""

from __future__ import annotations

import re
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.yaml_document import place_of
from runit_provision.model.data import Array, Table


def parse_hocon(text: str, file: str) -> Table:
    """Give the value of `text`; `file` names it in marks. Raises DataError when it is no HOCON or pyhocon is missing."""
    start = Mark(file, 1, 1)
    try:
        from pyhocon import ConfigFactory
        from pyhocon.exceptions import ConfigException
        from pyparsing import ParseBaseException
    except ImportError:
        raise DataError(Problem("hocon_data needs the library `pyhocon`", start, hint="pip install 'runit-provision[hocon]'")) from None
    try:
        tree = ConfigFactory.parse_string(text)
    except ParseBaseException as error:
        raise DataError(Problem("not HOCON", place_of(text, file, error.loc), hint="look at this line and the one above it")) from None
    except (ConfigException, RecursionError) as error:
        raise DataError(Problem(f"not HOCON: {error}", start)) from None
    if isinstance(tree, list):
        raise DataError(Problem("no data: it holds a list, not a hash", start))
    data = Table(mark=start)
    for key, value in tree.as_plain_ordered_dict().items():
        mark = _sought(key, text, file) or start
        data[key] = _marked(value, mark)
        data.marks[key] = mark
    return data


def _sought(key: str, text: str, file: str) -> Mark | None:
    found = re.search(rf"^[ \t{{]*\"?({re.escape(key)})\"?(?=[\s.:={{])", text, re.MULTILINE)
    return place_of(text, file, found.start(1)) if found else None


def _marked(value: Any, mark: Mark) -> Any:
    match value:
        case dict():
            return Table([(key, _marked(item, mark)) for key, item in value.items()], marks=dict.fromkeys(value, mark), mark=mark)
        case list():
            return Array([_marked(item, mark) for item in value], marks=[mark] * len(value), mark=mark)
        case _:
            return value
