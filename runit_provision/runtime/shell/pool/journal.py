"""The pool's journal: what it has read from the services and not yet written to their logs.

A file, mapped, so that SIGKILL leaves it as it was at that instant; of this boot only, since after a crash of the machine neither
FIFOs nor processes are what they were. What may not be in the file, longer than RLIMIT_FSIZE (`ulimit -f`) or its filesystem
allows, is in this process' memory alone, and lost with it. It holds extents of three kinds, which never move:

    Entry   one log: which directory and FIFO it is, and its state between two chunks: the carry's stamp, long or not
    Carry   the line that has begun of a log, from the first chunk on that ended inside one: few do, so entries lie close together
    Slot    one chunk on its way: the bytes that were read, the text made of them, how far that is written

An entry's `phase` is one byte and its change the only thing that commits. It also tells which of the two copies of the
state is valid; the other one is free to be written meanwhile.

    IDLE     nothing is on its way
    READING  exactly n bytes are being read into the slot, whose first ones were a mark: if they still are, none was read
    READ     they are in the slot
    STAGED   the text is in the slot, and the other copy of the state is what will be valid; `current` is being written

Text that is what was read is not copied: what was carried is put right before it.
"""

from __future__ import annotations

import _thread
import errno
import fcntl
import mmap
import posix
import struct

from ...wire import errors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

IDLE = 0
READING = 1
READ = 2
STAGED = 3
_COPY = 0x80
"""In the phase: the second copy of the state is valid."""

CHUNK = 65536
"""Bytes of one read: a FIFO holds no more, unless it was widened."""
WIDE = 2 * CHUNK
"""Bytes of one read that needs no other text."""
STAGE = 2 * CHUNK
"""Bytes of text; what comes of a chunk may be more, and is then staged in parts."""
ARENA = 4 << 20
"""Bytes that are mapped at a time; an extent lies in one arena."""

FREE = 1
ENTRY = 2
SLOT = 3
CARRY = 4
_MAGIC = b"runit-provision pool journal 3\n\0"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_HEADER = 4096
_EXTENT = struct.Struct("<II8x")
_ALIGN = 64

_IDENTITY = struct.Struct("<QQQQ")
_STATE = struct.Struct("<II??xB26s")
_CHUNK = struct.Struct("<IxxxxQ")
_PROGRESS = struct.Struct("<IxxxxQ")
_RENAME = struct.Struct("<I27s")
_TEXT = struct.Struct("<II")
_STAGED = struct.Struct("<IIBIxxxxQ16xB")
_PLACE = struct.Struct("<Q")
_MARK = 16
_PAGE = 4096


class State:
    """A log between two chunks, or between two parts of one: `consumed` bytes of the chunk, and what core.svlogd_lines keeps."""

    __slots__ = ("carry", "consumed", "long", "selected", "stamp")

    def __init__(
        self, *, consumed: int = 0, carry: bytes = b"", stamp: bytes = b"", long: bool = False, selected: bool = False
    ) -> None:
        self.consumed = consumed
        self.carry = carry
        self.stamp = stamp
        self.long = long
        self.selected = selected


class Extent:
    """Some bytes of the journal. place: where they are in the file; arena: the mapped part of it; size: how many."""

    __slots__ = ("arena", "place", "size")

    def __init__(self, arena: memoryview, place: int, size: int) -> None:
        self.arena = arena
        self.place = place
        self.size = size

    @property
    def start(self) -> int:
        """Where they begin in the arena."""
        return self.place % ARENA + _EXTENT.size

    @property
    def view(self) -> memoryview:
        """The bytes, for whoever keeps few of them: a view takes four times as much as an extent."""
        return self.arena[self.start : self.start + self.size]

    def put(self, at: int, data: bytes) -> None:
        """Write `data` from byte `at` on."""
        start = self.start + at
        self.arena[start : start + len(data)] = data

    def mark(self, kind: int) -> None:
        """Say what it is, or FREE."""
        self.arena[self.place % ARENA] = kind


