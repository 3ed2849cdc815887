"""Faults at a chosen system call: a child that is killed, or whose call fails, at the n-th change that it makes to the disk."""

from __future__ import annotations

import mmap
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from . import waiting

CHANGING = (
    *("rename", "mkdir", "rmdir", "unlink", "symlink", "link", "chmod", "chown", "fchmod", "fchown", "ftruncate", "pwrite"),
    *("write", "fsync", "sendfile"),
)
"""Every function of os that apply changes something with; `open` counts when it may create."""
UNTOUCHED = 0
"""The exit status of a child that made fewer changes."""
_DEADLINE = 200.0
"""Seconds; it may wait for services, for the lock, and for what was killed."""


def interrupted(
    work: Callable[[], object],
    *,
    at: int = 0,
    once: Callable[[], bool] | None = None,
    error: int | None = None,
    late: bool = False,
    below: bool = False,
) -> int:
    """Run `work` in a child; give its exit status: UNTOUCHED, 1, or negative for a signal.

    The child is killed before its change number `at` (from 0), or after it when `late`; or that change fails with `error` (an errno).
    once: changes count from the first before which this is so. An exception that the error leads to is as good as an end. below: the
    fault strikes not the child, but those that it forks.
    """
    pid = os.fork()
    if pid == 0:
        struck = _arm(at, error, once=once, late=late, below=below)
        try:
            with suppress(Exception):  # what the fault leads to is seen in what it leaves
                work()
        finally:
            os._exit(1 if struck() else UNTOUCHED)
    return waiting.ended(pid, deadline=_DEADLINE, what=f"what a fault was put in at change {at}")


def _arm(at: int, error: int | None, *, once: Callable[[], bool] | None, late: bool, below: bool) -> Callable[[], bool]:
    """Put the fault in place; the answer tells whether it struck."""
    shared = mmap.mmap(-1, 8)  # seen by those that are forked, too
    armed = os.getpid()

    def struck(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        if (os.getpid() != armed) is not below:
            return function(*arguments, **named)
        number = int.from_bytes(shared[:], "little")
        if number == 0 and once is not None and not once():
            return function(*arguments, **named)
        shared[:] = (number + 1).to_bytes(8, "little")
        if number != at:
            return function(*arguments, **named)
        if error is not None:
            raise OSError(error, os.strerror(error), arguments[0] if isinstance(arguments[0], str) else None)
        if late:
            with suppress(OSError):
                function(*arguments, **named)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: struck(function, *arguments, **named)

    for name in CHANGING:
        setattr(os, name, wrap(getattr(os, name)))
    plain = os.open

    def opened(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            return int(struck(plain, path, flags, *arguments, **named))
        return plain(path, flags, *arguments, **named)

    os.open = opened
    return lambda: int.from_bytes(shared[:], "little") > at
