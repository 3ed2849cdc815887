"""One log of the pool: chunks from a service's FIFO to its log, each through the journal.

A chunk's way, `^` marking where SIGKILL is survived without a line being lost, doubled or cut:

    n = FIONREAD  ^ mark the slot  ^ intent  ^ readv exactly n  ^ READ
    part by part: its text  ^ STAGED  ^ write  (^ rename  ^ new current)  ^ commit

Whoever finds the journal again starts where it stands: a text that was staged is written on from where `current` ends.
What goes to stderr and by UDP goes before STAGED, and so may go twice.
"""

from __future__ import annotations

import fcntl
import posix
import time

from ...core import svlogd_stamp
from ...core.svlogd_lines import Lines
from ..logs.directory import Log
from ..report import write_to_stderr
from .extents import CHUNK, IDLE, READ, READING, STAGE, STAGED, WIDE, State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ...core.svlogd_lines import Batch
    from ...core.svlogd_options import Options
    from ..logs.place import Place
    from ..logs.steps import Steps
    from .extents import Entry, Slot
    from .journal import Journal

    T = TypeVar("T")

_NOWHERE = (0, 0)
"""Device and inode of a directory that is none any more."""
FIONREAD = 0x541B
F_SETPIPE_SZ = 1031
F_GETPIPE_SZ = 1032
_NEWLINE = 10
LIMIT_MAX = 16384
"""Bytes; the greatest -l, so that what comes of any byte still finds room in a slot."""
PATIENCE = 1.0
"""Seconds that a reader of stderr may be behind with what `e` selects, before it is taken for one that hangs."""


def waiting(descriptor: int) -> int:
    """Give how many bytes a FIFO holds."""
    count = bytearray(4)  # bytes would be tried as something that can be changed, and the exception of that takes longer than the call
    fcntl.ioctl(descriptor, FIONREAD, count)
    return int.from_bytes(count, "little")


def widen(descriptor: int) -> None:
    """Let a FIFO hold WIDE bytes at least, where its user may have more; pipe(7), fcntl(2)."""
    try:
        if fcntl.fcntl(descriptor, F_GETPIPE_SZ) < WIDE:
            fcntl.fcntl(descriptor, F_SETPIPE_SZ, WIDE)
    except OSError:
        pass


