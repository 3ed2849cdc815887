"""Looked-up data: plain YAML values whose containers remember where each item was written.

Strings, numbers, booleans and None are Python's own. A mapping is a `Table` and a list is an `Array`; both behave as dict and
list do, so that merging, comparing and validating need no second language, and carry the marks of their items beside them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any

from runit_provision.errors import Mark, Problem


class Table(dict[Any, Any]):
    """A mapping; `marks[key]` is where the key was written, `mark` where the mapping begins.

    warnings: of a whole file, what was odd in it.
    """

    __slots__ = ("mark", "marks", "warnings")

    def __init__(
        self,
        items: Iterable[tuple[Hashable, Any]] = (),
        *,
        marks: dict[Any, Mark] | None = None,
        mark: Mark | None = None,
        warnings: tuple[Problem, ...] = (),
    ) -> None:
        super().__init__(items)
        self.marks = marks if marks is not None else {}
        self.mark = mark
        self.warnings = warnings


class Array(list[Any]):
    """A list; `marks[index]` is where the item was written, `mark` where the list begins."""

    __slots__ = ("mark", "marks")

    def __init__(self, items: Iterable[Any] = (), *, marks: list[Mark | None] | None = None, mark: Mark | None = None) -> None:
        super().__init__(items)
        self.marks = marks if marks is not None else []
        self.mark = mark


class Numeral(int):
    """An integer that was written otherwise than it is printed: `0644`, `0x1F`, `1_000`, `12:30`. `text` is how."""

    text: str

    @classmethod
    def of(cls, value: int, text: str) -> int:
        """Give `value`, with its `text` unless that is the plain decimal one."""
        if str(value) == text:
            return value
        found = cls(value)
        found.text = text
        return found


class Sensitive:
    """A value that no log, plan, diff or error shows; `unwrap()` is for the one who writes it to its file."""

    __slots__ = ("_value",)

    def __init__(self, value: Any) -> None:
        self._value = value

    def unwrap(self) -> Any:
        """Give the secret itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sensitive) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Sensitive, repr(self._value)))

    def __repr__(self) -> str:
        return "Sensitive [value redacted]"

    __str__ = __repr__


def locate(data: Any, path: Iterable[Hashable]) -> Mark | None:
    """Give the mark of the item that `path` leads to, or of the nearest container above it that has one."""
    mark: Mark | None = getattr(data, "mark", None)
    for key in path:
        if isinstance(data, Sensitive):
            data = data.unwrap()
        if isinstance(data, Table):
            mark = data.marks.get(key, mark)
            data = data.get(key)
        elif isinstance(data, Array) and isinstance(key, int) and key < len(data):
            mark = (data.marks[key] if key < len(data.marks) else None) or mark
            data = data[key]
        else:
            break
    return mark
