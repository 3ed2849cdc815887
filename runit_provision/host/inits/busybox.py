"""busybox init: lines in /etc/inittab, and the two scripts that they call; examples/inittab of busybox.

`respawn` starts runsvdir, and again whenever it dies. At a halt or reboot init runs the `shutdown` lines, in their order, while what it
started still runs, and then kills all that is left: so ours comes first, tells runsvdir to end its services and waits.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits import inittab, scripts
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile, OwnLines, Piece

_STOP = """\
#!/bin/sh
# HUP ends all services of a runsvdir in order, and then itself; also of the one that stands in when init has ended the first. Its
# keeper, which takes no notice, is there until all is over.
of_the_tree() {{
  for folder in /proc/[0-9]*; do
    words=$(tr '\\0' '\\n' 2>/dev/null <"$folder/cmdline") || continue
    case "$words" in *runsvdir*) ;; *) continue ;; esac
    printf '%s\\n' "$words" | grep -qxF -e {services} && echo "${{folder#/proc/}}"
  done
}}
tries=0
while pids=$(of_the_tree 2>/dev/null); [ -n "$pids" ] && [ "$tries" -lt {tries} ]; do
  # shellcheck disable=SC2086 # one pid a word
  kill -HUP $pids 2>/dev/null
  tries=$((tries + 1))
  sleep 0.2
done
"""


@dataclass(frozen=True, slots=True)
class Busybox:
    """`root` is the host's root directory; only on "/" is init told."""

    root: Path
    name: str = "busybox"

    def pieces(self, boot: Boot) -> tuple[Piece, ...]:
        """The scripts, then the lines that call them."""
        folder = scripts.FOLDER
        return (
            scripts.start(boot),
            OwnFile(f"{folder}/runsvdir-stop", _stop(boot), 0o755, own_folder=scripts.FOLDER),
            OwnLines(inittab.PATH, "runit-provision stop", f"::shutdown:{folder}/runsvdir-stop\n", before=_is_shutdown),
            OwnLines(inittab.PATH, "runit-provision start", f"::respawn:{folder}/runsvdir-start\n", before=lambda _: False),
        )

    def rivals(self, boot: Boot) -> Iterator[Problem]:
        """Give the lines of others that start the same tree."""
        yield from inittab.unfit(self.root)
        for number, fields in inittab.strangers(self.root):
            yield from inittab.same_tree(number, fields, boot)

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:  # noqa: ARG002 - init sees for itself what is new
        """Let init read its table again."""
        os.kill(1, signal.SIGHUP)
        return ["init reads its table again"]

    def before_unlink(self, boot: Boot) -> list[str]:  # noqa: ARG002 - nothing may end while init would respawn it
        """Nothing: what ended now, init would start again."""
        return []

    def after_unlink(self, boot: Boot) -> list[str]:
        """Let init forget its lines, and end runsvdir with its services, in order."""
        told = self.started(boot, fresh=False)
        subprocess.run(["/bin/sh", "-c", _stop(boot)], check=False, stdout=subprocess.DEVNULL)
        return [*told, f"stopped the services of {boot.services}"]

    def active(self, boot: Boot) -> bool:
        """True when a child of init's is a runsvdir that scans the directory."""
        return 1 in scripts.running(boot).values()


def _stop(boot: Boot) -> str:
    return _STOP.format(services=shlex.quote(boot.services), tries=scripts.STOP_SECONDS * 5)


def _is_shutdown(line: str) -> bool:
    """True for a line that runs when the host goes down."""
    return inittab.fields_of(line)[2:3] == ["shutdown"]
