"""systemd: a unit, and the link by which multi-user.target wants it; systemd.service(5), systemd.kill(5).

What must happen when:

- `systemctl stop`, `restart` and shutdown: all services end, in order. So KillSignal=SIGHUP, upon which runsvdir takes its services
  down and exits 111 when all are gone; SuccessExitStatus tells systemd that this is well. As long as it does not catch HUP yet, just
  after it was started, HUP would end it alone and leave the services; so ExecStop= waits until it does: bit 0 of SigCgt in proc(5).
- runsvdir dies (killed, out of memory, replaced): services go on, and Restart=always starts the next runsvdir, which adopts them. So
  KillMode=process: systemd would otherwise kill all that is left in the unit's control group. And OOMPolicy=continue: one service that
  the kernel kills for its memory is that service's business, not the end of all.
- a service makes control groups below the unit's, as what runs containers does: Delegate=yes, lest systemd moves processes out of them.
- at shutdown services have their network, homes on other machines, and accounts until they have ended: the unit is After= these.
- runsvdir cannot start: it is tried again for ever, once a second, without a limit upon which systemd would give up.

Without root the same unit is one of the caller's own systemd, which default.target of theirs wants. That systemd starts at boot and
outlives the login when the account lingers; loginctl(1), "enable-linger".
"""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.named import Named
from runit_provision.host.inits.pieces import OwnFile, OwnLink, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import as_host, folder_on_host, on_host, resolve

UNIT = "runit-provision.service"
_STOP_SECONDS = 90
_WHEN_EDITED = "move it away; a drop-in is the place for changes of a unit"
_TEXT = """\
[Unit]
Description=runit services of {description}
Documentation=man:runsvdir(8)
StartLimitIntervalSec=0
{order}
[Service]
Environment={path}
ExecStart={runsvdir} -P {services}
# Stopping ends all services in order, and then runsvdir, with 111. Its own death ends none: the next one adopts them.
ExecStop=/bin/sh -c 'while grep -qs "^SigCgt.*[02468ace]$$" /proc/$$MAINPID/status; do sleep 0.1; done'
KillSignal=SIGHUP
SuccessExitStatus=111
KillMode=process
Restart=always
RestartSec=1
TimeoutStopSec={seconds}
# What happens to one service is nobody else's business; control groups that services make of their own stay theirs.
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
IgnoreSIGPIPE=no

[Install]
WantedBy={target}
{made}"""
_ORDER = "After=network.target remote-fs.target nss-user-lookup.target\n"
_MADE = "# The folder {} came with this unit, and goes with it when it is empty.\n"


