"""The demo's processes: a runsvdir and all that comes of it, none of which may be lost sight of.

The demo is a subreaper (prctl(2)): what loses its parent becomes the demo's own child, so everything that was ever started is found
among its descendants, whatever it calls itself and whoever killed what.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from runit_provision.errors import HostError, Problem

_PR_SET_CHILD_SUBREAPER = 36
_PACE = 0.01
"""Seconds between two looks."""


class Supervision:
    """One runsvdir of the shipped runtime."""

    def __init__(self) -> None:
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._runsvdir: subprocess.Popen[bytes] | None = None

    def start(self, program: Path, services: Path, *, environment: Mapping[str, str], log: Path) -> None:
        """Start runsvdir in a session of its own, so that a Ctrl-C at the terminal does not reach it."""
        with log.open("ab") as said:
            self._runsvdir = subprocess.Popen(
                [program, "-P", services],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """runsvdir's, once it was started."""
        return self._runsvdir.pid if self._runsvdir else 0

    def died(self) -> bool:
        """True when runsvdir has ended by itself."""
        return self._runsvdir is not None and self._runsvdir.poll() is not None

    def kill(self) -> None:
        """Kill runsvdir, and nothing else."""
        if self._runsvdir is not None:
            self._runsvdir.kill()
            self._runsvdir.wait()

    def stop(self, *, patience: float) -> int | None:
        """Send HUP, upon which runsvdir ends all services in order; give its exit status, or None when it is not gone in time."""
        if self._runsvdir is None:
            return None
        if self._runsvdir.poll() is None:
            self._runsvdir.send_signal(signal.SIGHUP)
        try:
            return self._runsvdir.wait(patience)
        except subprocess.TimeoutExpired:
            return None

    def left(self) -> list[int]:
        """Give every process that was started and still runs."""
        self._reap()
        return _descendants(os.getpid())

    def all_gone(self, *, patience: float) -> bool:
        """True when nothing is left within `patience` seconds: the keeper ends a moment after runsvdir."""
        deadline = time.monotonic() + patience
        while self.left():
            if time.monotonic() > deadline:
                return False
            time.sleep(_PACE)
        return True

    def end(self, *, patience: float) -> list[str]:
        """Kill what is left, until nothing is; give the command lines of what was killed. HostError for what will not go."""
        killed: dict[int, str] = {}
        deadline = time.monotonic() + patience
        while left := self.left():
            if time.monotonic() > deadline:
                raise HostError(*(Problem("cannot be killed", path=_command(pid)) for pid in left))
            for pid in left:
                killed.setdefault(pid, _command(pid))
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(_PACE)
        return list(killed.values())

    def _reap(self) -> None:
        """Wait for orphans that ended here; subprocess waits for runsvdir itself."""
        if self._runsvdir is not None:
            self._runsvdir.poll()
        for pid in _children(os.getpid()):
            if self._runsvdir is None or pid != self._runsvdir.pid:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)


def _descendants(pid: int) -> list[int]:
    found: list[int] = []
    todo = [pid]
    while todo:
        children = _children(todo.pop())
        found += children
        todo += children
    return found


def _children(pid: int) -> list[int]:
    """Give the children of all threads of a process; proc(5)."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _command(pid: int) -> str:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return f"{b' '.join(words).decode(errors='replace').strip() or 'a process'} (pid {pid})"
    except OSError:
        return f"pid {pid}"
