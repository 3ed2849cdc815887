"""runsvchdir: change the directory of services that runsvdir supervises, a run level; runsvchdir(8)."""

from __future__ import annotations

import posix

from ..shell.console import encode, end_on_interrupt, explain, write
from ..shell.tools import levels

_DIRECTORY = b"/etc/runit/runsvdir"


def main(argv: list[str]) -> int:
    """Do what runsvchdir(8) says: exit status 0, 1 for wrong words, 111 when the level stays as it was.

    The environment variable RUNSVDIR names the directory of levels, as since runit 2.3.
    """
    end_on_interrupt()
    words = [encode(word) for word in argv] or [b"runsvchdir"]
    name = words[0].rpartition(b"/")[2]
    if len(words) < 2:
        write(2, b"usage: %s dir\n\n" % name)
        return 1
    level = words[1]
    try:
        changed = levels.switch(posix.environ.get(b"RUNSVDIR", _DIRECTORY), level)
    except levels.SwitchError as error:
        write(2, b"%s: fatal: %s%s\n" % (name, error.text, explain(error.number)))
        return 111
    write(1, b"runsvchdir: %s: %s\n" % (level, b"now current." if changed else b"current."))
    return 0
