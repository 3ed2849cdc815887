"""Services that were killed by who is none of us, which is told once a minute for each: most often memory ran out.

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


class Kills:
    """What is known of them."""

    def __init__(self) -> None:
        self._counted = _count()
        self._told: dict[tuple[int, int], tuple[float, int]] = {}

    def tell(self, identity: tuple[int, int], warn: Callable[[str], None]) -> None:
        """Say, by `warn`, that the process of a service (device, inode) was killed, or count it for the next time that it is said."""
        now = time.monotonic()
        when, untold = self._told.get(identity, (_NEVER, 0))
        if now < when + _SILENT_SECONDS:
            self._told[identity] = (when, untold + 1)
            return
        self._told[identity] = (now, 0)
        before, self._counted = self._counted, _count()
        times = f", {untold + 1} times since that was said last" if untold else ""
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
