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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from runit_provision.host.inits import inittab
from runit_provision.host.inits.boot import Boot

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


@dataclass(frozen=True, slots=True)
class Sysvinit(inittab.Respawning):
    """`root` is the host's root directory; only on "/" is telinit called."""

    root: Path
    name: str = "sysvinit"

    def _lines(self) -> tuple[str, str, Callable[[str], bool]]:
        return "rp:2345:respawn", "rq:016:wait", _ends_a_level

    def _stop_script(self, boot: Boot) -> str:
        return _STOP.format(path=shlex.quote(boot.path), services=shlex.quote(boot.services), seconds=_STOP_SECONDS)

    def _listen(self) -> None:
        subprocess.run(["telinit", "q"], check=True, capture_output=True, text=True)

    def _wait_for_init(self, boot: Boot) -> None:
        """It ends runsvdir, which leaves services supervised: TERM when it comes to it, and KILL five seconds later."""
        deadline = time.monotonic() + _TERM_SECONDS
        while self.active(boot) and time.monotonic() < deadline:
            time.sleep(0.05)


def _ends_a_level(line: str) -> bool:
    """True for a line that runs the rc scripts of level 0, 1 or 6."""
    fields = inittab.fields_of(line)
    return bool(fields) and fields[2] == "wait" and bool(re.search("[016]", fields[1]))
