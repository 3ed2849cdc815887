"""What supervisor and keeper say to each other: one fixed-size record per message, over a SEQPACKET socket.

A supervisor that connects says HELLO and waits for WELCOME; the keeper sends YIELD to the stand-in that it had put in its place, or
BUSY to the newcomer while a true runsvdir is there. Then CHILD for every process that lives, WELCOME, and events as they happen.
HELLO, BUSY, CHILD, WELCOME and UPGRADE are what different versions say to each other, and never change.
"""

from __future__ import annotations

import struct

# The supervisor says:
HELLO = 1
"""value: its pid; descriptors: stdin, stdout, stderr for what is spawned from now on, and a memory file with its environment."""
SPAWN = 2
"""slot, key, role, flags, arguments, name; descriptors: the service directory, the FIFO to its log where there is one, and what `flags`
says; value: with NOTIFIES, the descriptor that leads to it."""
SIGNAL = 3
"""slot, key; value: signal number."""
POOL = 4
"""slot: uid; value: gid, or OWN_GROUP; descriptors: a listening socket, the journal."""
LEAVE = 5
"""Every service is gone: exit when no child is left."""
HOLDER = 6
"""slot: a number; descriptor: a listening socket. Start a holder."""
UPGRADE = 7
"""name: the library of another version, which is to be executed in the keeper's place. Then who asked connects again.

The other way: the keeper was asked, by USR2, that the tree become what is installed now."""
SUCCESSOR = 8
"""value: whether the supervisor is about to become another version and connect again: no stand-in is needed meanwhile."""

# The keeper says:
CHILD = 17
"""slot, key, role; value: pid. In the greeting."""
WELCOME = 18
"""descriptor: the tree's lock, so that it is held by whoever may start the next keeper; name: the keeper's version."""
BUSY = 19
"""value: the pid of the supervisor that is there."""
YIELD = 20
"""To a stand-in: end, another takes over."""
STARTED = 21
"""slot, key, role; value: pid; when: Unix time in nanoseconds."""
ENDED = 22
"""slot, key, role; value: wait status; when: the pid."""
FAILED = 23
"""slot, key, role; value: errno: no process could be made; ask again later."""
SIGNALLED = 24
"""slot, key; value: signal number; when: how many signals the process has got since it was started, 0 when there is none any more."""
END = 25
"""Let all services end, and the tree with them: TERM was sent to all of its processes."""

# What a process runs (`role`).
RUN = 1
FINISH = 2
LOG_RUN = 3
CONTROL = 4
LOGGERS = 5
SWEEP = 6
"""Ours, no program of the service: kills what is left of it. arguments: milliseconds between TERM and KILL."""

NEW_SESSION = 1
"""flags: as runsvdir -P has it."""
NOTIFIES = 2
"""flags: a FIFO comes along on which the process says that it is ready."""
SWEPT = 4
"""flags: what the process starts is to be found again, by its control group, or by a mark in its environment; see sweep.py."""
GROUPED = 8
"""flags: with SWEPT: its control group comes along, the last descriptor."""
LEADS = 16
"""flags: the process leads a process group, which it is killed with."""
LEFT = 32
"""flags: with SWEEP: a file comes along whose first SECRET_SIZE bytes (records.py) another mark was made of, before the group."""

OWN_GROUP = -1
"""value of POOL: the group that the account has."""

_RECORD = struct.Struct("<BBBBIiqHH24s256s")
SIZE = _RECORD.size
UNDER_WAY = 16384
"""Bytes that either side gives the kernel before the other has read them: some 40 records. What goes first has to wait for those."""


class Record:
    """One message; arguments: what follows the program's name, or the letter of a control script; name: the service's, for errors."""

    __slots__ = ("arguments", "flags", "key", "name", "op", "role", "slot", "value", "when")

    def __init__(
        self,
        op: int,
        *,
        slot: int = 0,
        key: int = 0,
        role: int = 0,
        flags: int = 0,
        value: int = 0,
        when: int = 0,
        arguments: tuple[str, ...] = (),
        name: bytes = b"",
    ) -> None:
        self.op = op
        self.slot = slot
        self.key = key
        self.role = role
        self.flags = flags
        self.value = value
        self.when = when
        self.arguments = arguments
        self.name = name


def pack(record: Record) -> bytes:
    """Give the SIZE bytes of `record`."""
    arguments = " ".join(record.arguments).encode()
    return _RECORD.pack(
        record.op,
        record.key,
        record.role,
        record.flags,
        record.slot,
        record.value,
        record.when,
        len(arguments),
        len(record.name),
        arguments,
        record.name,
    )


def unpack(data: bytes) -> Record:
    """Read SIZE bytes; ValueError when there are fewer or more."""
    if len(data) != SIZE:
        raise ValueError(f"a keeper record has {SIZE} bytes, not {len(data)}")
    op, key, role, flags, slot, value, when, length, name_length, arguments, name = _RECORD.unpack(data)
    return Record(
        op,
        slot=slot,
        key=key,
        role=role,
        flags=flags,
        value=value,
        when=when,
        arguments=tuple(arguments[:length].decode().split()),
        name=name[:name_length],
    )
