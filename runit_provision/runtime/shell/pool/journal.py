"""The pool's journal: what it has read from the services and not yet written to their logs.

A file, mapped, so that SIGKILL leaves it as it was at that instant; of this boot only, since after a crash of the machine neither
FIFOs nor files are what they were. That all processes are gone, as with a container, which voids a supervisor's table, is no such
crash: what was read goes to the logs all the same. What may not be in the file, longer than RLIMIT_FSIZE (`ulimit -f`) or its
filesystem allows, is in this process' memory alone, and lost with it. What its extents hold is said in extents.py.
"""

from __future__ import annotations

import _bisect
import _thread
import errno
import fcntl
import mmap
import posix

from ...wire import errors
from .extents import ARENA, CARRY, ENTRY, FREE, HEAD, IDLE, SLOT, Entry, Extent, Slot, State, new_mark

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..logs.processor import Left

_MAGIC = b"runit-provision pool journal 3\n\0"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
_HEADER = 4096
_ALIGN = 64


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
        self._entries: list[Entry] = []  # in order of their identities: to be found among thousands, without an index beside them
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
            return self._find(directory) is not None

    def processor(self, directory: tuple[int, ...]) -> Left | None:
        """Give the processor that was started last for the log in `directory`, if its end was not seen."""
        with self._lock:
            at = self._find(directory)
            left = self._entries[at].processor if at is not None else None
        return left if left and left[0] else None

    def take(self, identity: tuple[int, ...], owner: int) -> tuple[Entry, Slot | None] | None:
        """Give what is left of a log, once; None when nothing is. Only for who has the lock of its directory.

        A log whose directory is another one by now, since it was moved aside or the service was given another, is known by its FIFO.
        """
        with self._lock:
            at = self._find(identity[:2])
            if at is None:
                fifo = identity[2:]
                same = (at for at, entry in enumerate(self._entries) if entry.identity[2:] == fifo and entry.owner == owner)
                at = next(same, None)
            if at is None:
                return None
            entry = self._entries.pop(at)
            return entry, self._slots.pop(entry.slot, None) if entry.phase != IDLE else None

    def give_back(self, entry: Entry, slot: Slot | None) -> None:
        """Keep a log that is left as it is, for who takes it up again."""
        with self._lock:
            self._keep(entry)
            if slot is not None:
                self._slots[slot.extent.place] = slot

    def _keep(self, entry: Entry) -> None:
        self._entries.insert(self._position(entry.identity), entry)

    def _find(self, directory: tuple[int, ...]) -> int | None:
        at = self._position(directory)
        return at if at < len(self._entries) and self._entries[at].identity[:2] == directory else None

    def _position(self, place: tuple[int, ...]) -> int:
        """Give where an entry of that identity is, or would be."""
        return _bisect.bisect_left(self._entries, place, key=lambda entry: entry.identity)

    def new_entry(self, identity: tuple[int, ...], owner: int) -> Entry:
        """Give a fresh entry. This, `enlarge` and `new_slot` raise OSError where the disk has no room."""
        extent = self._allocate(Entry.SIZE)
        extent.view[:64] = bytes(64)
        entry = Entry(extent)
        entry.identity = identity
        entry.owner = owner
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
        return Slot(extent, mark=new_mark())

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
            if self._end + HEAD.size + size > len(self._arenas) * ARENA or (
                self._end % ARENA + HEAD.size + size > ARENA  # an extent lies in one arena
            ):
                self._lengthen()
                self._end = len(self._arenas) * ARENA
                self._map()
            place = self._end
            self._reserve(place, HEAD.size + size)
            self._end += HEAD.size + size
            arena = self._arenas[place // ARENA]
            HEAD.pack_into(arena, place % ARENA, 0, size)
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
        end = min(place + size + HEAD.size, (place // ARENA + 1) * ARENA)  # and whoever reads looks for the extent behind it
        posix.posix_fallocate(self._descriptor, _HEADER + place, end - place)

    def _map(self) -> None:
        memory = mmap.mmap(self._descriptor, ARENA, offset=_HEADER + len(self._arenas) * ARENA) if self.lasts else mmap.mmap(-1, ARENA)
        self._arenas.append(memoryview(memory))

    def _read(self, arena: int) -> None:
        """Find the extents of an arena; the first one without a kind was being made, and is the end."""
        place = arena * ARENA
        while place % ARENA + HEAD.size <= ARENA and place // ARENA == arena:
            kind, size = HEAD.unpack_from(self._arenas[arena], place % ARENA)
            if not kind:
                break
            extent = Extent(self._arenas[arena], place, size)
            if kind == ENTRY:
                self._keep(Entry(extent))
            elif kind == SLOT:
                self._slots[place] = Slot(extent)
            elif kind == CARRY:
                self._carries[place] = extent
            else:
                self._free.setdefault(size, []).append(extent)
            place += HEAD.size + size
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
