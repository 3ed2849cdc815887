"""The deep merge of two values, as the deep_merge library that Puppet uses does it, with the marks kept.

`high` is merged into `low`: hashes key by key, the keys of `low` first; lists as a union, the items of `low` first; of anything else
the higher value wins, but null never does. A knockout prefix in the higher list takes items out of the lower one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cmp_to_key
from typing import Any, NamedTuple

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.ruby.patterns import RubyPattern
from runit_provision.hiera.values.kinds import is_other_number, kind, shown
from runit_provision.hiera.values.secret import bare
from runit_provision.model.data import Array, Table


@dataclass(frozen=True, slots=True)
class DeepOptions:
    """knockout_prefix is a regular expression, unescaped, as in Puppet; the two last are of `unconstrained_deep` alone."""

    knockout_prefix: str | None = None
    sort_merged_arrays: bool = False
    merge_hash_arrays: bool = False
    overwrite_arrays: bool = False
    extend_existing_arrays: bool = False

    def given(self) -> list[tuple[str, Any]]:
        """Give the options that are set."""
        return [(name, value) for name in self.__slots__ if (value := getattr(self, name))]


class Knockout(NamedTuple):
    """An item of the higher value, and where it stands, that took `taken` out of the lower one, each with its place: none, or some."""

    by: Any
    mark: Mark | None
    taken: list[tuple[Any, Mark | None]]


def deep_merge(high: Any, low: Any, options: DeepOptions, mark: Mark | None = None, knocked: list[Knockout] | None = None) -> Any:
    """Give a new value; neither argument changes. What a prefix does is added to `knocked`.

    Raises DataError when lists cannot be sorted or the prefix is no expression.
    """
    if options.knockout_prefix == "":
        raise DataError(Problem("knockout_prefix cannot be empty", mark))
    merge = _Merge(options, mark)
    result = merge.into(_copy(high), _copy(low))
    if knocked is not None:
        knocked += merge.knocked
    return result


def identity(value: Any) -> Any:
    """Give a hashable stand-in that is equal for what Ruby takes as the same: 1, 1.0 and true are three things."""
    match value:
        case dict():
            return dict, frozenset((identity(key), identity(item)) for key, item in value.items())
        case list():
            return list, tuple(map(identity, value))
        case str():
            return str, value
        case _:
            return type(bare(value)), bare(value)


class _Merge:
    """One merge; `into` follows the library step by step, since its order of doing things shows in the results."""

    def __init__(self, options: DeepOptions, mark: Mark | None) -> None:
        self._options = options
        self._mark = mark
        self._prefix = RubyPattern("^" + options.knockout_prefix, mark) if options.knockout_prefix else None
        self.knocked: list[Knockout] = []

    def into(self, high: Any, low: Any, places: tuple[Mark | None, Mark | None] = (None, None)) -> Any:
        """Merge `high` into `low`; `places` are theirs, for what is told of knockouts."""
        if high is None:
            return low
        if low is None or low is False:
            return high
        match high:
            case Table():
                return self._table(high, low)
            case Array():
                return self._array(high, low)
            case _:
                return self._appended(high, low) if self._extends(low) else self._overwritten(high, low, places)

    def _extends(self, low: Any) -> bool:
        return self._options.extend_existing_arrays and isinstance(low, list)

    def _appended(self, high: Any, low: Any) -> Any:
        low.append(high)
        low.marks.append(getattr(high, "mark", None) or self._mark)
        return low

    def _table(self, high: Table, low: Any) -> Any:
        for key, value in high.items():
            if isinstance(low, dict):
                if is_other_number(low, key):
                    hint = "quote one of the two"
                    raise DataError(Problem(f"the key {shown(key)} is there as another kind of number", high.marks.get(key), hint=hint))
                below = low.get(key)
                if below is None or below is False:
                    below = _shallow(value)
                low[key] = self.into(value, below, (high.marks.get(key), getattr(low, "marks", {}).get(key)))
                _take_mark(low, high, key)
            elif self._extends(low):
                low = self._appended(high, low)
            else:
                low = self._overwritten(high, low)
        return low

    def _array(self, high: Array, low: Any) -> Any:
        if self._options.overwrite_arrays:
            return high
        prefix = self._options.knockout_prefix
        if prefix and prefix in high:
            place = getattr(low, "mark", None)
            self.knocked.append(Knockout(prefix, _mark_at(high, high.index(prefix)), [(_shallow(low), place)]))
            low = _cleared(low)
            _delete(high, prefix)
        if not isinstance(low, Array):
            return self._overwritten(high, low)
        if self._prefix:
            self._knock_out(high, low)
        both_hashes = all(isinstance(item, dict) for item in [*high, *low])
        joined = self._by_position(high, low) if self._options.merge_hash_arrays and both_hashes else _union(low, high)
        return self._sorted(joined) if self._options.sort_merged_arrays else joined

    def _knock_out(self, high: Array, low: Array) -> None:
        """Take the items of `high` that carry the prefix out of both lists.

        Below what was overwritten both are one list. The library then deletes from the list that it walks over, as Ruby's
        Array#delete_if does it: with one index that reads and one that writes.
        """
        assert self._prefix
        read = write = 0
        while read < len(high):
            item = high[read]
            read += 1
            if isinstance(item, str) and (bare := self._prefix.removed(item)) != item:
                self.knocked.append(Knockout(item, _mark_at(high, read - 1), [*_delete(low, bare), *_delete(low, item)]))
            else:
                high[write], high.marks[write : write + 1] = item, [_mark_at(high, read - 1)]
                write += 1
        del high[write:read]
        del high.marks[write:read]

    def _by_position(self, high: Array, low: Array) -> Array:
        result = Array(mark=high.mark)
        for index, item in enumerate(low):
            result.append(self.into(high[index] if index < len(high) else Table(), item))
            result.marks.append(_mark_at(high, index) or _mark_at(low, index))
        result.extend(high[len(low) :])
        result.marks.extend(_mark_at(high, index) for index in range(len(low), len(high)))
        return result

    def _sorted(self, array: Array) -> Array:
        def compared(one: int, other: int) -> int:
            return self._compared(array[one], array[other])

        order = sorted(range(len(array)), key=cmp_to_key(compared))
        return Array((array[index] for index in order), marks=[_mark_at(array, index) for index in order], mark=array.mark)

    def _compared(self, first: Any, second: Any) -> int:
        """Order as Ruby's <=> does: numbers with numbers, strings with strings, lists item by item, anything with its equal."""
        if isinstance(first, list) and isinstance(second, list):
            orders = (self._compared(one, other) for one, other in zip(first, second, strict=False))
            return next((order for order in orders if order), (len(first) > len(second)) - (len(first) < len(second)))
        first, second = bare(first), bare(second)
        if _rank(first) is _rank(second) is not None:
            return int(first > second) - int(first < second)
        if identity(first) == identity(second):
            return 0
        raise DataError(Problem(f"sort_merged_arrays cannot order {kind(first)} and {kind(second)}", self._mark))

    def _overwritten(self, high: Any, low: Any, places: tuple[Mark | None, Mark | None] = (None, None)) -> Any:
        if self._prefix is None:
            return high
        if isinstance(high, str):
            if self._prefix.removed(high) == high:
                return high
            self.knocked.append(Knockout(high, places[0], [(low, places[1])]))
            return ""
        if isinstance(high, list):
            for item in [item for item in high if isinstance(item, str) and self._prefix.search(item)]:
                _delete(high, item)
        return high


