"""One service as the data wants it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from runit_provision.model.ending import Ending
from runit_provision.model.health import Check, Peer
from runit_provision.model.logging import Log
from runit_provision.model.process import Process
from runit_provision.model.run import Run, Script
from runit_provision.model.tree import Ensure, OnChange, Origin, Owner


@dataclass(frozen=True, slots=True)
class Shared:
    """A script at `path`, which others have as well; it need not be there."""

    path: str


@dataclass(frozen=True, slots=True)
class Stopping:
    """What is done at TERM: `first` is asked, and when that is none, or fails, the process gets the signal that is sv's `letter`.

    kill_after: seconds until KILL, or None for never. noted: `finish` is told that somebody asked for this end.
    """

    letter: str = "t"
    first: Script | Shared | None = None
    kill_after: int | None = None
    noted: bool = False


HANG_UP = Stopping("h")
"""At HUP a runsvdir ends what it supervises, at TERM it leaves all of it running."""


@dataclass(frozen=True, slots=True)
class Control:
    """What runs in place of a signal; `letter` is one of t d u x k 1 2 h a i q c p."""

    letter: str
    action: Script | Shared | Stopping


@dataclass(frozen=True, slots=True)
class Delegate:
    """Who else may control a service: an account, a group, or both.

    owner: whose the file is that tells the shipped supervisor so; None under another, where `run` has to give control away.
    """

    user: str | None
    group: str | None
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    """How long a service may take to end, in seconds, when it is taken down or restarted; kill: then it is killed, else reported."""

    seconds: int
    kill: bool


@dataclass(frozen=True, slots=True)
class ExtraFile:
    """Any other file of the service directory; `path` is relative to it; restarts: a change of it asks for a restart.

    owner: None for the tree's own.
    """

    path: str
    content: bytes = field(repr=False)
    mode: int
    secret: bool = False
    restarts: bool = False
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class ExtraDirectory:
    """A directory within the service directory; owner: None for the tree's own."""

    path: str
    mode: int
    owner: Owner | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """A number in a file of its own, `name`, which only the shipped supervisor reads; `key` of the data asks for it.

    restarts: it counts from the next start on.
    """

    name: str
    number: int
    key: str
    restarts: bool = False


@dataclass(frozen=True, slots=True)
class Requirements:
    """Services that must run, and whose check must pass, before this one starts; `patience` in seconds, then the start fails."""

    peers: tuple[Peer, ...]
    patience: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of the services."""
        return tuple(peer.id for peer in self.peers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service of a tree.

    id: `name` of the host's, `user/name` of a user's, `parent/child` of a nested one. directory: its definition; link: where
    runsvdir finds it. before: shell lines that precede the program. children: the services of a nested tree, whose definitions and
    links lie below `directory`. watched: services of another account ask how it fares. tells: it says itself when it is ready.
    folders: directories that hold its own, and that are not its tree's. origins: where each part was written, by its key of the data.
    """

    name: str
    id: str
    directory: str
    link: str
    run: Run
    origin: Origin
    before: str = ""
    process: Process = field(default_factory=Process)
    one_shot: bool = False
    ending: Ending | None = None
    check: Check | None = None
    tells: bool = False
    control: tuple[Control, ...] = ()
    settings: tuple[Setting, ...] = ()
    folders: tuple[str, ...] = ()
    delegate: Delegate | None = None
    stop: Stop | None = None
    log: Log | None = None
    requirements: Requirements | None = None
    watched: bool = False
    files: tuple[ExtraFile | ExtraDirectory, ...] = ()
    children: tuple[Service, ...] = ()
    ensure: Ensure = Ensure.RUNNING
    enabled: bool = True
    on_change: OnChange = OnChange.RESTART
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False)

    def origin_of(self, part: str) -> Origin:
        """Give where `part` (`env`, or `env.NAME`) was written: that item, else its hash, else the service."""
        return self.origins.get(part) or self.origins.get(part.partition(".")[0], self.origin)
