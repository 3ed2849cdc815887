"""What apply will do, decided before anything is touched. Each step knows why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from runit_provision.errors import Problem
from runit_provision.model.account import Group, Login
from runit_provision.model.observed import Life, Manifest, Seen
from runit_provision.model.tree import Effect, Node, Origin, Realm, ServiceTree


class Change(Enum):
    """What happens to a path, with the sign that a plan shows."""

    CREATE = "+"
    REPLACE = "~"
    REMOVE = "-"


class Found(Enum):
    """Whose work lies at a path that is to change.

    NOTHING: none; OURS: as the last apply left it; EDITED: changed by a hand since; FOREIGN: never made here. What is EDITED or
    FOREIGN is kept for good before it is replaced, what is OURS until the next apply.
    """

    NOTHING = "nothing"
    OURS = "ours"
    EDITED = "edited"
    FOREIGN = "foreign"


class Verb(Enum):
    """What happens to a service. RENEW: its supervisor ends with it, and runsvdir starts both anew. LEAVE: nothing does, and the plan
    says why.
    """

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    RENEW = "renew"
    HUP = "hup"
    TERM = "term"
    LOG_HUP = "log hup"
    LOG_RESTART = "log restart"
    LEAVE = "leave"


OF_LOG = (Verb.LOG_HUP, Verb.LOG_RESTART)
"""What the log service gets."""


@dataclass(frozen=True, slots=True)
class PathStep:
    """One path is created, replaced or removed.

    before, after: what it is and what it becomes, None for nothing. What it becomes has the content of `node`, or is taken from what
    was kept under the name `kept` (a rollback). old: the content that is there, when a diff may show it. logs: what svlogd
    wrote in this directory goes with it, and does not come back.
    """

    change: Change
    path: str
    realm: Realm
    before: Seen | None
    after: Seen | None
    reason: str
    origin: Origin
    found: Found = Found.NOTHING
    node: Node | None = None
    kept: str = ""
    service: str = ""
    effect: Effect = Effect.NOTHING
    live: bool = False
    old: bytes | None = field(default=None, repr=False)
    logs: bool = False


@dataclass(frozen=True, slots=True)
class ServiceStep:
    """One service is started, stopped, restarted, signalled, or left as it is."""

    verb: Verb
    service: ServiceTree
    reason: str


@dataclass(frozen=True, slots=True)
class LoginStep:
    """What is done to a `group`, an `account` or a `home`: by name, a home by its path."""

    change: Change
    kind: str
    name: str
    reason: str
    origin: Origin
    group: Group | None = None
    login: Login | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Every step, in the order in which they are done.

    stops: services that go for good, first. unlinks: live links that go. removals: children before parents. writes: parents before
    children. links: live links that come. calls: what happens to services then, required ones first. leftovers: half-made paths of an
    apply that was killed. unchanged: how many paths are as they should be. manifest: what is remembered when all is done, remembered:
    what is now. lives: the services as they were observed. resumes: an earlier apply was killed, and this completes it. user: see
    Observed. lost: what a rollback cannot bring back, since a hand took it away before it was kept. problems: what is wrong with users'
    directories, in which nothing is done therefore; barred: the same for each service that is left alone, by its id. gone: services
    that were made here, and of which the data know no more. logins: accounts, groups and homes, which come before all else.
    """

    stops: tuple[ServiceStep, ...] = ()
    unlinks: tuple[PathStep, ...] = ()
    removals: tuple[PathStep, ...] = ()
    writes: tuple[PathStep, ...] = ()
    links: tuple[PathStep, ...] = ()
    calls: tuple[ServiceStep, ...] = ()
    leftovers: tuple[tuple[str, Realm], ...] = ()
    unchanged: int = 0
    manifest: Manifest = field(default_factory=Manifest, repr=False)
    remembered: Manifest = field(default_factory=Manifest, repr=False)
    lives: Mapping[str, tuple[Life, Life]] = field(default_factory=dict, repr=False)
    resumes: bool = False
    user: str | None = None
    lost: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    barred: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    logins: tuple[LoginStep, ...] = ()

    @property
    def steps(self) -> tuple[PathStep, ...]:
        """All path steps in order."""
        return self.unlinks + self.removals + self.writes + self.links

    @property
    def empty(self) -> bool:
        """True when the host is as the data says."""
        return not (
            self.logins or self.stops or self.steps or self.leftovers or any(call.verb is not Verb.LEAVE for call in self.calls)
        )
