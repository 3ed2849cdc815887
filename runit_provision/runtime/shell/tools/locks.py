"""A lock that is waited for, but neither in silence nor for ever: who can open a file for reading may hold one on it, flock(2)."""

from __future__ import annotations

import fcntl
import posix
from time import monotonic, sleep

from ..console import write

SECONDS = 10.0
"""What is done under these locks takes a moment."""
_SILENT_SECONDS = 1.0
_NAP = 0.02


def take(descriptor: int, path: bytes, tool: bytes) -> None:
    """Have the lock of a file alone; after a moment `tool` says what it waits for. BlockingIOError after SECONDS; OSError."""
    began = monotonic()
    told = False
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = monotonic() - began
            if waited >= SECONDS:
                raise
        if waited >= _SILENT_SECONDS and not told:
            told = True
            write(2, b"%s: warning: waiting for the lock of %s%s\n" % (tool, path, _holder(descriptor)))
        sleep(_NAP)


def _holder(descriptor: int) -> bytes:
    """Give who has taken a lock on a file, as far as /proc/locks tells, which names devices not always as stat(2) does."""
    inode = b":%d" % posix.fstat(descriptor).st_ino
    try:
        with open("/proc/locks", "rb") as locks:
            rows = [line.split() for line in locks]
    except OSError:
        return b""
    return next((b", which process %s has" % row[4] for row in rows if row[1] == b"FLOCK" and row[5].endswith(inode)), b"")
