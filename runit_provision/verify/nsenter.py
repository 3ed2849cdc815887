"""A backend for testinfra: `--hosts=nsenter://PID` asks the host that lives in the namespaces of a process.

For containers that no daemon manages: systemd-nspawn, lxc-execute, unshare(1), a pod's pause process. PID is as seen from here; who
connects is root.
"""

from __future__ import annotations

from typing import Any

from testinfra.backend import base  # type: ignore[import-untyped]


class NsenterBackend(base.BaseBackend):  # type: ignore[misc]
    """Runs each command with nsenter(1) in all namespaces of a process, from its root directory."""

    NAME = "nsenter"

    def __init__(self, pid: str, *args: Any, **keywords: Any) -> None:
        self.pid = pid
        super().__init__(pid, *args, **keywords)

    def run(self, command: str, *args: str, **keywords: Any) -> base.CommandResult:  # noqa: ARG002
        inside = self.get_command(command, *args)
        out = self.run_local("nsenter --target %s --all --wd=/ /bin/sh -c %s", self.pid, inside)
        out.command = self.encode(inside)
        return out
