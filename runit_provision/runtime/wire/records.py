"""The supervisor's memory outside of its own: one table of fixed-size slots per tree, in the tree's private state directory.

    slot 0       magic, boot id: after a boot no process is left, and the table is void
    slot 1...    identity (device, inode, name, path) | intent, written by the supervisor | three processes, written by their parent

Every piece is written by one pwrite, and each has one writer, so a reader after a SIGKILL finds the old or the new one. Who compares
them can tell what happened since the supervisor's last word: a process whose `started` is not the one that the intent names was
started, one that ended while the intent names its pid ended without the supervisor having acted on it, and of the signals that it was
to get it has got as many as it has counted.

An intent is written before anything is done about it. Within it stand the letters that were read from the control FIFOs: the kernel
copies a letter there in the very call that takes it out of the FIFO, and the intent that follows from it is written over it.
"""

from __future__ import annotations

import struct

from .status import Status

SIZE = 1024
MAGIC = b"rprov-1\n"
INTENT_AT = 800
LETTERS_AT = 804
"""One byte for the main part, one for the log; 0: none that was read and not acted upon."""
PROCESSES_AT = 912
PATH_MAX = 512
SIGNALS_MAX = 8
"""Signals of a part that may be under way."""

# The processes of a slot.
MAIN = 0
LOG = 1
SCRIPT = 2
POOL = 3
"""Not in a service's slot: a pool is known by its uid, and to its keeper only."""

# A process's `life`.
NEVER = 0
LIVE = 1
ENDED = 2

# The first byte of a slot that is not free.
TAKEN = b"\1"
HELD = b"\2"
"""Another one supervises the service, and only that one knows how it is."""

_HEADER = struct.Struct("<8s36s")
_IDENTITY = struct.Struct("<B7xQQHH4x256s512s")
_PART = struct.Struct("<BBBBBBBxqqiiI8s")
_INTENT = struct.Struct("<BBBB2s2xq")
_PROCESS = struct.Struct("<iBBxxQqiI")
PROCESS_SIZE = _PROCESS.size
_STATUS = struct.Struct("<B7xQQH6x256s512x3xB12x" + 2 * "BBBB2xBxq8xi16x" + f"{SIZE - PROCESSES_AT + 8}x")
"""A whole slot, of which only what `sv status` asks for: from the identity, whether it has a log, and twice from a part's intent."""


class Identity:
    """Which directory a slot is about: its device and inode, its name in the tree, and where it was found."""

    __slots__ = ("dev", "ino", "name", "path")

    def __init__(self, *, dev: int, ino: int, name: bytes, path: bytes) -> None:
        self.dev = dev
        self.ino = ino
        self.name = name
        self.path = path


class PartIntent:
    """What the supervisor last knew of a part: core.service.Part's fields, and `started` of the process that `pid` names (or named)."""

    __slots__ = (
        *(
            "damped",
            "ended",
            "got_term",
            "owed",
            "paused",
            "pid",
            "signalled",
            "signals",
            "since",
            "spawning",
            "started",
            "state",
            "want",
        ),
    )

    def __init__(  # noqa: PLR0913
        self,
        *,
        want: int,
        state: int,
        paused: bool,
        got_term: bool,
        damped: bool,
        owed: bool,
        spawning: bool,
        since: int,
        started: int,
        pid: int,
        ended: int,
        signalled: int,
        signals: tuple[int, ...],
    ) -> None:
        self.want = want
        self.state = state
        self.paused = paused
        self.got_term = got_term
        self.damped = damped
        self.owed = owed
        self.spawning = spawning
        self.since = since
        self.started = started
        self.pid = pid
        self.ended = ended
        self.signalled = signalled
        self.signals = signals


class Intent:
    """What the supervisor last wanted of a service.

    script: the letter of the control script that runs, or empty; scripted: `started` of the last one that ended; letters: what was
    read for the main part and for the log, and not acted upon yet, each empty or one.
    """

    __slots__ = ("closing", "letters", "log", "main", "script", "scripted", "then")

    def __init__(
        self,
        *,
        main: PartIntent,
        log: PartIntent | None,
        script: str,
        then: int,
        scripted: int,
        closing: bool,
        letters: tuple[str, str] = ("", ""),
    ) -> None:
        self.letters = letters
        self.main = main
        self.log = log
        self.script = script
        self.then = then
        self.scripted = scripted
        self.closing = closing


class Process:
    """The last process of a slot's MAIN, LOG or SCRIPT.

    role: what it runs, as in the spawn request; starttime: in clock ticks, as /proc/PID/stat has it; started: Unix time in nanoseconds,
    which also tells one process of a slot from the next; status: its wait status once `life` is ENDED; signals: how many it was sent.
    """

    __slots__ = ("life", "pid", "role", "signals", "started", "starttime", "status")

    def __init__(
        self, *, pid: int = 0, role: int = 0, life: int = NEVER, starttime: int = 0, started: int = 0, status: int = 0, signals: int = 0
    ) -> None:
        self.pid = pid
        self.role = role
        self.life = life
        self.starttime = starttime
        self.started = started
        self.status = status
        self.signals = signals


def offset(slot: int) -> int:
    """Give where `slot` begins in the table, in bytes."""
    return slot * SIZE


def process_offset(slot: int, key: int) -> int:
    """Give where the process `key` (MAIN, LOG, SCRIPT) of `slot` stands in the table, in bytes."""
    return slot * SIZE + PROCESSES_AT + key * PROCESS_SIZE


