"""Lists that become hashes: of pairs, of keys and items in turns, and of ways into a tree (Puppet's Hash.new)."""

from __future__ import annotations

from typing import Any

from runit_provision.hiera.types.cannot import CannotError
from runit_provision.hiera.values.kinds import is_other_number, kind
from runit_provision.hiera.values.ways import Path
from runit_provision.model.data import Array, Table, locate

_LONGEST = 1_000_000
"""Items of a list that a tree makes longer."""


def paired(value: Array) -> Table:
    """Make a hash of a list of pairs, or of one that has keys and items in turns."""
    result = Table(mark=value.mark)
    if value and all(isinstance(item, list) and len(item) == 2 for item in value):
        for index, (key, item) in enumerate(value):
            _put(result, key, item, value, (index, 0))
        return result
    if len(value) % 2:
        raise CannotError("a list of an odd number of items is no Hash")
    for index in range(0, len(value), 2):
        _put(result, value[index], value[index + 1], value, (index,))
    return result


def _put(result: Table, key: Any, item: Any, source: Any, path: Path) -> None:
    """Put an item into a hash; `path` is the way to its key in `source`."""
    if isinstance(key, list | dict):
        raise CannotError(f"{kind(key)} cannot be a key", path)
    if is_other_number(result, key):
        raise CannotError("the key is there as another kind of number", path)
    result[key] = item
    if mark := locate(source, path):
        result.marks[key] = mark


def tree(value: Any, option: Any) -> Table:
    """Make hashes within hashes of a list of ways and what lies at their ends; with `hash_tree` what lies there is no list either."""
    if option not in ("tree", "hash_tree"):
        raise CannotError("the argument is `tree` or `hash_tree`")
    if not isinstance(value, Array) or not value or not all(_is_way(pair) for pair in value):
        raise CannotError("for a tree a list of pairs is wanted, each of a list of keys and a value")
    result = Table(mark=value.mark)
    for index, (keys, item) in enumerate(value):
        if keys:
            leaf = _without_lists(item) if option == "hash_tree" else _copied(item)
            _plant(result, keys, leaf, value, index)
        elif isinstance(item, dict):
            for key, held in item.items():
                _put(result, key, _copied(held), value, (index, 1, key))
        elif isinstance(item, list):
            for number, held in enumerate(item):
                _put(result, number, _copied(held), value, (index, 1, number))
        else:
            raise CannotError(f"{kind(item)} is no root of a tree", (index, 1))
    return result


def _is_way(pair: Any) -> bool:
    return isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], list)


def _plant(at: Any, keys: list[Any], leaf: Any, source: Array, index: int) -> None:
    """Put `leaf` where `keys` lead from `at`, and what is missing on the way."""
    for depth, key in enumerate(keys):
        path = (index, 0, depth)
        last = depth == len(keys) - 1
        match at:
            case Table():
                if last or key not in at:
                    _put(at, key, leaf if last else Table(mark=locate(source, path)), source, path)
                elif is_other_number(at, key):
                    raise CannotError("the key is there as another kind of number", path)
                at = at[key]
            case list():
                at = _within(at, key, path, leaf=leaf if last else None, last=last)
            case _:
                raise CannotError(f"{kind(at)} has no items", path)


def _within(items: list[Any], key: Any, path: Path, *, leaf: Any, last: bool) -> Any:
    """Give the item of a list that a number leads to; with `last` put `leaf` there first, the list made longer where it must be."""
    if isinstance(key, bool) or not isinstance(key, int | float) or not abs(key) <= _LONGEST:
        raise CannotError(f"{kind(key)} is no index of a list", path)
    number = int(key)
    if not last:
        return items[number] if -len(items) <= number < len(items) else None
    if number < -len(items):
        raise CannotError("the index is before the list's first item", path)
    items.extend([None] * (number + 1 - len(items)))
    items[number] = leaf
    return leaf


def _copied(value: Any) -> Any:
    """Give the value with containers of its own, in which a later way may put something."""
    match value:
        case dict():
            return Table(
                ((key, _copied(item)) for key, item in value.items()), marks=dict(getattr(value, "marks", {})), mark=locate(value, ())
            )
        case list():
            return Array(map(_copied, value), marks=list(getattr(value, "marks", [])), mark=locate(value, ()))
        case _:
            return value


def _without_lists(value: Any) -> Any:
    """Give a list as a hash with its indices as keys, and those in it."""
    if not isinstance(value, list):
        return _copied(value)
    result = Table(mark=locate(value, ()))
    for number, item in enumerate(value):
        result[number] = _without_lists(item)
        if mark := locate(value, (number,)):
            result.marks[number] = mark
    return result
