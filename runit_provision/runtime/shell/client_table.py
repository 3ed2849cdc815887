"""The table of a tree that the caller supervises, read at once for `sv status` of many services: a quarter of the system calls.

It is believed while somebody vouches for it, as `supervise/ok` vouches for a status; of whatever it cannot tell, each service is asked.
"""

from __future__ import annotations

import posix

from ..wire import records
from . import state_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.status import Status

_READ = posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
_TRIES = 3


class Tables:
    """The tables of the trees that services' paths lead to, each read when it is first asked."""

    __slots__ = ("_rows",)

    def __init__(self) -> None:
        self._rows: dict[bytes, dict[bytes, tuple[int, ...]]] = {}

    def find(self, path: bytes) -> tuple[Status, Status | None] | None:
        """Give a service's status and its log's, None where it has to be asked; `path`: its directory, with a slash at the end."""
        directory, _, name = path[:-1].rpartition(b"/")
        if directory not in self._rows:
            self._rows[directory] = _load(directory)
        row = self._rows[directory].get(name)
        if row is None:
            return None
        try:
            found = posix.stat(path)
        except OSError:
            return None
        return records.known(row) if records.is_of(row, found.st_dev, found.st_ino) else None


def _load(directory: bytes) -> dict[bytes, tuple[int, ...]]:
    """Read the table of the tree over `directory`; nothing where there is none, or none to be believed."""
    if not directory.startswith(b"/"):
        return {}
    place = b"%b/trees/%b/" % (state_place.base(), state_place.key(directory))
    try:
        posix.close(posix.open(place + b"ok", posix.O_WRONLY | posix.O_NONBLOCK | posix.O_NOFOLLOW | posix.O_CLOEXEC))
        table = posix.open(place + b"records", _READ)
        found = posix.fstat(table)
        if found.st_uid != posix.geteuid():
            return {}
        data = b""
        for _ in range(_TRIES):
            # What was read twice is no half of something that was just being written.
            before, data = data, posix.pread(table, found.st_size, 0)
            if data == before:
                return records.statuses(data)
    except OSError:
        pass
    return {}
