"""Secrets on their way through a lookup: what came out of an encrypted value, and whatever is made of it.

To a lookup a secret is what it holds: it is merged, interpolated and converted as Puppet does it. To everybody else it is opaque. Two
forms carry the taint, SecretText and Veiled. Who moves a value keeps it, whoever makes a new value of others asks `holds_secret` and
gives `veiled` what came of it, and what leaves a lookup is `sealed`: only Sensitive is left then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runit_provision.model.data import Array, Sensitive, Table

REDACTED = "[value redacted]"


class SecretText(str):
    """Secret text. It compares, splits and joins as the text; put into a message, it shows that there is something, not what."""

    __slots__ = ()

    def __str__(self) -> str:
        return REDACTED

    __repr__ = __str__

    def __format__(self, _spec: str) -> str:
        return REDACTED

    def clear(self) -> str:
        """Give the text as a plain string."""
        return str.__str__(self)


class Veiled(Sensitive):
    """Any other value that was made of a secret; a lookup sees through it, as it does not see through Sensitive."""

    __slots__ = ()


def holds_secret(value: Any) -> bool:
    """Whether something that came out of an encrypted value is in `value`, be it a hash's key."""
    match value:
        case str():
            return isinstance(value, SecretText)
        case Veiled():
            return True
        case Sensitive():
            return holds_secret(value.unwrap())
        case dict():
            return any(holds_secret(key) or holds_secret(item) for key, item in value.items())
        case list():
            return any(map(holds_secret, value))
        case _:
            return False


def veiled(value: Any) -> Any:
    """Give what was made of a secret as a secret. Puppet's own Sensitive stays, which nothing sees through."""
    match value:
        case Sensitive():
            return value
        case str():
            return SecretText(_plain(value))
        case _:
            return Veiled(cleared(value))


def laid_open(value: Any) -> Any:
    """Give the value for a merge, which has to see its lists and hashes: veils are on what they hold instead."""
    return _opened(value) if _has_veil(value) else value


def _has_veil(value: Any) -> bool:
    match value:
        case dict():
            return any(map(_has_veil, value.values()))
        case list():
            return any(map(_has_veil, value))
        case _:
            return isinstance(value, Veiled)


def _opened(value: Any) -> Any:
    match value:
        case Veiled():
            return _parted(value.unwrap())
        case dict() | list():
            return _rebuilt(value, _opened)
        case _:
            return value


def _parted(value: Any) -> Any:
    match value:
        case dict() | list():
            return _rebuilt(value, _parted)
        case None | Sensitive():
            return value
        case _:
            return veiled(value)


def cleared(value: Any) -> Any:
    """Give the value without its veils, for one who makes something of it and veils that again."""
    match value:
        case Veiled():
            return cleared(value.unwrap())
        case Sensitive():
            return Sensitive(cleared(value.unwrap()))
        case _:
            return _rebuilt(value, cleared)


def sealed(value: Any) -> Any:
    """Give the value with each secret inside of a Sensitive: the text alone where it can be told apart, else the whole hash."""
    match value:
        case SecretText():
            return Sensitive(value.clear())
        case Sensitive():
            return Sensitive(cleared(value.unwrap()))
        case dict() if any(map(holds_secret, value)):
            return Sensitive(cleared(value))
        case _:
            return _rebuilt(value, sealed)


def revealed(value: Any) -> Any:
    """Give the value with nothing hidden, for one who asked for that."""
    match value:
        case Sensitive():
            return revealed(value.unwrap())
        case _:
            return _rebuilt(value, revealed)


def bare(value: Any) -> Any:
    """Give what is behind the veil of a number or a Boolean, to be compared."""
    return value.unwrap() if isinstance(value, Veiled) else value


def _rebuilt(value: Any, change: Callable[[Any], Any]) -> Any:
    """Give a container with `change` applied to what it holds, places kept; of anything else the plain value."""
    match value:
        case dict():
            names = {key: change(key) if isinstance(key, str) else key for key in value}
            items = [(names[key], change(item)) for key, item in value.items()]
            marks = {names[key]: mark for key, mark in getattr(value, "marks", {}).items() if key in names}
            return Table(items, marks=marks, mark=getattr(value, "mark", None))
        case list():
            return Array(map(change, value), marks=getattr(value, "marks", []), mark=getattr(value, "mark", None))
        case _:
            return _plain(value)


def _plain(value: Any) -> Any:
    return value.clear() if isinstance(value, SecretText) else value
