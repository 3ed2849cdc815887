"""Control groups of services whose left processes are to be found again; cgroups(7), version 2.

    OWN/runit-KEY/NAME.SLOT     OWN: the group that the tree was started in, KEY: as in state.py

A group is there while its service is supervised. Where none can be had (no such hierarchy, or not ours to write), there are none, and a
mark in the environment has to do; sweep.py.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..state import State

_NAME_MAX = 200
_PATH_NAME = "cgroup"
"""Of the file in the state directory: the next supervisor may be started in another group, and these do not move."""


class Groups:
    """The groups of a tree; made when they are first needed."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._base: str | None = None

    def open(self, slot: int, name: bytes) -> int:
        """Give a descriptor of the group of a service, -1 when there is none to be had."""
        base = self._find()
        if not base:
            return -1
        path = f"{base}/{_name(slot, name)}"
        try:
            for folder in (base, path):
                try:
                    os.mkdir(folder, 0o755)
                except FileExistsError:
                    pass
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:
            return -1

    def remove(self, slot: int, name: bytes) -> None:
        """Forget the group of a service that is gone; one with processes in it stays."""
        if self._base:
            for path in (f"{self._base}/{_name(slot, name)}", self._base):
                try:
                    os.rmdir(path)
                except OSError:
                    return

    def _find(self) -> str:
        if self._base is None:
            self._base = self._known() or self._own()
        return self._base

    def _known(self) -> str:
        if self._state.directory < 0:
            return ""
        try:
            fd = os.open(_PATH_NAME, os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._state.directory)
        except OSError:
            return ""
        with os.fdopen(fd, "rb") as file:
            path = os.fsdecode(file.read())
        return path if os.path.isdir(os.path.dirname(path)) else ""

    def _own(self) -> str:
        mount = _mount()
        own = next((line[3:-1] for line in _lines("/proc/self/cgroup") if line.startswith(b"0::/")), b"")
        if not mount or not own:
            return ""
        key = os.path.basename(self._state.path)[-_NAME_MAX:] or str(os.getpid())
        path = f"{mount}{os.fsdecode(own).rstrip('/')}/runit-{key}"
        if self._state.directory >= 0:
            fd = os.open(_PATH_NAME, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=self._state.directory)
            try:
                os.write(fd, os.fsencode(path))
            finally:
                os.close(fd)
        return path


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
    except OSError:
        return []
