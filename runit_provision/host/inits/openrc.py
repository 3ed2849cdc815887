"""OpenRC: a service script that supervise-daemon(8) keeps alive, and its link in a runlevel; openrc-run(8).

supervise-daemon is runsvdir's parent and starts it again, for ever. Stopping the service sends HUP, upon which runsvdir takes its
services down in order and exits. Should supervise-daemon be killed, runsvdir and all services go on.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.named import Named
from runit_provision.host.inits.pieces import OwnFile, OwnLink, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import on_host

SERVICE = "runit-provision"
_SCRIPT = """\
#!/sbin/openrc-run
description="runit services of {services}"
supervisor=supervise-daemon
command={folder}/runsvdir-start
respawn_delay=1
respawn_max=0
retry=HUP/{seconds}

depend() {{
  after localmount netmount bootmisc net
}}
"""


@dataclass(frozen=True, slots=True)
class OpenRC(Named):
    """`root` is the host's root directory; only on "/" is rc-service called."""

    root: Path
    name: str = "openrc"

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """What becomes runsvdir, the service script, and the link by which the default level starts it."""
        shown = "".join(letter if letter.isalnum() or letter in "/._-" else "?" for letter in boot.services)
        text = _SCRIPT.format(services=shown, folder=scripts.FOLDER, seconds=scripts.STOP_SECONDS)
        script = f"/etc/init.d/{SERVICE}"
        return (
            scripts.start(boot),
            OwnFile(script, text, 0o755, when_edited=f"move it away; /etc/conf.d/{SERVICE} is the place for changes"),
            OwnLink(f"/etc/runlevels/default/{SERVICE}", script),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the services of others in a level that start the same tree."""
        for link in sorted(on_host(self.root, "/etc/runlevels/x").parent.glob("*/*")):
            script = on_host(self.root, f"/etc/init.d/{link.name}")
            text = (read(script) or b"").decode(errors="replace") if script.is_file() else ""
            if link.name != SERVICE and any(boot.is_started_by(line) for line in text.splitlines() if not line.startswith("#")):
                hint = f"`rc-update del {link.name} {link.parent.name}` first; {boot.left_behind}"
                yield Problem(f"starts runsvdir on {boot.services} already", path=f"/etc/init.d/{link.name}", hint=hint)

    @property
    def known_as(self) -> str:
        return SERVICE

    def active(self, boot: Boot) -> bool:  # noqa: ARG002 - the service knows its directory
        """True also in the second before runsvdir is started again."""
        return subprocess.run(["rc-service", "--quiet", SERVICE, "status"], check=False, capture_output=True).returncode == 0

    def _main(self, boot: Boot) -> int:  # noqa: ARG002
        return int(read(Path(f"/run/openrc/options/{SERVICE}/child_pid")) or 0)

    def _start(self, boot: Boot) -> None:  # noqa: ARG002
        _call("rc-service", SERVICE, "start")

    def _stop(self, boot: Boot) -> None:  # noqa: ARG002
        _call("rc-service", SERVICE, "stop")


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
