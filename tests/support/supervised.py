"""Service directories for clients: with a supervisor that is only files and fifos, or with a real runsv."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from runit_provision.runtime.wire import status as wire

from . import waiting
from .fifo import tell
from .supervision import GONE

SLEEPER = "#!/bin/sh\nexec sleep 1000\n"
LOGGER = "#!/bin/sh\nexec cat >/dev/null\n"
_WAITING = ("nanosleep", "do_wait", "sigsuspend", "pipe_read")
"""Where in the kernel a service of a test is when it has begun."""


class FakeSupervisor:
    """What a client sees of a supervisor in `directory`/supervise: status bytes, a reader on `ok` and on `control`."""

    def __init__(self, directory: Path, status: bytes | None) -> None:
        self._folder = directory / "supervise"
        self._folder.mkdir(parents=True)
        self._readers = {}
        for name in ("ok", "control"):
            os.mkfifo(self._folder / name)
            self._readers[name] = os.open(self._folder / name, os.O_RDONLY | os.O_NONBLOCK)
        if status is not None:
            (self._folder / "status").write_bytes(status)

    def received(self) -> bytes:
        """Give the letters that came since the last call."""
        return os.read(self._readers["control"], 4096)

    def stop(self, *names: str) -> None:
        """Close the readers of `names`, all when none is named: the supervisor has gone."""
        for name in names or tuple(self._readers):
            os.close(self._readers.pop(name))


class Supervised:
    """Services under real supervisors, each service a directory of `directory`; ended with `stop`."""

    def __init__(self, directory: Path, runsv: str | Path) -> None:
        self.directory = directory
        self._runsv = runsv
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._settled: set[int] = set()

    def add(self, name: str, *, log: bool = False, down: bool = False, scripts: Mapping[str, str] | None = None) -> Path:
        """Lay the service `name`, with `scripts` by file name, and supervise it; give its directory once all of it has settled."""
        folder = self.directory / name
        folder.mkdir(parents=True)
        for script, text in {"run": SLEEPER, **(scripts or {}), **({"log/run": LOGGER} if log else {})}.items():
            path = folder / script
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(0o755)
        if down:
            (folder / "down").touch()
        self._processes[name] = subprocess.Popen([self._runsv, folder], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        waiting.until(lambda: self.status(name) is not None and (down or self.pid(name)), what=f"{name} supervised")
        self._settle(name)
        return folder

    def status(self, name: str) -> wire.Status | None:
        """Give what supervise/status says, None while there is none."""
        try:
            return wire.unpack((self.directory / name / "supervise/status").read_bytes())
        except (FileNotFoundError, ValueError):
            return None

    def pid(self, name: str) -> int:
        """Give the service's pid, 0 while it has none."""
        status = self.status(name)
        return status.pid if status else 0

    def age(self) -> None:
        """Wait until the services' last change is more than a second old, and what was started has settled.

        C's sv compares whole seconds, and runsv lets a second pass after a run that was shorter.
        """
        newest = max(status.since_ns for name in self._processes if (status := self.status(name)))
        waiting.until(lambda: time.time_ns() > newest + 1_200_000_000)
        for name in self._processes:
            self._settle(name)

    def stop(self) -> None:
        """End every supervisor and its service, whatever state they are in."""
        end = time.monotonic() + waiting.DEADLINE
        for name, process in self._processes.items():
            while process.poll() is None and time.monotonic() < end:
                for folder, letters in ((name, b"xck"), (f"{name}/log", b"ck")):
                    tell(self.directory / folder / "supervise/control", letters)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
        left = [name for name, process in self._processes.items() if process.poll() is None]
        for name in left:
            self._processes[name].kill()
            self._processes[name].wait()
        assert not left, "supervisors that did not exit"

    def _settle(self, name: str) -> None:
        """Wait until the service and its logger, where they run, wait for something: a shell on its way there has set no trap yet."""

        def settled(each: str) -> bool:
            status = self.status(each)
            if status is None or not status.pid or status.pid in self._settled:
                return True
            if status.paused or _waits(status.pid):
                self._settled.add(status.pid)
                return True
            return False

        for each in (name, f"{name}/log"):
            waiting.until(lambda: settled(each), what=f"{each} settled")  # noqa: B023


def _waits(pid: int) -> bool:
    """Whether a process sleeps, waits for a child or reads its input, and is no supervisor's child that has still to become another."""
    try:
        name, where = (Path(f"/proc/{pid}/{what}").read_text() for what in ("comm", "wchan"))
    except GONE:
        return False  # it has just ended: the status will tell
    return not name.startswith("runsv") and any(call in where for call in _WAITING)
