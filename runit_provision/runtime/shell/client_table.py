"""The table of a tree that the caller supervises, read at once for `sv status` of many services: a quarter of the system calls.

It is believed while somebody vouches for it, as `supervise/ok` vouches for a status; of whatever it cannot tell, each service is asked.
"""

from __future__ import annotations

import posix

from ..core import sv
from ..wire import records
from . import state_place

_READ = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
_TRIES = 3
_SLOTS = 64
"""Read at once."""
_TICK_NS = 100_000_000
"""Longer than the time between two ticks of any kernel's clock, in nanoseconds."""


class Tables:
    """The tables of the trees that services' paths lead to, each read when it is first asked; now_ns: Unix time in nanoseconds."""

    __slots__ = ("_now_ns", "_rows")

    def __init__(self, *, now_ns: int) -> None:
        self._now_ns = now_ns
        self._rows: dict[bytes, dict[tuple[int, int], records.Row]] = {}

    def line(self, name: bytes, path: bytes) -> bytes | None:
        """Give the line of a service and of its log; None where the service has to be asked.

        path: its directory, with a slash at the end. For many services this is half of what sv does: it makes no object too many.
        """
        directory = path[:-1].rpartition(b"/")[0]
        if directory not in self._rows:
            self._rows[directory] = _load(directory, self._now_ns)
        try:
            found = posix.stat(path + b".")
            row = self._rows[directory].get((found.st_dev, found.st_ino))
            if row is None:
                return None
            _, _, _, has_log, how, _, since, pid, log_how, _, log_since, log_pid, _ = row
            line = sv.told(name, how, since, pid, self._now_ns, _is_normally_up(path + b"down"))
            if not has_log:
                return line + b"\n"
            log = sv.told(b"log", log_how, log_since, log_pid, self._now_ns, _is_normally_up(path + b"log/down"))
            return b"%b; %b\n" % (line, log)
        except OSError:
            return None


def _is_normally_up(down: bytes) -> bool:
    """Whether there is no file `down`; OSError when there may be one."""
    # Hardly any service has one, and to see that without an exception takes half as long.
    if posix.access(down, posix.F_OK, follow_symlinks=False):
        posix.stat(down)
        return False
    return True


def _load(directory: bytes, now_ns: int) -> dict[tuple[int, int], records.Row]:
    """Read the table of the tree over `directory`; nothing where there is none, or none to be believed."""
    if not directory.startswith(b"/"):
        return {}
    place = b"%b/trees/%b/" % (state_place.base(), state_place.key(directory))
    try:
        posix.close(posix.open(place + b"ok", posix.O_WRONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC))
        table = posix.open(place + b"records", _READ)
        before = posix.fstat(table)
        if before.st_uid != posix.geteuid():
            return {}
        for _ in range(_TRIES):
            rows = _rows(table)
            after = posix.fstat(table)
            # An old time that stays tells that nothing was written meanwhile; one of this very tick would stay in any case.
            if before.st_mtime_ns == after.st_mtime_ns < now_ns - _TICK_NS or rows == _rows(table):
                return rows
            before = after
    except OSError:
        pass
    return {}


def _rows(table: int) -> dict[tuple[int, int], records.Row]:
    """Read a whole table, piece by piece: much memory at once is slow to get."""
    rows: dict[tuple[int, int], records.Row] = {}
    offset = records.SIZE
    while piece := posix.pread(table, _SLOTS * records.SIZE, offset):
        records.add_statuses(rows, piece)
        offset += len(piece)
    return rows
