"""A host of its own for a process 1: namespaces of processes and mounts, with /etc/runit, /run and a console that the test gives."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import waiting
from .programs import Said, run

_BOOT = """
set -e
mount --bind "$1" /etc/runit
mount -t tmpfs run /run
mount --bind "$2" /dev/console
[ -z "$3" ] || mount --bind "$3" /sbin/sulogin
touch /run/runit.stopit /run/runit.reboot
chmod 0 /run/runit.stopit /run/runit.reboot
exec "$4"
"""


class Host:
    """A running host; `console` is what came on its console so far."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self._process = process
        self._master = master
        self._heard = b""
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # the last one that had the console open has gone
            while chunk := os.read(self._master, 4096):
                self._heard += chunk

    @property
    def console(self) -> str:
        """Everything that came on the console, the version and pids left out."""
        text = self._heard.decode(errors="replace").replace("\r\n", "\n")
        return re.sub(r"(- runit: ).*: booting", r"\1VERSION: booting", text)

    def type(self, text: str) -> None:
        """Type on the console's keyboard."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` has come on the console."""
        waiting.until(lambda: text in self.console, what=f"{text!r} on the console")

    @property
    def pid(self) -> int:
        """The process 1, as the test sees it."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        return int(waiting.until(lambda: children.read_text().split())[0])

    def inside(self, *words: str | Path) -> Said:
        """Run a program inside the host."""
        return run("nsenter", ["--target", str(self.pid), "--pid", "--mount", *(str(word) for word in words)])

    def end(self) -> int:
        """Wait until the host is down; give how process 1 ended: minus SIGINT when it halted, minus SIGHUP when it rebooted."""
        code = self._process.wait(waiting.DEADLINE)
        self._listener.join(waiting.DEADLINE)
        return code


@contextlib.contextmanager
def booted(init: str | Path, folder: Path, scripts: Mapping[str, str], *, sulogin: Path | None = None) -> Iterator[Host]:
    """Boot a host whose /etc/runit has `scripts`, with `init` as process 1; it is gone at the end of the context."""
    for name, text in scripts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    folder.mkdir(exist_ok=True)
    master, slave = os.openpty()
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc"]
    words += ["sh", "-c", _BOOT, "sh", str(folder), os.ttyname(slave), str(sulogin or ""), str(init)]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
    os.close(slave)
    host = Host(process, master)
    try:
        yield host
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            process.wait()
        host.end()
        os.close(master)
