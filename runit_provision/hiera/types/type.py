"""A type as an expression names it, and what it is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

Holds = Callable[[Any], bool]
"""Whether a value is of a type."""
Fail = Callable[[str], NoReturn]
"""Raises DataError: an expression is no type, and the text says why."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type as written: its name and arguments, and `holds`, which tells whether a value is one."""

    text: str
    name: str
    holds: Holds
    arguments: tuple[Any, ...] = ()

    @property
    def types(self) -> list[Type]:
        """The types among the arguments."""
        return [argument for argument in self.arguments if isinstance(argument, Type)]

    @property
    def members(self) -> list[Member]:
        """Of a Struct what its keys have."""
        return next((argument for argument in self.arguments if isinstance(argument, list)), [])


Member = tuple[str, Type, bool]
"""The name, the type of its value, and whether it may be missing."""


class _Default:
    """The word `default` among arguments."""


DEFAULT = _Default()
