"""What was replaced or removed: a store for each realm, from which a rollback takes it back.

What an apply wrote stays until the next one. What a hand had made or edited, which is nowhere else, stays for `LASTING`, and the newest
`NEWEST` of a store for longer. All of it is a file under a name that begins with the time, so names in order are times in order. The
system's store is a folder of the library, an account's lies below its realm's base, beside its lock, and is its own.
"""

from __future__ import annotations

import errno
import heapq
import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from runit_provision.host.files import STORE, about, create, link_at, sync_descriptor
from runit_provision.host.ground import Ground
from runit_provision.host.looks import exists

LASTING = 90
"""Days."""
NEWEST = 100
"""In each store."""

_NAME = re.compile(r"\d{8}T\d{6}\.\d{9}\.\d+\.\d+(\.edited)?")
_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def stamp(seconds: int) -> str:
    """Give what the names begin with of what is kept at a time (seconds since the epoch)."""
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(seconds))


def keep(ground: Ground, path: str, store: int | None, name: str) -> None:
    """Keep what `path` (no directory) is as `name`: a hard link, or a copy where there can be none.

    store: a descriptor of the directory for it, or None for the realm's own. What is there already was kept before a crash: it is the
    older, and stays.
    """
    directory, source = ground.parent(path)
    held = os.dup(directory)
    try:
        with about(path), _store(ground, store) as (keeper, _):
            try:
                os.link(source, name, src_dir_fd=held, dst_dir_fd=keeper, follow_symlinks=False)
            except FileExistsError:
                pass
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                _copy(held, source, keeper, _half(name))
                with suppress(FileNotFoundError):  # what is no file and no link holds nothing to keep
                    os.rename(_half(name), name, src_dir_fd=keeper, dst_dir_fd=keeper)
    finally:
        os.close(held)


def _half(name: str) -> str:
    """Give the name of a copy that is not whole yet: by its own it would be taken for what was kept."""
    return f"{STORE}.{name}"


def restore(ground: Ground, store: int | None, name: str, path: str) -> None:
    """Make `path` (a staging name) of what was kept as `name`."""
    directory, target = ground.parent(path)
    held = os.dup(directory)
    try:
        with about(path), _store(ground, store) as (keeper, _):
            with suppress(FileNotFoundError):
                os.unlink(target, dir_fd=held)
            try:
                os.link(name, target, src_dir_fd=keeper, dst_dir_fd=held, follow_symlinks=False)
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP):
                    raise
                _copy(keeper, name, held, target)
    finally:
        os.close(held)


def stored(ground: Ground, store: int | None, names: Sequence[str]) -> list[bool]:
    """Tell for each name whether something is kept under it; makes no store where there is none."""
    if store is None:
        return exists(ground, [f"{ground.base.rstrip('/')}/{STORE}/{name}" for name in names])
    return [_is_there(name, store) for name in names]


def _is_there(name: str, directory: int) -> bool:
    try:
        os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def sync_store(ground: Ground, store: int | None) -> None:
    """Make what was kept last: before anything takes the place of what is kept."""
    with _store(ground, store) as (keeper, where), about(where):
        sync_descriptor(keeper)
    if store is None:
        sync_descriptor(ground.directory(ground.base))


def discard(ground: Ground, store: int | None, names: Sequence[str], since: str) -> int:
    """Take away what was kept under `names`, and what is older than `since` (a stamp), but for the newest; tell how much of that."""
    with _store(ground, store) as (keeper, where), about(where):
        for name in names:
            _take_away(keeper, name)
        return _expire(keeper, since)


def _expire(keeper: int, since: str) -> int:
    """However much lies there, only the names of the newest are held at a time."""
    outlived = 0
    newest: list[str] = []
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=keeper)
    try:
        with os.scandir(descriptor) as entries:
            for entry in entries:
                if _NAME.fullmatch(entry.name.removeprefix(_half(""))) is None:
                    continue  # what somebody else put there
                if entry.name.startswith(STORE):
                    _take_away(keeper, entry.name)
                    continue
                heapq.heappush(newest, entry.name)
                if len(newest) > NEWEST and (older := heapq.heappop(newest)) < since:
                    _take_away(keeper, older)
                    outlived += 1
    finally:
        os.close(descriptor)
    return outlived


def _take_away(keeper: int, name: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=keeper)


@contextmanager
def _store(ground: Ground, store: int | None) -> Iterator[tuple[int, str]]:
    if store is not None:
        yield store, "kept"
        return
    path = f"{ground.base.rstrip('/')}/{STORE}"
    yield ground.directory(path), path  # made with the lock in it


def _copy(source: int, name: str, target: int, copy: str) -> None:
    """Copy a file with its mode and owner, or a link, to a staging name; a fifo or a socket holds nothing to keep."""
    found = os.stat(name, dir_fd=source, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode):
        link_at(target, copy, os.readlink(name, dir_fd=source))
    if not stat.S_ISREG(found.st_mode):
        return
    reader = os.open(name, _READ, dir_fd=source)
    try:
        writer = create(target, copy)
        try:
            while os.sendfile(writer, reader, None, _CHUNK):
                pass
            made = os.fstat(writer)
            if (made.st_uid, made.st_gid) != (found.st_uid, found.st_gid):
                os.fchown(writer, found.st_uid, found.st_gid)
            os.fchmod(writer, stat.S_IMODE(found.st_mode))
            os.fsync(writer)
        finally:
            os.close(writer)
    finally:
        os.close(reader)


_FUNCTIONS: tuple[Callable[..., Any], ...] = (keep, restore, stored, sync_store, discard)
OPERATIONS = {function.__name__: function for function in _FUNCTIONS}
"""What a hand can be asked to do, by name."""
