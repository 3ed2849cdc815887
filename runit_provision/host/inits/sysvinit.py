"""sysvinit: lines in /etc/inittab, and the two scripts that they call, since init cuts a line's command at 127 bytes; inittab(5).

`respawn` starts runsvdir after the level's rc scripts, whose lines stand before, and again whenever it dies. When the level changes to
0, 1 or 6, init itself sends TERM to runsvdir, upon which services go on supervised; the `wait` line, which has to stand before the
line that runs that level's rc scripts, then takes them down in order.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile, OwnLines, Piece
from runit_provision.host.manifest import read
from runit_provision.host.rooted import on_host

INITTAB = "/etc/inittab"
_SCRIPTS = "/etc/runit-provision"
_STOP_SECONDS = 60
_TERM_SECONDS = 15
_DOTS = "." * 395
_START = """\
#!/bin/sh
PATH={path}
exec env - PATH="$PATH" runsvdir -P {services} 'log: {dots}'
"""
_STOP = """\
#!/bin/sh
PATH={path}
SVDIR={services}
export PATH SVDIR
cd "$SVDIR" || exit 0
set -- *
[ -e "$1" ] || exit 0
# init has just ended runsvdir; it takes a moment until somebody supervises in its place.
tries=0
until sv status "$@" >/dev/null 2>&1 || [ "$tries" -ge 30 ]; do
  tries=$((tries + 1))
  sleep 0.1
done
exec sv -w {seconds} force-shutdown "$@" </dev/null
"""
_ENTRIES = {"rp": "rp:2345:respawn:{scripts}/runsvdir-start\n", "rq": "rq:016:wait:{scripts}/runsvdir-stop\n"}


@dataclass(frozen=True, slots=True)
class Sysvinit:
    """`root` is the host's root directory; only on "/" is telinit called."""

    root: Path
    name: str = "sysvinit"

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The scripts, then the lines that call them."""
        words = {"path": shlex.quote(boot.path), "services": shlex.quote(boot.services)}
        return (
            OwnFile(f"{_SCRIPTS}/runsvdir-start", _START.format(**words, dots=_DOTS), 0o755, own_folder=True),
            OwnFile(f"{_SCRIPTS}/runsvdir-stop", _STOP.format(**words, seconds=_STOP_SECONDS), 0o755, own_folder=True),
            OwnLines(INITTAB, "runit-provision stop", _ENTRIES["rq"].format(scripts=_SCRIPTS), before=_ends_a_level),
            OwnLines(INITTAB, "runit-provision start", _ENTRIES["rp"].format(scripts=_SCRIPTS), before=lambda _: False),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the lines of others that start the same tree, or that have our lines' ids."""
        file = on_host(self.root, INITTAB)
        if file.is_symlink():
            hint = "put the file itself in its place; it is to be replaced at once, and a link would be lost"
            yield Problem(f"a symbolic link to {file.readlink()}", path=INITTAB, hint=hint)
            return
        text = (read(file) or b"").decode(errors="replace")
        if not file.exists():
            yield Problem("No such file", path=INITTAB, hint="is this a host of sysvinit? name its init with --init")
        for number, line in enumerate(text.splitlines(), 1):
            fields = line.split(":", 3)
            if line.lstrip().startswith("#") or len(fields) < 4 or fields[3].startswith(f"{_SCRIPTS}/runsvdir-"):
                continue
            if fields[0] in _ENTRIES:
                yield Problem(f"line {number} has the id `{fields[0]}`, which is needed here", path=INITTAB, hint="give it another")
            if boot.is_started_by(fields[3]):
                yield Problem(f"line {number} starts runsvdir on {boot.services} already", path=INITTAB, hint="remove it first")

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:  # noqa: ARG002 - init sees for itself what is new
        """Let init read its table again."""
        subprocess.run(["telinit", "q"], check=True, capture_output=True, text=True)
        return ["init has read its table again"]

    def before_unlink(self, boot: Boot) -> list[str]:  # noqa: ARG002 - nothing may end while init would respawn it
        """Nothing: what ended now, init would start again."""
        return []

    def after_unlink(self, boot: Boot) -> list[str]:
        """Let init end runsvdir, which leaves services supervised, and take those down in order."""
        told = self.started(boot, fresh=False)
        deadline = time.monotonic() + _TERM_SECONDS
        while self.active(boot) and time.monotonic() < deadline:
            time.sleep(0.05)  # init sends TERM when it comes to it, and KILL five seconds later
        script = _STOP.format(path=shlex.quote(boot.path), services=shlex.quote(boot.services), seconds=_STOP_SECONDS)
        subprocess.run(["/bin/sh", "-c", script], check=False, stdout=subprocess.DEVNULL)
        return [*told, f"stopped the services of {boot.services}"]

    def active(self, boot: Boot) -> bool:
        """True when a child of init's is a runsvdir that scans the directory: init tells nobody what it has started."""
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            words = (read(process) or b"").decode(errors="surrogateescape").split("\0")
            parent = (read(process.with_name("stat")) or b"").rpartition(b")")[2].split()[1:2]
            if parent == [b"1"] and boot.services in words and any(os.path.basename(word) == "runsvdir" for word in words[:3]):
                return True
        return False


def _ends_a_level(line: str) -> bool:
    """True for a line that runs the rc scripts of level 0, 1 or 6."""
    fields = line.split(":", 3)
    return not line.startswith("#") and len(fields) == 4 and fields[2] == "wait" and bool(re.search("[016]", fields[1]))
