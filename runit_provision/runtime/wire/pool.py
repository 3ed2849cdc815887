"""What the supervisor and a pool of loggers say to each other: one fixed-size record per message, over a SEQPACKET socket.

The newest connection to a pool is its supervisor. The pool greets it with HAVE for each logger that it runs, re-sends what was not
acknowledged, and says END; then events follow as they happen. A pool whose supervisor died goes on with every log.

A pool writes as an account that may be another's than the supervisor's, and is believed no more than that account is: see `heard`.
"""

from __future__ import annotations

import struct

from . import tai

# The supervisor says:
ADD = 1
"""Start a logger; descriptors: the pool's own O_RDWR of the FIFO, and `log/`; name: the service directory's.

Not done where an ENDED of this slot is not acknowledged: who asks has not heard of it yet, and may then want no other."""
SIGNAL = 2
"""value: a signal number, meant for the svlogd of this slot."""
CLOSE = 3
"""The service will not come back: read until EOF, then end; descriptor: an O_RDONLY of the FIFO in place of the O_RDWR."""
ACK = 4
"""ENDED was taken note of."""
PING = 5
QUIT = 6
"""All loggers are gone: exit."""
UPGRADE = 7
"""name: the library of another version, which is to be executed in the pool's place, empty: another process takes that; its loggers
will be added again."""

# The pool says:
HAVE = 17
"""value: CLOSING and PAUSED, or'ed; name: more slots and their values."""
END = 18
"""value: the pool's pid; name: its version."""
ADDED = 19
FAILED = 20
"""value: errno; name: text for people. Counts as a logger that exited 111."""
ENDED = 21
"""value: a wait status."""
PONG = 22
SAYS = 23
"""name: a warning, for stderr."""
WAITS = 24
"""The log waits since `name`, a TAI64N label, empty: no more; value: the errno that its disk refuses with, SILENT, PROCESSOR or
PROCESSOR_FAILS."""

UNCLOSED = 25
"""CLOSE came without its descriptor, for which there was no room; it is to be said again."""

SILENT = 0
"""The disk does not answer."""
PROCESSOR = -1
"""The file before is still being processed."""
STOPPED = -2
"""The pool itself does not answer; said by nobody, found out by the supervisor."""
PROCESSOR_FAILS = -3
"""The file before is to be processed, and its processor has failed: it is run again and again."""

CLOSING = 1
PAUSED = 2

_RECORD = struct.Struct("<BxxxIiI256s")
_MORE = struct.Struct("<IB")
SIZE = _RECORD.size
_STATUS_MAX, _SIGNAL = 0xFFFF, 0x7F
"""Of a wait status; one that has all of _SIGNAL tells of no end."""
_TEXTS = (FAILED, SAYS)
_ESCAPED = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160))}
"""Control characters: a newline would make another line of what is one message of a log's, and a terminal obeys others."""
NAME_MAX = 256


class Record:
    """One message; `name` is cut to NAME_MAX bytes."""

    __slots__ = ("name", "op", "slot", "value")

    def __init__(self, op: int, *, slot: int = 0, value: int = 0, name: bytes = b"") -> None:
        self.op = op
        self.slot = slot
        self.value = value
        self.name = name[:NAME_MAX]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and pack(self) == pack(other)

    def __hash__(self) -> int:
        return hash(pack(self))

    def __repr__(self) -> str:
        return f"Record({self.op}, slot={self.slot}, value={self.value}, name={self.name!r})"


def pack(record: Record) -> bytes:
    """Give the SIZE bytes of `record`."""
    return _RECORD.pack(record.op, record.slot, record.value, len(record.name), record.name)


def haves(logs: list[tuple[int, int]]) -> list[Record]:
    """Say HAVE of logs, slot and value of each, in as few records as can be."""
    most = 1 + NAME_MAX // _MORE.size
    return [
        Record(HAVE, slot=piece[0][0], value=piece[0][1], name=b"".join(_MORE.pack(*each) for each in piece[1:]))
        for piece in (logs[at : at + most] for at in range(0, len(logs), most))
    ]


def had(record: Record) -> list[tuple[int, int]]:
    """Read what a HAVE says: slots and values."""
    return [(record.slot, record.value), *_MORE.iter_unpack(record.name)]


def unpack(data: bytes) -> Record:
    """Read SIZE bytes; ValueError when there are fewer or more."""
    if len(data) != SIZE:
        raise ValueError(f"a pool record has {SIZE} bytes, not {len(data)}")
    op, slot, value, length, name = _RECORD.unpack(data)
    return Record(op, slot=slot, value=value, name=name[:length])


def heard(data: bytes) -> Record:
    """Read what a pool says; ValueError when that is what no pool says. A text is one line, whatever is in it."""
    record = unpack(data)
    if not _makes_sense(record):
        raise ValueError(f"no record of a pool: {record!r}")
    if record.op in _TEXTS:
        text = record.name.decode("utf-8", "surrogateescape").translate(_ESCAPED)
        record.name = text.encode("utf-8", "surrogateescape")
    return record


def _makes_sense(record: Record) -> bool:
    if record.op == HAVE:
        return len(record.name) % _MORE.size == 0
    if record.op == ENDED:
        return 0 <= record.value <= _STATUS_MAX and record.value & _SIGNAL != _SIGNAL
    if record.op == WAITS:
        return record.value >= PROCESSOR_FAILS and (not record.name or tai.read(record.name) > 0)
    return True
