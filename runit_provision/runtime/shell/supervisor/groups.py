"""Control groups of services whose left processes are to be found again; cgroups(7), version 2.

    OWN/runit-KEY/NAME.SLOT     OWN: the group that the tree was started in, KEY: as in state.py

A group is there while its service is supervised. Where none can be had (no such hierarchy, or not ours to write), there are none, and a
mark in the environment has to do; sweep.py. Who sweeps makes none: where there is one, what was started since then is in it.

What a tree takes over from a runsv of its own is in that one's group, or has its mark: which these are is written down before, in a
file of the tree's state, left-DEV-INODE. The service then stays in that group, and what has that mark is swept too.
"""

from __future__ import annotations

import errno
import os

from ...wire import records
from ..service.files import NOT_NOW

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..state import State

_NAME_MAX = 200
_PATH_NAME = "cgroup"
"""Of the file in the state directory: the next supervisor may be started in another group, and these do not move.

It is there as soon as something was to be found again, and empty where there are no groups.
"""


class Groups:
    """The groups of a tree; made when they are first needed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._base: str | None = None

    def open(self, slot: int, identity: records.Identity, *, make: bool) -> int:
        """Give a descriptor of the group of a service, -1 when there is none, or none to be had; make: whether a new one will do.

        OSError when nobody can tell now: what is started beside a group that is there would not be found in it.
        """
        self._find()
        for path in self._paths(slot, identity):
            try:
                for folder in (os.path.dirname(path), path) if make else ():
                    try:
                        os.mkdir(folder, 0o755)
                    except FileExistsError:
                        pass
                return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as error:
                if error.errno in NOT_NOW:
                    raise
        return -1

    def open_left(self, identity: records.Identity) -> int:
        """Give a descriptor of what is written down of who had the service before: first its secret; -1 for nobody."""
        if self._state.directory < 0:
            return -1
        try:
            return os.open(_left(identity), os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._state.directory)
        except FileNotFoundError:
            return -1

    def remove(self, slot: int, identity: records.Identity) -> None:
        """Forget the group of a service that is gone; one with processes in it stays, and one that cannot be known now."""
        try:
            for path in self._paths(slot, identity):
                try:
                    os.rmdir(path)
                    os.rmdir(os.path.dirname(path))
                except OSError:
                    continue
            if self._state.directory >= 0:
                os.unlink(_left(identity), dir_fd=self._state.directory)
        except OSError:
            pass  # nobody had it before, most often

    def _paths(self, slot: int, identity: records.Identity) -> Iterator[str]:
        """Give where the group of a service is to be: that of who had it before, if it had one, goes first."""
        left = self.open_left(identity)
        if left >= 0:
            with os.fdopen(left, "rb") as file:
                if path := os.fsdecode(file.read()[records.SECRET_SIZE :]):
                    yield path
        if self._base:
            yield f"{self._base}/{_name(slot, identity.name)}"

    def _find(self) -> str:
        if self._base is None:
            self._base = self._known() or self._own()
        return self._base

    def _known(self) -> str:
        if self._state.directory < 0:
            return ""
        try:
            path = _written(self._state)
        except OSError as error:
            if error.errno in NOT_NOW:
                raise
            return ""
        return path if os.path.isdir(os.path.dirname(path)) else ""

    def _own(self) -> str:
        mount = _mount()
        own = next((line[3:-1] for line in _lines("/proc/self/cgroup") if line.startswith(b"0::/")), b"")
        key = os.path.basename(self._state.path)[-_NAME_MAX:] or str(os.getpid())
        path = f"{mount}{os.fsdecode(own).rstrip('/')}/runit-{key}" if mount and own else ""
        if self._state.directory >= 0:
            fd = os.open(_PATH_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=self._state.directory)
            try:
                os.write(fd, os.fsencode(path))
            finally:
                os.close(fd)
        return path


def inherit(left: State, state: State, identity: records.Identity) -> None:
    """Write down in `state` how that is found again which a runsv of its own, with the state `left`, has started. OSError."""
    if state.directory < 0:
        return
    try:
        base = _written(left)
    except FileNotFoundError:
        return  # nothing was to be
    (slot,) = left.slots()
    told = records.unpack_identity(left.slot(slot))
    path = f"{base}/{_name(slot, told.name)}" if base and told is not None else ""
    content, name = records.secret_in(left.slot(0)) + os.fsencode(path), _left(identity)
    new = f"{name}.new"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=state.directory)
    try:
        # All of it is there, or nothing: without a secret anybody could make the mark.
        if os.write(fd, content) != len(content):
            raise OSError(errno.ENOSPC, "not all of it")
    finally:
        os.close(fd)
    os.rename(new, name, src_dir_fd=state.directory, dst_dir_fd=state.directory)


def _left(identity: records.Identity) -> str:
    return f"left-{identity.dev:x}-{identity.ino:x}"


def _written(state: State) -> str:
    """Give where the groups of a state are; empty where there are none. FileNotFoundError: none was asked for. OSError."""
    fd = os.open(_PATH_NAME, os.O_RDONLY | os.O_CLOEXEC, dir_fd=state.directory)
    with os.fdopen(fd, "rb") as file:
        return os.fsdecode(file.read())


def _name(slot: int, name: bytes) -> str:
    # A runsv of its own is called with a path.
    return f"{os.fsdecode(os.path.basename(name)[:_NAME_MAX])}.{slot}"


def _mount() -> str:
    """Give where the whole of the second version's hierarchy is mounted, empty for nowhere; proc(5), mountinfo."""
    for line in _lines("/proc/self/mountinfo"):
        head, _, tail = line.partition(b" - ")
        if tail.startswith(b"cgroup2 "):
            fields = head.split(b" ")
            if fields[3] == b"/":
                return os.fsdecode(fields[4])
    return ""


def _lines(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            return file.readlines()
    except OSError as error:
        if error.errno in NOT_NOW:
            raise
        return []
