"""Link the runtime to init, take that back, tell how it stands: the same for every init."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol, assert_never

from runit_provision.errors import HostError, Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.busybox import Busybox
from runit_provision.host.inits.nested import S6, Runit
from runit_provision.host.inits.openrc import OpenRC
from runit_provision.host.inits.pieces import Piece, State, own_folders
from runit_provision.host.inits.systemd import OwnSystemd, Systemd
from runit_provision.host.inits.sysvinit import Sysvinit
from runit_provision.host.inits.upstart import Upstart
from runit_provision.host.rooted import as_host, on_host, on_root
from runit_provision.host.trust import doubts

_LIVE = Path("/")
_INITS: dict[str, Callable[[Path], Init]] = {
    "systemd": Systemd,
    "systemd-user": OwnSystemd,
    "sysvinit": Sysvinit,
    "openrc": OpenRC,
    "busybox": Busybox,
    "runit": Runit,
    "s6": S6,
    "upstart": Upstart,
}


class Init(Protocol):
    """One init: what it is told with, and how a running one is made to listen."""

    @property
    def name(self) -> str: ...

    @property
    def root(self) -> Path: ...

    def pieces(self, boot: Boot) -> tuple[Piece, ...]: ...

    def rivals(self, boot: Boot) -> Iterator[Problem]: ...

    def started(self, boot: Boot, *, fresh: bool) -> list[str]: ...

    def before_unlink(self, boot: Boot) -> list[str]: ...

    def after_unlink(self, boot: Boot) -> list[str]: ...

    def active(self, boot: Boot) -> bool: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """How the link stands: each piece with its state; running: None for an image."""

    pieces: tuple[tuple[str, State], ...]
    running: bool | None

    @property
    def linked(self) -> bool:
        """True when every piece is there as it would be laid now."""
        return all(state is State.LAID for _, state in self.pieces)


def by_name(name: str, *, root: Path) -> Init:
    """Give the init called `name`, one of detect.NAMES."""
    return _INITS[name](root)


def link(init: Init, boot: Boot) -> list[str]:
    """Lay what is missing or outdated and start runsvdir; give what was done, nothing when all was so.

    Raises HostError, with nothing changed, for a stranger's file in the way, an edit, a rival, or a runtime that is not installed.
    """
    states = _states(init, boot)
    problems = [*init.rivals(boot)]
    if not problems and init.root == _LIVE:  # of no init's
        problems += scripts.strangers(boot)
    problems += _obstacles(states)
    problems += _homeless(init, states)
    problems += doubts(boot.runsvdir, root=init.root)
    if not os.access(on_host(init.root, boot.runsvdir), os.X_OK):
        hint = f"`runit-provision runtime install {on_root(init.root)}--prefix {boot.prefix}` first"
        problems.append(Problem("No such program", path=boot.runsvdir, hint=hint))
    if problems:
        raise HostError(*problems)
    missing = [piece for piece, state in states if state is not State.LAID]
    absent = [piece for piece, state in states if state is State.ABSENT]
    with _host_errors(init.root):
        try:
            for piece in missing:
                piece.lay(init.root)
        except OSError:
            _withdraw(init.root, absent)
            raise
        done = [f"wrote {piece}" for piece in missing]
        if init.root == _LIVE and (missing or not init.active(boot)):
            done += init.started(boot, fresh=bool(absent))
            if done and not Path(boot.services).is_dir():
                done.append(f"{boot.services} is not there yet: runsvdir waits for it, and apply makes it")
    return done


def unlink(init: Init, boot: Boot) -> list[str]:
    """Take back what `link` laid, and end what it started, services included, in order; give what was done.

    Raises HostError, with nothing changed, when a piece was edited since. A stranger's file is not looked at twice.
    """
    states = _states(init, boot)
    edited = [obstacle for obstacle in _obstacles(states) if State.EDITED.value in obstacle.message]
    if edited:
        raise HostError(*edited)
    ours = [piece for piece, state in states if state in (State.LAID, State.OUTDATED)]
    if not ours:
        return []
    with _host_errors(init.root):
        done = init.before_unlink(boot) if init.root == _LIVE else []
        for piece in reversed(ours):
            _take_back(piece, init.root)
            done.append(f"removed {piece}")
        if init.root == _LIVE:
            done += init.after_unlink(boot)
    return done


def status(init: Init, boot: Boot) -> Standing:
    """Tell how the link stands; reads only."""
    pieces = tuple((str(piece), state) for piece, state in _states(init, boot))
    return Standing(pieces=pieces, running=init.active(boot) if init.root == _LIVE else None)


def _states(init: Init, boot: Boot) -> list[tuple[Piece, State]]:
    return [(piece, piece.state(init.root)) for piece in init.pieces(boot)]


def _homeless(init: Init, states: list[tuple[Piece, State]]) -> Iterator[Problem]:
    """Give the folders that an init has and this host has not."""
    outermost = {str(PurePosixPath([piece.path, *own_folders(piece)][-1]).parent) for piece, _ in states}
    for folder in sorted(outermost):
        if not on_host(init.root, f"{folder}/x").parent.is_dir():
            yield Problem("No such directory", path=folder, hint=f"is this a host of {init.name}? name its init with --init")


def _obstacles(states: list[tuple[Piece, State]]) -> Iterator[Problem]:
    for piece, state in states:
        match state:
            case State.FOREIGN:
                yield Problem(state.value, path=piece.path, hint="move it away")
            case State.EDITED:
                yield Problem(state.value, path=piece.path, hint=piece.when_edited)
            case State.ABSENT | State.LAID | State.OUTDATED:
                pass
            case _:
                assert_never(state)


def _withdraw(root: Path, pieces: list[Piece]) -> None:
    for piece in reversed(pieces):
        if piece.state(root) is State.LAID:
            _take_back(piece, root)


def _take_back(piece: Piece, root: Path) -> None:
    piece.take_back(root)
    for folder in own_folders(piece):
        with suppress(OSError):  # not empty: somebody else uses it
            on_host(root, folder).rmdir()


@contextmanager
def _host_errors(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise HostError(Problem(error.strerror or str(error), path=as_host(root, error.filename2 or error.filename or ""))) from error
    except subprocess.CalledProcessError as error:
        message = (error.stderr or "").strip().replace("\n", "; ") or f"exit status {error.returncode}"
        raise HostError(Problem(message, path=" ".join(error.cmd))) from error
