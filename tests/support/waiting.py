"""Waiting for what a user would see, with a deadline that only a broken program reaches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
DEADLINE = 60.0
"""Seconds; generous, since machines are shared and slow."""


def until(seen: Callable[[], T], *, deadline: float = DEADLINE, what: str = "") -> T:
    """Give the first true answer of `seen`, asked every 5 ms; AssertionError with the last answer after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not (answer := seen()):
        assert time.monotonic() < end, f"not within {deadline} s: {what or seen}; last seen: {answer!r}"
        time.sleep(0.005)
    return answer
