"""How many descriptors a process may have open (getrlimit(2), RLIMIT_NOFILE), and how to open one where others may exchange files."""

from __future__ import annotations

import fcntl
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPARE_MAX = 64
_FS_IOC_GETFLAGS, _FS_IOC_SETFLAGS = 0x80086601, 0x40086602
_FS_NOCOW_FL = 0x00800000


def spare(most: int) -> int:
    """Give how many of `most` descriptors are for other things than what a supervisor or a holder has open of services."""
    return min(_SPARE_MAX, most // 4)


def opened_again(fifo: int, flags: int, path: str, directory: int | None = None) -> int:
    """Give another open file description of a FIFO that is open; OSError.

    path: what it has been opened by, below `directory`, and is once more where there is no /proc, unless another has taken its place.
    """
    try:
        return os.open(f"/proc/self/fd/{fifo}", flags | os.O_CLOEXEC)
    except FileNotFoundError:
        again = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    if not os.path.samestat(os.fstat(again), os.fstat(fifo)):
        os.close(again)
        raise FileNotFoundError(2, "another one has taken its place", path)
    os.set_blocking(again, not flags & os.O_NONBLOCK)
    return again


def opened_if(right: Callable[[int], bool], path: str, flags: int, directory: int | None = None) -> int:
    """Open what is `right`, and nothing else for an instant; -1 when something else is there. OSError.

    A look at a path says nothing of what is opened by it a moment later, where another user has the directory or, below /proc/PID/fd,
    the process. So the look is at a descriptor that can do nothing else, O_PATH, and what that leads to is opened.

    right: is given that descriptor; flags: with O_NOFOLLOW no link is followed to it.
    """
    found = os.open(path, os.O_PATH | os.O_CLOEXEC | flags & os.O_NOFOLLOW, dir_fd=directory)
    try:
        if not right(found):
            os.close(found)
            return -1
        again = opened_again(found, flags & ~os.O_NOFOLLOW, path, directory)
    except BaseException:
        os.close(found)
        raise
    # The lowest number that was free, by which a supervisor knows how many are open (home.py).
    os.dup2(again, found, inheritable=False)
    os.close(again)
    return found


def keep_in_place(fd: int) -> None:
    """Let a file that is empty yet be written in its place, where its filesystem would write each piece anew: btrfs, FS_NOCOW_FL.

    There a disk that is full refuses what was allocated long ago, and what is mapped is a SIGBUS.
    """
    flags = bytearray(8)
    try:
        fcntl.ioctl(fd, _FS_IOC_GETFLAGS, flags)
        fcntl.ioctl(fd, _FS_IOC_SETFLAGS, (int.from_bytes(flags, sys.byteorder) | _FS_NOCOW_FL).to_bytes(8, sys.byteorder))
    except OSError:
        pass  # it knows no such thing


def is_fifo(fd: int) -> bool:
    """Whether a descriptor is of a FIFO."""
    return stat.S_ISFIFO(os.fstat(fd).st_mode)


def allow_all() -> tuple[int, int]:
    """Allow this process as many as its hard limit lets; give the soft limit that it had, and the hard one.

    A tree's supervisor, holder and pool have several open for each service. Services must not inherit that: their table would be as
    large, and some daemons close every descriptor that they may have.
    """
    import resource  # a shared library: not at the start of every tool

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return soft, hard


def allow(soft: int) -> None:
    """Take back what `allow_all` allowed; soft: what it gave."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
