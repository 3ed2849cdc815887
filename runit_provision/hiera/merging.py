"""Merge strategies: how the values that several levels have for one key become one value.

The same strategy joins layers, the levels of a layer and the files of a level, highest priority first.
Source: Puppet's documentation, "Merging data from multiple sources", and `puppet lookup`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from runit_provision.errors import DataError, Mark, Problem, nearest
from runit_provision.hiera.deep_merge import DeepOptions, Knockout, deep_merge, identity
from runit_provision.hiera.explain import SILENT, Trace
from runit_provision.hiera.keys import Found
from runit_provision.hiera.values.kinds import is_data, kind
from runit_provision.hiera.values.secret import bare, holds_secret, laid_open
from runit_provision.hiera.values.ways import dotted
from runit_provision.model.data import Array, Table, locate

Source = TypeVar("Source")


class First:
    """The first value found; nothing is merged."""

    name = "first"

    def __str__(self) -> str:
        return self.name

    def search(self, sources: Sequence[Source], ask: Callable[[Source], Found | None], trace: Trace) -> Found | None:  # noqa: ARG002
        """Ask the sources in turn, highest priority first; None when none knows the key."""
        for source in sources:
            found = ask(source)
            if found is not None:
                return found
        return None


class Merging(First):
    """A strategy that asks every source; subclasses say how two values become one."""

    def search(self, sources: Sequence[Source], ask: Callable[[Source], Found | None], trace: Trace) -> Found | None:
        if len(sources) == 1:
            found = ask(sources[0])
            return found and Found(self.alone(laid_open(found.value)), found.mark)
        with trace.step("Merge strategy", self):
            result: Found | None = None
            count = 0
            for source in sources:
                found = ask(source)
                if found is None:
                    continue
                count += 1
                value = laid_open(found.value)
                if result is None:
                    result = Found(self.begun(value), found.mark)
                else:
                    result = Found(self.merged(result.value, value, found.mark or result.mark, trace), result.mark)
            if result is not None and count > 1:
                self.remark(count, trace)
                trace.merged(count, result.value)
            return result

    def remark(self, count: int, trace: Trace) -> None:
        """Say what is odd about a merge of `count` values."""

    def alone(self, value: Any) -> Any:
        """What the only source's value becomes."""
        return value

    def begun(self, value: Any) -> Any:
        """What the first of several values becomes."""
        return value

    def merged(self, high: Any, low: Any, mark: Mark | None, trace: Trace = SILENT) -> Any:
        """Join the value of higher priority with one of lower priority; `mark` is for errors."""
        raise NotImplementedError


class Hash(Merging):
    """Hashes joined key by key, the higher value wins; the lowest level's keys come first."""

    name = "hash"

    def merged(self, high: Any, low: Any, mark: Mark | None, trace: Trace = SILENT) -> Table:  # noqa: ARG002
        for value in (high, low):
            if not (isinstance(value, Mapping) and is_data(value)):
                raise _refused("hash", value, mark, "it merges hashes whose keys are strings")
        result = Table(mark=high.mark if isinstance(high, Table) else mark)
        for source in (low, high):
            result.update(source)
            result.marks.update(getattr(source, "marks", {}))
        return result


class Unique(Merging):
    """Scalars and flattened lists joined to one list without duplicates."""

    name = "unique"

    def alone(self, value: Any) -> Any:
        return _without_duplicates(value) if isinstance(value, list) else value

    def begun(self, value: Any) -> Array:
        return _flattened(value)

    def merged(self, high: Any, low: Any, mark: Mark | None, trace: Trace = SILENT) -> Array:  # noqa: ARG002
        for value in (high, low):
            fits = is_data(value) if isinstance(value, list) else isinstance(bare(value), str | int | float)
            if not fits:
                raise _refused("unique", value, mark, "it merges scalars and lists")
        first, second = _flattened(high), _flattened(low)
        if not second.marks:
            second.marks = [mark] * len(second)
        return _without_duplicates(Array([*first, *second], marks=[*_marks(first), *_marks(second)], mark=first.mark))


class Deep(Merging):
    """Hashes joined in depth, lists joined without duplicates, lowest first; knockouts and sorting as the options say."""

    name = "deep"

    def __init__(self, options: DeepOptions | None = None) -> None:
        self._options = options or DeepOptions()

    def __str__(self) -> str:
        given = ", ".join(f"{name}: {value}" for name, value in self._options.given())
        return f"{self.name} {{{given}}}" if given else self.name

    def remark(self, count: int, trace: Trace) -> None:
        if count > 2 and self._options.knockout_prefix:
            trace.note("A knockout takes out of the next lower value only, as in Puppet; what it names comes back with a third one")

    def merged(self, high: Any, low: Any, mark: Mark | None, trace: Trace = SILENT) -> Any:
        knocked: list[Knockout] = []
        result = deep_merge(high, low, self._options, mark, knocked)
        for each in knocked:
            trace.knocked_out(each)
        return result


