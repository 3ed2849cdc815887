"""What a runsv of its own (runsv.py) has written down of its service, for the tree that has the service from now on.

That stands beside the states of the trees, by the directory's device and inode. Whoever has ended it finds there what it would have
found itself, had it been started again: as after the death of a supervisor and its keeper.
"""

from __future__ import annotations

import errno
import os

from ...wire import records
from .. import process
from ..state import State, open_own

KIND = "services"


def name(dev: int, ino: int) -> str:
    """Give the name of the state of a service directory."""
    return f"{dev:x}-{ino:x}"


def beside(state: State, identity: records.Identity) -> State | None:
    """Give what one that has ended has left, where something of it runs; None when there is no such thing."""
    if state.directory < 0:
        return None
    place = os.path.dirname(os.path.dirname(state.path))
    left = _open(f"{place}/{KIND}/{name(identity.dev, identity.ino)}")
    if left is not None and not (left.try_lock() and _runs(left)):
        left.close()
        return None
    return left


def of(pid: int, identity: records.Identity) -> State | None:
    """Give what a runsv of ours writes down, wherever that is; None when it is none of ours, or of another version. OSError."""
    for fd, path in process.open_files(pid):
        place, file = os.path.split(path)
        if file == "records" and place.endswith(f"/{KIND}/{name(identity.dev, identity.ino)}"):
            left = _open(place)
            if left is not None and left.is_of_now() and os.path.samestat(os.fstat(left.table), os.stat(fd)):
                return left
            if left is not None:
                left.close()
    return None


def content(left: State, identity: records.Identity) -> bytes:
    """Give a slot that tells the same, of a service that is met as `identity`. FileNotFoundError: it had ended, and written nothing."""
    slot = next(iter(left.slots()), 0)
    if slot == 0:
        raise FileNotFoundError(errno.ENOENT, "nothing is written down", left.path)
    told = os.pread(left.table, records.SIZE, records.offset(slot))
    known = records.pack_identity(identity)
    return known + told[len(known) :]


def forget(left: State) -> None:
    """It is written down elsewhere by now."""
    try:
        left.remove()
    except OSError:
        pass  # what runs is not its any more, and so nobody goes by it
    left.close()


def _runs(left: State) -> bool:
    """Whether a process of its service lives: else it tells of nothing that anybody would start a second time."""
    slots = left.slots() if left.is_of_now() else []
    if len(slots) != 1:
        return False
    told = os.pread(left.table, records.SIZE, records.offset(slots[0]))
    processes = [records.unpack_process(told, key) for key in (records.MAIN, records.LOG, records.SCRIPT)]
    return any(each.life == records.LIVE and process.starttime(each.pid) == each.starttime for each in processes)


def _open(path: str) -> State | None:
    """Open a state that is there, and our account's alone."""
    opened: list[int] = []
    try:
        open_own(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, opened)
        for file in ("lock", "records"):
            open_own(file, os.O_RDWR | os.O_NOFOLLOW, opened, directory=opened[0])
        directory, lock, table = opened
        return State(path, directory=directory, lock=lock, table=table)
    except OSError:
        pass  # nothing is there, or nothing of ours
    for fd in opened:
        os.close(fd)
    return None
