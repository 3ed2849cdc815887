"""How the keeper makes a holder (holder.py), and ends the one whose place it takes, whichever keeper made that.

One that was stopped would keep open what it holds: no log would come to its end, and no lock would be free. Another keeper may have
made it, which died or became this version: which process it is stands in the state directory, where no other user can write.
"""

from __future__ import annotations

import _signal
import os

from .. import process
from ..report import be_child
from . import holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..state import State


def make(state: State, index: int, listener: int) -> None:
    """Fork the holder number `index`, in place of any other; OSError when that cannot be.

    listener: a listening socket; when nobody has it any more, who asked sees its connection end.
    """
    send(state, index, _signal.SIGKILL)
    ours = os.getpid()
    pid = os.fork()
    if pid == 0:
        be_child("fifo-holder", lambda: _hold(listener, ours))
    _write_down(state, index, pid)


def send(state: State, index: int, number: int) -> None:
    """Send a signal to the holder number `index`, if there is one; after KILL it holds nothing any more."""
    pidfd = _find(state, index)
    if pidfd >= 0:
        process.send_to(pidfd, number)
        if number == _signal.SIGKILL:
            process.wait_for_end(pidfd)
        os.close(pidfd)


def _hold(listener: int, keeper: int) -> None:
    _signal.set_wakeup_fd(-1)
    process.close_all_but(listener)
    holder.main(listener, keeper)


def _find(state: State, index: int) -> int:
    """Give a pidfd of the holder number `index`; -1 when none was made, or it has ended."""
    pidfd = -1
    try:
        fd = os.open(_file(index), os.O_RDONLY | os.O_CLOEXEC, dir_fd=state.directory)
        with os.fdopen(fd, "rb") as file:
            written = file.read()
        pid = int(written.split()[0])
        pidfd = os.pidfd_open(pid)
        if _words(pid) == written:
            return pidfd
    except (OSError, ValueError, IndexError):
        pass
    if pidfd >= 0:
        os.close(pidfd)
    return -1


def _write_down(state: State, index: int, pid: int) -> None:
    try:
        fd = os.open(_file(index), os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600, dir_fd=state.directory)
        with os.fdopen(fd, "wb") as file:
            file.write(_words(pid))
    except OSError:
        pass  # a full disk: as long as it is not stopped, nobody needs to know it


def _words(pid: int) -> bytes:
    """Tell a process from any other that gets its number, in this boot or another."""
    return b"%d %d %b\n" % (pid, process.starttime(pid), process.boot_id())


def _file(index: int) -> str:
    return f"holder-{index}.process"
