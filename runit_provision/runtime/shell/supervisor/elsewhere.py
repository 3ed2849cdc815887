"""A keeper that has our tree with its state elsewhere: its runsvdir was started with another environment, or under another host's name.

Or by another name of the directory, which a link leads to; or its state directory was moved or removed. Two keepers over one directory
would take services from each other whenever somebody dies, so there is to be one. A living one is found by /proc: its descriptors lead
to its state directory, whose name stands for the tree's; what one that died has left, by that name, beside our own state. That of a
very long path cannot be read back: then only our own name is known.
"""

from __future__ import annotations

import _signal
import errno
import os
import stat
import time

from ...wire import errors, records
from .. import process
from ..meeting import KEEPER
from ..state import State, is_own, key, open_left, open_own, path_of
from . import lone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_LOOK_SECONDS = 1.0
"""Between two looks at a keeper that is waited for."""
_STOP_SECONDS = 1.0
"""For a process to stop that is sent SIGSTOP: one that waits for a disk does not."""
_SIGKILL, _SIGCONT, _SIGSTOP = 9, 18, 19
_TAKEN = "taken"
"""In the state directory: the records of a keeper that is being ended."""
_NAMESPACE = "/proc/{}/ns/pid"
_PIECE = 1 << 20
"""Bytes that are copied at once."""


def find(path: str, state: State, say: Callable[[str], None]) -> State:
    """Give the state of the tree over `path`: where a keeper of ours has it, else `state`, which is ours and empty.

    A keeper that cannot be talked to any more, since its state directory is gone, is ended, and what it knew is in `state` then; but
    one whose table anybody else has too, its runsvdir for one, is waited for.
    """
    told = ""
    while (found := _looked(lambda: _keeper(path), say)) is not None:
        keeper, place, _fd = found
        try:
            there = _open(*found)
            if there is not None:
                named = _named(place, path)
                also = f" as {named}" if named != path else ""
                say(f"info: keeper {keeper} has this tree{also}, with its state in {place}")
                state.close()
                return there
            owner = _owner(keeper)
            if not owner and _relieve(keeper, place, state):
                say(f"info: taking over from keeper {keeper}, whose state directory {place} is gone; what runs goes on")
                break
            why = "waiting for it to end"
        except OSError as error:
            owner = 0
            why = f"unable to take over: {errors.words(error)}, trying again"
        if why != told:
            told = why
            whose = f"keeper {keeper} of process {owner}" if owner else f"keeper {keeper}"
            say(f"warning: {whose} has this tree, and its state directory {place} is gone; {why}")
        _wait()
    if found is None and (left := _looked(lambda: _left(path, state), say)) is not None:
        say(f"info: what runs of this tree was left with its state in {left.path}")
        state.close()
        return left
    told = ""
    while why := _know_taken(state):
        if why != told:
            told = why
            say(f"warning: unable to take over what runs: {why}, trying again")
        _wait()
    return state


def _wait() -> None:
    _signal.pthread_sigmask(_signal.SIG_SETMASK, (_signal.SIGUSR2,))  # who supervises nothing may be ended
    time.sleep(_LOOK_SECONDS)


def _looked(look: Callable[[], T], say: Callable[[str], None]) -> T:
    """Give what `look` gives, as soon as that can be known."""
    told = ""
    while True:
        try:
            return look()
        except OSError as error:
            if (why := errors.words(error)) != told:
                told = why
                say(f"warning: unable to look for who has this tree: {why}, trying again")
            _wait()


def _left(path: str, state: State) -> State | None:
    """Give the state that somebody who has died had of our directory by another name, where something runs of it. OSError."""
    # Who is somebody's by now is none of our business, and its directory may be on a disk that does not answer.
    named = lone.tree_beside(state, lambda named, left: lone.any_lives(left) and left.try_lock() and _is_same(named, path))
    if not named:
        return None
    place = f"{os.path.dirname(state.path)}/{key(named)}"
    return open_left(place, place, os.O_NOFOLLOW)


