"""The live upgrade: a runsvdir that is told to, by USR2, has the version that is installed now prove itself, and becomes it.

    runsvdir    executes the new version in its place: for init it is the same process. Until that has taken over, the keeper's holder
                keeps supervise/ok open and the letters in their FIFOs, so that a client notices a moment's silence at most
    keeper      is told by the new runsvdir, which greets it and finds another version than its own, to do the same, once that has taken
                up every service; services stay its children
    pools       likewise, but for those of other accounts: the keeper forks another; what is written meanwhile waits in the FIFOs

A package may have removed the files of the version that runs by then: who supervises has loaded what it needs for this, and the
version to be tried does that itself, alone. A runsvdir of another version that init starts, after the one before was ended, becomes
that first, for the same (predecessor.py).
"""

from __future__ import annotations

import _signal
import fcntl
import os
import sys
import time

from .. import installation, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop


_TRIAL = """
import sys
sys.path.insert(0, sys.argv[1])
from runit_provision.runtime.shell.supervisor import trial
trial.main(sys.argv)
"""
_TURN_SECONDS = 0.05
"""Between two looks whether another one still tries something out."""
_END = b"\0"
"""Behind what a child has to say: nothing at all is what one says that was killed."""


def try_out(library: str, place: str, loop: Loop, done: Callable[[str], None]) -> None:
    """Let the version in `library`, which is installed, prove itself in `place`, while we go on.

    Then call `done` with why it did not, or empty.
    """

    def tried(verdict: str | None) -> None:
        if verdict is not None:
            done(verdict)
            return
        verdict = "who tried it was killed"
        try:
            _beside(lambda: _clean(place), loop, lambda _said: done(verdict))
        except OSError:
            done(verdict)

    asker = os.getpid()
    _beside(lambda: _verdict(library, place, asker), loop, tried)


def _beside(work: Callable[[], str | None], loop: Loop, done: Callable[[str | None], None]) -> None:
    """Do `work` in a child; call `done` with the text that it gives, with None when the child was killed or there is none.

    OSError, and nothing is left of it, when there can be no child.
    """
    reader, writer = os.pipe2(os.O_CLOEXEC)
    try:
        pid = os.fork()
    except OSError:
        os.close(reader)
        os.close(writer)
        raise
    if pid == 0:
        text: str | None = None
        try:
            _signal.set_wakeup_fd(-1)
            _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
            process.close_all_but(writer)
            text = work()
        except BaseException as error:
            text = f"the trial failed: {error}"
        finally:
            try:
                if text is not None:
                    os.write(writer, text.encode("utf-8", "replace") + _END)
            finally:
                os._exit(0)  # whoever asked may be gone: this must not go on as one more of it
    os.close(writer)

    def readable() -> None:
        loop.forget(reader)
        try:
            text, end, _ = os.read(reader, 65536).partition(_END)
        except OSError:
            text = end = b""
        os.close(reader)
        done(text.decode("utf-8", "replace") if end else None)

    loop.watch(reader, readable)


def _verdict(library: str, place: str, asker: int) -> str:
    """asker: the process that waits for it; once that has ended nothing else is to wait for us."""

    def is_wanted() -> bool:
        return os.getppid() == asker

    # A runsvdir that ended leaves a child behind that tries something out there, mostly for a moment.
    others = os.open(os.path.dirname(place), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    while not _is_mine(others):
        if not is_wanted():
            return ""
        time.sleep(_TURN_SECONDS)
    if not is_wanted():
        return ""
    # It is loaded in a child, and only here: who supervises has no use for it. A package may have removed it meanwhile.
    try:
        from . import trial
    except ImportError:
        return _verdict_of_itself(library, place)
    try:
        rsvlog, mine = installation.tool("rsvlog"), trial.laid(installation.LIBRARY)
        return trial.run(trial.installed(library), place, rsvlog, mine, is_wanted=is_wanted)
    except trial.UnwantedError:
        return ""
    except trial.UnprovenError as reason:
        unproven = str(reason)
    return unproven if installation.is_laid() else _verdict_of_itself(library, place)


def _is_mine(directory: int) -> bool:
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _verdict_of_itself(library: str, place: str) -> str:
    """Have a version tried by itself, by a program of its own: of the one that runs nothing is there any more that could."""
    reader, writer = os.pipe()
    command = [sys.executable, "-IS", "-c", _TRIAL, library, place, installation.tool("rsvlog")]
    streams = [(os.POSIX_SPAWN_DUP2, writer, fd) for fd in (1, 2)]
    pid = os.posix_spawn(command[0], command, os.environ, file_actions=streams)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8", errors="replace") as file:
        said = file.read().strip()
    _, status = os.waitpid(pid, 0)
    if status == 0:
        return ""
    return said.rpartition("\n")[2] or f"its trial ended with {os.waitstatus_to_exitcode(status)}"


def _clean(place: str) -> None:
    from . import trial

    trial.clean(place)


def execute(arguments: list[bytes]) -> None:
    """Become the installed runsvdir, called as we were; OSError when that cannot be.

    Signals are blocked until it has its handlers, since without them they would end it.
    """
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        os.execv(installation.tool("runsvdir"), [os.fsencode(installation.tool("runsvdir")), *arguments])
    finally:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
