"""utmpset: log a line out of utmp, with -w also out of wtmp; utmpset(8)."""

from __future__ import annotations

from .. import NAME_AND_VERSION
from ..core.options import OptionError, Options
from ..shell.console import encode, end_on_interrupt, explain, write
from ..shell.tools import logins
from ..wire import utmp


def main(argv: list[str]) -> int:
    """Do what utmpset(8) says: exit status 0, 1 for wrong words, 111 when the line cannot be logged out."""
    end_on_interrupt()
    words = [encode(word) for word in argv] or [b"utmpset"]
    name = words[0].rpartition(b"/")[2]
    options = Options(words, b"wV")
    with_wtmp = False
    try:
        for letter, _ in options:
            if letter == b"V":
                return _usage(NAME_AND_VERSION, name)
            with_wtmp = True
    except OptionError as error:
        return _usage(b"%s: %s\n" % (name, error.text), name)
    if not options.rest:
        return _usage(b"", name)
    return _log_out(options.rest[0], with_wtmp=with_wtmp)


def _usage(before: bytes, name: bytes) -> int:
    write(2, b"%susage: %s [-w] line\n\n" % (before, name))
    return 1


def _log_out(line: bytes, *, with_wtmp: bool) -> int:
    if len(line) > utmp.LINE_SIZE:
        return _say(b"fatal: unable to logout line %s in utmp: name too long" % line)
    try:
        if not logins.log_out(line):
            return _say(b"warning: unable to logout line %s in utmp: no such entry" % line)
        if with_wtmp:
            logins.note_logout(line)
    except logins.LoginFileError as error:
        return _say(b"fatal: " + error.text + explain(error.number))
    except OSError as error:
        return _say(b"warning: unable to logout line %s in wtmp" % line + explain(error.errno))
    return 0


def _say(text: bytes) -> int:
    write(2, b"utmpset: %s\n" % text)
    return 111
