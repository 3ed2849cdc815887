"""Letters, taken from control FIFOs in a way that SIGKILL cannot lose one.

read(2) would take a letter out of the FIFO into memory that dies with the process. Here that memory is the table of records, mapped:
within one system call the letter is in the FIFO, then in the table, and the intent that follows from it is written over it.
"""

from __future__ import annotations

import mmap
import os

from ...core.events import Letter
from ...core.part import LOG, MAIN
from ...wire import records
from ..loop import EPOLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .files import Supervise
    from .supervised import Supervised

WORD = 2
"""Where the letter of the main part's process itself stands: behind those of MAIN and LOG."""
_SIGNALS_OF_A_LETTER = 2
"""At most: TERM and CONT."""
_RECALLING = frozenset("uod")
"""What would take the wish to exit back, which in runsv the last letter decides."""
_AT_A_TIME = 8
"""Letters in a turn: whoever may write to one service's FIFO is not to keep the supervisor from the others."""
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
        with self._view[place : place + 1] as region:
            try:
                count = os.readv(fifo, [region])
            except BlockingIOError:
                return ""
            return chr(region[0]) if count else ""

    def done(self, slot: int, part: int) -> None:
        """Forget a letter that was acted upon and changed nothing."""
        self._view[records.offset(slot) + records.LETTERS_AT + part] = 0

    def reserve(self, slot: int) -> None:
        """Have room for what comes for `slot`, before any comes; OSError, since a mapping takes a descriptor (Python has its own)."""
        if records.offset(slot) < len(self._view):
            return
        size = records.offset((slot // _SLOTS + 1) * _SLOTS)
        if os.fstat(self._table).st_size < size:
            os.ftruncate(self._table, size)
        self._view = memoryview(mmap.mmap(self._table, size))


class Inbox:
    """The control FIFOs of a service: its letters, one after the other."""

    __slots__ = ("_masked", "_owner")

    def __init__(self, owner: Supervised) -> None:
        self._owner = owner
        self._masked = 0  # a bit for each part

    def open(self) -> None:
        """Listen to letters. An open `ok` vouches for the status, so the first one published opens it (Publisher.flush)."""
        owner = self._owner
        owner.tree.loop.watch(owner.files.control, self._read_main)
        if owner.log_files is not None:
            owner.tree.loop.watch(owner.log_files.control, self._read_log)

    def close(self) -> None:
        """Listen no more."""
        for files in self._owner.home.files:
            self._owner.tree.loop.forget(files.control)

    def mask(self) -> None:
        """Read no letters of a part that could not be acted upon, or whose signals could not be remembered."""
        owner = self._owner
        if owner.closed:
            return
        for part in owner.parts():
            files = owner.files if part.number == MAIN else owner.log_files
            busy = len(part.signals) > records.SIGNALS_MAX - _SIGNALS_OF_A_LETTER or bool(part.number == MAIN and owner.service.script)
            if files is not None and busy != bool(self._masked >> part.number & 1):
                self._masked ^= 1 << part.number
                owner.tree.loop.mind(files.control, 0 if busy else EPOLLIN)

    def _read_main(self) -> None:
        self._read(MAIN, self._owner.files)

    def _read_log(self) -> None:
        if self._owner.log_files is not None:
            self._read(LOG, self._owner.log_files)

    def _read(self, part: int, files: Supervise) -> None:
        # One at a time: what a control script keeps waiting stays in the FIFO.
        owner = self._owner
        for _ in range(_AT_A_TIME):
            if self._masked >> part & 1 or owner.closed:
                return
            letter = owner.tree.letters.read(files.control, owner.slot, part)
            if not letter:
                return
            owner.asked = True
            # Nobody's letter keeps what runsvdir lets go for good: a ./finish that takes its service down would hold up a HUP.
            if not (owner.leaving and part == MAIN and letter in _RECALLING):
                owner.tell(Letter(part, letter))
            if not owner.closed:
                owner.tree.letters.done(owner.slot, part)
