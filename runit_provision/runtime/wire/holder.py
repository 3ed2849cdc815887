"""What the supervisor and a holder say to each other: one fixed-size record per message, over a SEQPACKET socket.

A holder serves one supervisor after the other, and says READY to each as soon as it has seen the end of the one before. It outlives
versions: these records never change. What it watches it watches for the supervisor that has said so.
"""

from __future__ import annotations

import struct

# The supervisor says:
HOLD = 1
"""slot, kinds; descriptors: one for each kind, in place of what was held of that kind. HELD or REFUSED is the answer."""
DROP = 2
"""slot, kinds: let go of these."""
RELEASE = 3
"""slot: let go of all. RELEASED is the answer."""
KEEP = 4
"""slot: it is known, though there is nothing to be held now."""
SETTLED = 5
"""Every slot that there is was named by HOLD or KEEP: let go of all others."""
KEEPER = 6
"""descriptor: a pidfd of the tree's keeper."""
QUIT = 7
WATCH = 8
"""slot, kinds: a process's key; value: its pid; descriptor: its pidfd. ENDED or UNWATCHED is the answer, some time."""
LETTERS = 9
"""Until SETTLED, LETTER is to tell each slot for which a letter waits. A holder that does not know this says nothing."""

# The holder says:
READY = 17
HELD = 18
"""slot."""
REFUSED = 19
"""slot: not all of the descriptors could be received."""
RELEASED = 20
"""slot."""
ENDED = 21
"""slot, kinds; value: the wait status, -1 when nobody knows."""
UNWATCHED = 22
"""slot: the pidfd could not be received."""
LETTER = 23
"""slot: once for each of its control FIFOs."""

# What is held of a slot (`kinds`).
LOCK = 0
LOG_LOCK = 1
"""supervise/lock, until the supervisor ends: the next one takes it again, or somebody else does."""
OK = 2
LOG_OK = 3
"""supervise/ok, as long as there is a supervisor, or a keeper that will soon have one."""
CONTROL = 4
LOG_CONTROL = 5
PIPE = 6
"""log/supervise/pipe, for reading only once the log reads to its end."""
WORD = 7
"""supervise/notify."""

KINDS = 8
WATCHED = 3
"""Processes of a slot, at most."""

_RECORD = struct.Struct("<BBxxIi8s")
SIZE = _RECORD.size


class Record:
    """One message."""

    __slots__ = ("kinds", "op", "slot", "value")

    def __init__(self, op: int, *, slot: int = 0, kinds: tuple[int, ...] = (), value: int = 0) -> None:
        self.op = op
        self.slot = slot
        self.kinds = kinds
        self.value = value


def pack(record: Record) -> bytes:
    """Give the SIZE bytes of `record`."""
    return _RECORD.pack(record.op, len(record.kinds), record.slot, record.value, bytes(record.kinds))


def unpack(data: bytes) -> Record:
    """Read SIZE bytes; ValueError when there are fewer or more."""
    if len(data) != SIZE:
        raise ValueError(f"a holder record has {SIZE} bytes, not {len(data)}")
    op, count, slot, value, kinds = _RECORD.unpack(data)
    return Record(op, slot=slot, kinds=tuple(kinds[:count]), value=value)
