"""Tells when a thread of the pool hangs in a system call on its disk, and when the disk answers again.

Threads say when they begin and end their turns. While any does something, the main thread looks every few seconds; while none does, it
sleeps, since idle costs nothing.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 5.0
"""Seconds."""


class Turn:
    """What a thread does: since when (monotonic seconds, 0 for nothing), and for which log."""

    __slots__ = ("_watch", "begun", "name", "over", "said")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self.begun = 0.0
        self.name = b""
        self.said = 0.0
        self.over = False

    def begin(self, name: bytes) -> None:
        """From the thread: something is being done for the log `name` from now on."""
        self.name = name
        self.begun = time.monotonic()
        if not self._watch.looks:
            self._watch.wake()

    def end(self) -> None:
        """From the thread: it waits for more."""
        self.begun = 0.0

    def leave(self) -> None:
        """From the thread: it ends."""
        self.over = True


class Watch:
    """The turns of all threads; `wake` makes the main thread call `look`, `say` takes messages, `hangs` whose disk answers or not."""

    def __init__(self, wake: Callable[[], None], say: Callable[[bytes], None], hangs: Callable[[Turn, bool], None]) -> None:
        self.looks = False
        self._wake = wake
        self._say = say
        self._hangs = hangs
        self._turns: list[Turn] = []
        self._next = 0.0

    def turn(self) -> Turn:
        """Watch one thread more."""
        turn = Turn(self)
        self._turns.append(turn)
        return turn

    def is_busy_since(self, moment: float) -> bool:
        """Whether a thread is still at what it had begun at `moment` (monotonic seconds)."""
        return any(0 < turn.begun <= moment for turn in self._turns)

    def wake(self) -> None:
        """From a thread: the main thread must look."""
        self.looks = True
        self._wake()

    def timeout(self) -> float:
        """Give how long the main thread may wait, in seconds, -1 for ever."""
        return max(0.0, self._next - time.monotonic()) if self.looks else -1

    def look(self) -> None:
        """See who hangs, if it is time to."""
        now = time.monotonic()
        if not self.looks or now < self._next:
            return
        began, self._next = self._next, now + PATIENCE
        busy = False
        for turn in list(self._turns):
            begun = turn.begun
            if turn.over:
                self._turns.remove(turn)
            busy = busy or begun > 0 or turn.said > 0
            if turn.said and begun != turn.said:
                turn.said = 0.0
                self._say(b"warning: " + turn.name + b": the disk answers again.")
                self._hangs(turn, False)
            elif begun and not turn.said and now - begun >= PATIENCE:
                turn.said = begun
                self._say(b"warning: " + turn.name + b": the disk does not answer, logs on it wait.")
                self._hangs(turn, True)
        # Once more after the last turn that was seen: the next one may have begun just now.
        self.looks = busy or began == 0
        if not self.looks:
            self._next = 0.0
            self.looks = any(turn.begun for turn in self._turns)
