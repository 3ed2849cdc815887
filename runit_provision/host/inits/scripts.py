"""The scripts that inits call which cannot say so much themselves, and who runs what they start."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from runit_provision.errors import Problem
from runit_provision.host.inits.boot import Boot
from runit_provision.host.inits.pieces import OwnFile
from runit_provision.host.processes import by_account, is_runsvdir, sees_the_same_files, words

FOLDER = "/etc/runit-provision"
STOP_SECONDS = 90
"""Until all services have to be gone: runsvdir itself sends KILL after a minute."""
_DOTS = "." * 395
_START = """\
#!/bin/sh
PATH={path}
exec env - PATH="$PATH" runsvdir -P {services} 'log: {dots}'
"""


def start(boot: Boot) -> OwnFile:
    """The script that becomes runsvdir, with nothing in its environment but a PATH, and its last errors in its title."""
    return OwnFile(f"{FOLDER}/runsvdir-start", start_text(boot), 0o755, own_folder=FOLDER)


def start_text(boot: Boot) -> str:
    """What that script says."""
    return _START.format(path=shlex.quote(boot.path), services=shlex.quote(boot.services), dots=_DOTS)


def running(boot: Boot) -> dict[int, int]:
    """Give the caller's processes that are a runsvdir on the directory, each with its parent: few inits tell what they started."""
    found = {}
    for pid in by_account().get(os.geteuid(), ()):
        called = words(pid)
        if os.fsencode(boot.services) in called and is_runsvdir(called):
            with suppress(OSError):  # it has just ended
                found[pid] = int(Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[1])
    return found


def strangers(boot: Boot) -> Iterator[Problem]:
    """Give the runsvdirs on the directory that are another runtime's, whoever started them.

    Two would fight for what is new. One of this runtime's, which an interpreter runs, is no rival: the next one waits for its end.
    """
    for pid in filter(sees_the_same_files, running(boot)):
        with suppress(OSError):  # it has just ended
            program = os.readlink(f"/proc/{pid}/exe")
            if os.path.basename(program).startswith(("runsvdir", "busybox")):
                hint = f"`kill {pid}` first; {boot.left_behind}"
                yield Problem(f"{program} supervises it already, as process {pid}", path=boot.services, hint=hint)
