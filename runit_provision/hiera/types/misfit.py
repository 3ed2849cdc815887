"""Why a value is not of a type: the first item in it that does not fit, for errors that are not to blame the whole.

Only kinds and keys are told, no scalar; of a value with something secret in it, which may have become a key, no keys either.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from runit_provision.hiera.types.expressions import parse_type
from runit_provision.hiera.types.type import Type
from runit_provision.hiera.values.kinds import kind
from runit_provision.hiera.values.ways import Path


@dataclass(frozen=True, slots=True)
class Misfit:
    """path: the subkeys that lead to the item, none of them for the value itself; what: what it is; wanted: the type's text."""

    path: Path
    what: str
    wanted: str


def first_misfit(wanted: Type, value: Any, path: Path = (), *, is_secret: bool = False) -> Misfit | None:
    """Give the first item of `value` that is not as `wanted` says, or the value itself where no single item is to blame."""
    if wanted.holds(value):
        return None
    if is_secret and isinstance(value, dict):
        return Misfit(path, f"it is {kind(value)}", wanted.text)
    for segment, is_key, item, type_ in _items(wanted, value):
        if is_key and not type_.holds(item):
            return Misfit((*path, segment), f"the key is {kind(item)}", type_.text)
        if not is_key and (found := first_misfit(type_, item, (*path, segment), is_secret=is_secret)):
            return found
    return Misfit(path, f"it is {_described(wanted, value)}", wanted.text)


def _items(wanted: Type, value: Any) -> Iterator[tuple[Hashable, bool, Any, Type]]:
    """Give what of `value` has a type of its own in `wanted`: its subkey, whether it is the key itself, the item, the type."""
    types = wanted.types
    match wanted.name, value:
        case "Array" | "Iterable", list() if types:
            yield from ((index, False, item, types[0]) for index, item in enumerate(value))
        case "Tuple", list() if types:
            yield from ((index, False, item, types[min(index, len(types) - 1)]) for index, item in enumerate(value))
        case "Hash", dict() if types:
            for name, item in value.items():
                yield name, True, name, types[0]
                yield name, False, item, types[1]
        case "Struct", dict():
            yield from ((name, False, value[name], type_) for name, type_, _ in wanted.members if name in value)
        case "Data", list():
            yield from ((index, False, item, wanted) for index, item in enumerate(value))
        case "Data", dict():
            for name, item in value.items():
                yield name, True, name, _STRING
                yield name, False, item, wanted
        case "Optional" | "NotUndef" | "Variant", _:
            alike = [type_ for type_ in types if any(True for _ in _items(type_, value))]
            if len(alike) == 1:
                yield from _items(alike[0], value)


def _described(wanted: Type, value: Any) -> str:
    match wanted.name, value:
        case "Struct", dict():
            names = [name for name, _, _ in wanted.members]
            strange = next((name for name in value if name not in names), None)
            missing = next((name for name, _, optional in wanted.members if not optional and name not in value), None)
            if strange is not None:
                return f"a Hash with `{strange}`"
            return "a Hash" if missing is None else f"a Hash without `{missing}`"
        case _, list() | dict():
            return f"{kind(value)} of {len(value)} item{'' if len(value) == 1 else 's'}"
        case _:
            return kind(value)


_STRING = parse_type("String")
