"""upstart: a job; init(5) of upstart 1.x, sections "respawn", "kill signal" and "kill timeout".

Stopping the job sends HUP, upon which runsvdir takes its services down in order and exits with 111. When runsvdir dies, upstart starts
the next one, for ever; with -P services are in sessions of their own, which upstart's signals to the job's group do not reach.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.named import Named
from runit_provision.host.inits.pieces import OwnFile, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import on_host

JOB = "runit-provision"
_TEXT = """\
description "runit services"
start on runlevel [2345]
stop on runlevel [016]
respawn
respawn limit unlimited
kill signal HUP
kill timeout {seconds}
exec {folder}/runsvdir-start
"""


@dataclass(frozen=True, slots=True)
class Upstart(Named):
    """`root` is the host's root directory; only on "/" is initctl called."""

    root: Path
    name: str = "upstart"

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """What becomes runsvdir, and the job."""
        text = _TEXT.format(folder=scripts.FOLDER, seconds=scripts.STOP_SECONDS)
        hint = f"move it away; /etc/init/{JOB}.override is the place for changes"
        return (scripts.start(boot), OwnFile(f"/etc/init/{JOB}.conf", text, 0o644, when_edited=hint))

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the jobs of others that start the same tree."""
        for job in sorted(on_host(self.root, "/etc/init/x").parent.glob("*.conf")):
            lines = (read(job) or b"").decode(errors="replace").splitlines() if job.stem != JOB else []
            if any(boot.is_started_by(line) for line in lines if not line.lstrip().startswith("#")):
                hint = f"`echo manual >/etc/init/{job.stem}.override` and stop it first"
                yield Problem(f"starts runsvdir on {boot.services} already", path=f"/etc/init/{job.name}", hint=hint)

    @property
    def known_as(self) -> str:
        return JOB

    def _main(self, boot: Boot) -> int:  # noqa: ARG002 - the job knows its directory
        done = subprocess.run(["initctl", "status", JOB], check=False, capture_output=True, text=True)
        said = re.search(r"start/running, process (\d+)", done.stdout)
        return int(said[1]) if said else 0

    def _listen(self) -> None:
        _call("initctl", "reload-configuration")

    def _start(self, boot: Boot) -> None:  # noqa: ARG002
        _call("initctl", "start", JOB)

    def _stop(self, boot: Boot) -> None:  # noqa: ARG002
        _call("initctl", "stop", JOB)


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
