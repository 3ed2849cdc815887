"""Everything that is ever done to a path beside looking at it: make, put in place, take away; kept.py keeps.

Each function works on a `Ground`, so below its base no link is followed that others could have put there, and none waits for a
fifo. They run in the process that applies or, for another account's realm, in a child that has that account's credentials; the
code is the same (see hand.py), so arguments and results are plain values. What is to appear at once is made under a staging name
beside its place (`staged`), then renamed. Errors are OSError with the whole path.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from runit_provision.host.ground import Ground, NotTrustedError

STORE = ".runit-provision"
"""Where an account's realm has its lock, and keeps what was replaced (see kept.py), below its base; with a dot, what begins every
staging name."""
RESIDUE = frozenset(("supervise", "restart_count", "last_finish", "gave_up", "mailed", "succeeded", "failed"))
"""What a running service leaves in its directory: it goes with the service, and is never touched while there is one."""

NAMED = 3
"""Names that are told of those that keep a directory."""

_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def staged(path: str) -> str:
    """Give the name beside `path` under which it is made: one that runsvdir does not look at."""
    above, _, name = path.rpartition("/")
    temporary = f"{STORE}.{name}"
    if len(os.fsencode(temporary)) > 255:
        temporary = f"{STORE}.{hashlib.sha256(os.fsencode(name)).hexdigest()}"
    return f"{above}/{temporary}"


def make_directory(ground: Ground, path: str, mode: int, uid: int, gid: int) -> None:
    """Make a directory; one that is there already is taken as it is, and gets this mode and owner."""
    directory, name = ground.parent(path)
    with about(path):
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                raise
        _dress_directory(directory, name, mode, uid, gid)


def new_directory(ground: Ground, path: str, mode: int, uid: int, gid: int) -> None:
    """Make the empty directory `path` (a staging name); what a killed apply left there goes first."""
    directory, name = ground.parent(path)
    with about(path):
        try:
            os.mkdir(name, 0o700, dir_fd=directory)
        except FileExistsError:
            ground.forget(path)
            directory, name = ground.parent(path)
            clear(directory, name)
            os.mkdir(name, 0o700, dir_fd=directory)
        _dress_directory(directory, name, mode, uid, gid)


def dress_directory(ground: Ground, path: str, mode: int, uid: int, gid: int) -> None:
    """Give the directory `path` this mode and owner."""
    directory, name = ground.parent(path)
    with about(path):
        _dress_directory(directory, name, mode, uid, gid)


def _dress_directory(directory: int, name: str, mode: int, uid: int, gid: int) -> None:
    place: int | str
    try:
        place = descriptor = os.open(name, _LIST, dir_fd=directory)
    except PermissionError:
        # O_PATH opens what its owner may not read; /proc gives it to calls that know no descriptor of that kind, and follows nothing.
        # Root may read all, so an image can be built where /proc is not mounted.
        descriptor = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        place = f"/proc/self/fd/{descriptor}"
    try:
        found = os.fstat(descriptor)
        if (found.st_uid, found.st_gid) != (uid, gid):
            os.chown(place, uid, gid)
        if stat.S_IMODE(found.st_mode) != mode:
            os.chmod(place, mode)
    finally:
        os.close(descriptor)


def write(ground: Ground, path: str, content: bytes, mode: int, uid: int, gid: int, durable: bool) -> None:
    """Make a new file `path` (a staging name); what a killed apply left there goes first. durable: fsync it now."""
    directory, name = ground.parent(path)
    with about(path):
        descriptor = create(directory, name)
        try:
            found = os.fstat(descriptor)
            rest = memoryview(content)
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            if (found.st_uid, found.st_gid) != (uid, gid):
                os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)


def create(directory: int, name: str) -> int:
    """Make a new file (a staging name) and give a descriptor to write it; what a killed apply left there goes first."""
    try:
        return os.open(name, _MAKE, 0o600, dir_fd=directory)
    except FileExistsError:
        os.unlink(name, dir_fd=directory)
        return os.open(name, _MAKE, 0o600, dir_fd=directory)


def link(ground: Ground, path: str, target: str) -> None:
    """Make a symbolic link `path` (a staging name) to `target`."""
    directory, name = ground.parent(path)
    with about(path):
        link_at(directory, name, target)


def link_at(directory: int, name: str, target: str) -> None:
    """Make a symbolic link (a staging name); what a killed apply left there goes first."""
    try:
        os.symlink(target, name, dir_fd=directory)
    except FileExistsError:
        os.unlink(name, dir_fd=directory)
        os.symlink(target, name, dir_fd=directory)


def place(ground: Ground, staging: str, path: str) -> None:
    """Rename `staging` to `path`, which is replaced."""
    directory, name = ground.parent(path)
    with about(path):
        os.rename(os.path.basename(staging), name, src_dir_fd=directory, dst_dir_fd=directory)
    ground.forget(staging)


def unlink(ground: Ground, path: str) -> None:
    """Take away what is no directory; nothing there is as good."""
    directory, name = ground.parent(path)
    with about(path), suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)


def remove_directory(ground: Ground, path: str, of_service: bool) -> list[str]:
    """Remove the directory `path`, with what the runtime left in it when it was a service's; give names that keep it, NAMED at most."""
    directory, name = ground.parent(path)
    with about(path):
        try:
            os.rmdir(name, dir_fd=directory)
        except FileNotFoundError:
            return []
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        else:
            ground.forget(path)
            return []
        try:
            here = ground.directory(path)
        except NotTrustedError:
            return ["what its owner keeps there"]
        names = set(_list(here))
        ours = {entry for entry in names if entry.startswith(f"{STORE}.") or (of_service and entry in RESIDUE)}
        if names - ours:
            return sorted(names - ours)[:NAMED]
        for entry in ours:
            clear(here, entry)
        directory, name = ground.parent(path)
        os.rmdir(name, dir_fd=directory)
        return []


