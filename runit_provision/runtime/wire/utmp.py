"""Records of the login files utmp and wtmp; utmp(5), glibc's bits/utmp.h.

    type, pid, line[32], id[4], user[32], host[256], exit (two shorts), session, seconds, microseconds, address[16], unused[20]

Session and time are as wide as a long on machines that have no older, 32-bit programs to share the files with, elsewhere 32 bits.
"""

from __future__ import annotations

LINE = 8
LINE_SIZE = 32
_USER = 44
_USER_SIZE = 32
_HOST_SIZE = 256
_SESSION = 336

DEAD_PROCESS = 8
_WIDE_MACHINES = ("aarch64", "riscv64", "loongarch64", "alpha", "ia64")


class Layout:
    """How records look on a machine: `size` in bytes; `machine` as uname(2) names it, `byteorder` as sys does."""

    __slots__ = ("_byteorder", "_time", "_time_size", "size")

    def __init__(self, machine: str, byteorder: str) -> None:
        wide = machine in _WIDE_MACHINES
        self.size = 400 if wide else 384
        self._time = _SESSION + (8 if wide else 4)
        self._time_size = 8 if wide else 4
        self._byteorder = byteorder

    def is_login(self, record: bytes, line: bytes) -> bool:
        """Say whether somebody is logged in on `line`."""
        return record[_USER] != 0 and record[LINE : LINE + LINE_SIZE].partition(b"\0")[0] == line

    def logged_out(self, record: bytes, *, now: int) -> bytes:
        """Give `record` as it is after the logout at `now`, Unix time in seconds: no user, no host, a dead process."""
        data = bytearray(record)
        data[_USER : _USER + _USER_SIZE + _HOST_SIZE] = bytes(_USER_SIZE + _HOST_SIZE)
        self._end(data, now)
        return bytes(data)

    def logout(self, line: bytes, *, now: int) -> bytes:
        """Give the record of a logout from `line` at `now`, as it is appended to wtmp."""
        data = bytearray(self.size)
        data[LINE : LINE + len(line)] = line
        self._end(data, now)
        return bytes(data)

    def _end(self, data: bytearray, now: int) -> None:
        if self._byteorder == "big":
            kind, seconds = DEAD_PROCESS.to_bytes(2, "big"), now.to_bytes(self._time_size, "big")
        else:
            kind, seconds = DEAD_PROCESS.to_bytes(2, "little"), now.to_bytes(self._time_size, "little")
        data[0:2] = kind
        data[self._time : self._time + self._time_size] = seconds
