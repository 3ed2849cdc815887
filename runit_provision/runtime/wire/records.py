"""The supervisor's memory outside of its own: one table of fixed-size slots per tree, in the tree's private state directory.

    slot 0       magic, whose life: after a boot, or of a container that was killed, no process is left, and the table is void; a
                 secret for as long
    slot 1...    identity (device, inode, name, path) | where no `down` was | as whom a pool logs | intent | three processes, written by
                 their parent

Every piece is written by one pwrite, and each has one writer, so a reader after a SIGKILL finds the old or the new one. Who compares
them can tell what happened since the supervisor's last word: a process whose `started` is not the one that the intent names was
started, one that ended while the intent names its pid ended without the supervisor having acted on it, and of the signals that it was
to get it has got as many as it has counted.

An intent is written before anything is done about it. Within it stand the letters that were read from the control FIFOs: the kernel
copies a letter there in the very call that takes it out of the FIFO, and the intent that follows from it is written over it.
"""

from __future__ import annotations

from _struct import Struct

from .status import DOWN, FINISH, WANT_UP

SIZE = 1024
MAGIC = b"rprov-3\n"
NO_DOWN_AT = 760
WRITER_AT = 776
INTENT_AT = 784
LETTERS_AT = 788
"""One byte for the main part, one for the log, one for what the service says of itself; 0: none that was not acted upon."""
PROCESSES_AT = 928
PATH_MAX = 472
"""Bytes; of a longer one nothing is written down."""
SECRET_SIZE = 16
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

