"""systemd: a unit, and the link by which multi-user.target wants it; systemd.service(5), systemd.kill(5).

What must happen when:

- `systemctl stop`, `restart` and shutdown: all services end, in order. So KillSignal=SIGHUP, upon which runsvdir takes its services
  down and exits 111 when all are gone; SuccessExitStatus tells systemd that this is well.
- runsvdir dies (killed, out of memory, replaced): services go on, and Restart=always starts the next runsvdir, which adopts them. So
  KillMode=process: systemd would otherwise kill all that is left in the unit's control group. And OOMPolicy=continue: one service that
  the kernel kills for its memory is that service's business, not the end of all.
- runsvdir cannot start: it is tried again for ever, once a second, without a limit upon which systemd would give up.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile, OwnLink, Piece
from runit_provision.host.rooted import on_host, resolve

UNIT = "runit-provision.service"
_FOLDER = "/etc/systemd/system"
_WANTS = f"{_FOLDER}/multi-user.target.wants"
_STOP_SECONDS = 90
_WHEN_EDITED = "move it away; a drop-in is the place for changes of a unit"
_TEXT = """\
[Unit]
Description=runit services of {description}
Documentation=man:runsvdir(8)
StartLimitIntervalSec=0

[Service]
Environment={path}
ExecStart={runsvdir} -P {services}
# Stopping ends all services in order, and then runsvdir, with 111. Its own death ends none: the next one adopts them.
KillSignal=SIGHUP
SuccessExitStatus=111
KillMode=process
Restart=always
RestartSec=1
TimeoutStopSec={seconds}
# What happens to one service is nobody else's business.
OOMPolicy=continue
TasksMax=infinity
IgnoreSIGPIPE=no

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Systemd:
    """`root` is the host's root directory; only on "/" is systemctl called."""

    root: Path
    name: str = "systemd"

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The unit and its wants link."""
        text = _TEXT.format(
            description=boot.services.replace("%", "%%"),
            path=_quote(f"PATH={boot.path}", dollar="$"),
            runsvdir=_quote(boot.runsvdir),
            services=_quote(boot.services),
            seconds=_STOP_SECONDS,
        )
        unit = f"{_FOLDER}/{UNIT}"
        return (
            OwnFile(unit, text, 0o644, when_edited=_WHEN_EDITED),
            OwnLink(f"{_WANTS}/{UNIT}", unit, own_folder=_WANTS),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the enabled units of others that start the same tree."""
        for link in sorted(on_host(self.root, f"{_FOLDER}/x").parent.glob("*.wants/*.service")):
            target = resolve(self.root, "/" + str(link.relative_to(self.root)))
            if link.name == UNIT or target is None:
                continue
            text = (self.root / target.lstrip("/")).read_text(errors="replace")
            if any(boot.is_started_by(line) for line in re.findall(r"(?m)^ExecStart=.*", text)):
                hint = f"`systemctl disable --now {link.name}` first"
                yield Problem(f"starts runsvdir on {boot.services} already", path=str(link), hint=hint)

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:
        """Make a running systemd act on what was laid; a runsvdir that runs already is replaced, its services are not."""
        _systemctl("daemon-reload")
        if fresh or not self.active(boot):
            _systemctl("start", UNIT)
            return [f"started {UNIT}"]
        _systemctl("kill", "--kill-who=main", "--signal=TERM", UNIT)
        return [f"replaced the runsvdir of {UNIT}; its services go on"]

    def before_unlink(self, boot: Boot) -> list[str]:
        """Stop the unit, and with it all services, in order."""
        if not self.active(boot):
            return []
        _systemctl("stop", UNIT)
        return [f"stopped {UNIT} and its services"]

    def after_unlink(self, boot: Boot) -> list[str]:  # noqa: ARG002 - the unit knows its directory, as below
        """Let systemd forget the unit."""
        _systemctl("daemon-reload")
        return []

    def active(self, boot: Boot) -> bool:  # noqa: ARG002
        """True when the unit runs."""
        return subprocess.run(["systemctl", "is-active", "--quiet", UNIT], check=False).returncode == 0


def _systemctl(*arguments: str) -> None:
    subprocess.run(["systemctl", *arguments], check=True, capture_output=True, text=True)


def _quote(word: str, *, dollar: str = "$$") -> str:
    """Write one word of a unit file; systemd.syntax(7), "Quoting". `%` begins a specifier, and on command lines `$` a variable."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return f'"{word}"' if re.search(r"[\s\"';\\]", word) else word
