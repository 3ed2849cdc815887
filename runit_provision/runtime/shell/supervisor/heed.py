"""Whether a process answers. It is asked when something is wanted of it, and never otherwise: who is idle wakes nobody."""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop

_ANSWER_SECONDS = 5.0
"""For an answer; who gives none is stopped, or frozen."""
_AGAIN_SECONDS = 1.0
"""Before who has answered is asked anew: one who is busy is not to do so all the time."""
_LATE_SECONDS = 1.0
"""For us to look: then nothing is known."""


class Heed:
    """What is known of the answers of one process.

    ask: asks it, unless what was sent asks for an answer itself, and gives whether it owes one; look: takes what it has said; silent:
    called each time that no answer came, with whether that is new.
    """

    def __init__(self, loop: Loop, *, ask: Callable[[], bool], look: Callable[[], None], silent: Callable[[bool], None]) -> None:
        self.is_silent = False
        self._loop = loop
        self._ask = ask
        self._take = look
        self._silent = silent
        self._due = self._wanted = False
        self._answered = True
        self._asked = 0.0
        self._seconds = _ANSWER_SECONDS

    def expect(self) -> None:
        """Something is wanted of it: have it answer within some seconds."""
        if self._due and not (self._answered and time.monotonic() > self._asked + _AGAIN_SECONDS):
            self._wanted = True
        elif self._ask():
            self._due, self._wanted, self._answered = True, False, False
            self._asked = asked = time.monotonic()
            self._loop.after(self._seconds, lambda: self._look(asked))

    def insist(self, seconds: float) -> None:
        """Have it answer within `seconds`, from now on, whatever it was asked before."""
        self._seconds, self._due = seconds, False
        self.expect()

    def heard(self) -> bool:
        """It has said something; gives whether it had been silent."""
        was_silent, self.is_silent = self.is_silent, False
        self._answered = True
        return was_silent

    def _look(self, asked: float) -> None:
        if asked != self._asked or not self._due:
            return  # it was asked anew
        self._loop.guarded(self._take)  # who raises all the time has not answered either
        self._due = False
        # Where we were stopped too, or had no processor, it has had less time than we see.
        is_late = time.monotonic() > self._asked + self._seconds + _LATE_SECONDS
        if self._answered or is_late:
            if self._wanted or is_late:
                self.expect()
            return
        is_new, self.is_silent = not self.is_silent, True
        self._silent(is_new)
