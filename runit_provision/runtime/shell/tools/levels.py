"""runsvchdir's hands: `current` and `previous` moved in the directory of run levels; runsvchdir(8)."""

from __future__ import annotations

import posix

from . import locks

_LOCK = b".lock"  # no level's name begins so


class SwitchError(Exception):
    """The level stays as it was; `text` says why, with `number`, an errno, unless None."""

    def __init__(self, text: bytes, number: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.number = number


def switch(directory: bytes, level: bytes) -> bool:
    """Make `level`, a directory in `directory`, the current one; False when it is that already. Raises SwitchError.

    There is a `current` at any time: both links are made beside and renamed over, where C's runsvchdir moves `current` away first.
    Another runsvchdir waits until this one is through, by a file that only its account can open: a directory may be locked by whoever
    reads it.
    """
    if level[:1] == b".":
        raise SwitchError(level + b": must not start with a dot.")
    try:
        posix.chdir(directory)
    except OSError as error:
        raise SwitchError(b"unable to chdir: " + directory, error.errno) from None
    if _is_current(level):
        return False
    is_locked = _lock()
    try:
        if _is_current(level):
            return False
        _make(b"current.new", level)
        _keep_previous()
        try:
            posix.rename(b"current.new", b"current")
        except OSError as error:
            raise SwitchError(b"unable to move: current.new to current", error.errno) from None
    finally:
        if is_locked:
            posix.unlink(_LOCK)
    return True


def _lock() -> bool:
    """Have the directory's lock; False where it cannot be ours alone: then it is as with C's, which has none. Raises SwitchError."""
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_NOFOLLOW | posix.O_NONBLOCK | posix.O_CLOEXEC
    while True:
        try:
            lock = posix.open(_LOCK, flags, 0o600)
        except OSError:
            return False  # what is done next tells why, if it concerns that as well
        found = posix.fstat(lock)
        if found.st_uid != posix.geteuid() or found.st_mode & 0o077:
            posix.close(lock)
            return False
        try:
            locks.take(lock, _LOCK, b"runsvchdir")
        except OSError as error:
            raise SwitchError(b"unable to lock: " + _LOCK, error.errno) from None
        if posix.fstat(lock).st_nlink:
            return True
        posix.close(lock)  # the one who had it has taken it away


def _is_current(level: bytes) -> bool:
    """Whether a directory is the current level. Raises SwitchError."""
    try:
        new = posix.stat(level)
    except FileNotFoundError as error:
        raise SwitchError(level, error.errno) from None
    except OSError as error:
        raise SwitchError(b"unable to stat: " + level, error.errno) from None
    if new.st_mode & 0o170000 != 0o040000:
        raise SwitchError(level + b": not a directory.")
    try:
        old = posix.stat(b"current")
    except OSError as error:
        raise SwitchError(b"unable to stat: current", error.errno) from None
    return (new.st_dev, new.st_ino) == (old.st_dev, old.st_ino)


def _make(link: bytes, target: bytes) -> None:
    try:
        posix.unlink(link)
    except FileNotFoundError:
        pass
    except OSError as error:
        raise SwitchError(b"unable to unlink: " + link, error.errno) from None
    try:
        posix.symlink(target, link)
    except OSError as error:
        raise SwitchError(b"unable to create: %s -> %s" % (link, target), error.errno) from None


def _keep_previous() -> None:
    """Let `previous` be what `current` is. A `current` that is a directory itself has to be moved, as C does."""
    try:
        target = posix.readlink(b"current")
    except OSError:
        link = b"current"
    else:
        link = b"previous.new"
        _make(link, target)
    try:
        posix.rename(link, b"previous")
    except OSError as error:
        posix.unlink(b"current.new")
        if link != b"current":
            posix.unlink(link)
        raise SwitchError(b"unable to copy: current to previous", error.errno) from None