class Logger:
    """A log and the FIFO (a descriptor of ours) that it is read from. say: takes svlogd's messages."""

    __slots__ = ("_entry", "_journal", "_lines", "_options", "_slot", "fifo", "log")

    def __init__(self, place: Place, options: Options, fifo: int, *, journal: Journal, say: Callable[[bytes], None]) -> None:
        self.fifo = fifo
        self.log = Log(place, limit=options.limit, verbose=options.verbose, say=say)
        self.log.witness = self
        self._options = options
        self._journal = journal
        self._lines = Lines(limit=options.limit, table=options.table)
        self._entry: Entry | None = None
        self._slot: Slot | None = None

    # ---- open and close

    def open(self, directory: tuple[int, int], owner: int) -> Steps[bool]:
        """Open the log, and complete what was left of it. False when it is of no use.

        directory: its device and inode; owner: a number that is the service's own, by which its FIFO is known again.
        """
        resumed = self._journal.knows(directory)
        if not (yield from self.log.open(resumed=resumed, left=self._journal.processor(directory))):
            return False
        fifo = posix.fstat(self.fifo)
        identity = (*directory, fifo.st_dev, fifo.st_ino)
        left = self._journal.take(identity, owner)
        if left is None:
            self._entry = yield from self._find_room(self._journal.new_entry, identity, owner)
        else:
            self._entry, self._slot = left
            yield from self._resume(identity)
            self._entry.owner = owner
        yield from self.log.insist(b"write down processor", self.processing)
        return True

    def close(self) -> Steps[None]:
        """End with the FIFO: a line that has begun will never end, and goes, as svlogd has it."""
        yield from self._put(self._lines.end())
        yield from self.log.processor.finish()
        yield from self.log.close()
        self._free_entry()

    def leave(self, *, once: bool = False) -> Steps[None]:
        """End while the FIFO goes on: the journal keeps a line that has begun for who comes next, if it outlives us.

        once: do not insist that the file is made safe.
        """
        if not self._journal.lasts:
            yield from self._put(self._lines.end())
        yield from self.log.close(once=once)
        if self._journal.lasts:
            self._give_back()
        else:
            self._free_entry()

    def abandon(self) -> None:
        """End at once; the journal has what is on its way, and how far that was written, for one that goes on in another directory."""
        slot = self._slot
        if slot is not None and self._known()[0].phase == STAGED and slot.rename is None:
            slot.progress = (self._written(slot), self.log.size)
        self._end_now()

    def lose_directory(self) -> None:
        """End at once, since the directory was removed; the journal has what is on its way for the next one that the FIFO leads to."""
        if self._entry is not None:
            self._entry.identity = (*_NOWHERE, *self._entry.identity[2:])
        self._end_now()

    def _end_now(self) -> None:
        self.log.close_now()
        self._give_back()

    def reopen(self) -> Steps[bool]:
        """HUP: close the log, and open it with its config as it is now."""
        yield from self.log.close()
        return (yield from self.log.open())

    def replace_fifo(self, fifo: int) -> None:
        """Read from `fifo` from now on, another end of the same FIFO or another one."""
        posix.close(self.fifo)
        self.fifo = fifo

    def _give_back(self) -> None:
        if self._entry is not None:
            self._journal.give_back(self._entry, self._slot)
            self._entry = self._slot = None

    def _free_entry(self) -> None:
        if self._entry is not None:
            self._journal.free_entry(self._entry)
            self._entry = None

    def _resume(self, identity: tuple[int, ...]) -> Steps[None]:
        """Go on where the journal stands."""
        entry, slot = self._known()
        same_fifo = entry.identity[2:] == identity[2:]
        if entry.identity[:2] != identity[:2] and slot is not None and entry.phase == STAGED:
            # What is there tells nothing of how far it was written; that since the last rotation goes to both rather than to none.
            slot.progress, slot.rename = (slot.progress[0], self.log.size), None
        self._restore(entry.state())
        if entry.phase == READING and slot is not None:
            # Not what the FIFO holds: it is empty too if all who had it open died with us, and what it held is gone then.
            entry.phase = READ if slot.is_filled else IDLE
        if slot is None:
            entry.phase = IDLE
        elif entry.phase == IDLE:
            self._drop_slot(None)
        else:
            yield from self._finish_chunk(None)
        if not same_fifo:
            # Who wrote to the other FIFO will not complete its line; svlogd would have seen the end of its input.
            yield from self._put(self._lines.end())
            yield from self._keep_state()
        entry.identity = identity

    def _known(self) -> tuple[Entry, Slot | None]:
        if self._entry is None:
            raise AssertionError("the log is not open")
        return self._entry, self._slot

    def _put(self, batches: list[Batch]) -> Steps[None]:
        """Write what is not in any chunk; it is a newline at most."""
        text = b"".join([self.log.text_of(batch) for batch in batches])
        if text:
            yield from self.log.write(text)

    # ---- state

    def _restore(self, state: State) -> None:
        self._lines.carry, self._lines.stamp, self._lines.long = state.carry, state.stamp, state.long
        self.log.selection.resume(long_is_selected=state.selected)

    def _state(self, consumed: int = 0) -> State:
        lines = self._lines
        selected = self.log.selection.long_is_selected
        return State(consumed=consumed, carry=lines.carry, stamp=lines.stamp, long=lines.long, selected=selected)

    def _keep_state(self) -> Steps[None]:
        entry, _ = self._known()
        yield from self._prepare(entry, self._state())
        entry.commit(IDLE)

    def _prepare(self, entry: Entry, state: State) -> Steps[None]:
        if len(state.carry) > entry.capacity:
            yield from self._enlarge(entry, len(state.carry))
        entry.prepare(state)

    def _enlarge(self, entry: Entry, length: int) -> Steps[None]:
        yield from self._find_room(self._journal.enlarge, entry, max(self._options.limit, length))

    def _find_room(self, make: Callable[..., T], *arguments: object) -> Steps[T]:
        """Have something made in the journal, as soon as its disk has room."""
        return (yield from self.log.insist(b"write to journal", make, *arguments))

    # ---- chunks

    @property
    def in_flight(self) -> bool:
        """Whether a chunk is on its way."""
        return self._slot is not None

    def take(self, length: int, spare: list[Slot]) -> Steps[None]:
        """Take `length` bytes, which the FIFO holds, to the log, by one of the `spare` slots if there is one."""
        entry, _ = self._known()
        if not spare:
            spare.append((yield from self._find_room(self._journal.new_slot)))
            length = min(length, waiting(self.fifo))  # it may be another one by now
            if not length:
                return
        slot = self._slot = spare.pop()
        alters_nothing = self._alters_nothing()
        region = slot.begin(min(length, WIDE if alters_nothing else CHUNK), time.time_ns())
        entry.begin(slot)
        try:
            length = posix.readv(self.fifo, [region])
        except BlockingIOError:
            length = 0
        if length < len(region):  # someone else reads the FIFO, and was faster
            slot.shorten(length)
        if not length:
            entry.phase = IDLE
            self._drop_slot(spare)
            return
        entry.phase = READ
        if alters_nothing:
            yield from self._append(entry, slot, length)
            self._drop_slot(spare)
        else:
            yield from self._finish_chunk(spare)

    @property
    def few(self) -> int:
        """So many bytes may be whole lines that are short, all of them; less than which `take_few` takes."""
        return self._lines.limit

    def take_few(self, length: int, spare: list[Slot]) -> bool:
        """Take `length` bytes, fewer than a line's limit, by one of the `spare` slots; False: the rest is for `complete`.

        The way of `take`, at a stretch, for whole lines that are all written and far from a rotation. Most lines come one by one, to a
        processor that has done something else meanwhile: what they cost is how much code and memory they touch.
        """
        entry, slot = self._entry, spare.pop()
        assert entry is not None
        self._slot = slot
        epoch_ns = time.time_ns()
        region = slot.begin(length, epoch_ns)
        entry.begin(slot)
        try:
            count = posix.readv(self.fifo, [region])
        except BlockingIOError:
            count = 0
        if count < length:  # someone else reads the FIFO, and was faster
            slot.shorten(count)
            entry.phase = READ if count else IDLE
            return False
        # READ is left out where it goes well: the mark in the slot, which is none of these lines, tells as much.
        chunk = bytes(region)
        lines, log = self._lines, self.log
        selection = log.selection
        if chunk[-1] != _NEWLINE or lines.carry or lines.long or lines.table or not selection.keeps_all:
            entry.phase = READ
            return False
        before = svlogd_stamp.stamp(epoch_ns, self._options.stamp) + selection.prefix
        text = before + (chunk.replace(b"\n", b"\n" + before, more) if (more := chunk.count(b"\n") - 1) else chunk)
        if len(text) > STAGE:
            entry.phase = READ
            return False
        slot.stage(text, log.size)
        entry.stage_whole()
        if not log.append(text):
            return False
        entry.commit(IDLE)
        self._slot = None
        spare.append(slot)
        return True

    def complete(self, spare: list[Slot]) -> Steps[None]:
        """Bring a chunk that `take_few` has begun to its end."""
        entry, _ = self._known()
        if entry.phase == IDLE:
            self._drop_slot(spare)
        else:
            yield from self._finish_chunk(spare)

    def _alters_nothing(self) -> bool:
        """Whether what is read is written as it came; neither a line that has begun under other options, or was not selected."""
        options, lines, log = self._options, self._lines, self.log
        return (
            not (options.stamp or options.table or lines.stamp)
            and log.selection.keeps_all
            and log.selection.alters_nothing
            and (not lines.long or log.selection.long_is_selected)
        )

    def _append(self, entry: Entry, slot: Slot, length: int) -> Steps[None]:
        """Write the `length` bytes that were read from where they are."""
        lines, log = self._lines, self.log
        carry = lines.carry
        length = lines.feed_unaltered(length, slot.tail(length, lines.limit))
        if lines.long:
            log.selection.resume(long_is_selected=True)
        if len(lines.carry) > entry.capacity:
            yield from self._enlarge(entry, len(lines.carry))
        entry.prepare(self._state())
        if length:
            text = slot.stage_read(carry, length, log.size)
            entry.phase = STAGED
            yield from log.write(text)
        entry.commit(IDLE)

    def _finish_chunk(self, spare: list[Slot] | None) -> Steps[None]:
        """Bring what the slot holds to its end, from whatever phase."""
        entry, slot = self._known()
        assert slot is not None
        chunk, epoch_ns = slot.chunk
        stamp = svlogd_stamp.stamp(epoch_ns, self._options.stamp)
        consumed = 0
        if entry.phase == STAGED:
            yield from self.log.write(slot.text, self._written(slot))
            state = entry.state(other=True)
            self._restore(state)
            entry.commit(READ if state.consumed else IDLE)
        if entry.phase == READ:
            consumed = entry.state().consumed
        while entry.phase == READ:
            text, consumed = self._text_from(chunk, consumed, stamp)
            yield from self._prepare(entry, self._state(consumed))
            slot.stage(text, self.log.size)
            entry.phase = STAGED
            if text:
                yield from self.log.write(text)
            entry.commit(READ if consumed else IDLE)
        self._drop_slot(spare)

    def _text_from(self, chunk: bytes, start: int, stamp: bytes) -> tuple[bytes, int]:
        """Give the text of as much of `chunk` from `start` on as a slot takes, and where the rest begins, 0 when there is none."""
        log = self.log
        before = self._state()
        length = len(chunk) - start
        if log.config.udp is not None:
            length = min(length, self._sure_length())  # what was sent cannot be tried with less
        while True:
            part = chunk[start : start + length] if start or length < len(chunk) else chunk
            batches = self._lines.feed(part, stamp, limits=log.limits_lines)
            text = b"".join([log.text_of(batch) for batch in batches])
            if len(text) <= STAGE:
                break
            self._restore(before)
            length = self._sure_length()
        if log.selection.has_alerts:
            for batch in batches:
                if alerts := log.selection.alerts(batch):
                    write_to_stderr(alerts, PATIENCE)
        end = start + length
        return text, end if end < len(chunk) else 0

    def _sure_length(self) -> int:
        """Give how many bytes there may be at most so that their text has room, even if each were a line that UDP does not take."""
        line = svlogd_stamp.SIZE + len(self.log.config.prefix)
        return max(1, (STAGE - 2 * (LIMIT_MAX + line)) // (2 * line + 64))

    def _written(self, slot: Slot) -> int:
        """Give how much of the staged text is in the log, by where `current` ends and what was being renamed."""
        start, size = slot.progress
        rename = slot.rename
        if rename is not None:
            if self._exists(rename[1]) or self._exists(rename[1][:26] + "s"):
                start, size = rename[0], 0
                slot.progress = (start, size)
            slot.rename = None
        return start + min(max(0, self.log.size - size), len(slot.text) - start)

    def _exists(self, name: str) -> bool:
        try:
            posix.stat(name, dir_fd=self.log.directory, follow_symlinks=False)
        except OSError:
            return False
        return True

    def _drop_slot(self, spare: list[Slot] | None) -> None:
        if self._slot is not None:
            if spare is None:
                self._journal.free(self._slot.extent)
            else:
                spare.append(self._slot)
            self._slot = None

    # ---- what a rotation does, and a processor

    def renaming(self, name: str) -> None:
        """Write down that `current` will be `name`."""
        if self._slot is not None and self._known()[0].phase == STAGED:
            self._slot.rename = (self.log.written, name)

    def renamed(self) -> None:
        """Write down that `current` is new."""
        if self._slot is not None and self._known()[0].phase == STAGED:
            self._slot.progress = (self.log.written, 0)
            self._slot.rename = None

    def processing(self) -> None:
        """Write down which processor runs, if any: it outlives us, and is not to be started a second time. OSError."""
        if self._entry is not None:
            self._entry.processor = self.log.processor.started
