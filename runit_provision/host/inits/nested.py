"""Hosts whose init supervises directories itself, runit's or s6: our runsvdir is one service of theirs.

The host's own supervisor starts runsvdir again when it dies, and the services below it are adopted. Taking the service down sends HUP
in place of TERM (runit: control/t; s6: down-signal), upon which runsvdir ends its services in order and exits.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.named import SEEN_SECONDS, Named, comes
from runit_provision.host.inits.pieces import OwnFile, OwnLink, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import folder_on_host, on_host, resolve

SERVICE = "runit-provision"
_DEFINITION = f"{scripts.FOLDER}/runsvdir"
_CONTROL = """\
#!/bin/sh
# TERM would leave the services running: HUP ends them in order.
exec kill -HUP "$(cat supervise/pid)"
"""
_RUNIT_SCANS = ("/etc/runit/runsvdir/default", "/etc/service", "/var/service", "/service")
_S6_SCANS = ("/run/service", "/var/service", "/service")
_S6_IMAGE = "/etc/s6-linux-init/current/run-image/service"
"""What s6-linux-init copies to /run/service at boot."""


@dataclass(frozen=True, slots=True)
class _Nested(Named):
    """What runit and s6 share. `root` is the host's root directory; only on "/" is anybody told."""

    root: Path

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The service, then its link where the host's supervisor looks."""
        run = OwnFile(f"{_DEFINITION}/run", scripts.start_text(boot), 0o755, own_folder=scripts.FOLDER)
        return (run, self._how_to_stop(), *(OwnLink(f"{scan}/{SERVICE}", _DEFINITION) for scan in self._scans()))

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Refuse the directory that the host's own supervisor scans."""
        for scan in self._scans():
            if (resolve(self.root, boot.services) or boot.services) == (resolve(self.root, scan) or scan):
                hint = "name another with --service-directory, and in the data with `service_directory`"
                yield Problem("the host's own supervisor scans it; two would fight for its services", path=boot.services, hint=hint)

    def after_unlink(self, boot: Boot) -> list[str]:
        """Wait until the host's supervisor has let go of the service, and remove what it left there."""
        Named.after_unlink(self, boot)
        if comes(lambda: not _is_supervised()):
            for left in ("supervise", "event"):
                shutil.rmtree(f"{_DEFINITION}/{left}", ignore_errors=True)
            for folder in (_DEFINITION, scripts.FOLDER):
                with suppress(OSError):  # not empty: somebody else uses it
                    Path(folder).rmdir()
        return []

    @property
    def known_as(self) -> str:
        return SERVICE

    def _start(self, boot: Boot) -> None:
        """Wait until the host's supervisor, which looks by itself, has started it."""
        if not comes(lambda: self.active(boot)):
            raise HostError(Problem(f"not started within {SEEN_SECONDS} seconds", path=_DEFINITION, hint="does anybody scan its link?"))

    @abstractmethod
    def _scans(self) -> tuple[str, ...]:
        """Where the host's supervisor looks; the first one now."""

    @abstractmethod
    def _how_to_stop(self) -> OwnFile:
        """The file that has HUP sent when the service is taken down."""


@dataclass(frozen=True, slots=True)
class Runit(_Nested):
    """C runit, or another runsvdir, that the host was booted with."""

    name: str = "runit"

    def _main(self, boot: Boot) -> int:
        said = re.match(r"run: [^:]*: \(pid (\d+)\)", _said(f"{boot.prefix}/bin/sv", "status", _DEFINITION))
        return int(said[1]) if said else 0

    def _scans(self) -> tuple[str, ...]:
        stage = (read(on_host(self.root, "/etc/runit/2")) or b"").decode(errors="replace")
        said = re.findall(r"(?m)^[^#\n]*\brunsvdir\s+(?:-P\s+)?(/\S+)", stage)
        return (_first(self.root, (*said, *_RUNIT_SCANS)),)

    def _how_to_stop(self) -> OwnFile:
        return OwnFile(f"{_DEFINITION}/control/t", _CONTROL, 0o755, own_folder=scripts.FOLDER)

    def _stop(self, boot: Boot) -> None:
        _call(f"{boot.prefix}/bin/sv", "-w", str(scripts.STOP_SECONDS), "stop", _DEFINITION)


@dataclass(frozen=True, slots=True)
class S6(_Nested):
    """s6-svscan(8), as pid 1 or below another init."""

    name: str = "s6"

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Also refuse an image in which nothing would last until its boot."""
        yield from _Nested.rivals(self, boot)
        for scan in self._scans():
            if self.root != Path("/") and scan.startswith("/run/"):
                hint = f"{_S6_IMAGE} is where s6-linux-init keeps what it puts there"
                yield Problem("what is put there is gone at the next boot", path=scan, hint=hint)

    def _main(self, boot: Boot) -> int:  # noqa: ARG002 - the service knows its directory
        return max(0, int(_said("s6-svstat", "-o", "pid", _DEFINITION) or 0))

    def _scans(self) -> tuple[str, ...]:
        lasting = (_S6_IMAGE,) if on_host(self.root, _S6_IMAGE).is_dir() else ()
        now = (_first(self.root, _S6_SCANS),) if self.root == Path("/") or not lasting else ()
        return (*now, *lasting)

    def _how_to_stop(self) -> OwnFile:
        return OwnFile(f"{_DEFINITION}/down-signal", "SIGHUP\n", 0o644, own_folder=scripts.FOLDER, stamped=False)

    def _listen(self) -> None:
        _call("s6-svscanctl", "-an", self._scans()[0])

    def _stop(self, boot: Boot) -> None:  # noqa: ARG002
        _call("s6-svc", "-wD", "-T", str(scripts.STOP_SECONDS * 1000), "-d", _DEFINITION)


def _first(root: Path, folders: tuple[str, ...]) -> str:
    """Give the first of `folders` that is there, or the first."""
    return next((folder for folder in folders if folder_on_host(root, folder).is_dir()), folders[0])


def _is_supervised() -> bool:
    """Whether anybody reads the service's control, as runsv(8) and s6-supervise(8) do."""
    try:
        os.close(os.open(f"{_DEFINITION}/supervise/control", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def _said(*command: str) -> str:
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout


def _call(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True)
