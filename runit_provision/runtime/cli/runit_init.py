"""runit-init: process 1 itself, and for everybody else the way to halt (0) or reboot (6) the host; runit-init(8), runit(8)."""

from __future__ import annotations

import posix
from _signal import SIGCONT

from .. import NAME_AND_VERSION
from ..core import init
from ..shell.console import encode, explain, write


def main(argv: list[str]) -> int:
    """Lead the host's life if this is process 1; else tell process 1 to end it, exit status 0 or 111."""
    if posix.getpid() == 1:
        from ..shell.tools import init as process_1

        process_1.run()
        return 0
    words = [encode(word) for word in argv] or [b"init"]
    name = words[0].rpartition(b"/")[2]
    order = words[1][:1] if len(words) > 1 else b""
    if order not in (b"0", b"6"):
        version = NAME_AND_VERSION if words[1:] and words[1][:2] == b"-V" else b""
        write(2, b"%susage: %s 0|6\n\n" % (version, name))
        return 0
    return _bring_down(reboots=order == b"6")


def _bring_down(*, reboots: bool) -> int:
    stop, reboot = _place(init.STOP_FILES), _place(init.REBOOT_FILES)
    operation, path = b"create", stop
    try:
        _allow(stop)
        path = reboot
        if reboots:
            _allow(reboot)
        else:
            operation = b"chmod"
            _forbid(reboot)
    except OSError as error:
        write(2, b"init: fatal: unable to %s %s%s\n" % (operation, path, explain(error.errno)))
        return 111
    try:
        posix.kill(1, SIGCONT)
    except OSError as error:
        write(2, b"init: fatal: unable to signal process 1%s\n" % explain(error.errno))
        return 111
    return 0


def _place(paths: tuple[bytes, ...]) -> bytes:
    """Give the file that this host uses: the one that is there, else the first whose directory is."""
    for path in paths:
        if posix.access(path, posix.F_OK):
            return path
    for path in paths:
        if posix.access(path.rpartition(b"/")[0], posix.F_OK):
            return path
    return paths[0]


def _allow(path: bytes) -> None:
    posix.close(posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_CLOEXEC, 0o644))
    posix.chmod(path, 0o100)


def _forbid(path: bytes) -> None:
    try:
        posix.chmod(path, 0)
    except FileNotFoundError:
        pass
