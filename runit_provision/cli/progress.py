"""How far long work is, on standard error, when a person is looking and it takes more than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_PATIENCE = 1.0
"""Seconds before anything is shown."""
_PACE = 0.1
"""Seconds between two showings."""
_ERASE = "\r\x1b[K"


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """Give what shows how many steps are done, of how many, and which is next; None when nobody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    due = time.monotonic() + _PATIENCE

    def show(done: int, total: int, what: str) -> None:
        nonlocal due
        if (now := time.monotonic()) >= due:
            due = now + _PACE
            sys.stderr.write(f"{_ERASE}{done}/{total} {what}"[:100])
            sys.stderr.flush()

    try:
        yield show
    finally:
        sys.stderr.write(_ERASE)
        sys.stderr.flush()
