"""Secrets in data: text that came out of an encrypted value, and Sensitive, which is all that leaves a lookup."""

from __future__ import annotations

from typing import Any

from runit_provision.model.data import Array, Sensitive, Table


class SecretText(str):
    """Text that came out of an encrypted value; what is interpolated from it is secret too."""

    __slots__ = ()


def sealed(value: Any) -> Any:
    """Give the value with every SecretText inside of a Sensitive."""
    match value:
        case SecretText():
            return Sensitive(str(value))
        case Table():
            return Table([(key, sealed(item)) for key, item in value.items()], marks=value.marks, mark=value.mark)
        case Array():
            return Array(map(sealed, value), marks=value.marks, mark=value.mark)
        case _:
            return value


def revealed(value: Any) -> Any:
    """Give the value with every Sensitive unwrapped."""
    match value:
        case Sensitive():
            return revealed(value.unwrap())
        case dict():
            return {key: revealed(item) for key, item in value.items()}
        case list():
            return [revealed(item) for item in value]
        case _:
            return value
