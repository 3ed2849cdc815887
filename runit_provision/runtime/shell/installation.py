"""Which version of the runtime this process runs, and which one its host has now.

PREFIX/lib/runit-provision/VERSION    LIBRARY, from where this module was imported
PREFIX/lib/runit-provision/current    the version that a tool would run that is started now
PREFIX/bin                            the tools
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_IFMT, _IFLNK = 0o170000, 0o120000
_STICKY, _OTHERS_WRITE = 0o1000, 0o022
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


def doubt(library: str) -> str:
    """Say who else than root and we could have put there what a library holds, on the way to it or in it; nothing for nobody.

    What lies beside our own is as good as that: whoever may write there has had his way already. OSError is a doubt, too.
    """
    beside = os.path.dirname(library) == _VERSIONS
    above = [] if beside else _way(library)
    try:
        for path in (*above, *_within(library)):
            found = os.lstat(path)
            if found.st_uid not in {0, os.geteuid()}:
                return f"{path} belongs to user {found.st_uid}"
            if found.st_mode & _IFMT == _IFLNK:
                return f"{path} is a link"
            if found.st_mode & _OTHERS_WRITE and not (found.st_mode & _STICKY and path in above):
                return f"{path} can be written by others, mode {found.st_mode & 0o7777:04o}"
    except OSError as error:
        return f"{error.filename}: {error.strerror}"
    return ""


def _way(path: str) -> list[str]:
    """Give each folder above a path, the root first."""
    above = os.path.dirname(path)
    return [above] if above in {path, "/"} else [*_way(above), above]


def _within(library: str) -> Iterator[str]:
    """Give a folder and all that lies in it. OSError."""

    def fail(error: OSError) -> None:
        raise error

    yield library
    for folder, folders, files in os.walk(library, onerror=fail):
        yield from (f"{folder}/{name}" for name in (*folders, *files))


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
