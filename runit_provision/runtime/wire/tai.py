"""TAI64N labels, as runit writes them into status files, log lines and names of old logs.

Source: https://cr.yp.to/libtai/tai64.html and runit's tain.c, which takes TAI to be 10 seconds ahead of
the Unix clock and knows of no leap second, whatever the kernel knows.
"""

from __future__ import annotations

OFFSET = 4611686018427387914
"""2**62 + 10: the label of the Unix epoch, in seconds."""

NANOSECONDS = 1_000_000_000


def pack(epoch_ns: int) -> bytes:
    """Give the 12 bytes of a TAI64N label (8 seconds, 4 nanoseconds, big endian) for `epoch_ns`, Unix time in nanoseconds."""
    seconds, nanoseconds = divmod(epoch_ns, NANOSECONDS)
    return (seconds + OFFSET).to_bytes(8, "big") + nanoseconds.to_bytes(4, "big")


def unpack(label: bytes) -> int:
    """Give the Unix time in nanoseconds of a 12-byte TAI64N label, within its second; ValueError when it is not 12 bytes long."""
    if len(label) != 12:
        raise ValueError(f"a TAI64N label has 12 bytes, not {len(label)}")
    seconds = int.from_bytes(label[:8], "big") - OFFSET
    return seconds * NANOSECONDS + min(int.from_bytes(label[8:], "big"), NANOSECONDS - 1)


def text(epoch_ns: int) -> str:
    """Give the label as svlogd -t prints it: `@` and 24 hexadecimal digits."""
    return "@" + pack(epoch_ns).hex()


def read(label: bytes) -> int:
    """Give the Unix time in nanoseconds of a label as `text` gives it; ValueError when it is none."""
    if label[:1] != b"@":
        raise ValueError(f"no TAI64N label: {label!r}")
    return unpack(bytes.fromhex(label[1:].decode("ascii")))
