"""Kills processes between two chosen system calls of one of them, by ptrace(2).

SIGKILL that meets a process at the entry of a system call ends it before that call is made: counting entries reaches every gap.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SEIZE, INTERRUPT, SYSCALL, SYSCALL_INFO, DETACH = 0x4206, 0x4207, 24, 0x420E, 17
TRACE_SYSCALLS, TRACE_THREADS = 1, 8
WALL = 0x40000000
_ENTRY = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextmanager
def held(pid: int) -> Iterator[None]:
    """Let a process of one thread do nothing, as a debugger does, whatever signal but SIGKILL it gets."""
    _ptrace(SEIZE, pid)
    _ptrace(INTERRUPT, pid)
    assert os.WIFSTOPPED(os.waitpid(pid, WALL)[1])
    try:
        yield
    finally:
        _ptrace(DETACH, pid, strict=False)
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG | WALL)  # one that was killed is a zombie until then


class Interrupter:
    """Kills `victims` when `counted`, a process, is about to make its system call number `at`, from 1.

    after: the number of a system call before whose first use none counts (as unistd.h of this machine has it); for a program's start.
    """

    def __init__(self, counted: int, victims: list[int], at: int, *, after: int | None = None) -> None:
        reader, writer = os.pipe()
        self._answer = os.fdopen(reader, "rb", buffering=0)
        self.calls = 0
        """How many there were until the end, when there were fewer than `at`."""
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.close(reader)
                _Tracer(counted, victims, at, after, writer).run()
            finally:
                os._exit(0)
        os.close(writer)
        self._attached = self._answer.read(1) == b"."

    def end(self) -> int | None:
        """Let go; give the number of the system call that was not made, or None when there were not so many."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        os.waitpid(self._pid, 0)
        text = self._answer.read(16)
        self._answer.close()
        assert self._attached, "cannot be traced"
        struck, _, calls = text.partition(b" ")
        self.calls = int(calls or 0)
        return int(struck) if struck else None


class _Tracer:
    def __init__(self, counted: int, victims: list[int], at: int, after: int | None, writer: int) -> None:
        self._victims = victims
        self._at = self._left = at
        self._after = after
        self._writer = writer
        signal.signal(signal.SIGTERM, self._give_up)
        for task in Path(f"/proc/{counted}/task").iterdir():
            try:
                _ptrace(SEIZE, int(task.name), TRACE_SYSCALLS | TRACE_THREADS)
                _ptrace(INTERRUPT, int(task.name))
            except ProcessLookupError:
                if int(task.name) == counted:
                    raise
                # A thread that has ended meanwhile.
        os.write(writer, b".")

    def run(self) -> None:
        """Go from stop to stop, until the kill or the end of all threads."""
        while True:
            try:
                thread, status = os.waitpid(-1, WALL)
            except ChildProcessError:
                return self._give_up()
            if not os.WIFSTOPPED(status):
                continue
            number, event = os.WSTOPSIG(status), status >> 16
            if number == signal.SIGTRAP | 0x80:
                number = 0
                if self._is_reached(thread):
                    return None
            elif event or number == signal.SIGTRAP:
                number = 0
            # A thread may be gone by now.
            _ptrace(SYSCALL, thread, number, strict=False)

    def _give_up(self, *_: object) -> None:
        # Who has begun to kill ends it, and says so.
        if self._left > 0:
            os.write(self._writer, b" %d" % (self._at - self._left))
            os._exit(0)

    def _is_reached(self, thread: int) -> bool:
        info = ctypes.create_string_buffer(88)
        _ptrace(SYSCALL_INFO, thread, len(info), info, strict=False)
        entry, call = info.raw[0] == _ENTRY, struct.unpack_from("<Q", info.raw, 24)[0]
        if not entry:
            return False
        if self._after is not None:
            if call == self._after:
                self._after = None
            return False
        self._left -= 1
        if self._left:
            return False
        for pid in self._victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        os.write(self._writer, b"%d" % call)
        return True


def _ptrace(request: int, pid: int, data: int = 0, pointer: object = None, *, strict: bool = True) -> None:
    """data: the last argument; with `pointer`, the one before, and `pointer` the last."""
    last, before = (data, None) if pointer is None else (pointer, data)
    if _libc.ptrace(request, pid, before, last) < 0 and strict:
        raise OSError(ctypes.get_errno(), "ptrace", str(pid))