def _keeper(path: str) -> tuple[int, str, str] | None:
    """Give the pid of a keeper over `path`, its state directory, and the descriptor that leads there. OSError: nobody can tell now."""
    for entry in os.listdir("/proc") if process.is_told() else ():
        try:
            if entry.isdigit() and _is_keeper(int(entry)):
                for fd, place in process.open_files(int(entry)):
                    if _leads_to(int(entry), place, path) and _is_own_directory(os.stat(fd)):
                        return int(entry), place, fd
        except OSError as error:
            if error.errno in process.NOT_NOW:
                raise
            continue  # it has ended, or is none of our business
    return None


def _is_keeper(pid: int) -> bool:
    """Whether this is a keeper of our account, among the processes that we know by number. OSError.

    A name is anybody's to give, by a link, to a program that runs as us: su, and sudo, which has left its caller's uid behind.
    """
    if process.name(pid) != b"runsvdir-keeper" or not process.is_ours(pid) or not process.is_interpreted(pid):
        return False
    return os.path.samestat(os.stat(_NAMESPACE.format(pid)), os.stat(_NAMESPACE.format("self")))


def _leads_to(pid: int, place: str, path: str) -> bool:
    """Whether a process finds our directory `path` by the name that `place`, if it is a tree's state directory, stands for."""
    return _is_same(f"/proc/{pid}/root{_named(place, path)}", path)


def _is_own_directory(found: os.stat_result) -> bool:
    return stat.S_ISDIR(found.st_mode) and is_own(found)


def _is_same(named: str, path: str) -> bool:
    try:
        return os.path.samestat(os.stat(named), os.stat(path))
    except OSError as error:
        if error.errno in process.NOT_NOW:
            raise
        return False


def _named(place: str, path: str) -> str:
    """Give the directory that a state directory stands for, which may be `path`; wherever that was moved to, its own name says so."""
    name = os.path.basename(place)
    return path if name == key(path) else path_of(name)


def _open(pid: int, place: str, fd: str) -> State | None:
    """Open the state that a keeper has; None where that is not at `place` any more, whole. OSError: nobody can tell now."""
    there: State | None = None
    try:
        there = open_left(fd, place)
        os.stat(KEEPER, dir_fd=there.directory)
        is_at_place = os.path.samestat(os.fstat(there.directory), os.stat(place))
        if is_at_place and _has(pid, os.fstat(there.lock)) and _has(pid, os.fstat(there.table)):
            found, there = there, None
            return found
    except OSError as error:
        if error.errno in process.NOT_NOW:
            raise
    finally:
        if there is not None:
            there.close()
    return None


def _owner(keeper: int) -> int:
    """Give who has a keeper's table too, its runsvdir, or who waits to be that; 0 for nobody. OSError.

    It need not have started the keeper. Who is a child of that, as a stand-in, goes with it; and what we had is closed.
    """
    table = os.stat(_table(keeper))
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        if pid not in {keeper, os.getpid()} and process.parent(pid) != keeper and process.is_ours(pid) and _has(pid, table):
            return pid
    return 0


def _relieve(keeper: int, place: str, state: State) -> bool:
    """Take from a keeper what it has written down, and end it, its stand-in and its pools; False when it is not to be had.

    Then all is as after the death of a supervisor and its keeper: its holder has FIFOs and letters for a while. Should we be killed
    before that, the next one finds the keeper, stopped, and does it again. OSError when that cannot be now, and all go on: nobody is
    ended before all that was written down is here, with room for it where it is to be.
    """
    opened: list[int] = []
    stopped: list[int] = []
    made: list[str] = []
    try:
        open_own(_table(keeper), os.O_RDWR, opened)
        table = opened[0]
        whole = records.is_of_life(os.pread(table, records.SIZE, 0), *process.life())
        if not whole or state.directory < 0:
            return False  # of another version, whose records we cannot read
        _stop(keeper, b"runsvdir-keeper", stopped)
        for pid in process.children(keeper):
            if _has(pid, os.fstat(table)):
                _stop(pid, b"runsvdir", stopped)
            elif process.name(pid) == b"log-pool":
                _take_journal(pid, place, state, opened, stopped, made)
        os.posix_fallocate(state.table, 0, os.fstat(table).st_size)
        made.append(_TAKEN)
        opened.append(_created(_TAKEN, state))
        _copy(table, opened[-1])
        made.clear()
        for pidfd in reversed(stopped):
            process.send_to(pidfd, _SIGKILL)
            process.wait_for_end(pidfd)
        _write(table, bytes(records.SIZE), 0)  # not cut: who has it mapped would get SIGBUS
    except OSError:
        for pidfd in stopped:
            _go_on(pidfd)
        for name in made:
            _discard(name, state)  # a part of the truth, and room
        raise
    finally:
        for fd in (*opened, *stopped):
            os.close(fd)
    return True


