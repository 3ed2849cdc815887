"""What the data means on disk: directories, files and links, each with its owner, its reason and what a change of it does.

A rendered tree is a value. The same data gives the same tree, whatever the host looks like.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from runit_provision.errors import Mark


@dataclass(frozen=True, slots=True)
class Realm:
    """Whose hands touch the paths below `base`.

    account: a login name whose credentials are taken before anything below `base` is touched, or None for the one who applies
    (root on a host). base: an absolute path. For an account's realm it is the home, which exists already and whose owner decides
    what lies below it; it is never created or changed here. It may be a log directory too, made in the system's realm and given away.
    """

    account: str | None
    base: str

    def holds(self, path: str) -> bool:
        """Whether `path` lies below the base."""
        return path.startswith(self.base.rstrip("/") + "/")


SYSTEM = Realm(None, "/")
"""What nobody but the one who applies has in hands."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Login name and group name; a group of None is the account's primary group."""

    user: str
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Why something is there: the dotted key of the data, and where that was written."""

    key: str
    mark: Mark | None = None

    def __str__(self) -> str:
        return f"{self.key} ({self.mark.file}:{self.mark.line})" if self.mark else self.key


class Effect(Enum):
    """What a changed file asks of the service that it belongs to."""

    NOTHING = "nothing"
    RESTART = "restart"
    LOG_HUP = "log hup"
    LOG_RESTART = "log restart"


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of mode `mode`; a `shared` one that is there already stays as it is, and stays when what was made in it goes."""

    mode: int
    shared: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A regular file; `secret` contents are shown nowhere and their mode gives others nothing.

    parts: where several keys of the data make one text, which of it each asks for.
    """

    content: bytes = field(repr=False)
    mode: int
    secret: bool = False
    parts: tuple[tuple[bytes, Origin], ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link to `target`, which is stored as it stands here; a `shared` one stays when it is no longer asked for."""

    target: str
    shared: bool = False


Entry = Directory | File | Link


@dataclass(frozen=True, slots=True)
class Node:
    """One path of the tree: absolute, without `.`, `..` or a trailing slash.

    realm: in whose hands the path lies; owner: None means the realm's account (or who applies).
    service: the id of the service whose definition this belongs to, or "" (a shared directory).
    live: this link is what makes the service start: it comes last and goes first.
    """

    path: str
    entry: Entry
    realm: Realm
    owner: Owner | None
    origin: Origin
    service: str = ""
    effect: Effect = Effect.NOTHING
    live: bool = False


class Ensure(Enum):
    """The state that the data asks for."""

    RUNNING = "running"
    STOPPED = "stopped"
    ABSENT = "absent"
    ANY = "any"
    """Whatever it is now: the data leaves that to the person who operates it, as a lone `down` does."""


class OnChange(Enum):
    """What happens to a running service when what it runs was changed."""

    RESTART = "restart"
    HUP = "hup"
    TERM = "term"
    WAIT = "wait"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class ServiceTree:
    """One service as it stands on disk.

    id: `name` for a service of the host, `user/name` for a user's, `user/parent/name` for a nested one; unique.
    directory: the definition (holds run); link: where runsvdir finds it, or None when it does not: absent, or not in the current level.
    logged: it has a log service. log_directory: where svlogd writes, or None. enabled: without `down`. one_shot: it ends by itself
    and is not expected to stay up. requires: ids of services that start before it. scans: the directory that it runs a runsvdir over.
    stop_seconds: how long it may take to end, or None for what the caller says; kill: then it is killed.
    check_as: whom its check runs as, as `chpst -u` takes it, None for the tree's owner; check_path: with which PATH.
    """

    id: str
    realm: Realm
    directory: str
    link: str | None
    logged: bool
    log_directory: str | None
    ensure: Ensure
    enabled: bool
    one_shot: bool
    on_change: OnChange
    origin: Origin
    requires: tuple[str, ...] = ()
    scans: str | None = None
    stop_seconds: int | None = None
    kill: bool = False
    check_as: str | None = None
    check_path: str = ""


@dataclass(frozen=True, slots=True)
class Purge:
    """A tree in which nothing is to be but what the data says.

    directories: those that hold its links; definitions: the directory of its service directories. origin: the key that says so.
    """

    realm: Realm
    directories: tuple[str, ...]
    definitions: str
    origin: Origin


@dataclass(frozen=True, slots=True)
class RenderedTree:
    """All nodes, parents before children and live links last; all services, required ones first.

    scanned: the directories that a runsvdir scans (the host's and each user's), with the realm each lies in. purges: the trees in which
    nothing else may be. drops_logs: the realms of the trees whose services take their logs with them when they go.
    """

    nodes: tuple[Node, ...]
    services: tuple[ServiceTree, ...]
    scanned: tuple[tuple[str, Realm], ...]
    purges: tuple[Purge, ...] = ()
    drops_logs: frozenset[Realm] = frozenset()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def service(self, name: str) -> ServiceTree:
        """Give the service whose id is `name`; KeyError when there is none."""
        for service in self.services:
            if service.id == name:
                return service
        raise KeyError(name)
