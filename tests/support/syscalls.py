"""Faults at a system call of a process that applies, or of a hand that it lends: strace(1) kills it there, or lets the call fail.

The work is done in a fork of the test, which waits until strace looks at it: only what it does then is counted.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from runit_provision.host.hand import LentHand

from . import oracle, waiting

CHANGING = (
    *("openat", "write", "pwrite64", "ftruncate", "fsync", "fdatasync", "syncfs", "sendfile", "copy_file_range"),
    *("mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "symlink", "symlinkat", "link", "linkat"),
    *("chmod", "fchmod", "fchmodat", "chown", "lchown", "fchown", "fchownat", "mknodat", "utimensat", "setxattr", "fsetxattr"),
)
"""Every call that changes something on a disk, and openat, which may; strace knows them by these names."""
_DEADLINE = 200.0
"""Seconds; every call is stopped at twice."""
_CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += +(-?\d+|\?)(?: (E\w+))?(.*)$")


class Call(NamedTuple):
    """A call as strace shows it: its name, how many of that name came before it and itself, its arguments, and what it gave."""

    name: str
    number: int
    arguments: str
    given: str

    @property
    def changes(self) -> bool:
        """False for an openat that only reads, and for what is written to a pipe."""
        if self.name == "openat":
            return "O_CREAT" in self.arguments or "O_TRUNC" in self.arguments
        return not (self.name == "write" and "<pipe:" in self.arguments)


class Struck(NamedTuple):
    """calls: what the process that was looked at did. reached: whether the fault struck."""

    calls: list[Call]
    reached: bool


def struck(work: Callable[[], object], folder: Path, *, hand: bool = False, fault: str = "") -> Struck:
    """Do `work` in a fork, with `fault` (as strace's -e inject takes it) in it, or in the first hand that it lends."""
    text = _looked_at(work, folder / "strace", ["-y", *(["-e", f"inject={fault}"] if fault else [])], hand=hand)
    return Struck(calls(text), "(INJECTED)" in text or "+++ killed by SIGKILL" in text)


def traced(work: Callable[[], object], folder: Path) -> str:
    """Do `work` in a fork; give what strace says of the changes that it, its nursery and its hands make, whole."""
    return _looked_at(work, folder / "strace", ["-f", "-y", "-s", "10000000"], hand=False)


def _looked_at(work: Callable[[], object], log: Path, options: Sequence[str], *, hand: bool) -> str:
    log.unlink(missing_ok=True)
    announced, announce = os.pipe()
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            _be_looked_at(announce, told, hand=hand)
            with suppress(Exception):  # what the fault leads to is seen in what it leaves
                work()
        finally:
            os._exit(0)
    os.close(announce)
    os.close(told)
    try:
        pid = int.from_bytes(waiting.heard(announced, deadline=_DEADLINE), "little")
        tracer = _look_at(pid, [*options, "-o", str(log)]) if pid else None
        with suppress(BrokenPipeError):
            os.write(tell, b".")
        waiting.ended(child, deadline=_DEADLINE, what="what strace looks at")
        if tracer:
            tracer.wait(waiting.DEADLINE)
    finally:
        os.close(announced)
        os.close(tell)
    return log.read_text(errors="replace")


def _be_looked_at(announce: int, told: int, *, hand: bool) -> None:
    def wait(pid: int) -> None:
        os.write(announce, pid.to_bytes(4, "little"))
        os.read(told, 1)
        os.close(announce)
        os.close(told)

    if not hand:
        return wait(os.getpid())
    lend = LentHand.__init__
    lent: list[int] = []

    def first(self: LentHand, *arguments: Any, **named: Any) -> None:
        lend(self, *arguments, **named)
        if not lent:
            lent.append(self.pid)
            wait(self.pid)

    LentHand.__init__ = first  # type: ignore[method-assign]
    return None


def _look_at(pid: int, options: Sequence[str]) -> subprocess.Popen[bytes]:
    strace = oracle.program("strace", package="strace")
    words = [strace, "-qq", "-s", "300", "-e", f"trace={','.join(CHANGING)}", *options, "-p", str(pid)]
    tracer = subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    status = Path(f"/proc/{pid}/status")
    waiting.until(lambda: f"TracerPid:\t{tracer.pid}\n" in status.read_text(), what=f"strace at {pid}")
    return tracer


def calls(text: str) -> list[Call]:
    """Read what strace wrote."""
    counts: Counter[str] = Counter()
    found = []
    for line in text.splitlines():
        if seen := _CALL.match(line):
            counts[seen[1]] += 1
            found.append(Call(seen[1], counts[seen[1]], seen[2], seen[3] if not seen[4] else f"-{seen[4]}"))
    return found


def faults(made: Sequence[Call], errors: Sequence[str]) -> list[str]:
    """Give every fault for a run that made these calls: SIGKILL at each change, each error at each call that can give it."""
    found = [f"{call.name}:signal=SIGKILL:when={call.number}" for call in made if call.changes]
    for error in errors:
        found += [f"{call.name}:error={error}:when={call.number}" for call in made if _gives(call, error)]
    return found


def _gives(call: Call, error: str) -> bool:
    match error:
        case "EMFILE":
            return call.name == "openat"
        case "ENOSPC":
            return call.changes and not call.name.startswith(("unlink", "rmdir", "fchmod", "chmod", "ftruncate"))
        case "EACCES":
            return call.name == "openat" or (
                call.changes and not call.name.startswith(("write", "fsync", "sync", "ftruncate", "pwrite"))
            )
        case _:
            return call.changes
