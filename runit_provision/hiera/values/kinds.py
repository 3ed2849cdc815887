"""What kind of thing a value is, in Puppet's words."""

from __future__ import annotations

from typing import Any

from runit_provision.hiera.values.secret import bare


def kind(value: Any) -> str:
    """Name the type of a value for a message, in Puppet's words and without the value, which may be a secret."""
    match value:
        case None:
            return "undef"
        case bool():
            return "a Boolean"
        case int():
            return "an Integer"
        case float():
            return "a Float"
        case str():
            return "a String"
        case list():
            return "an Array"
        case dict():
            return "a Hash"
        case _:
            return "a Sensitive"


def shown(key: Any) -> str:
    """Write a hash's key as YAML would, a string in quotes."""
    return repr(key) if isinstance(key, str) else "null" if key is None else str(key).lower()


def is_data(value: Any) -> bool:
    """Whether it is what Puppet calls Data: scalars, undef, lists, and hashes whose keys are strings, all the way down."""
    match value:
        case dict():
            return all(isinstance(key, str) and is_data(item) for key, item in value.items())
        case list():
            return all(map(is_data, value))
        case _:
            return value is None or isinstance(bare(value), str | int | float)


def is_other_number(table: dict[Any, Any], key: Any) -> bool:
    """Whether `table` has another key that is the same one in Python alone, as 1, 1.0 and true are."""
    return not isinstance(key, str) and key in table and not any(known == key and _sort(known) is _sort(key) for known in table)


def _sort(key: Any) -> type:
    """Give the type, of which a number that is written otherwise has one of its own."""
    return next((sort for sort in (bool, int) if isinstance(key, sort)), type(key))