_HEADER = Struct("<8s36s4xQQ16s")
_IDENTITY = Struct("<B7xQQHH4x256s472s")
_NO_DOWN = Struct("<q?7x")
_WRITER = Struct("<I")
WRITER_SIZE = _WRITER.size
_PART = Struct("<BBBBBBBxqqiiI8s")
_INTENT = Struct("<BBBB3s1xq")
_PROCESS = Struct("<iBBxxQqiI")
PROCESS_SIZE = _PROCESS.size
_STATUS = Struct("<B7xQQ736xq?18x?12x" + 2 * "7sxq8xi16x" + f"B{SIZE - INTENT_AT - 105}x")
"""A whole slot, of which only what `sv status` asks for: from the identity, whether it has a log, twice from a part's intent, and from
what is beyond runit."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    Row = tuple[int, int, int, int, bool, bool, bytes, int, int, bytes, int, int, int]
    """Of a slot: its first byte, device, inode; as pack_no_down packs it; whether it has a log; then of the service and of its log:
    want, state, paused and got TERM, a byte each, with three that only its supervisor needs, since when in Unix nanoseconds, pid; at
    last whether anything is beyond runit."""


class Identity:
    """Which directory a slot is about: its device and inode, its name in the tree, and where it was found."""

    __slots__ = ("dev", "ino", "name", "path")

    def __init__(self, *, dev: int, ino: int, name: bytes, path: bytes) -> None:
        self.dev = dev
        self.ino = ino
        self.name = name
        self.path = path


class PartIntent:
    """What the supervisor last knew of a part: core.part.Part's fields, and `started` of the process that `pid` names (or named)."""

    __slots__ = (
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
    read for the main part, for the log, and of what the service says of itself, and not acted upon yet, each empty or one; beyond: as
    beyond.py packs it.
    """

    __slots__ = ("beyond", "closing", "letters", "log", "main", "script", "scripted", "then")

    def __init__(
        self,
        *,
        main: PartIntent,
        log: PartIntent | None,
        script: str,
        then: int,
        scripted: int,
        closing: bool,
        beyond: bytes,
        letters: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        self.beyond = beyond
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


def pack_header(boot_id: bytes, namespace: int, began: int, secret: bytes) -> bytes:
    """Give slot 0 for a life of the processes around us.

    boot_id: the 36 characters of /proc/sys/kernel/random/boot_id; namespace: the inode of the pid namespace, which another one may get
    after it, and began: the start of its first process, in clock ticks since boot, 0 where that is not told; secret: SECRET_SIZE bytes
    that no other account knows.
    """
    return _HEADER.pack(MAGIC, boot_id, namespace, began, secret).ljust(SIZE, b"\0")


def is_of_life(header: bytes, boot_id: bytes, namespace: int, began: int) -> bool:
    """Whether `header`, slot 0 of a table, was written by this version in the same life; of one that is not told, in the same boot."""
    if len(header) != SIZE:
        return False
    magic, boot, *life, _secret = _HEADER.unpack_from(header)
    return (magic, boot) == (MAGIC, boot_id) and (not life[1] or not began or life == [namespace, began])


def secret_in(header: bytes) -> bytes:
    """Give the secret of a table whose slot 0 is `header`."""
    return bytes(_HEADER.unpack_from(header.ljust(SIZE, b"\0"))[-1])


def pack_slot(identity: Identity) -> bytes:
    """Give a whole slot for a service whose processes are none yet."""
    return pack_identity(identity).ljust(SIZE, b"\0")


def pack_identity(identity: Identity) -> bytes:
    """Give what a slot that is TAKEN begins with, for a service that was met elsewhere."""
    path = identity.path if len(identity.path) <= PATH_MAX else b""
    return _IDENTITY.pack(1, identity.dev, identity.ino, len(identity.name), len(path), identity.name, path)


def pack_intent(intent: Intent) -> bytes:
    """Give what belongs at INTENT_AT of a slot."""
    script = ord(intent.script) if intent.script else 0
    letters = bytes(ord(letter) if letter else 0 for letter in intent.letters)
    head = _INTENT.pack(script, intent.then, intent.closing, intent.log is not None, letters, intent.scripted)
    log = _pack_part(intent.log) if intent.log is not None else bytes(_PART.size)
    return head + _pack_part(intent.main) + log + intent.beyond


def pack_no_down(changed: int, *, has_plain_log: bool) -> bytes:
    """Give what belongs at NO_DOWN_AT of a slot: when its directory last changed, which had no file `down` after that.

    changed: st_ctime in nanoseconds, 0 where it is not known; has_plain_log: its log/ is no link, so that it is this one until then.
    """
    return _NO_DOWN.pack(changed, has_plain_log)


def pack_writer(uid: int) -> bytes:
    """Give what belongs at WRITER_AT of a slot: the uid of the pool that keeps its log, -1 for none."""
    return _WRITER.pack(uid + 1)


def unpack_writer(data: bytes) -> int:
    """Read what stands at WRITER_AT, WRITER_SIZE bytes, or nothing where there is no such slot."""
    return int(_WRITER.unpack(data)[0]) - 1 if data else -1


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
        beyond=slot[INTENT_AT + _INTENT.size + 2 * _PART.size : PROCESSES_AT],
        letters=(_letter(letters[0]), _letter(letters[1]), _letter(letters[2])),
    )


def intent_in(slot: bytes) -> bytes:
    """Give what `pack_intent` gave for a slot of SIZE bytes."""
    from . import beyond  # who only reads a table, as sv, has no use for it

    return slot[INTENT_AT : INTENT_AT + _INTENT.size + 2 * _PART.size + beyond.SIZE]


def _letter(byte: int) -> str:
    return chr(byte) if byte else ""


def unpack_process(slot: bytes, key: int) -> Process:
    """Read the process MAIN, LOG or SCRIPT of a slot of SIZE bytes."""
    pid, role, life, starttime, started, status, signals = _PROCESS.unpack_from(slot, PROCESSES_AT + key * PROCESS_SIZE)
    return Process(pid=pid, role=role, life=life, starttime=starttime, started=started, status=status, signals=signals)


def add_statuses(rows: dict[tuple[int, int], Row], slots: bytes) -> None:
    """Put a row by inode and device for each service of some slots of a table, of which it can be told how it is, into `rows`.

    Not of those that are held, or about to start, nor of those that may have a supervise/detail, since they notify, are to end, or
    rest, or their logs do: of them only their own files tell.
    """
    row: Row
    known: dict[tuple[bool, bytes, bytes, int], bool] = {}
    for row in _STATUS.iter_unpack(memoryview(slots)[: len(slots) - len(slots) % SIZE]):
        used, dev, ino, _, _, has_log, flags, since, _pid, log_flags, log_since, _log_pid, more = row
        shape = (has_log, flags, log_flags, more)
        if used == TAKEN[0] and since and (log_since or not has_log):
            # Most services are alike.
            if shape not in known:
                known[shape] = _tells(*shape)
            if known[shape]:
                rows[ino, dev] = row


def _tells(has_log: bool, flags: bytes, log_flags: bytes, more: int) -> bool:
    want, state, _paused, got_term, _damped, _owed, spawning = flags
    log_want, log_state, *_, log_spawning = log_flags
    rests = state == DOWN and want == WANT_UP
    log_rests = has_log and (log_spawning or (log_state == DOWN and log_want == WANT_UP))
    return not (more or got_term or spawning or state == FINISH or rests or log_rests)


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
