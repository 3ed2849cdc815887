"""The folder of a log: a lock, which is held, and a descriptor that its files are opened beneath.

The descriptor can be let go of, where many are open: the folder is found again by where its lock is, wherever it was moved.

In one that others than its owner can write, or that is someone else's, no symbolic link is followed.
"""

from __future__ import annotations

import errno
import fcntl
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .place import Place

APPEND = posix.O_WRONLY | posix.O_NONBLOCK | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC
READ = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ESTALE)


class Folder:
    """The folder that `place` leads to. descriptor, lock: -1 for none; identity: device and inode, once it was seen."""

    __slots__ = ("_guard", "_place", "descriptor", "identity", "lock")

    def __init__(self, place: Place) -> None:
        self._place = place
        self.descriptor = self.lock = -1
        self.identity = (0, 0)
        self._guard = 0

    def open(self) -> None:
        """Have its descriptor. Raises OSError."""
        self.descriptor = self._place.open()

    def see(self) -> None:
        """Learn which one it is, and who may write there. Raises OSError, where it may not be entered."""
        status = posix.stat(".", dir_fd=self.descriptor)
        self.identity = (status.st_dev, status.st_ino)
        self._beware(status)

    def take_lock(self) -> None:
        """Be the only one who logs there. Raises OSError; BlockingIOError where another one does."""
        self.lock = self.open_file("lock", APPEND)
        fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def leave(self) -> list[int]:
        """Have neither lock nor descriptor; give what is to be closed, the lock first."""
        held = [descriptor for descriptor in (self.lock, self.descriptor) if descriptor >= 0]
        self.lock = self.descriptor = -1
        return held

    # ---- let go of, and found again

    def can_be_found(self) -> bool:
        """Whether it would be found if its descriptor were let go of."""
        try:
            status = posix.stat(self._where())
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.identity

    def release(self) -> None:
        """Let go of the descriptor."""
        if self.descriptor >= 0:
            posix.close(self.descriptor)
            self.descriptor = -1

    def find(self) -> None:
        """Have the descriptor again that was released. Raises OSError, ESTALE when another folder is in its place."""
        descriptor = posix.open(self._where(), READ | posix.O_DIRECTORY)
        status = posix.fstat(descriptor)
        if (status.st_dev, status.st_ino) != self.identity:
            posix.close(descriptor)
            raise OSError(errno.ESTALE, "")
        self._beware(status)
        self.descriptor = descriptor

    def is_gone(self) -> bool:
        """Whether one that was released is not there any more, and so nothing in it; otherwise it is found, where that can be."""
        try:
            self.find()
        except OSError as error:
            return error.errno in _GONE
        return False

    def is_removed(self, number: int) -> bool:
        """Whether it, of which the errno `number` tells, is no folder any more: nobody would find what is written there."""
        held = self.descriptor if self.descriptor >= 0 else self.lock
        return number in _GONE and held >= 0 and posix.fstat(held).st_nlink == 0

    def _where(self) -> bytes:
        """Give its path, wherever it was moved. OSError where there is no /proc."""
        return posix.readlink(b"/proc/self/fd/%d" % self.lock).rpartition(b"/")[0] or b"/"

    # ---- files

    def open_file(self, name: str, flags: int, mode: int = 0o600) -> int:
        """Open a file there; a descriptor. Raises OSError."""
        return posix.open(name, flags | self._guard, mode, dir_fd=self.descriptor)

    @property
    def is_guarded(self) -> bool:
        """Whether other accounts can put there what they like, be it a file of ours, a log, by another name."""
        return self._guard != 0

    def rename(self, old: str, new: str) -> None:
        """Rename a file there. Raises OSError."""
        posix.rename(old, new, src_dir_fd=self.descriptor, dst_dir_fd=self.descriptor)

    def stat(self, name: str) -> posix.stat_result:
        """Look at a file there, or at what it links to where a link is followed. Raises OSError."""
        return posix.stat(name, dir_fd=self.descriptor, follow_symlinks=not self._guard)

    def _beware(self, status: posix.stat_result) -> None:
        """Follow no link in a folder that others can write."""
        others = status.st_uid not in (0, posix.geteuid()) or status.st_mode & 0o022
        self._guard = posix.O_NOFOLLOW if others else 0
