"""Letters, taken from control FIFOs in a way that SIGKILL cannot lose one.

read(2) would take a letter out of the FIFO into memory that dies with the process. Here that memory is the table of records, mapped:
within one system call the letter is in the FIFO, then in the table, and the intent that follows from it is written over it.
"""

from __future__ import annotations

import mmap
import os

from ..wire import records

_SLOTS = 64
"""The table grows by that many at a time."""


class Letters:
    """The letters of every slot; `table`: descriptor of the records."""

    def __init__(self, table: int) -> None:
        self._table = table
        self._view = memoryview(b"")

    def read(self, fifo: int, slot: int, part: int) -> str:
        """Take a letter for a part out of its FIFO; empty when there is none. It is in the table until `done`, or a new intent."""
        place = records.offset(slot) + records.LETTERS_AT + part
        if place >= len(self._view):
            self._map(slot)
        with self._view[place : place + 1] as region:
            try:
                count = os.readv(fifo, [region])
            except BlockingIOError:
                return ""
            return chr(region[0]) if count else ""

    def done(self, slot: int, part: int) -> None:
        """Forget a letter that was acted upon and changed nothing."""
        self._view[records.offset(slot) + records.LETTERS_AT + part] = 0

    def _map(self, slot: int) -> None:
        size = records.offset((slot // _SLOTS + 1) * _SLOTS)
        if os.fstat(self._table).st_size < size:
            os.ftruncate(self._table, size)
        self._view = memoryview(mmap.mmap(self._table, size))
