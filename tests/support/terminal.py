"""A pseudo-terminal in the place of a host's console, and a person who types on it."""

from __future__ import annotations

import contextlib
import os
import re
import select

from . import oracle, waiting
from .sandbox import Sandbox


class Terminal:
    """A pseudo-terminal that stands where the host has `path`; `heard` is what came on it."""

    def __init__(self, host: Sandbox, path: str) -> None:
        if host.run("test", "-e", path, check=False).returncode != 0:
            oracle.absent(f"this machine has no {path} to stand in for")
        self.master, self._slave = os.openpty()  # the latter stays open, or all would end between two logins
        self.heard = b""
        host.run("mount", "--bind", os.ttyname(self._slave), path)

    def close(self) -> None:
        """Hang up."""
        os.close(self.master)
        os.close(self._slave)

    def type(self, line: str) -> None:
        """Type a line."""
        os.write(self.master, f"{line}\n".encode())

    def wait_for(self, pattern: bytes, *, deadline: float = waiting.DEADLINE) -> re.Match[bytes]:
        """Wait until `pattern` is in what came, forget that, and give the match."""

        def came() -> re.Match[bytes] | None:
            if select.select([self.master], [], [], 0)[0]:
                self.heard += os.read(self.master, 4096)
            return re.search(pattern, self.heard)

        found = waiting.until(came, what=f"{pattern!r} on the terminal", deadline=deadline)
        assert found
        self.heard = self.heard[found.end() :]
        return found

    def log_in(self, name: str, password: str) -> None:
        """Answer a getty until the shell asks.

        ngetty throws away what is typed right after its prompt: as a person would, type the name again when nothing comes of it.
        """
        self.wait_for(b"login: ")
        for _ in range(6):
            self.type(name)
            with contextlib.suppress(AssertionError):
                self.wait_for(b"Password: ", deadline=waiting.DEADLINE / 6)
                break
        self.type(password)
        self.wait_for(rb"\$ ")
