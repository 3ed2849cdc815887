"""The table of a tree that the caller supervises, read at once for `sv status` of many services: a quarter of the system calls.

It is believed while somebody vouches for it, as `supervise/ok` vouches for a status; of whatever it cannot tell, each service is asked.
"""

from __future__ import annotations

import posix

from ...core import sv
from ...wire import records
from .. import state_place

_READ = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
_TRIES = 3
_SLOTS = 64
"""Read at once."""
_TICK_NS = 100_000_000
"""Longer than the time between two ticks of any kernel's clock, in nanoseconds."""


class Tables:
    """The tables of the trees that services' paths lead to, each read when it is first asked.

    now_ns: Unix time in nanoseconds; here: what the working directory will be when it is asked.
    """

    __slots__ = ("_here", "_now_ns", "_rows", "_state")

    def __init__(self, here: bytes, *, now_ns: int) -> None:
        self._here = here
        self._now_ns = now_ns
        self._state = state_place.base()
        self._rows: dict[bytes, dict[tuple[int, int], records.Row]] = {}

    def line(self, name: bytes, path: bytes) -> bytes | None:
        """Give the line of a service and of its log; None where the service has to be asked.

        path: its directory, with a slash at the end. For many services this is half of what sv does: it makes no object too many.
        """
        directory = path[:-1].rpartition(b"/")[0]
        if directory not in self._rows:
            self._rows[directory] = _load(self._state, directory or self._here, self._now_ns)
        try:
            found = posix.stat(path + b".")
            row = self._rows[directory].get((found.st_dev, found.st_ino))
            if row is None:
                return None
            _, _, _, has_log, how, _, since, pid, log_how, _, log_since, log_pid, _ = row
            # Hardly any service has a file `down`, and to see that without an exception takes half as long.
            if down := posix.access(path + b"down", posix.F_OK, follow_symlinks=False):
                posix.stat(path + b"down")
            line = sv.told(name, how, since, pid, self._now_ns, not down)
            if not has_log:
                return line + b"\n"
            if down := posix.access(path + b"log/down", posix.F_OK, follow_symlinks=False):
                posix.stat(path + b"log/down")
            return b"%b; %b\n" % (line, sv.told(b"log", log_how, log_since, log_pid, self._now_ns, not down))
        except OSError:
            return None


def _load(state: bytes, directory: bytes, now_ns: int) -> dict[tuple[int, int], records.Row]:
    """Read the table of the tree over `directory`; nothing where there is none, or none to be believed."""
    if not directory.startswith(b"/"):
        return {}
    place = b"%b/trees/%b/" % (state, state_place.key(directory))
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