@dataclass(frozen=True, slots=True)
class Systemd(Named):
    """`root` is the host's root directory; only on "/" is systemctl called."""

    root: Path
    name: str = "systemd"

    @property
    def known_as(self) -> str:
        return UNIT

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The unit and its wants link."""
        unit = f"{self._folder}/{UNIT}"
        wants = f"{self._folder}/{self._target}.wants"
        made = self._made(unit, wants)
        text = _TEXT.format(
            description=boot.services.replace("%", "%%"),
            path=_quote(f"PATH={boot.path}", dollar="$"),
            runsvdir=_quote(boot.runsvdir),
            services=_quote(boot.services),
            seconds=_STOP_SECONDS,
            order=self._order,
            target=self._target,
            made=_MADE.format(made) if made else "",
        )
        unit_folder = made if Path(self._folder).is_relative_to(made or "-") else ""
        return (
            OwnFile(unit, text, 0o644, when_edited=_WHEN_EDITED, own_folder=unit_folder),
            OwnLink(f"{wants}/{UNIT}", unit, own_folder=made),
        )

    def _made(self, unit: str, wants: str) -> str:
        """The outermost folder that was, or will be, made for the link; the unit that is laid knows."""
        file = on_host(self.root, unit)
        if not os.path.lexists(file):
            folders = [wants, *map(str, Path(wants).parents)]
            missing = [folder for folder in folders if not folder_on_host(self.root, folder).is_dir()]
            return next((folder for folder in reversed(missing) if self._may_make(folder)), "")
        said = re.search(_MADE.format("(.+)"), (read(file) or b"").decode(errors="replace")) if file.is_file() else None
        return said[1] if said else ""

    def _may_make(self, folder: str) -> bool:
        """False for what every host of this init has."""
        return folder.startswith(f"{self._folder}/")

    @property
    def _folder(self) -> str:
        return "/etc/systemd/system"

    @property
    def _target(self) -> str:
        return "multi-user.target"

    @property
    def _order(self) -> str:
        return _ORDER

    @property
    def _scope(self) -> tuple[str, ...]:
        return ()

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the enabled units of others that start the same tree."""
        for link in sorted(folder_on_host(self.root, self._folder).glob("*.wants/*.service")):
            target = resolve(self.root, "/" + str(link.relative_to(self.root)))
            if link.name == UNIT or target is None:
                continue
            text = (self.root / target.lstrip("/")).read_text(errors="replace")
            if any(boot.is_started_by(line) for line in re.findall(r"(?m)^ExecStart=.*", text)):
                hint = f"`{' '.join(['systemctl', *self._scope])} disable --now {link.name}` first; {boot.left_behind}"
                yield Problem(f"starts runsvdir on {boot.services} already", path=as_host(self.root, link), hint=hint)

    def active(self, boot: Boot) -> bool:  # noqa: ARG002 - the unit knows its directory
        """False also while it is being stopped."""
        return self._call("is-active", "--quiet", UNIT, check=False).returncode == 0

    def _main(self, boot: Boot) -> int:  # noqa: ARG002
        return int(self._call("show", "--property=MainPID", "--value", UNIT).stdout)

    def _listen(self) -> None:
        self._call("daemon-reload")

    def _start(self, boot: Boot) -> None:  # noqa: ARG002
        self._call("start", UNIT)

    def _stop(self, boot: Boot) -> None:  # noqa: ARG002
        self._call("stop", UNIT)

    def _call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["systemctl", *self._scope, *arguments], check=check, capture_output=True, text=True)


@dataclass(frozen=True, slots=True)
class OwnSystemd(Systemd):
    """The caller's own systemd, which needs no root; only of a live host."""

    name: str = "systemd-user"

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Also refuse an image, in which nobody is logged in, and an account whose systemd does not run."""
        if self.root != Path("/"):
            yield Problem("an image has no user's systemd", path=str(self.root), hint="--init systemd is what starts trees at its boot")
        elif not Path(f"/run/user/{os.getuid()}/systemd/private").exists():
            hint = f"an administrator's `loginctl enable-linger {_login()}` starts it now, and at each boot"
            yield Problem("no systemd of this user's runs", path=f"/run/user/{os.getuid()}", hint=hint)
        else:
            yield from Systemd.rivals(self, boot)

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:
        """As any systemd; and say what an account that does not linger has to expect."""
        done = Systemd.started(self, boot, fresh=fresh)
        if Path(f"/var/lib/systemd/linger/{_login()}").exists():
            return done
        return [*done, f"it ends when the last session of {_login()} does, until `loginctl enable-linger` was called"]

    def _may_make(self, folder: str) -> bool:
        return Path(folder).is_relative_to(self._home)

    @property
    def _home(self) -> str:
        return os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")

    @property
    def _folder(self) -> str:
        return f"{self._home}/systemd/user"

    @property
    def _target(self) -> str:
        return "default.target"

    @property
    def _order(self) -> str:
        return ""  # a user's systemd knows none of these targets

    @property
    def _scope(self) -> tuple[str, ...]:
        return ("--user",)

    def _call(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        os.environ.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.getuid()}")  # su and cron do not set it
        return Systemd._call(self, *arguments, check=check)


def _login() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


def _quote(word: str, *, dollar: str = "$$") -> str:
    """Write one word of a unit file; systemd.syntax(7), "Quoting". `%` begins a specifier, and on command lines `$` a variable."""
    word = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", dollar)
    return f'"{word}"' if re.search(r"[\s\"';\\]", word) else word
