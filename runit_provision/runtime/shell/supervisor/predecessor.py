"""A runsvdir that finds a keeper of another version: who tries it before it takes over, and what is when that fails.

One that was told to become the version that is installed now has had it tried (successor.py). One that init starts, after the one
before was ended or killed, becomes the version before, by executing it, and that has it tried. Either way who takes over has proved
itself in a tree of its own, and still it tells keeper and pools to become what it is only when it has taken up every service of this
one. If it does not come to that, there is a stand-in, which the keeper forks from what it is itself, and the next runsvdir becomes the
version before. To know of that, the state directory has a file that says, of a version and this boot, one of these. It is what versions
tell each other, and never changes.

    asked   it has become the version before, which takes this away and tries it. Who finds it is started again, since that version
            has died at its start: then nobody is there who could try it, and it takes over
    tried   it has proved itself
    takes   it takes over. Who finds it was killed in that, gave up, or lost itself: it becomes the version before, which is
    failed  to say so, and supervises on; then it is `takes` again
"""

from __future__ import annotations

import _signal
import os
import select

from ...wire import errors, records
from .. import installation, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from ..state import State
    from .call import Call

SECONDS = 60
"""To take over, and one more for a hundred services; a version that is not done then is killed by its alarm(2)."""
_A_SECOND = 100
_FILE = "takeover"
_ASKED, _TRIED, _TAKES, _FAILED = _WORDS = (b"asked", b"tried", b"takes", b"failed")


def allow(directory: str, version: bytes) -> None:
    """Say that `version` has proved itself, for the tree whose state is in `directory`. OSError."""
    _write(directory, _TRIED, version)


def complaint(directory: str, version: bytes) -> str:
    """Give what is to be said of `version` that has failed here and is not to be tried, once; empty for nothing."""
    if _read(directory, version) != _FAILED:
        return ""
    _write(directory, _TAKES, version)
    return f"{os.fsdecode(version)} was killed, gave up or lost itself when it took over; USR2 lets it try once more"


def forget(directory: str) -> None:
    """Take away what is said of any version."""
    try:
        os.unlink(f"{directory}/{_FILE}")
    except OSError:
        pass


def begin(sock: _socket.socket, state: State, call: Call, before: bytes, report: Callable[[str], None]) -> bool:
    """Give whether we may take the tree over, whose keeper, at the other end of `sock`, is of the version `before`.

    If that one is to try ours, or goes on, this process becomes that: then this does not return. False, when its services, which we
    cannot take over, have ended.
    """
    mine = installation.version()
    old, new = os.fsdecode(before), os.fsdecode(mine)

    def say(text: str) -> None:
        report(f"runsvdir {call.shown}: warning: {text}")

    said = _read(state.path, mine)
    if said != _TRIED:
        obstacle = "does not start any more"
        if said == _FAILED:
            say(f"{new} could not take over, and {old}, which runs here, {obstacle}: its stand-in goes on")
        if said != _ASKED:
            obstacle = _become(sock, state, call, before, _FAILED if said in {_TAKES, _FAILED} else _ASKED)
        say(f"version {old}, which runs here, {obstacle}: {new} takes over untried")
    if not records.is_of_life(os.pread(state.table, records.SIZE, 0), *process.life()):
        say(f"{new} cannot read the records of {old}: waiting until its services have ended, which HUP tells them")
        _wait_for_end(sock)
        return False
    try:
        _write(state.path, _TAKES, mine)
    except OSError as error:
        say(f"unable to note that {new} takes over: {errors.words(error)}")
    _signal.alarm(SECONDS + os.fstat(state.table).st_size // records.SIZE // _A_SECOND)
    return True


def well() -> None:
    """We have taken up what there is."""
    _signal.alarm(0)


def _become(sock: _socket.socket, state: State, call: Call, version: bytes, word: bytes) -> str:
    """Execute the runsvdir of the version that the keeper is, `word` being said of ours; give why that cannot be.

    It begins as after an upgrade: signals wait until it has its handlers, and one of them is USR2, which tells it to look at ours.
    """
    library = _library(process.peer(sock), version)
    if not library:
        return "is not installed any more"
    if doubt := installation.doubt(library):
        return f"is not executed ({doubt})"
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
    try:
        _write(state.path, word, installation.version())
        os.kill(os.getpid(), _signal.SIGUSR2)
        words = [*map(os.fsencode, installation.runsvdir(library)), *call.arguments()]
        os.execv(words[0], words)
    except OSError as error:
        return f"cannot be executed ({errors.words(error)})"


def _library(keeper: int, version: bytes) -> str:
    """Give where a keeper of `version` was imported from; empty when nothing is there any more."""
    try:
        for _fd, path in process.open_files(keeper):
            if os.path.basename(path) == os.fsdecode(version) and installation.is_laid(path):
                return path
    except OSError:
        pass
    return ""


def _wait_for_end(sock: _socket.socket) -> None:
    """Leave the tree to the keeper's stand-in, and wait until the keeper has ended; HUP has all of it end."""
    keeper = process.open_peer(sock)
    sock.close()

    def end(_number: int, _frame: object) -> None:
        process.send_to(keeper, _signal.SIGTERM)  # which no version takes as meant for itself alone
        process.send_to(keeper, _signal.SIGCONT)

    if keeper >= 0:
        _signal.signal(_signal.SIGHUP, end)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        waiting = select.poll()
        waiting.register(keeper, select.POLLIN)
        waiting.poll()


def _line(word: bytes, version: bytes) -> bytes:
    return b"%s %s %s\n" % (word, version, process.boot_id())


def _write(directory: str, word: bytes, version: bytes) -> None:
    fd = os.open(f"{directory}/{_FILE}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, _line(word, version))
    finally:
        os.close(fd)


def _read(directory: str, version: bytes) -> bytes:
    """Give what is said of `version`; empty for nothing."""
    try:
        fd = os.open(f"{directory}/{_FILE}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        line = os.read(fd, 4096)
    finally:
        os.close(fd)
    return next((word for word in _WORDS if line == _line(word, version)), b"")
