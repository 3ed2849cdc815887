"""What happens again and again, and is told once a minute for each; services that were killed by who is none of us: memory ran out.

Whether it did, the kernel counts for the whole host, whatever control group had too much: `oom_kill` in /proc/vmstat (Linux 4.13).
Where it counted none, nothing is guessed: a person may have done it, or a program that looks after memory.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SILENT_SECONDS = 60.0
_NEVER = float("-inf")


class Seldom:
    """Whether it is time to tell what happens to somebody again and again."""

    def __init__(self) -> None:
        self._told: dict[object, tuple[float, int]] = {}

    def times(self, whom: object) -> str | None:
        """Give what the message ends with, how often it happened untold; None when it is only counted, for the next message."""
        now = time.monotonic()
        when, untold = self._told.get(whom, (_NEVER, 0))
        if now < when + _SILENT_SECONDS:
            self._told[whom] = (when, untold + 1)
            return None
        self._told[whom] = (now, 0)
        return f", {untold + 1} times since that was said last" if untold else ""


class Kills:
    """What is known of them."""

    def __init__(self) -> None:
        self._counted = _count()
        self._seldom = Seldom()

    def tell(self, identity: tuple[int, int], warn: Callable[[str], None]) -> None:
        """Say, by `warn`, that the process of a service (device, inode) was killed, or count it for the next time that it is said."""
        times = self._seldom.times(identity)
        if times is None:
            return
        before, self._counted = self._counted, _count()
        warn(f"killed by signal 9 that runsv did not send{times}{_reason(before, self._counted)}")


def _reason(before: int, count: int) -> str:
    if count < 0:
        return " (out of memory?)"
    killed = count - max(0, before)
    return f" (out of memory? the kernel has killed {killed} for that meanwhile)" if killed else ""


def _count() -> int:
    """Give how many processes the kernel has killed since memory ran out; -1 where it does not tell."""
    try:
        with open("/proc/vmstat", "rb") as lines:
            return next(int(line.split()[1]) for line in lines if line.startswith(b"oom_kill "))
    except (OSError, StopIteration):
        return -1
