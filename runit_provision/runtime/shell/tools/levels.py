"""runsvchdir's hands: `current` and `previous` moved in the directory of run levels; runsvchdir(8)."""

from __future__ import annotations

import fcntl
import posix


class SwitchError(Exception):
    """The level stays as it was; `text` says why, with `number`, an errno, unless None."""

    def __init__(self, text: bytes, number: int | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.number = number


def switch(directory: bytes, level: bytes) -> bool:
    """Make `level`, a directory in `directory`, the current one; False when it is that already. Raises SwitchError.

    There is a `current` at any time: both links are made beside and renamed over, where C's runsvchdir moves `current` away first.
    Another runsvchdir waits until this one is through.
    """
    if level[:1] == b".":
        raise SwitchError(level + b": must not start with a dot.")
    try:
        posix.chdir(directory)
        lock = posix.open(b".", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise SwitchError(b"unable to chdir: " + directory, error.errno) from None
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
    if (new.st_dev, new.st_ino) == (old.st_dev, old.st_ino):
        return False
    _make(b"current.new", level)
    _keep_previous()
    try:
        posix.rename(b"current.new", b"current")
    except OSError as error:
        raise SwitchError(b"unable to move: current.new to current", error.errno) from None
    return True


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
