"""Taking up every service that the supervisor before has left, a few in each turn of the loop, so that nobody waits for all of them.

Those that somebody waits for come first: a letter is in one's FIFO (the holder says so), or a process of it has just ended. Until a
service is taken up its record is as the supervisor before has left it, its FIFOs are held, and its processes are written down by their
parent; what a pool says about it is kept until then.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop

_AT_A_TIME = 4
"""Services in a turn: about a millisecond."""


class Takeover:
    """The services of `slots`, each of which is to be taken up by `take_up(slot)`; `done` is called after the last."""

    def __init__(self, loop: Loop, slots: list[int], take_up: Callable[[int], None], done: Callable[[], None]) -> None:
        self._loop = loop
        self._rest = slots[::-1]
        self._pending = set(slots)
        self._first: list[int] = []
        self._later: dict[int, list[Callable[[], None]]] = {}
        self._take_up = take_up
        self._done = done

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, slot: int) -> bool:
        return slot in self._pending

    def hurry(self, slot: int) -> None:
        """Take a service up in the next turn, if it is yet to be taken up."""
        if slot in self._pending:
            self._first.append(slot)

    def when_taken_up(self, slot: int, what: Callable[[], None]) -> None:
        """Call `what` when the service of `slot`, which is yet to be taken up, has been."""
        self._later.setdefault(slot, []).append(what)

    def go_on(self) -> None:
        """Take up some, and the rest in the turns that follow."""
        for _ in range(_AT_A_TIME):
            slot = self._next()
            if slot == 0:
                break
            self._pending.discard(slot)
            self._loop.guarded(self._take_up, slot)
            for what in self._later.pop(slot, ()):
                self._loop.guarded(what)
        if self._pending:
            self._loop.after(0, self.go_on)
        else:
            self._done()

    def _next(self) -> int:
        """Give the slot that is next; 0 for none."""
        for slots, at in ((self._first, 0), (self._rest, -1)):
            while slots:
                slot = slots.pop(at)
                if slot in self._pending:
                    return slot
        return 0
