"""What apply will do, decided before anything is touched. Each step can say itself, and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from runit_provision.model.tree import Node, Origin, Realm, ServiceTree


class Change(Enum):
    """What happens to a path, with the sign that a plan shows."""

    CREATE = "+"
    REPLACE = "~"
    REMOVE = "-"


class Verb(Enum):
    """What happens to a service."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    HUP = "hup"
    TERM = "term"
    LOG_HUP = "log hup"
    LOG_RESTART = "log restart"


@dataclass(frozen=True, slots=True)
class PathStep:
    """One path is created, replaced or removed.

    node: what it is to become, or None for a removal. before: the digest or kind of what is there, or "" for nothing.
    drift: what is there was edited by a hand since the last apply, so it is backed up first.
    """

    change: Change
    path: str
    realm: Realm
    node: Node | None
    reason: str
    origin: Origin
    drift: bool = False
    diff: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceStep:
    """One service is started, stopped, restarted or signalled."""

    verb: Verb
    service: ServiceTree
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """Every step in the order in which it is done; `unchanged` counts the paths that are as they should be."""

    stops: tuple[ServiceStep, ...]
    removals: tuple[PathStep, ...]
    writes: tuple[PathStep, ...]
    links: tuple[PathStep, ...]
    starts: tuple[ServiceStep, ...]
    unchanged: int

    @property
    def empty(self) -> bool:
        """True when the host is as the data says."""
        return not (self.stops or self.removals or self.writes or self.links or self.starts)
