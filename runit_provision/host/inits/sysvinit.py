"""sysvinit: lines in /etc/inittab, and the two scripts that they call, since init cuts a line's command at 127 bytes; inittab(5).

`respawn` starts runsvdir after the level's rc scripts, whose lines stand before, and again whenever it dies. When the level changes to
0, 1 or 6, init itself sends TERM to runsvdir, upon which services go on supervised; the `wait` line, which has to stand before the
line that runs that level's rc scripts, then takes them down in order.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import inittab, scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile, OwnLines, Piece

_STOP_SECONDS = 60
_TERM_SECONDS = 15
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
        return (
            scripts.start(boot),
            OwnFile(f"{scripts.FOLDER}/runsvdir-stop", _stop(boot), 0o755, own_folder=scripts.FOLDER),
            OwnLines(inittab.PATH, "runit-provision stop", _ENTRIES["rq"].format(scripts=scripts.FOLDER), before=_ends_a_level),
            OwnLines(inittab.PATH, "runit-provision start", _ENTRIES["rp"].format(scripts=scripts.FOLDER), before=lambda _: False),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the lines of others that start the same tree, or that have our lines' ids."""
        yield from inittab.unfit(self.root)
        for number, fields in inittab.strangers(self.root):
            if fields[0] in _ENTRIES:
                hint = "give it another"
                yield Problem(f"line {number} has the id `{fields[0]}`, which is needed here", path=inittab.PATH, hint=hint)
            yield from inittab.same_tree(number, fields, boot)

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
        subprocess.run(["/bin/sh", "-c", _stop(boot)], check=False, stdout=subprocess.DEVNULL)
        return [*told, f"stopped the services of {boot.services}"]

    def active(self, boot: Boot) -> bool:
        """True when a child of init's is a runsvdir that scans the directory."""
        return 1 in scripts.running(boot).values()


def _ends_a_level(line: str) -> bool:
    """True for a line that runs the rc scripts of level 0, 1 or 6."""
    fields = inittab.fields_of(line)
    return bool(fields) and fields[2] == "wait" and bool(re.search("[016]", fields[1]))


def _stop(boot: Boot) -> str:
    return _STOP.format(path=shlex.quote(boot.path), services=shlex.quote(boot.services), seconds=_STOP_SECONDS)