def _rank(value: Any) -> type | None:
    """What orders with its like: strings, and numbers of both kinds."""
    if isinstance(value, bool):
        return None
    return str if isinstance(value, str) else float if isinstance(value, int | float) else None


def _take_mark(low: Any, high: Any, key: Any) -> None:
    if isinstance(low, Table) and (mark := getattr(high, "marks", {}).get(key)):
        low.marks[key] = mark


def _mark_at(array: Any, index: int) -> Mark | None:
    marks: list[Mark | None] = getattr(array, "marks", [])
    return marks[index] if index < len(marks) else None


def _shallow(value: Any) -> Any:
    match value:
        case dict():
            return Table(value.items(), marks=dict(getattr(value, "marks", {})), mark=getattr(value, "mark", None))
        case list():
            return Array(value, marks=list(getattr(value, "marks", [])), mark=getattr(value, "mark", None))
        case _:
            return value


def _copy(value: Any) -> Any:
    match value:
        case dict():
            items = ((key, _copy(item)) for key, item in value.items())
            return Table(items, marks=dict(getattr(value, "marks", {})), mark=getattr(value, "mark", None))
        case list():
            return Array(map(_copy, value), marks=list(getattr(value, "marks", [])), mark=getattr(value, "mark", None))
        case _:
            return value


def _cleared(value: Any) -> Any:
    """Empty a list, a hash or a string; lists and hashes in place, since the list that empties it may be the same."""
    if isinstance(value, Table | Array):
        value.clear()
        value.marks.clear()
        return value
    return "" if isinstance(value, str) else None


def _delete(array: Any, item: str) -> list[tuple[Any, Mark | None]]:
    """Take each `item` out of a list; give what was taken, with its places."""
    taken: list[tuple[Any, Mark | None]] = []
    for index in reversed(range(len(array))):
        if isinstance(array[index], str) and array[index] == item:
            taken.insert(0, (array[index], _mark_at(array, index)))
            del array[index]
            del array.marks[index : index + 1]
    return taken


def _union(low: Array, high: Array) -> Array:
    result = Array(mark=high.mark)
    seen = set()
    for array in (low, high):
        for index, item in enumerate(array):
            name = identity(item)
            if name not in seen:
                seen.add(name)
                result.append(item)
                result.marks.append(_mark_at(array, index))
    return result
