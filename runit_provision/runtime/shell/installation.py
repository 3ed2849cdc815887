"""Which version of the runtime this process runs, and which one its host has now.

PREFIX/lib/runit-provision/VERSION    LIBRARY, from where this module was imported
PREFIX/lib/runit-provision/current    the version that a tool would run that is started now
PREFIX/bin                            the tools
"""

from __future__ import annotations

import os
import sys

LIBRARY = os.path.abspath(__file__).rsplit("/", 4)[0]
_VERSIONS = os.path.dirname(LIBRARY)
_RUNSVDIR = """
import sys
sys.path.insert(0, sys.argv[1])
from runit_provision.runtime.cli.runsvdir import main
from runit_provision.runtime.shell.title import name_process
name_process(b"runsvdir")
sys.exit(main(sys.argv[1:]))
"""
_MODULE = "runit_provision/runtime/cli/runsvdir.py"
_START = "import sys; sys.path.insert(0, sys.argv[1]); from runit_provision.runtime.shell import handover; handover.%s(sys.argv)"


def tool(name: str) -> str:
    """Give the path of an installed tool."""
    return f"{os.path.dirname(os.path.dirname(_VERSIONS))}/bin/{name}"


def runsvdir(library: str) -> list[str]:
    """Give the command, without its arguments, that starts the runsvdir of `library`, whose tools need not be installed."""
    return [sys.executable, "-IS", "-c", _RUNSVDIR, library]


def current() -> str:
    """Give the library that a tool would run with; empty when none is installed."""
    try:
        return f"{_VERSIONS}/{os.path.basename(os.readlink(_VERSIONS + '/current'))}"
    except OSError:
        return ""


def version(library: str = LIBRARY) -> bytes:
    """Give the name of a library's folder, which tells one version from another."""
    return os.fsencode(os.path.basename(library))


def is_laid(library: str = LIBRARY) -> bool:
    """Whether the files of a version are there: a package removes those of the one before, though trees run it yet."""
    return os.path.isfile(f"{library}/{_MODULE}")


def why_missing() -> str:
    """Give what may be the reason that a module is missing, to be added to a message; empty for none that is known."""
    if is_laid():
        return ""
    return f" ({os.fsdecode(version())}, which runs here, is not installed any more; USR2 lets runsvdir become the one that is)"


def open_library() -> int:
    """Open the folder that this version was imported from, which tells who asks /proc of it; -1 when that cannot be."""
    try:
        return os.open(LIBRARY, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return -1


def become(library: str, role: str, *fds: int) -> None:
    """Execute handover.ROLE of `library` in the place of this program, with `fds` open; OSError when that cannot be.

    Signals are blocked until it has its handlers: what they do by default would end it.
    """
    import _signal

    if not os.path.isfile(f"{library}/runit_provision/runtime/shell/handover.py"):
        raise FileNotFoundError(2, "no runtime", library)
    for fd in fds:
        os.set_inheritable(fd, True)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        os.execv(sys.executable, [sys.executable, "-IS", "-c", _START % role, library, *map(str, fds)])
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        for fd in fds:
            os.set_inheritable(fd, False)