def pack_header(boot_id: bytes) -> bytes:
    """Give slot 0 for this boot; `boot_id`: the 36 characters of /proc/sys/kernel/random/boot_id."""
    return _HEADER.pack(MAGIC, boot_id).ljust(SIZE, b"\0")


def is_of_boot(header: bytes, boot_id: bytes) -> bool:
    """Whether `header`, slot 0 of a table, was written by this version since the boot `boot_id`."""
    return len(header) == SIZE and _HEADER.unpack_from(header) == (MAGIC, boot_id)


def pack_slot(identity: Identity) -> bytes:
    """Give a whole slot for a service whose processes are none yet."""
    path = identity.path if len(identity.path) <= PATH_MAX else b""
    packed = _IDENTITY.pack(1, identity.dev, identity.ino, len(identity.name), len(path), identity.name, path)
    return packed.ljust(SIZE, b"\0")


def pack_intent(intent: Intent) -> bytes:
    """Give what belongs at INTENT_AT of a slot."""
    script = ord(intent.script) if intent.script else 0
    letters = bytes(ord(letter) if letter else 0 for letter in intent.letters)
    head = _INTENT.pack(script, intent.then, intent.closing, intent.log is not None, letters, intent.scripted)
    return head + _pack_part(intent.main) + (_pack_part(intent.log) if intent.log is not None else b"")


def pack_process(process: Process) -> bytes:
    """Give the PROCESS_SIZE bytes that belong at process_offset."""
    return _PROCESS.pack(
        process.pid, process.role, process.life, process.starttime, process.started, process.status, process.signals & 0xFFFFFFFF
    )


def unpack_identity(slot: bytes) -> Identity | None:
    """Read who a slot of SIZE bytes is about; None when it is free."""
    used, dev, ino, name_length, path_length, name, path = _IDENTITY.unpack_from(slot)
    return Identity(dev=dev, ino=ino, name=name[:name_length], path=path[:path_length]) if used else None


def unpack_intent(slot: bytes) -> Intent | None:
    """Read the supervisor's half of a slot of SIZE bytes; None when it had not got to write any."""
    script, then, closing, has_log, letters, scripted = _INTENT.unpack_from(slot, INTENT_AT)
    main = _unpack_part(slot, INTENT_AT + _INTENT.size)
    log = _unpack_part(slot, INTENT_AT + _INTENT.size + _PART.size) if has_log else None
    if main.since == 0:
        return None
    return Intent(
        main=main,
        log=log,
        script=chr(script) if script else "",
        then=then,
        scripted=scripted,
        closing=bool(closing),
        letters=(chr(letters[0]) if letters[0] else "", chr(letters[1]) if letters[1] else ""),
    )


def unpack_process(slot: bytes, key: int) -> Process:
    """Read the process MAIN, LOG or SCRIPT of a slot of SIZE bytes."""
    pid, role, life, starttime, started, status, signals = _PROCESS.unpack_from(slot, PROCESSES_AT + key * PROCESS_SIZE)
    return Process(pid=pid, role=role, life=life, starttime=starttime, started=started, status=status, signals=signals)


def statuses(table: bytes) -> dict[bytes, tuple[int, ...]]:
    """Give a row by name for each service of a whole table that `known` can tell of.

    Not of those that are held, or about to start: of them only their own status files tell.
    """
    rows = {}
    for row in _STATUS.iter_unpack(memoryview(table)[SIZE : len(table) - len(table) % SIZE]):
        used, _dev, _ino, length, name, has_log = row[:6]
        if used == TAKEN[0] and row[11] and not row[10] and not (has_log and (row[17] or not row[18])):
            rows[name[:length]] = row
    return rows


def is_of(row: tuple[int, ...], dev: int, ino: int) -> bool:
    """Whether a row of `statuses` is about the directory with this device and inode."""
    return row[1] == dev and row[2] == ino


def known(row: tuple[int, ...]) -> tuple[Status, Status | None]:
    """Read a row of `statuses`: the status of the service and that of its log, None where there is none."""
    return _status(row, 6), _status(row, 13) if row[5] else None


def _status(row: tuple[int, ...], at: int) -> Status:
    want, state, paused, got_term, _spawning, since, pid = row[at : at + 7]
    return Status(since_ns=since, pid=pid, state=state, want=want, paused=bool(paused), got_term=bool(got_term))


def _pack_part(part: PartIntent) -> bytes:
    flags = (part.paused, part.got_term, part.damped, part.owed, part.spawning)
    signals = bytes(part.signals[:SIGNALS_MAX])
    return _PART.pack(
        part.want, part.state, *flags, part.since, part.started, part.pid, part.ended, part.signalled & 0xFFFFFFFF, signals
    )


def _unpack_part(slot: bytes, at: int) -> PartIntent:
    want, state, paused, got_term, damped, owed, spawning, since, started, pid, ended, signalled, signals = _PART.unpack_from(slot, at)
    return PartIntent(
        want=want,
        state=state,
        paused=bool(paused),
        got_term=bool(got_term),
        damped=bool(damped),
        owed=bool(owed),
        spawning=bool(spawning),
        since=since,
        started=started,
        pid=pid,
        ended=ended,
        signalled=signalled,
        signals=tuple(signals.rstrip(b"\0")),
    )
