"""Faults that strace(1) injects into the system calls of a process that runs."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import oracle
from .waiting import DEADLINE, until


@contextmanager
def injected(pid: int, calls: str, fault: str, trace: Path, *options: str) -> Iterator[None]:
    """Let `fault`, as strace has it (`error=EIO:when=1`), befall calls of a process meanwhile; what is made is told in `trace`."""
    strace = oracle.program("strace", package="strace")
    words = ["-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
    tracer = subprocess.Popen([strace, *options, "-qq", "-o", str(trace), *words, "-p", str(pid)])
    try:
        traced = f"TracerPid:\t{tracer.pid}\n"
        until(lambda: traced in Path(f"/proc/{pid}/status").read_text(), what="it is traced")
        yield
    finally:
        tracer.terminate()
        tracer.wait(DEADLINE)