class ReverseDeep(Deep):
    """As Deep, with the lower level winning."""

    name = "reverse_deep"

    def merged(self, high: Any, low: Any, mark: Mark | None, trace: Trace = SILENT) -> Any:
        return super().merged(low, high, mark, trace)


Strategy = First
FIRST = First()
HASH = Hash()
_PLAIN: dict[str, Strategy] = {
    "first": FIRST,
    "default": FIRST,
    "hash": HASH,
    "unique": Unique(),
    "deep": Deep(),
    "unconstrained_deep": Deep(),
    "reverse_deep": ReverseDeep(),
}
_DEEP_OPTIONS: dict[str, type] = {"knockout_prefix": str, "merge_debug": bool, "merge_hash_arrays": bool, "sort_merged_arrays": bool}
_UNCHECKED_OPTIONS: dict[str, type] = {**_DEEP_OPTIONS, "overwrite_arrays": bool, "extend_existing_arrays": bool}


def strategy(merge: object, mark: Mark | None = None, key: str = "") -> Strategy:
    """Give the strategy that `merge` names: None, a name, or a hash of `strategy` and its options.

    Raises DataError for an unknown strategy or option.
    """
    match merge:
        case None | False:
            return FIRST
        case First():
            return merge
        case str():
            return _named(merge, mark, key)
        case Mapping():
            return _with_options(merge, mark, key)
        case _:
            raise DataError(Problem(f"a merge strategy is a name or a hash, not {kind(merge)}", mark, key=key))


def _named(name: object, mark: Mark | None, key: str) -> Strategy:
    known = _PLAIN.get(name) if isinstance(name, str) else None
    if known is None:
        hint = nearest(name, _PLAIN, "known are first, unique, hash and deep")
        raise DataError(Problem(f"unknown merge strategy `{name}`", mark, key=key, hint=hint))
    return known


def _with_options(merge: Mapping[str, Any], mark: Mark | None, key: str) -> Strategy:
    if merge.get("strategy") is None:
        raise DataError(
            Problem("`strategy` is missing in the merge options", mark, key=key, hint="as {strategy: deep, knockout_prefix: '--'}")
        )
    plain = _named(merge["strategy"], mark, key)
    options = {name: value for name, value in merge.items() if name != "strategy"}
    if not options:
        return plain
    known = _known_options(merge["strategy"])
    for name, value in options.items():
        place = merge.marks.get(name, mark) if isinstance(merge, Table) else mark
        if name not in known:
            what = f"the merge strategy `{merge['strategy']}` has no option `{name}`"
            raise DataError(Problem(what, place, key=key, hint=nearest(name, known)))
        if value is not None and not isinstance(value, known[name]):
            raise DataError(Problem(f"`{name}` cannot be {kind(value)}", place, key=key))
    options.pop("merge_debug", None)
    return type(plain)(DeepOptions(**{name: value for name, value in options.items() if value is not None}))  # type: ignore[call-arg]


def _known_options(name: str) -> dict[str, type]:
    match name:
        case "deep":
            return _DEEP_OPTIONS
        case "unconstrained_deep" | "reverse_deep":
            return _UNCHECKED_OPTIONS
        case _:
            return {}


def _refused(name: str, value: Any, mark: Mark | None, hint: str) -> DataError:
    """Give the error of what a strategy does not take; the first item that is no plain data is to blame, if that is why."""
    from runit_provision.hiera.types.expressions import parse_type
    from runit_provision.hiera.types.misfit import first_misfit

    what = f"the merge strategy `{name}` cannot merge {kind(value)}"
    misfit = first_misfit(parse_type("Data"), value, is_secret=holds_secret(value))
    if misfit and misfit.path:
        return DataError(Problem(f"{what}: {misfit.what}", locate(value, misfit.path) or mark, key=dotted("", misfit.path), hint=hint))
    return DataError(Problem(what, mark, hint=hint))


def _marks(array: list[Any]) -> list[Mark | None]:
    marks = getattr(array, "marks", [])
    return [*marks, *[None] * (len(array) - len(marks))]


def _flattened(value: Any) -> Array:
    if not isinstance(value, list):
        return Array([value])
    result = Array(mark=getattr(value, "mark", None))
    for item, mark in zip(value, _marks(value), strict=True):
        if isinstance(item, list):
            inner = _flattened(item)
            result.extend(inner)
            result.marks.extend(_marks(inner))
        else:
            result.append(item)
            result.marks.append(mark)
    return result


def _without_duplicates(value: list[Any]) -> Array:
    result = Array(mark=getattr(value, "mark", None))
    seen = set()
    for item, mark in zip(value, _marks(value), strict=True):
        name = identity(item)
        if name not in seen:
            seen.add(name)
            result.append(item)
            result.marks.append(mark)
    return result
