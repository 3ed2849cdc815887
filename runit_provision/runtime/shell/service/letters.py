"""Letters, taken from control FIFOs in a way that SIGKILL cannot lose one.

read(2) would take a letter out of the FIFO into memory that dies with the process. Here that memory is the table of records, mapped:
within one system call the letter is in the FIFO, then in the table, and the intent that follows from it is written over it.
"""

from __future__ import annotations

import errno
import mmap
import os
import select

from ...core.events import Letter, StopWaits
from ...core.part import LOG, MAIN
from ...core.service import STOPS
from ...wire import records
from ..loop import EPOLLIN, ON_CHANGE
from . import settings

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
_PEEKED = 65536
"""Bytes: what a FIFO holds."""
_NONBLOCK = 2
"""SPLICE_F_NONBLOCK."""
_AGAIN_SECONDS = 1.0
"""When there is no descriptor to be had."""


class Letters:
    """The letters of every slot; table: descriptor of the records; step: by how many slots that grows at a time."""

    def __init__(self, table: int, step: int) -> None:
        self._table = table
        self._step = step
        self._view = memoryview(b"")

    def read(self, fifo: int, slot: int, part: int) -> str:
        """Take a letter for a part out of its FIFO; empty when there is none. It is in the table until `done`, or a new intent."""
        place = records.offset(slot) + records.LETTERS_AT + part
        with self._view[place : place + 1] as region:
            try:
                count = os.readv(fifo, [region])
                return chr(region[0]) if count else ""
            except BlockingIOError:
                return ""
            except OSError as error:
                if error.errno != errno.EFAULT:
                    raise
        return os.read(fifo, 1).decode("latin-1")  # the table's disk takes nothing: better without it than never

    def done(self, slot: int, part: int) -> None:
        """Forget a letter that was acted upon and changed nothing."""
        place = records.offset(slot) + records.LETTERS_AT + part
        if self._view[place]:
            try:
                # Not by the mapping, which on a disk that takes nothing means SIGBUS.
                os.pwrite(self._table, b"\0", place)
            except OSError:
                pass  # who comes after us acts upon it once more

    def reserve(self, slot: int) -> None:
        """Have room for what comes for `slot`, before any comes; OSError, since a mapping takes a descriptor (Python has its own)."""
        if records.offset(slot) < len(self._view):
            return
        size = records.offset((slot // self._step + 1) * self._step)
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

    def look_behind_script(self) -> None:
        """A control script runs: see whether a letter comes that stops, which the script keeps waiting."""
        self.mask()
        if not self._owner.closed:
            self._owner.tree.loop.mind(self._owner.files.control, ON_CHANGE)

    def _look(self) -> None:
        owner = self._owner
        if owner.closed or not owner.service.script:
            return
        try:
            if owner.milliseconds(settings.TIMEOUT_KILL) <= 0:
                return
            waits = not STOPS.isdisjoint(_peek(owner.files.control).decode("latin-1"))
        except OSError:
            owner.tree.loop.after(_AGAIN_SECONDS, self._look)
            return
        if waits:
            owner.tree.loop.mind(owner.files.control, 0)
            owner.tell(StopWaits(waits=True))

    def _read_main(self) -> None:
        if self._masked >> MAIN & 1:
            self._look()
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
                if owner.service.hurries:
                    owner.tell(StopWaits(waits=False))  # somebody else has read it
                return
            owner.asked = True
            # Nobody's letter keeps what runsvdir lets go for good: a ./finish that takes its service down would hold up a HUP.
            if not (owner.leaving and part == MAIN and letter in _RECALLING):
                owner.tell(Letter(part, letter))
            if not owner.closed:
                owner.tree.letters.done(owner.slot, part)


def _peek(fifo: int) -> bytes:
    """Give what a FIFO holds, and leave it there, where whoever kills us does not take it away: tee(2). OSError.

    A call for which there is no module, as process.be_subreaper; nothing where there is none to make it.
    """
    try:
        import _ctypes

        tee = _ctypes.dlsym(_ctypes.dlopen(None, 0), "tee")  # type: ignore[arg-type]
    except (ImportError, AttributeError):
        return b""
    seen, copy = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if _ctypes.call_function(tee, (fifo, copy, _PEEKED, _NONBLOCK)) > 0:
            return os.read(seen, _PEEKED)
        # Why it has failed is not told to who calls it like this, but that there was something tells that it has.
        waiting = select.poll()
        waiting.register(fifo, select.POLLIN)
        if waiting.poll(0):
            raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
        return b""
    finally:
        os.close(seen)
        os.close(copy)
