"""What lies in the pool's journal: extents of three kinds, which never move.

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

import posix
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..logs.processor import Left

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
HEAD = struct.Struct("<II8x")
"""What each begins with: one of these, and how many bytes follow."""
MARK = 16
"""Bytes of a slot's mark."""
_NO_TEXT = bytes((*range(1, 7), *range(16, 27), *range(28, 32)))
"""Control characters that neither a text has nor what is sent to a terminal, and no NUL, which some write alone."""
_IDENTITY = struct.Struct("<QQQQ")
_STATE = struct.Struct("<II??xB26s")
_CHUNK = struct.Struct("<IxxxxQ")
_PROGRESS = struct.Struct("<IxxxxQ")
_RENAME = struct.Struct("<I27s")
_TEXT = struct.Struct("<II")
_STAGED = struct.Struct("<IIBIxxxxQ16xB")
_PLACE = struct.Struct("<Q")
_PID = struct.Struct("<I")
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
        return self.place % ARENA + HEAD.size

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


def new_mark() -> bytes:
    """Give the bytes of a mark.

    They alone tell whether a chunk was read, so not even the first of them may be what a chunk of one byte has: it is of no text, and
    none is the newline, with which nearly all that is written ends. Of a chunk of n bytes that are no text one in 256 ** n is the mark.
    """
    first, *others = posix.urandom(MARK)
    return bytes((_NO_TEXT[first % len(_NO_TEXT)], *others)).replace(b"\n", b"\r")


class Slot:
    """One chunk on its way."""

    __slots__ = ("_mark", "_view", "extent")

    SIZE = 4096 + STAGE + WIDE
    _MARK_AT = 128
    _TEXT_AT = 4096
    _RAW_AT = _TEXT_AT + STAGE

    def __init__(self, extent: Extent, *, mark: bytes = b"") -> None:
        """mark: of one that is new, by `new_mark`; what nobody writes to a log, so that it tells where nothing was read."""
        self.extent = extent
        self._view = extent.view
        if mark:
            self._view[self._MARK_AT : self._MARK_AT + MARK] = mark
        self._mark = bytes(self._view[self._MARK_AT : self._MARK_AT + MARK])

    def begin(self, length: int, epoch_ns: int) -> memoryview:
        """Make ready for `length` bytes, read at `epoch_ns`; give where to read them to.

        Each page is touched: one that had to be fetched within the read would let SIGKILL end that halfway.
        """
        _CHUNK.pack_into(self._view, 0, length, epoch_ns)
        raw = self._view[self._RAW_AT : self._RAW_AT + length]
        if length > _PAGE:
            raw[::_PAGE] = bytes(-(-length // _PAGE))
        raw[-1] = 0
        raw[:MARK] = self._mark[:length]
        return raw

    def shorten(self, length: int) -> None:
        """Only so many bytes were there."""
        struct.pack_into("<I", self._view, 0, length)

    @property
    def is_filled(self) -> bool:
        """Whether anything was read since `begin`, as far as the bytes tell."""
        length, _ = _CHUNK.unpack_from(self._view, 0)
        marked = min(length, MARK)
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
    def owner(self) -> int:
        """What tells whose FIFO it is, since the numbers of one that was removed are given to another."""
        return int.from_bytes(self._arena[self._at + 56 : self._at + 64], "little")

    @owner.setter
    def owner(self, value: int) -> None:
        self._arena[self._at + 56 : self._at + 64] = value.to_bytes(8, "little")

    @property
    def processor(self) -> Left:
        """What tells the processor that was started last from any other, until its end is seen: (0, 0, 0).

        It stands in what the phase and each copy of the state leave of their room, where journals before had none.
        """
        arena, at = self._arena, self._at
        (pid,) = _PID.unpack_from(arena, at + 4)
        return (pid, *_PLACE.unpack_from(arena, at + 102), *_PLACE.unpack_from(arena, at + 150)) if pid else (0, 0, 0)

    @processor.setter
    def processor(self, value: Left) -> None:
        arena, at = self._arena, self._at
        _PID.pack_into(arena, at + 4, 0)  # so that SIGKILL leaves all of it or none
        _PLACE.pack_into(arena, at + 102, value[1])
        _PLACE.pack_into(arena, at + 150, value[2])
        _PID.pack_into(arena, at + 4, value[0])

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
