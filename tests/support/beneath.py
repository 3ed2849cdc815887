"""Places that a runsvdir looks after, and what their services tell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runit_provision.runtime.wire import status
from support import waiting
from support.fifo import is_read
from support.places import Place


def script(text: str = "") -> bytes:
    """A run script that tells each of its starts, and each HUP, in the file `told` of its directory."""
    return f"""#!/bin/sh
# {text}
trap 'echo hup >>told' HUP
trap 'kill -9 $!; exit' TERM
echo start >>told
while :; do sleep 1000 & wait $!; done
""".encode()


class Running(Place):
    """A place whose `service` directory a runsvdir looks after."""

    def told(self, name: str) -> list[str]:
        path = self.base / "sv" / name / "told"
        return path.read_text().split() if path.exists() else []

    def pid(self, name: str) -> int:
        try:
            return int((self.base / "sv" / name / "supervise/pid").read_text() or 0)
        except (FileNotFoundError, NotADirectoryError):
            return 0

    def is_down(self, name: str) -> bool:
        """Whether it neither runs nor is to: C's runsv renames `pid` into place before `status`, which is what apply reads."""
        seen = status.unpack((self.base / "sv" / name / "supervise/status").read_bytes())
        return not seen.pid and seen.want != status.WANT_UP


@contextmanager
def beneath(runsvdir: Path, folder: Path) -> Iterator[Running]:
    """A place in `folder` with a runsvdir of its own."""
    base = folder / "base"
    (base / "service").mkdir(parents=True)
    path = f"{runsvdir.parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "RUNIT_PROVISION_STATE": str(folder / "state")}
    supervisor = subprocess.Popen([runsvdir, "-P", str(base / "service")], env=environment)
    try:
        yield Running(base)
    finally:
        end(supervisor, base)


def end(supervisor: subprocess.Popen[bytes], below: Path) -> None:
    """End a runsvdir as HUP does, and wait for the end of everybody that it had `below` a directory."""
    pids = [int(path.read_text() or 0) for path in below.rglob("supervise/pid")]
    supervisor.send_signal(signal.SIGHUP)
    supervisor.wait(waiting.DEADLINE)
    for pid in filter(None, pids):
        waiting.until(lambda pid=pid: not Path(f"/proc/{pid}").exists(), what=f"the end of {pid}")  # type: ignore[misc]
    for fifo in below.rglob("supervise/ok"):  # C's runsv goes on for a moment, and writes, when its service is down
        waiting.until(lambda fifo=fifo: not is_read(fifo), what=f"the end of the one who reads {fifo}")  # type: ignore[misc]
