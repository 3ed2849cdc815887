"""What an init is to start, and whether something else starts it already."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

_SYSTEM = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")


@dataclass(frozen=True, slots=True)
class Boot:
    """prefix: where the runtime lives; services: the directory that runsvdir scans. Both are absolute paths of the host."""

    prefix: str
    services: str

    @property
    def runsvdir(self) -> str:
        """The program."""
        return str(PurePosixPath(self.prefix) / "bin/runsvdir")

    @property
    def path(self) -> str:
        """The PATH of every service: scripts call the runtime's tools by bare name, so its folder comes first."""
        tools = str(PurePosixPath(self.prefix) / "bin")
        return ":".join([tools, *(folder for folder in _SYSTEM if folder != tools)])

    @property
    def left_behind(self) -> str:
        """What a person is to know who ends another runsvdir on the directory."""
        return "what goes on under a runsv that it leaves behind is taken over by ours, with the same pids"

    def is_started_by(self, command: str) -> bool:
        """True when a stranger's `command` starts a runsvdir on the same directory; `runsvdir-start` is what distributions call it."""
        return "runsvdir-start" in command or ("runsvdir" in command and self.services in command)
