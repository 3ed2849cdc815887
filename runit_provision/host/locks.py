"""A lock that is waited for, but not for ever, and who has it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable

_NAP = 0.02
"""Seconds between two tries: flock(2) itself knows no time limit."""
_SILENT = 1.0


def take(descriptor: int, seconds: float, waits: Callable[[], None] = lambda: None) -> bool:
    """Have flock(2) on a file alone, within `seconds`; `waits` is called when that takes longer than a moment."""
    began = time.monotonic()
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waited = time.monotonic() - began
            if waited >= seconds:
                return False
            if waited >= _SILENT and not told:
                told = True
                waits()
            time.sleep(_NAP)
        else:
            return True


def locker(lock: int) -> str:
    """Tell which process has flock(2) on a file, or ""; proc_locks(5). The device's number is another there on some filesystems."""
    inode = b"%d" % os.fstat(lock).st_ino
    try:
        with open("/proc/locks", "rb") as locks:
            rows = [line.split() for line in locks]
    except OSError:
        return ""
    pids = (int(row[4]) for row in rows if len(row) > 5 and row[1] == b"FLOCK" and row[5].rpartition(b":")[2] == inode)
    return next((f"pid {pid}" for pid in pids), "")