class Slot:
    """One chunk on its way."""

    __slots__ = ("_mark", "_view", "extent")

    SIZE = 4096 + STAGE + WIDE
    _MARK_AT = 128
    _TEXT_AT = 4096
    _RAW_AT = _TEXT_AT + STAGE

    def __init__(self, extent: Extent, *, mark: bytes = b"") -> None:
        """mark: of one that is new; what nobody writes to a log, so that it tells where nothing was read."""
        self.extent = extent
        self._view = extent.view
        if mark:
            self._view[self._MARK_AT : self._MARK_AT + _MARK] = mark
        self._mark = bytes(self._view[self._MARK_AT : self._MARK_AT + _MARK])

    def begin(self, length: int, epoch_ns: int) -> memoryview:
        """Make ready for `length` bytes, read at `epoch_ns`; give where to read them to.

        Each page is touched: one that had to be fetched within the read would let SIGKILL end that halfway.
        """
        _CHUNK.pack_into(self._view, 0, length, epoch_ns)
        raw = self._view[self._RAW_AT : self._RAW_AT + length]
        if length > _PAGE:
            raw[::_PAGE] = bytes(-(-length // _PAGE))
        raw[-1] = 0
        raw[:_MARK] = self._mark[:length]
        return raw

    def shorten(self, length: int) -> None:
        """Only so many bytes were there."""
        struct.pack_into("<I", self._view, 0, length)

    @property
    def is_filled(self) -> bool:
        """Whether anything was read since `begin`, as far as the bytes tell."""
        length, _ = _CHUNK.unpack_from(self._view, 0)
        marked = min(length, _MARK)
        return self._view[self._RAW_AT : self._RAW_AT + marked] != self._mark[:marked]

    @property
    def chunk(self) -> tuple[bytes, int]:
        """The bytes that were read, and when."""
        length, epoch_ns = _CHUNK.unpack_from(self._view, 0)
        return bytes(self._view[self._RAW_AT : self._RAW_AT + length]), epoch_ns

    def tail(self, length: int, limit: int) -> bytes:
        """Give the last `limit` bytes of the `length` that were read, or all."""
        end = self._RAW_AT + length
        return bytes(self._view[end - min(limit, length) : end])

    def stage(self, text: bytes, size: int) -> None:
        """Keep `text`, which is to be appended to a `current` of `size` bytes."""
        self._view[self._TEXT_AT : self._TEXT_AT + len(text)] = text
        self._stage(self._TEXT_AT, len(text), size)

    def stage_read(self, carry: bytes, length: int, size: int) -> memoryview:
        """Keep as the text, which is given, `carry` and the first `length` bytes of what was read."""
        start = self._RAW_AT - len(carry)
        self._view[start : self._RAW_AT] = carry
        self._stage(start, len(carry) + length, size)
        return self._view[start : self._RAW_AT + length]

    def _stage(self, start: int, length: int, size: int) -> None:
        _STAGED.pack_into(self._view, 24, start, length, 0, 0, size, 0)

    @property
    def text(self) -> bytes:
        """The text that was staged."""
        start, length = _TEXT.unpack_from(self._view, 24)
        return bytes(self._view[start : start + length])

    @property
    def progress(self) -> tuple[int, int]:
        """Which byte of the text follows on the first `size` bytes of `current`, and `size`."""
        start, size = _PROGRESS.unpack_from(self._view, 33 if not self._view[32] else 49)
        return int(start), int(size)

    @progress.setter
    def progress(self, value: tuple[int, int]) -> None:
        other = 0 if self._view[32] else 1
        _PROGRESS.pack_into(self._view, 49 if other else 33, *value)
        self._view[32] = other

    @property
    def rename(self) -> tuple[int, str] | None:
        """A rotation under way: which byte of the text comes after it, and the name that `current` gets."""
        if not self._view[65]:
            return None
        end, name = _RENAME.unpack_from(self._view, 66)
        return end, name.decode()

    @rename.setter
    def rename(self, value: tuple[int, str] | None) -> None:
        self._view[65] = 0
        if value is not None:
            _RENAME.pack_into(self._view, 66, value[0], value[1].encode())
            self._view[65] = 1


class Entry:
    """One log. carries: room for the carry of each copy of its state, when there was one."""

    __slots__ = ("_arena", "_at", "carries", "extent")

    SIZE = 160

    def __init__(self, extent: Extent) -> None:
        self.extent = extent
        self.carries: Extent | None = None
        self._arena, self._at = extent.arena, extent.start

    @property
    def capacity(self) -> int:
        """Bytes of the longest carry."""
        return self.carries.size // 2 if self.carries else 0

    @property
    def carries_at(self) -> int:
        """The place of `carries`, for who reads the journal, or -1; written before any state that has a carry there."""
        return int.from_bytes(self._arena[self._at + 48 : self._at + 56], "little") - 1

    def enlarge(self, carries: Extent) -> Extent | None:
        """Keep carries in another extent from now on; give the one before."""
        before = self.carries
        carries.put(carries.size // 2 * self._copy, self.state().carry)
        self._arena[self._at + 48 : self._at + 56] = (carries.place + 1).to_bytes(8, "little")
        self.carries = carries
        return before

    @property
    def identity(self) -> tuple[int, ...]:
        """Device and inode of the log directory, and of the FIFO."""
        return _IDENTITY.unpack_from(self._arena, self._at + 8)

    @identity.setter
    def identity(self, value: tuple[int, ...]) -> None:
        _IDENTITY.pack_into(self._arena, self._at + 8, *value)

    @property
    def phase(self) -> int:
        """IDLE, READING, READ or STAGED."""
        return self._arena[self._at] & ~_COPY

    @phase.setter
    def phase(self, value: int) -> None:
        self._arena[self._at] = self._arena[self._at] & _COPY | value

    def commit(self, phase: int) -> None:
        """Let the other copy of the state be valid from now on."""
        self._arena[self._at] = self._arena[self._at] & _COPY ^ _COPY | phase

    @property
    def slot(self) -> int:
        """The place of the slot with the chunk that is on its way."""
        (place,) = _PLACE.unpack_from(self._arena, self._at + 40)
        return int(place)

    def state(self, *, other: bool = False) -> State:
        """Give the valid copy of the state, or the other one."""
        copy = self._copy is not other
        consumed, length, long, selected, stamp_length, stamp = _STATE.unpack_from(self._arena, self._at + (112 if copy else 64))
        start = self.capacity * copy
        carry = bytes(self.carries.view[start : start + length]) if self.carries and length else b""
        return State(consumed=consumed, carry=carry, stamp=stamp[:stamp_length], long=long, selected=selected)

    def prepare(self, state: State) -> None:
        """Write the other copy, which `commit` makes valid; its carry has room."""
        copy = not self._copy
        length = len(state.carry)
        values = (state.consumed, length, state.long, state.selected, len(state.stamp), state.stamp)
        _STATE.pack_into(self._arena, self._at + (112 if copy else 64), *values)
        if self.carries and length:
            self.carries.put(self.capacity * copy, state.carry)

    def begin(self, slot: Slot) -> None:
        """Say that what comes is read into `slot`."""
        _PLACE.pack_into(self._arena, self._at + 40, slot.extent.place)
        self._arena[self._at] = self._arena[self._at] & _COPY | READING

    def stage_whole(self) -> None:
        """Say that a text is staged after which the state, which has no carry, is what it is now."""
        arena, at = self._arena, self._at
        copy = arena[at] & _COPY
        now, then = (at + 112, at + 64) if copy else (at + 64, at + 112)
        arena[then : then + _STATE.size] = arena[now : now + _STATE.size]
        arena[at] = copy | STAGED

    @property
    def _copy(self) -> bool:
        return bool(self._arena[self._at] & _COPY)


class Journal:
    """The whole file; takes its lock, and waits for a predecessor that has it. Used by all threads.

    lasts: whether all of it is in the file; say: told, once, when that is so no more.
    """

    def __init__(self, descriptor: int, say: Callable[[bytes], None]) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._descriptor = descriptor
        self._say = say
        self.lasts = True
        self._in_file = 0
        self._lock = _thread.allocate_lock()
        self._arenas: list[memoryview] = []
        self._free: dict[int, list[Extent]] = {}
        self._end = 0
        self._entries: list[Entry] = []
        self._slots: dict[int, Slot] = {}
        self._carries: dict[int, Extent] = {}
        header = _MAGIC + _boot_id()
        if posix.pread(descriptor, len(header), 0) != header:
            posix.ftruncate(descriptor, 0)
            try:
                posix.pwrite(descriptor, header, 0)
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
        for arena in range((posix.fstat(descriptor).st_size - _HEADER) // ARENA):
            self._map()
            self._read(arena)
        for entry in self._entries:
            entry.carries = self._carries.pop(entry.carries_at, None)

    def knows(self, directory: tuple[int, ...]) -> bool:
        """Tell whether something is left of the log in `directory` (device, inode)."""
        with self._lock:
            return any(entry.identity[:2] == directory for entry in self._entries)

    def take(self, place: tuple[int, ...]) -> tuple[Entry, Slot | None] | None:
        """Give what is left of a log, once; None when nothing is. Only for who has the lock of its directory.

        place: what its identity begins with, or all of that.
        """
        with self._lock:
            for entry in self._entries:
                if entry.identity[: len(place)] == place:
                    self._entries.remove(entry)
                    return entry, self._slots.pop(entry.slot, None) if entry.phase != IDLE else None
        return None

    def give_back(self, entry: Entry, slot: Slot | None) -> None:
        """Keep a log that is left as it is, for who takes it up again."""
        with self._lock:
            self._entries.append(entry)
            if slot is not None:
                self._slots[slot.extent.place] = slot

    def new_entry(self, identity: tuple[int, ...]) -> Entry:
        """Give a fresh entry. This, `enlarge` and `new_slot` raise OSError where the disk has no room."""
        extent = self._allocate(Entry.SIZE)
        extent.view[:64] = bytes(64)
        entry = Entry(extent)
        entry.identity = identity
        entry.prepare(State())
        entry.commit(IDLE)
        extent.mark(ENTRY)
        return entry

    def enlarge(self, entry: Entry, capacity: int) -> None:
        """Let an entry have room for carries of so many bytes."""
        extent = self._allocate(2 * capacity)
        extent.mark(CARRY)
        before = entry.enlarge(extent)
        if before is not None:
            self.free(before)

    def free_entry(self, entry: Entry) -> None:
        """Take an entry back, and what it has for carries."""
        self.free(entry.extent)
        if entry.carries is not None:
            self.free(entry.carries)

    def new_slot(self) -> Slot:
        """Give a slot."""
        extent = self._allocate(Slot.SIZE)
        extent.mark(SLOT)
        return Slot(extent, mark=b"\0" + posix.urandom(_MARK - 1))

    def free(self, extent: Extent) -> None:
        """Take an extent back."""
        extent.mark(FREE)
        with self._lock:
            self._free.setdefault(extent.size, []).append(extent)

    def tidy(self) -> None:
        """Take back every slot that no entry was waiting for, and every carry of none."""
        with self._lock:
            wanted = {entry.slot for entry in self._entries if entry.phase != IDLE}
            lost = [slot for place, slot in self._slots.items() if place not in wanted]
            self._slots = {place: slot for place, slot in self._slots.items() if place in wanted}
        for extent in (*(slot.extent for slot in lost), *self._carries.values()):
            self.free(extent)
        self._carries.clear()

    def _allocate(self, size: int) -> Extent:
        size = -(-size // _ALIGN) * _ALIGN
        with self._lock:
            if free := self._free.get(size):
                return free.pop()
            if self._end + _EXTENT.size + size > len(self._arenas) * ARENA or (
                self._end % ARENA + _EXTENT.size + size > ARENA  # an extent lies in one arena
            ):
                self._lengthen()
                self._end = len(self._arenas) * ARENA
                self._map()
            place = self._end
            self._reserve(place, _EXTENT.size + size)
            self._end += _EXTENT.size + size
            arena = self._arenas[place // ARENA]
            _EXTENT.pack_into(arena, place % ARENA, 0, size)
            extent = Extent(arena, place, size)
            extent.mark(FREE)  # so that whoever reads the journal finds what is behind it
            return extent

    def _lengthen(self) -> None:
        """Let the file have room for one arena more; where it may not be that long, it gets no more. OSError."""
        if self.lasts:
            try:
                posix.ftruncate(self._descriptor, _HEADER + (len(self._arenas) + 1) * ARENA)
            except OSError as error:
                if error.errno != errno.EFBIG:
                    raise
                self.lasts = False
                self._in_file = len(self._arenas)
                text = errors.text(errno.EFBIG)
                self._say(b"warning: unable to keep a journal, lines are lost if the log-pool is killed: " + text)

    def _reserve(self, place: int, size: int) -> None:
        """Have room on the disk for what follows; OSError. To write to a mapped hole of a full one is SIGBUS (mmap(2))."""
        if not self.lasts and place // ARENA >= self._in_file:
            return
        end = min(place + size + _EXTENT.size, (place // ARENA + 1) * ARENA)  # and whoever reads looks for the extent behind it
        posix.posix_fallocate(self._descriptor, _HEADER + place, end - place)

    def _map(self) -> None:
        memory = mmap.mmap(self._descriptor, ARENA, offset=_HEADER + len(self._arenas) * ARENA) if self.lasts else mmap.mmap(-1, ARENA)
        self._arenas.append(memoryview(memory))

    def _read(self, arena: int) -> None:
        """Find the extents of an arena; the first one without a kind was being made, and is the end."""
        place = arena * ARENA
        while place % ARENA + _EXTENT.size <= ARENA and place // ARENA == arena:
            kind, size = _EXTENT.unpack_from(self._arenas[arena], place % ARENA)
            if not kind:
                break
            extent = Extent(self._arenas[arena], place, size)
            if kind == ENTRY:
                self._entries.append(Entry(extent))
            elif kind == SLOT:
                self._slots[place] = Slot(extent)
            elif kind == CARRY:
                self._carries[place] = extent
            else:
                self._free.setdefault(size, []).append(extent)
            place += _EXTENT.size + size
        self._end = place


def _boot_id() -> bytes:
    try:
        descriptor = posix.open(_BOOT_ID, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return posix.read(descriptor, 64)
    finally:
        posix.close(descriptor)