def sweep(ground: Ground, path: str) -> None:
    """Take away a half-made `path` (a staging name) with all that is in it."""
    try:
        directory, name = ground.parent(path)
    except FileNotFoundError:
        return
    with about(path):
        clear(directory, name)
    ground.forget(path)


def names(ground: Ground, directory: str) -> list[str]:
    """Give what lies in `directory`."""
    return _list(ground.directory(directory))


def clear(directory: int, name: str) -> None:
    """Remove `name` and all below it: no recursion, no link followed, and no more descriptors however deep it is.

    A directory gives its own directories to the top, one level at a time, under names that nobody took.
    """
    try:
        if not stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=directory)
            return
    except FileNotFoundError:
        return
    top = os.open(name, _LIST, dir_fd=directory)
    try:
        pending = _empty(top, top)
        while pending:
            entry = pending.pop()
            below = os.open(entry, _LIST, dir_fd=top)
            try:
                pending += _empty(below, top)
            finally:
                os.close(below)
            os.rmdir(entry, dir_fd=top)
    finally:
        os.close(top)
    os.rmdir(name, dir_fd=directory)


def _empty(directory: int, top: int) -> list[str]:
    """Unlink every file in `directory`, move its directories into `top`, and give their names there."""
    moved = []
    for entry in os.listdir(directory):
        try:
            os.unlink(entry, dir_fd=directory)
        except IsADirectoryError:
            to = f"{STORE}.{os.urandom(8).hex()}"
            os.rename(entry, to, src_dir_fd=directory, dst_dir_fd=top)
            moved.append(to)
    return moved


def _list(directory: int) -> list[str]:
    """List a directory that may be known by an O_PATH descriptor only."""
    descriptor = os.open(".", _LIST, dir_fd=directory)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


def sync(ground: Ground, directories: Iterable[str]) -> None:
    """Make the names in `directories` last: fsync each."""
    for path in directories:
        with about(path):
            sync_descriptor(ground.directory(path))


def sync_descriptor(directory: int) -> None:
    """Make the names in a directory that may be known by an O_PATH descriptor only last."""
    descriptor = os.open(".", _LIST, dir_fd=directory)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_filesystem(ground: Ground, path: str) -> None:
    """Make all that was written to the filesystem of the directory `path` last, in one pass; syncfs(2)."""
    import ctypes

    descriptor = os.open(".", _LIST, dir_fd=ground.directory(path))
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
    finally:
        os.close(descriptor)


@contextmanager
def about(path: str) -> Iterator[None]:
    """Give every OSError the whole path that it is about."""
    try:
        yield
    except OSError as error:
        whole = error.filename2 is None and str(error.filename).startswith("/")  # symlink(2) would name what the link is to lead to
        if whole and not str(error.filename).startswith("/proc/self/fd/"):
            raise
        raise OSError(error.errno, error.strerror, path) from error


_FUNCTIONS: tuple[Callable[..., Any], ...] = (
    *(make_directory, new_directory, dress_directory, write, link, place),
    *(unlink, remove_directory, sweep, sync, sync_filesystem),
)
OPERATIONS = {function.__name__: function for function in _FUNCTIONS}
"""What a hand can be asked to do, by name."""
