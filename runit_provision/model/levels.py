"""Run levels: named sets of the host's services, one of which is supervised; runsvchdir(8)."""

from __future__ import annotations

from dataclasses import dataclass

from runit_provision.model.tree import Origin


@dataclass(frozen=True, slots=True)
class Level:
    """`services`: the names of those that it holds; a service that no level names is in each."""

    name: str
    services: frozenset[str]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Levels:
    """A directory of links for each level below `directory`; its link `current` leads to the one called `current`."""

    directory: str
    current: str
    all: tuple[Level, ...]
    origin: Origin

    def of(self, service: str) -> tuple[str, ...]:
        """Give the levels that the host's service `service` is in."""
        named = tuple(level.name for level in self.all if service in level.services)
        return named or tuple(level.name for level in self.all)
