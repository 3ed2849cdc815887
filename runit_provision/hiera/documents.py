"""Data files, each parsed once: what a key has in a file, checked and ready to be interpolated."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.formats.files import Parser, read_text
from runit_provision.hiera.formats.scalars import OddKey, Symbol
from runit_provision.hiera.keys import LOOKUP_OPTIONS, Segment
from runit_provision.hiera.values.kinds import kind
from runit_provision.inputs import Inputs
from runit_provision.model.data import Table


@dataclass(frozen=True, slots=True)
class Item:
    """What a key has in a file; `plain` when nothing in it is to be interpolated."""

    value: Any
    mark: Mark | None
    plain: bool


_NAMED = 3
"""Keys that a warning names."""


def is_key_of(module: str | None, key: Segment) -> bool:
    """Whether data of a module may give `key`; of no module, any."""
    return module is None or key == LOOKUP_OPTIONS or str(key).startswith(f"{module}::")


class Document:
    """The hash of one file."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._items: dict[Segment, Item] = {}

    def item(self, key: Segment) -> Item | None:
        """Give what `key` has; None when the file does not know it. Raises DataError for what Puppet refuses in data."""
        if key not in self.table:
            return None
        known = self._items.get(key)
        if known is None:
            value, mark = self.table[key], self.table.marks.get(key)
            known = Item(value, mark, not _refused_or_interpolated(value, mark, str(key)))
            self._items[key] = known
        return known


class Documents:
    """The files that were read so far; several hierarchies may share them. A file's change after its first reading is not seen."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self._known: dict[tuple[str, Parser], Document] = {}
        self.warnings: list[Problem] = []

    def read(
        self, path: str, parse: Parser, *, strict: bool, hash_only: bool, module: str | None = None, asked_at: Mark | None = None
    ) -> Document:
        """Give the file at `path`, which the level at `asked_at` names, data of `module`, if of any.

        A file that holds no hash is an error (hash_only, or strict and not empty), else a warning. Raises DataError.
        """
        document = self._known.get((path, parse))
        if document is None:
            value = parse(read_text(Path(path), self.inputs, asked_at), path)
            if not isinstance(value, Table):
                self._no_hash(value, path, strict=strict, hash_only=hash_only)
                value = Table(mark=Mark(path, 1, 1))
            self.warnings += value.warnings
            self._warn_of_foreign(value, module)
            document = self._known[path, parse] = Document(value)
        return document

    def _warn_of_foreign(self, table: Table, module: str | None) -> None:
        """Tell of keys in a module's data that nobody ever finds."""
        foreign = [key for key in table if not is_key_of(module, key)]
        if foreign:
            named = ", ".join(f"`{key}`" for key in foreign[:_NAMED]) + (", ..." if len(foreign) > _NAMED else "")
            what = f"never found in data of the module `{module}`: {named}"
            self.warnings.append(Problem(what, table.marks.get(foreign[0]), hint=f"its keys begin with `{module}::`"))

    def _no_hash(self, value: Any, path: str, *, strict: bool, hash_only: bool) -> None:
        what = "it is empty" if value is None else f"it holds {kind(value)}, not a hash"
        problem = Problem(f"no data: {what}", Mark(path, 1, 1), hint="write `key: value` lines, or `{}` for none")
        if hash_only or (strict and value is not None and value is not False):
            raise DataError(problem)
        self.warnings.append(problem)


def _refused_or_interpolated(value: Any, mark: Mark | None, key: str) -> bool:
    """Whether `%{` stands anywhere in `value`. Raises DataError for what is no data to Puppet: symbols, and keys that are no names."""
    match value:
        case Symbol():
            raise DataError(Problem("a symbol, which Puppet refuses in data", mark, key=key, hint="quote it to have a string"))
        case str():
            return "%{" in value
        case Table():
            found = False
            for name, item in value.items():
                place = value.marks.get(name, mark)
                if name is None or isinstance(name, bool | OddKey) or (isinstance(name, float) and isnan(name)):
                    what = "a list or a hash" if isinstance(name, OddKey) else kind(name)
                    hint = (
                        "quote it; unquoted yes, no, on, off, true, false, null, ~, .nan are no strings, and no more is [x] or {x: y}"
                    )
                    raise DataError(Problem(f"{what} as a key", place, key=key, hint=hint))
                found |= isinstance(name, str) and "%{" in name
                found |= _refused_or_interpolated(item, place, f"{key}.{name}")
            return found
        case list():
            marks = getattr(value, "marks", [])
            found = False
            for index, item in enumerate(value):
                found |= _refused_or_interpolated(item, marks[index] if index < len(marks) else mark, f"{key}.{index}")
            return found
        case _:
            return False
