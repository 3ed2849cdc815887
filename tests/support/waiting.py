"""Waiting for what a user would see, with a deadline that only a broken program reaches."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 120.0
"""Seconds; generous, since machines are shared and slow."""


def until(seen: Callable[[], T], *, deadline: float = DEADLINE, what: str = "") -> T:
    """Give the first true answer of `seen`; AssertionError with the last answer after `deadline` seconds.

    It is asked every 5 ms, after a tenth of a second ever more seldom, down to every 50 ms: who waits for long leaves the processor to
    what is waited for, and is late by a twentieth of the wait at most.
    """
    begun = time.monotonic()
    while not (answer := seen()):
        waited = time.monotonic() - begun
        assert waited < deadline, f"not within {deadline} s: {what or seen}; last seen: {answer!r}"
        time.sleep(min(0.05, max(0.005, waited / 20)))
    return answer


def written(path: Path, *, deadline: float = DEADLINE, what: str = "") -> str:
    """Give what a file says, once it says something: who opens it for writing has not written yet."""
    return until(lambda: path.exists() and path.read_text(), deadline=deadline, what=what or f"{path} is written") or ""


def ended(pid: int, *, deadline: float = DEADLINE, what: str = "") -> int:
    """Give the exit status of the child `pid`, negative for a signal; after `deadline` seconds it is killed: AssertionError."""
    handle = os.pidfd_open(pid)
    try:
        in_time = bool(select.select([handle], [], [], deadline)[0])
        if not in_time:
            os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    finally:
        os.close(handle)
    assert in_time, f"not ended within {deadline} s: {what or pid}"
    return status


def heard(pipe: int, *, deadline: float = DEADLINE, what: str = "") -> bytes:
    """Give what comes through a pipe next; AssertionError after `deadline` seconds."""
    assert select.select([pipe], [], [], deadline)[0], f"nothing within {deadline} s: {what or pipe}"
    return os.read(pipe, 4096)
