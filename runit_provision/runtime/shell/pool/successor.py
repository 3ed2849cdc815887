"""The version that is to be executed in the pool's place, or to be another process' there, and when.

exec(2) ends every other thread first, and so does exit(2): each waits for one that a disk lets hang, and all logs would wait with it.
So the pool goes on with them until no thread is in a system call any more that it was in when it was asked.
"""

from __future__ import annotations

import time

from .watch import PATIENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_AGAIN = (0.01, PATIENCE)
"""Seconds before the threads are looked at again: first, and at most; it doubles."""


class Successor:
    """busy: whether a thread is still at what it had begun at a time (monotonic seconds); say: takes messages.

    library: what is to be executed, as UPGRADE has it; empty where another process follows.
    """

    def __init__(self, busy: Callable[[float], bool], say: Callable[[bytes], None]) -> None:
        self._busy = busy
        self._say = say
        self.library = ""
        self._asked = self._next = 0.0
        self._rest = _AGAIN[0]
        self._told = False

    def ask(self, library: str) -> None:
        """There is to be one."""
        self.library = library
        self._asked = self._next = time.monotonic()
        self._rest = _AGAIN[0]
        self._told = False

    def forget(self) -> None:
        """Whoever asked is gone; who comes asks anew, maybe for another one."""
        self._asked = 0.0

    def timeout(self) -> float:
        """Give how long the main thread may wait before it looks, in seconds, -1 for ever."""
        return max(0.0, self._next - time.monotonic()) if self._asked else -1

    def may_follow(self) -> bool:
        """Look whether it is time to."""
        now = time.monotonic()
        if not self._asked or now < self._next:
            return False
        if not self._busy(self._asked):
            return True
        self._next = now + self._rest
        self._rest = min(2 * self._rest, _AGAIN[1])
        if not self._told and now - self._asked >= PATIENCE:
            self._told = True
            self._say(b"warning: a disk does not answer, the log-pool becomes another version when it does.")
        return False
