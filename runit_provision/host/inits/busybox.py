"""busybox init: lines in /etc/inittab, and the two scripts that they call; examples/inittab of busybox.

`respawn` starts runsvdir, and again whenever it dies. At a halt or reboot init runs the `shutdown` lines, in their order, while what it
started still runs, and then kills all that is left: so ours comes first, tells runsvdir to end its services and waits.
"""

from __future__ import annotations

import os
import shlex
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runit_provision.host.inits import inittab, scripts
from runit_provision.host.inits.boot import Boot

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
class Busybox(inittab.Respawning):
    """`root` is the host's root directory; only on "/" is init told."""

    root: Path
    name: str = "busybox"

    def _lines(self) -> tuple[str, str, Callable[[str], bool]]:
        return "::respawn", "::shutdown", _is_shutdown

    def _stop_script(self, boot: Boot) -> str:
        return _STOP.format(services=shlex.quote(boot.services), tries=scripts.STOP_SECONDS * 5)

    def _listen(self) -> None:
        os.kill(1, signal.SIGHUP)


def _is_shutdown(line: str) -> bool:
    """True for a line that runs when the host goes down."""
    return inittab.fields_of(line)[2:3] == ["shutdown"]
