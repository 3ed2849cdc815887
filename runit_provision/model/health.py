"""When a service is of use: its `check`, which `sv check`, those who require it and `verify` ask."""

from __future__ import annotations

from dataclasses import dataclass

from runit_provision.model.run import Script


@dataclass(frozen=True, slots=True)
class Tcp:
    """Something listens on `port` of `host`."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Http:
    """A GET of `url` is answered with a status below 400."""

    url: str


@dataclass(frozen=True, slots=True)
class Unix:
    """Something listens on the stream socket `path`."""

    path: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The file `path` is there."""

    path: str


@dataclass(frozen=True, slots=True)
class Command:
    """The program `words` exits 0."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peer:
    """The service `id`, found at `directory`: of use when it runs and its check passes, or, a one-shot, when it has succeeded.

    account: who asks for it, None for the one who runs the script. stranger: it is another user's, whose check nobody else runs:
    that it runs is enough.
    """

    id: str
    directory: str
    one_shot: bool = False
    account: str | None = None
    stranger: bool = False


@dataclass(frozen=True, slots=True)
class Services:
    """Every one of `peers` is of use."""

    peers: tuple[Peer, ...]


@dataclass(frozen=True, slots=True)
class Settled:
    """Each of the services found at `directories` is supervised, and as it is wanted: up and of use, or down."""

    directories: tuple[str, ...]


Probe = Tcp | Http | Unix | Exists | Command | Services | Settled


@dataclass(frozen=True, slots=True)
class Probes:
    """All of `all` must pass, each within `timeout` seconds; `account` asks, None is who calls.

    waited: the service itself waits for others before it runs, and is of no use while it does.
    """

    all: tuple[Probe, ...]
    timeout: int
    account: str | None = None
    waited: bool = False


Check = Script | Probes