def _know_taken(state: State) -> str:
    """Let what was taken from a keeper, which has ended, be what is written down here; why that cannot be now, else nothing."""
    if state.directory < 0:
        return ""
    try:
        taken = os.open(_TAKEN, os.O_RDONLY | os.O_CLOEXEC, dir_fd=state.directory)
    except FileNotFoundError:
        return ""  # nothing was
    except OSError as error:
        return errors.words(error)
    try:
        if records.is_of_life(os.pread(taken, records.SIZE, 0), *process.life()):
            _copy(taken, state.table)
        os.unlink(_TAKEN, dir_fd=state.directory)
    except OSError as error:
        return errors.words(error)
    finally:
        os.close(taken)
    return ""


def _has(pid: int, found: os.stat_result) -> bool:
    """Whether a process has a file of a state open: a service, be it a runsvdir, has not."""
    return bool(process.descriptors(pid, (found.st_dev, found.st_ino)))


def _take_journal(pool: int, place: str, state: State, opened: list[int], stopped: list[int], made: list[str]) -> None:
    """Stop a pool that nobody can talk to any more either, and let the next one go on with its journal. OSError."""
    for fd, path in process.open_files(pool):
        if os.path.dirname(path) == place and path.endswith(".journal"):
            try:
                open_own(fd, os.O_RDWR, opened)
            except PermissionError:
                continue  # a service may have a pool's name, and a file by that of a journal
            journal = opened[-1]
            name = os.path.basename(path)
            opened.append(_created(name, state))
            if not os.path.samestat(os.fstat(journal), os.fstat(opened[-1])):
                made.append(name)
                _stop(pool, b"log-pool", stopped)
                _copy(journal, opened[-1])
            return


def _table(keeper: int) -> str:
    """Give the descriptor that leads to a keeper's table, which may be removed, and not in a directory that was made anew. OSError."""
    for fd, path in process.open_files(keeper):
        if os.path.basename(path) == "records":
            return fd
    raise FileNotFoundError(errno.ENOENT, "its table is not open")


def _stop(pid: int, name: bytes, stopped: list[int]) -> None:
    """Stop a process that has this name still, and wait until it does nothing. OSError."""
    stopped.append(os.pidfd_open(pid))
    if process.name(pid) != name:
        raise ProcessLookupError(errno.ESRCH, "it has ended")
    _signal.pidfd_send_signal(stopped[-1], _SIGSTOP)
    end = time.monotonic() + _STOP_SECONDS
    while not process.is_stopped(pid):
        if time.monotonic() > end:
            raise TimeoutError(errno.ETIMEDOUT, "it does not stop")
        time.sleep(_STOP_SECONDS / 1000)


def _go_on(pidfd: int) -> None:
    try:
        _signal.pidfd_send_signal(pidfd, _SIGCONT)
    except OSError:
        pass  # it has ended


def _created(name: str, state: State) -> int:
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=state.directory)


def _discard(name: str, state: State) -> None:
    try:
        os.unlink(name, dir_fd=state.directory)
    except OSError:
        pass  # it was not made, or the disk is read-only: the next try begins with it


def _copy(file: int, into: int) -> None:
    """Let `into` hold what is in `file`, its head last: without that nobody believes the rest. OSError, also where there is no room."""
    size = os.fstat(file).st_size
    os.posix_fallocate(into, 0, max(size, records.SIZE))
    _write(into, bytes(records.SIZE), 0)
    at = records.SIZE
    while piece := os.pread(file, _PIECE, at):
        _write(into, piece, at)
        at += len(piece)
    os.ftruncate(into, size)
    _write(into, os.pread(file, records.SIZE, 0), 0)


def _write(into: int, piece: bytes, at: int) -> None:
    if os.pwrite(into, piece, at) != len(piece):
        raise OSError(errno.ENOSPC, "not all of it was written")
