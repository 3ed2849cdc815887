"""What was seen on a host, and what is remembered of what was made there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from runit_provision.errors import Problem
from runit_provision.model.answer import Answer
from runit_provision.model.tree import Effect, Origin, Owner, Realm, ServiceTree


class Kind(Enum):
    """What a path is; OTHER is a fifo, a socket or a device."""

    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"
    OTHER = "other"


PHRASES = {
    Kind.FILE: "a file",
    Kind.DIRECTORY: "a directory",
    Kind.LINK: "a symbolic link",
    Kind.OTHER: "a fifo, socket or device",
}
"""What a path is, in words."""


NOBODY = -1
"""The owner of what has none that matters: a symbolic link's owner decides nothing."""


class Seen(NamedTuple):
    """One path as it is, or is to become; equal values mean that nothing is to be done.

    mode: the permission bits; uid, gid: NOBODY for a link. size: bytes of a file, 0 for all else. digest: SHA-256 in hexadecimal
    digits of a file's content, or "" when its size alone told that it is another. target: where a link leads, as stored.
    """

    kind: Kind
    mode: int = 0
    uid: int = NOBODY
    gid: int = NOBODY
    size: int = 0
    digest: str = ""
    target: str = ""

    @property
    def for_all(self) -> bool:
        """Whether everybody may read it; what not everybody may is shown by no plan: it may have been a secret before."""
        return bool(self.mode & 0o004)


class Record(NamedTuple):
    """One path that was made here: as what, in whose realm, for which service, and what its going asks of that service."""

    seen: Seen
    realm: Realm
    service: str = ""
    effect: Effect = Effect.NOTHING
    live: bool = False


class Life(NamedTuple):
    """A service (or its log service) as its `supervise/` tells.

    supervised: somebody reads its control fifo. pid: 0 for none. since: Unix time in nanoseconds of the last start or going down.
    gave_up: it is down, or soon will be, because its `finish` said so, not a person: it had ended more often than the data forgive.
    ready: it is not one that has still to say that it is ready.
    """

    supervised: bool = False
    running: bool = False
    want_up: bool = False
    pid: int = 0
    since: int = 0
    gave_up: bool = False
    ready: bool = True


class Owed(NamedTuple):
    """What an apply that was killed, or could not reach it, still owes a service: a verb's value.

    life: the process that was to be told, or None where that was not noted; another one has the new content already.
    """

    verb: str
    service: str
    life: Life | None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything that was made on this host and is still there: paths, parents before children, and services.

    answer: what the apply was asked that left exactly this, or None where nobody knows. owed: see Owed.
    """

    records: Mapping[str, Record] = field(default_factory=dict)
    services: Mapping[str, ServiceTree] = field(default_factory=dict)
    answer: Answer | None = None
    owed: tuple[Owed, ...] = ()


class Intent(NamedTuple):
    """One path of an apply that began: what it was, what it was to become, and the name under which what it was is kept.

    found: what an earlier apply, which was killed, had made of it; `after` when there was none. logs: a log directory that goes with
    what svlogd wrote in it.
    """

    path: str
    realm: Realm
    before: Seen | None
    after: Seen | None
    found: Seen | None
    kept: str
    staged: str
    service: str
    effect: Effect
    live: bool
    origin: Origin
    edited: bool
    logs: bool


class Call(NamedTuple):
    """One service step of an apply that began, by the verb's value; life: the service as it was before anything was done."""

    verb: str
    service: ServiceTree
    life: Life
    log: Life


class LoginIntent(NamedTuple):
    """A group, an account or a home that an apply that began was about to make or change, as LoginStep says it.

    Of a home: staged, where it is made first; account, whose it is; copies, what it held then, path below it and words of each.
    """

    change: str
    kind: str
    name: str
    reason: str
    staged: str
    account: str
    copies: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Journal:
    """An apply that began.

    command: `apply` or `rollback`. services: those that it was about to make. lives: the services as they were when all files had
    their new content, or None when it did not get there. done: the index of each call that was answered. logins: in order.
    """

    id: str
    command: str
    intents: tuple[Intent, ...]
    calls: tuple[Call, ...]
    services: tuple[ServiceTree, ...] = ()
    lives: Mapping[str, tuple[Life, Life]] | None = None
    done: frozenset[int] = frozenset()
    logins: tuple[LoginIntent, ...] = ()


@dataclass(frozen=True, slots=True)
class Stray:
    """A service that was found in a tree in which nothing may be but what the data says.

    service: as far as it can be told; its id is the path of its link. seen: the link. paths: what lies in the service directory, itself
    included; none when the link leads out of the tree. logs: log directories among them.
    """

    service: ServiceTree
    seen: Seen
    paths: Mapping[str, Seen]
    logs: frozenset[str]


def fares(lives: Mapping[str, tuple[Life, Life]], service: ServiceTree) -> tuple[Life, Life]:
    """Give how a service and its log service fare where it lies; see Observed."""
    return lives.get(service.directory) or lives.get(service.id) or (Life(), Life())


@dataclass(frozen=True, slots=True)
class Observed:
    """A host at one time.

    paths: those asked for that exist. owners: uid and gid of each owner named in a tree. lives: per service id the service and its
    log service; of one that moves those where it is to be, and by its directory those where it was. contents: of small files that
    differ, for a diff. leftovers: half-made paths of an apply that was killed.
    user: the account whose realm alone was looked at, or None for all. alive: False in an image, where nothing runs. kept: the names
    under which something is kept, of those that a journal to be undone speaks of. refused: what is wrong with each account's
    realm that is not as it has to be: it alone is left as it is. barred: the same for services by their ids. abandoned: realms of
    accounts that are no more. strays: services in trees that are to be purged. plain: directories there that are no link's. lost:
    directories of the system's in which something was made, and that others could swap now; each with what it is like.
    """

    paths: Mapping[str, Seen]
    owners: Mapping[tuple[Realm, Owner | None], tuple[int, int]]
    lives: Mapping[str, tuple[Life, Life]]
    manifest: Manifest
    journal: Journal | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    leftovers: tuple[tuple[str, Realm], ...] = ()
    user: str | None = None
    alive: bool = True
    kept: frozenset[str] = frozenset()
    refused: Mapping[Realm, tuple[Problem, ...]] = field(default_factory=dict)
    barred: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    abandoned: frozenset[Realm] = frozenset()
    strays: tuple[Stray, ...] = ()
    plain: tuple[str, ...] = ()
    lost: Mapping[str, str] = field(default_factory=dict)
