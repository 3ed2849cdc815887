"""svlogd's input: chunks of bytes in, batches of lines out; nothing is done to a single character.

    chunk, stamp --feed--> Batch, Batch, ...

A batch is WHOLE lines, as many as there are, each shorter than the limit of -l; or the HEAD of a longer one, its first
`limit` bytes; or the REST of it, as it came. Replacement (-r, -R) and everything after it reaches only so far as the head; the
rest of a long line is copied raw. Where nothing of that is asked for, lines may be longer and HEAD be more.

A line that is not complete waits in `carry`, with the stamp of its first byte, until its newline or its limit comes. At the
end of the input it is dropped, as svlogd does. `carry`, `stamp` and `long` are all that is to be kept between two chunks.
"""

from __future__ import annotations

WHOLE = 0
HEAD = 1
REST = 2

LIMIT = 1000
"""svlogd's -l: bytes of a line that are matched and replaced."""


class Batch:
    """`data` of one kind (WHOLE, HEAD, REST); `stamp` stands before each of its lines."""

    __slots__ = ("data", "kind", "stamp")

    def __init__(self, kind: int, stamp: bytes, data: bytes) -> None:
        self.kind = kind
        self.stamp = stamp
        self.data = data

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Batch) and (self.kind, self.stamp, self.data) == (other.kind, other.stamp, other.data)

    def __hash__(self) -> int:
        return hash((self.kind, self.stamp, self.data))

    def __repr__(self) -> str:
        return f"Batch({self.kind}, {self.stamp!r}, {self.data!r})"


def replacement(character: bytes, charset: bytes = b"") -> bytes:
    """Give the table (256 bytes, for bytes.translate) of -r `character` -R `charset`; the newline stays."""
    table = bytearray(range(256))
    for byte in range(256):
        if not 32 <= byte <= 126 or byte in charset:
            table[byte] = character[0]
    table[10] = 10
    return bytes(table)


class Lines:
    """The state between two chunks. limit: bytes; table: of `replacement`, or nothing."""

    __slots__ = ("carry", "limit", "long", "stamp", "table")

    def __init__(self, *, limit: int = LIMIT, table: bytes = b"") -> None:
        self.limit = limit
        self.table = table
        self.carry = b""
        self.stamp = b""
        self.long = False

    @property
    def inside_a_line(self) -> bool:
        """Whether the last chunk ended without a newline."""
        return self.long or bool(self.carry)

    def feed(self, chunk: bytes, stamp: bytes, *, limits: bool = True) -> list[Batch]:
        """Take `chunk`, that was read when `stamp` was the time; give what can be written of it.

        limits: whether it matters which lines are long, even if nothing is replaced; to look for them takes a fifth of all time.
        """
        batches: list[Batch] = []
        start = 0
        if self.long:
            start = chunk.find(b"\n") + 1
            self.long = not start
            batches.append(Batch(REST, b"", chunk[:start] if start else chunk))
            if self.long:
                return batches
        data = self.carry + chunk if self.carry else chunk
        if not self.carry:
            self.stamp = stamp
        replaced = self._replaced(data)
        while (limits or replaced is not data) and (at := _long_line(data, start, self.limit)) >= 0:
            self._whole(batches, replaced, start, at, stamp)
            batches.append(Batch(HEAD, self.stamp, replaced[at : at + self.limit]))
            self.stamp = stamp
            start = data.find(b"\n", at + self.limit) + 1
            rest = data[at + self.limit : start] if start else data[at + self.limit :]
            if rest:
                batches.append(Batch(REST, b"", rest))
            if not start:
                self.long = True
                self.carry = b""
                return batches
        end = data.rfind(b"\n", start) + 1
        if end:
            self._whole(batches, replaced, start, end, stamp)
            self.stamp = stamp
        self.carry = data[end or start :]
        if len(self.carry) >= self.limit:
            batches.append(Batch(HEAD, self.stamp, self.carry))
            self.stamp, self.carry, self.long = stamp, b"", True
        return batches

    def feed_unaltered(self, length: int, tail: bytes) -> int:
        """Take a chunk where each line is written as it came; give how much of it is written, behind the carry that was before.

        length: the chunk's bytes; tail: its last `limit` bytes, or all: no line that has begun before them is short. Where it
        gives 0, nothing is written.
        """
        begun = tail[tail.rfind(b"\n") + 1 :]
        if len(begun) < len(tail):
            self.carry, self.long = begun, False
            return length - len(begun)
        if self.long or len(self.carry) + length >= self.limit:
            self.carry, self.long = b"", True
            return length
        self.carry += tail
        return 0

    def end(self) -> list[Batch]:
        """The input has ended: give the newline that a long line lacks. Anything shorter is dropped."""
        self.carry = b""
        if not self.long:
            return []
        self.long = False
        return [Batch(REST, b"", b"\n")]

    def _whole(self, batches: list[Batch], data: bytes, start: int, end: int, stamp: bytes) -> None:
        """Add the whole lines that are in `data` from `start` to `end`; the first one may have been waiting with a stamp of its own."""
        if start < end and self.stamp != stamp:
            first, start = start, data.index(b"\n", start) + 1
            batches.append(Batch(WHOLE, self.stamp, data[first:start]))
            self.stamp = stamp
        if start < end:
            batches.append(Batch(WHOLE, stamp, data[start:end]))

    def _replaced(self, data: bytes) -> bytes:
        """Give `data` with all replaced that is to be; where nothing is, itself, and then it does not matter which lines are long."""
        return data.translate(self.table) if self.table else data


def _long_line(data: bytes, start: int, limit: int) -> int:
    """Give where the first line of `limit` bytes or more begins, from `start` on, or -1.

    Looks at no line by itself: where a newline ends any `limit` bytes, every line that began in them is short.
    """
    last, rfind = len(data) - limit, data.rfind
    while start <= last:
        newline = rfind(b"\n", start, start + limit)
        if newline < 0:
            return start
        start = newline + 1
    return -1
