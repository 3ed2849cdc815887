"""A service's directory, and how many of a tree's descriptors are open at a time.

For each service a supervisor waits at supervise/control and, where there is one, at log/supervise/control. Everything else that it has
open of a service, the directory itself, locks, supervise/ok and the FIFO to the log, can be opened again, or is held open by a holder.
While there is room it stays open. When there is none, what was longest not used is closed.
"""

from __future__ import annotations

import errno
import os

from ...core.part import LOG
from .files import Removed, Supervise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ...wire import records

    class Inhabitant(Protocol):
        """The service of a directory."""

        def known(self) -> list[tuple[int, int]]:
            """Give (key, pid) of the processes that it believes to live."""

        def entry(self) -> str:
            """Give the path by which it has its place in the tree's directory; empty where there is none."""


_AT_A_TIME = 64
_LOOKED_AT = 1024
_CLOSED = -1


class Home:
    """The directory of a service.

    closed: whether the service is gone; files: its supervise/ directories; inhabitant: who lives there, if anybody does yet.
    """

    __slots__ = ("_fd", "_room", "closed", "files", "identity", "inhabitant", "slot")

    def __init__(self, fd: int, identity: records.Identity, room: Room) -> None:
        self._fd = fd
        self._room = room
        self.closed = False
        self.files: tuple[Supervise, ...] = ()
        self.identity = identity
        self.inhabitant: Inhabitant | None = None
        self.slot = 0
        self.opened(fd)

    def opened(self, fd: int) -> int:
        """Take note of a descriptor that is to be kept; give it. OSError, and it is closed, when there is no room."""
        try:
            self._room.opened(self, fd)
        except OSError:
            os.close(fd)
            raise
        return fd

    def has_log(self) -> bool:
        """Whether it has a log. OSError when nobody can tell; NotADirectoryError: what has that name is no directory."""
        try:
            found = os.stat("log", dir_fd=self.fd)
        except FileNotFoundError:
            return False
        if found.st_mode & 0o170000 != 0o040000:
            raise NotADirectoryError
        return True

    def supervise(self, prefix: str, *, is_new: bool) -> Supervise:
        """Take its supervise/, or the one of its log by the prefix `log/`, as Supervise does."""
        return Supervise(self, prefix, is_new=is_new)

    @property
    def is_open(self) -> bool:
        """Whether the directory is open."""
        return self._fd >= 0

    @property
    def is_bare(self) -> bool:
        """Whether nothing but the directory is open, which needs no holder."""
        return bool(self.files) and all(files.is_shed for files in self.files)

    @property
    def fd(self) -> int:
        """The directory, open; -1, which no system call takes, when it cannot be found, or opened."""
        if self._fd < 0 and not self.closed:
            self._fd = self._open_again()
        else:
            self._room.used(self)
        return self._fd

    def shed(self) -> None:
        """Close what can be opened again."""
        self.close_directory()
        for files in self.files:
            files.shed()

    def close(self) -> None:
        """Let go of everything, for good."""
        self._room.forget(self)
        self.close_directory()
        for files in self.files:
            files.close()
        self.closed = True

    def pids(self) -> list[int]:
        """Give the processes that run for the service now."""
        return [] if self.inhabitant is None else [pid for _key, pid in self.inhabitant.known()]

    def _elsewhere(self) -> list[str]:
        """Where the directory may be that was moved: where the tree has it, and where its processes are."""
        if self.inhabitant is None:
            return []
        return [self.inhabitant.entry()] + [f"/proc/{pid}/cwd" + ("/.." if key == LOG else "") for key, pid in self.inhabitant.known()]

    def close_directory(self) -> None:
        """Close the directory, which is opened again when it is needed."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open_again(self) -> int:
        for place in (os.fsdecode(self.identity.path), *self._elsewhere()):
            try:
                fd = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError:
                continue
            found = os.fstat(fd)
            if (found.st_dev, found.st_ino) == (self.identity.dev, self.identity.ino):
                try:
                    return self.opened(fd)
                except OSError:
                    return -1
            os.close(fd)
        return -1


class Nowhere(Home):
    """In place of a directory that is gone, or cannot be had: one without any file, in which none can be made.

    had_log: whether the service has a log beside it, which ends with it.
    """

    __slots__ = ("_had_log",)

    def __init__(self, identity: records.Identity, room: Room, *, had_log: bool) -> None:
        super().__init__(_CLOSED, identity, room)
        self._had_log = had_log

    def has_log(self) -> bool:
        return self._had_log

    def supervise(self, prefix: str, *, is_new: bool) -> Supervise:
        return Removed(self, prefix, is_new=is_new)

    def _open_again(self) -> int:
        try:
            # All that it has are numbers, which nothing of a service is called by.
            return self.opened(os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError:
            return _CLOSED


class Room:
    """How many descriptors may be open; most: from which number on they are too many; known: so many more for services that are known.

    So those that were taken while there was room are not left without what their next start takes, however many more there are.

    may: whether everything that a slot's Home would close is held by others; wait: waits a moment for more to be held, and tells
    whether that is of use; more: so many more there may be at the moment.
    """

    def __init__(self, most: int, may: Callable[[int], bool], wait: Callable[[], bool], *, known: int = 0) -> None:
        self._most = most
        self._known = known
        self._may = may
        self._wait = wait
        self.more = 0
        self._homes: dict[Home, None] = {}

    def used(self, home: Home) -> None:
        """Take note that `home` is in use."""
        if self._homes.pop(home, home) is None:
            self._homes[home] = None

    def opened(self, home: Home, fd: int) -> None:
        """Take note of a descriptor that is new; OSError when it is one too many, though there are some for what must not fail.

        Since the lowest free number is given, it tells how many are open.
        """
        self._homes.pop(home, None)
        room = fd < self._most + self.more or self._make() or (home.slot > 0 and fd < self._most + self._known)
        self._homes[home] = None
        if not room:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    def is_there(self) -> bool:
        """Whether there is room, or some could be made."""
        try:
            fd = os.dup(0)
        except OSError:
            return self._shed()
        os.close(fd)
        return fd < self._most or self._shed()

    def forget(self, home: Home) -> None:
        """Take note that nothing of `home` is open."""
        self._homes.pop(home, None)

    def has(self, fd: int, share: float) -> bool:
        """Whether there is room for a descriptor that has been opened just now, in this share of all."""
        return fd < self._most * share

    def _make(self) -> bool:
        while not self._shed():
            if not self._wait():
                return False
        return True

    def _shed(self) -> bool:
        """Close what some homes have open, the longest unused first; what is not held by others is passed over until the next time."""
        found: list[Home] = []
        looked: list[Home] = []
        for home in self._homes:
            if len(found) == _AT_A_TIME or len(looked) == _LOOKED_AT:
                break
            (found if home.is_bare or self._may(home.slot) else looked).append(home)
        for home in looked:
            del self._homes[home]
            self._homes[home] = None
        for home in found:
            del self._homes[home]
            home.shed()
        return bool(found)
