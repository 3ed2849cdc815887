"""A lock that another process has."""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import waiting

NOBODY = 65534


@contextmanager
def locked(path: Path, *, uid: int = NOBODY, how: int = fcntl.LOCK_SH) -> Iterator[int]:
    """Have a process of `uid` lock what it can open for reading; its pid."""
    heard, tell = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setuid(uid)
        fcntl.flock(os.open(path, os.O_RDONLY), how)
        os.write(tell, b".")
        signal.pause()
    try:
        waiting.heard(heard, what="the lock")
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
