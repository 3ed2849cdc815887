"""Which slots of a tree's table of records are free: the lowest place for a service that has none yet."""

from __future__ import annotations

import os

from ...wire import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..service.letters import Letters
    from .notes import Notes


class Slots:
    """A slot is given once it is free, and once it is written down that nothing is in it: who comes after us finds no service twice."""

    def __init__(self, table: int, notes: Notes, letters: Letters) -> None:
        self._table = table
        self._notes = notes
        self._letters = letters
        self._last = 0
        self._free: list[int] = []
        self._unwritten: set[int] = set()  # in which something stands still
        self._late: set[int] = set()  # those of them that are free but for that

    def begin(self, taken: list[int]) -> None:
        """Give those slots no more in which something stands already."""
        self._last = max(taken, default=0)
        self._free = sorted(set(range(1, self._last)).difference(taken))

    def take(self) -> int:
        """Give a free slot. OSError when there is no room for one more."""
        if self._free:
            self._letters.reserve(self._free[-1])
            return self._free.pop()
        # What is mapped and not there on a full disk is a SIGBUS later.
        os.posix_fallocate(self._table, records.offset(self._last + 1), records.SIZE)
        self._letters.reserve(self._last + 1)
        self._last += 1
        return self._last

    def blank(self, slot: int) -> None:
        """Write down that nothing is in a slot; that it is free is told apart, before or after that."""
        if not self._notes.write(b"\0", records.offset(slot), lambda: self.blank(slot)):
            self._unwritten.add(slot)
            return
        self._unwritten.discard(slot)
        if slot in self._late:
            self._late.discard(slot)
            self._free.append(slot)

    def give_back(self, slot: int) -> None:
        """Let a slot be free again: one in which nothing was written, or as soon as that it is blank is written down."""
        if slot in self._unwritten:
            self._late.add(slot)
        else:
            self._free.append(slot)

    def discard(self, slot: int) -> None:
        """Let a slot be free again in which something may be written."""
        self.blank(slot)
        self.give_back(slot)
