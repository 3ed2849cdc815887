"""What a runsv of its own (runsv.py) has written down of its service, for the tree that has the service from now on.

That stands beside the states of the trees, by the directory's device and inode. Whoever has ended it finds there what it would have
found itself, had it been started again: as after the death of a supervisor and its keeper.

Not so the other way round: what a tree has left, with logs in its pools, only a runsvdir can take over.
"""

from __future__ import annotations

import errno
import os

from ...wire import records
from .. import process
from ..service.files import LockedError
from ..state import SERVICES, TREES, State, be_own, open_left, path_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_NONE = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.ELOOP}
"""Nothing is there, or nothing of ours. Any other error may hide what runs, which would be started a second time."""


def name(dev: int, ino: int) -> str:
    """Give the name of the state of a service directory."""
    return f"{dev:x}-{ino:x}"


def beside(state: State, identity: records.Identity) -> State | None:
    """Give what one that has ended has left, where something of it runs; None when there is no such thing.

    LockedError: another one is about to go on with it. OSError: nobody can tell now.
    """
    if state.directory < 0:
        return None
    left = _open(f"{_place(state)}/{SERVICES}/{name(identity.dev, identity.ino)}")
    if left is None:
        return None
    try:
        if left.try_lock():
            if runs(left):
                return left
            if left.is_of_now():
                forget(left)  # all of it has ended
                return None
        elif _is_there(left):
            raise LockedError("a runsv of its own begins, or ends")
    except BaseException:
        left.close()
        raise
    left.close()
    return None


def of(pid: int, identity: records.Identity) -> State | None:
    """Give what a runsv of ours writes down, wherever that is; None when it is none of ours, or of another version. OSError."""
    for fd, path in process.open_files(pid):
        place, file = os.path.split(path)
        if file == "records" and place.endswith(f"/{SERVICES}/{name(identity.dev, identity.ino)}"):
            left = _open(place)
            if left is not None and left.is_of_now() and os.path.samestat(os.fstat(left.table), os.stat(fd)):
                return left
            if left is not None:
                left.close()
    return None


def tree_with(state: State, dev: int, ino: int) -> str:
    """Give the directory of the tree of which something runs or begins in the service directory that `state` is about; "" for none.

    OSError when nobody can tell now.
    """

    def has(_path: str, left: State) -> bool:
        told = [told for told in map(left.slot, left.slots()) if _is_of(told, dev, ino)]
        # What the keeper was asked for, and may not have read yet, it does whoever has asked.
        return any(map(lives, told)) or (any(map(_begins, told)) and not left.try_lock())

    return tree_beside(state, has)


def tree_beside(state: State, is_it: Callable[[str, State], bool]) -> str:
    """Give the directory of a tree, beside whose state `state` is, and of which `is_it` says so; empty for none. OSError."""
    if state.directory < 0:
        return ""
    place = f"{_place(state)}/{TREES}"
    try:
        trees = os.listdir(place)
    except FileNotFoundError:
        return ""
    for tree in trees:
        left = _open(f"{place}/{tree}")
        if left is not None:
            try:
                found = left.is_of_now() and is_it(path_of(tree), left)
            finally:
                left.close()
            if found:
                return path_of(tree)
    return ""


def content(left: State, identity: records.Identity) -> bytes:
    """Give a slot that tells the same, of a service that is met as `identity`. FileNotFoundError: it had ended, and written nothing."""
    slot = next(iter(left.slots()), 0)
    if slot == 0:
        raise FileNotFoundError(errno.ENOENT, "nothing is written down", left.path)
    told = left.slot(slot)
    known = records.pack_identity(identity)
    return known + told[len(known) :]


def forget(left: State) -> None:
    """It is written down elsewhere by now."""
    for no_more in (left.void, left.remove):
        try:
            no_more()
        except OSError:
            continue  # either will do
    left.close()


def runs(left: State) -> bool:
    """Whether a process of its service lives: else it tells of nothing that anybody would start a second time. OSError."""
    slots = left.slots() if left.is_of_now() else []
    return len(slots) == 1 and lives(left.slot(slots[0]))


def any_lives(left: State) -> bool:
    """Whether a process lives that a state tells of. OSError."""
    return any(map(lives, map(left.slot, left.slots())))


def lives(told: bytes) -> bool:
    """Whether a process lives that a slot tells of. OSError."""
    return any(map(is_live, told_of(told)))


def told_of(told: bytes) -> list[records.Process]:
    """Give the processes that a slot tells of."""
    return [records.unpack_process(told, key) for key in (records.MAIN, records.LOG, records.SCRIPT)]


def processes(left: State) -> list[records.Process]:
    """Give the processes that a state tells of."""
    return [each for slot in left.slots() for each in told_of(left.slot(slot))]


def is_live(written: records.Process) -> bool:
    """Whether what is written down as living does. OSError."""
    return written.life == records.LIVE and not process.is_over(written.pid, written.starttime)


def _is_of(told: bytes, dev: int, ino: int) -> bool:
    identity = records.unpack_identity(told)
    return identity is not None and (identity.dev, identity.ino) == (dev, ino)


def _begins(told: bytes) -> bool:
    """Whether a process is asked for of which a slot tells."""
    intent = records.unpack_intent(told)
    return intent is not None and any(part is not None and part.spawning for part in (intent.main, intent.log))


def _is_there(left: State) -> bool:
    """Whether a state is there still: one of its own that has ended in order has removed it."""
    try:
        return os.path.samestat(os.fstat(left.lock), os.stat("lock", dir_fd=left.directory))
    except FileNotFoundError:
        return False


def _place(state: State) -> str:
    return os.path.dirname(os.path.dirname(state.path))


def _open(path: str) -> State | None:
    """Open a state that is there, and our account's; None when there is none. OSError when nobody can tell now."""
    try:
        return open_left(path, path, os.O_NOFOLLOW, right=be_own)
    except OSError as error:
        if error.errno in _NONE:
            return None
        raise
