"""Thousands of services that cost next to nothing themselves, so that what is seen is what supervises them.

A service is a program of some 150 bytes that says "up" once and sleeps; TERM ends it. Every second one has a log in the pool.
"""

from __future__ import annotations

import os
import platform
import struct
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from support.supervision import GONE, script

SAYS = b"up\n"
_LOAD = 0x400000
_MEMORY = "/dev/shm"


def in_memory(prefix: str) -> Path:
    """Make a directory for a crowd, in memory where that can be.

    For minutes ext4 passes over each inode that was deleted before it makes another, so that on a disk one run is measured by what the
    one before has left.
    """
    place = Path(tempfile.mkdtemp(prefix=prefix, dir=_MEMORY if os.access(_MEMORY, os.W_OK) else None))
    place.chmod(0o755)
    return place


def program(tells: Path | None = None) -> bytes:
    """Give an executable that writes SAYS and sleeps for ever: machine code here, a script where we know none.

    tells: a FIFO that each first writes its pid to, four bytes. What starts services is so seen without looking for processes, which
    would take the time that is measured.
    """
    if platform.machine() != "x86_64":
        assert tells is None, "x86_64 only"
        return b"#!/bin/sh\necho up\nexec sleep 1000000\n"
    says_at = 64 + 56
    fifo = b"" if tells is None else os.fsencode(tells) + b"\0"
    fifo_at = says_at + len(SAYS)
    code_at = fifo_at + len(fifo)
    telling = (
        _set("di", _LOAD + fifo_at) + _set("si", os.O_WRONLY) + _call(2) + b"\x89\xc3",  # ebx = open(fifo, O_WRONLY)
        _call(39) + b"\x50",  # push getpid()
        b"\x89\xdf" + b"\x48\x89\xe6" + _set("dx", 4) + _call(1),  # write(ebx, rsp, 4)
        b"\x89\xdf" + _call(3),  # close(ebx)
    )
    code = b"".join(
        (
            _set("di", 1) + _set("si", _LOAD + says_at) + _set("dx", len(SAYS)) + _call(1),  # write(1, SAYS, its length)
            *(telling if fifo else ()),
            _call(34) + b"\xeb\xf7",  # pause(), and again
        )
    )
    size = code_at + len(code)
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, _LOAD + code_at, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _LOAD, _LOAD, size, size, 4096)
    return header + segment + SAYS + fifo + code


def _set(register: str, value: int) -> bytes:
    """mov e<register>, value"""
    return {"di": b"\xbf", "si": b"\xbe", "dx": b"\xba"}[register] + struct.pack("<I", value)


def _call(number: int) -> bytes:
    """mov eax, number; syscall"""
    return b"\xb8" + struct.pack("<I", number) + b"\x0f\x05"


class Crowd:
    """Services below `definitions`, linked from `services`; the first `logged` of each two have a log below `logs`."""

    def __init__(
        self, place: Path, count: int, *, logged: int = 0, rsvlog: Path | None = None, log_run: str = "", tells: Path | None = None
    ) -> None:
        """Write them. rsvlog: what log/run is a link to; log_run: the shell lines of it where it is none; tells: as of program()."""
        self.services = place / "services"
        self.services.mkdir()
        self.logs: list[Path] = []
        self.homes: list[Path] = []
        executable = place / "service"
        executable.write_bytes(program(tells))
        executable.chmod(0o755)
        (place / "definitions").mkdir()
        (place / "logs").mkdir()
        for number in range(count):
            home = place / "definitions" / f"s{number:05}"
            home.mkdir()
            (home / "run").symlink_to(executable)
            # As many of the first as of the last ones, whoever is removed.
            if number * logged // count != (number + 1) * logged // count:
                self._log(home, place / "logs" / home.name, rsvlog, log_run)
            self.homes.append(home)

    def _log(self, home: Path, log: Path, rsvlog: Path | None, log_run: str) -> None:
        log.mkdir()
        (home / "log").mkdir()
        self.logs.append(home / "log")
        if rsvlog is None:
            script(home / "log/run", log_run.format(log))
            return
        (home / "log/run").symlink_to(rsvlog)
        (home / "log/env").mkdir()
        (home / "log/env/RSVLOG_DIR").write_text(f"{log}\n")

    def link(self, homes: Iterable[Path]) -> None:
        """Let them be services."""
        for home in homes:
            (self.services / home.name).symlink_to(home)


def memory(pid: int) -> int:
    """Give the KB of a process: proportional set size and page tables; 0 when it is gone."""
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
        status = Path(f"/proc/{pid}/status").read_text()
    except GONE:
        return 0
    return int(rollup.split("\nPss:")[1].split()[0]) + int(status.split("VmPTE:")[1].split()[0])


def cpu(pid: int) -> float:
    """Give the CPU seconds of a process, without its children's, to the nanosecond (/proc has 10 ms); 0 when it is gone."""
    try:
        return time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it
    except OSError:
        return 0.0
