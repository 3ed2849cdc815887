"""What lies at a path: kind, mode, owner, digest, and the content where it is to be shown. Nothing is changed, not even an access time.

Each function works on a `Ground`, as those of files.py do, and what it gives is as plain; see there.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runit_provision.host.ground import Ground, NotTrustedError

SHOWN = 64 * 1024
"""Bytes; what is larger is shown in no diff, and digested only when its size could be the wanted one."""
ADDED = 4 << 20
"""Bytes by which an account may add to what was, or is to be, in its files before no more of them is shown."""

_CHUNK = 1 << 20
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}

Look = tuple[str, int, str, int, bool, bool]
"""Path, size and digest that it should have, size that it had, whether its content may be shown when it is another, whether the data
ask for it: else it may lie where root does not go any more."""
Sight = tuple[str, int, int, int, int, str, str, bytes | None]
"""Kind, mode, uid, gid, size, digest, target, content."""


def look(ground: Ground, looks: Sequence[Look]) -> list[Sight | str | NotTrustedError | None]:
    """Give what each path is: None when there is nothing, or the path of what is in the way and no directory.

    NotTrustedError for what nobody asks for and others could swap.
    """
    ground.directory(ground.base)  # a base that is not there is an error, not an empty realm
    found: list[Sight | str | NotTrustedError | None] = []
    missing = "\0"
    room = ADDED + sum(max(0, size, was_size) for _, size, _, was_size, *_ in looks)
    for path, size, digest, was_size, show, asked in looks:
        if path.startswith(missing):
            found.append(None)
            continue
        try:
            seen = _look(ground, path, size, digest, was_size, show and room > 0)
            found.append(seen)
            if isinstance(seen, tuple) and seen[-1] is not None:
                room -= len(seen[-1])
        except FileNotFoundError as error:  # what is to lie there is not looked for one by one
            found.append(None)
            missing = f"{error.filename}/"
        except NotTrustedError as error:
            if asked or ground.base != "/":
                raise
            found.append(error)
    return found


def _look(ground: Ground, path: str, size: int, digest: str, was_size: int, show: bool) -> Sight | str | None:
    try:
        directory, name = ground.parent(path)
    except OSError as error:
        if error.errno not in (errno.ENOTDIR, errno.ELOOP):
            raise
        return str(error.filename)
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    kind = _KINDS.get(stat.S_IFMT(found.st_mode), "other")
    mode = stat.S_IMODE(found.st_mode)
    if kind == "link":
        return (kind, 0, -1, -1, 0, "", os.readlink(name, dir_fd=directory), None)
    if kind != "file":
        return (kind, mode, found.st_uid, found.st_gid, 0, "", "", None)
    seen, content = "", None
    if found.st_size <= SHOWN or found.st_size in (size, was_size):
        try:
            seen, content = _digest(name, directory)
        except OSError as error:
            raise OSError(error.errno, error.strerror, path) from None
        if not show or seen == digest:
            content = None
    return (kind, mode, found.st_uid, found.st_gid, found.st_size, seen, "", content)


def _digest(name: str, directory: int) -> tuple[str, bytes | None]:
    """Digest a regular file; the content comes along when it is small. The access time stays as it is where that is allowed."""
    try:
        descriptor = os.open(name, _READ | os.O_NOATIME, dir_fd=directory)
    except PermissionError:
        descriptor = os.open(name, _READ, dir_fd=directory)
    try:
        content = os.read(descriptor, SHOWN + 1)
        if len(content) <= SHOWN:
            return hashlib.sha256(content).hexdigest(), content
        digest = hashlib.sha256(content)
        while chunk := os.read(descriptor, _CHUNK):
            digest.update(chunk)
        return digest.hexdigest(), None
    finally:
        os.close(descriptor)


def exists(ground: Ground, paths: Iterable[str]) -> list[bool]:
    """Tell for each path whether anything is there, and nobody else could swap it."""
    found = []
    for path in paths:
        try:
            directory, name = ground.parent(path)
            os.stat(name, dir_fd=directory, follow_symlinks=False)
            found.append(True)
        except (FileNotFoundError, NotADirectoryError, NotTrustedError):
            found.append(False)
    return found


def leads(ground: Ground, directories: Iterable[str]) -> list[bool]:
    """Tell of each directory, or link to one, whether it is there, as far as it can be told."""
    found = []
    for path in directories:
        try:
            ground.directory(path)
            found.append(True)
        except OSError as error:  # what may not be entered was given to somebody
            found.append(error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP))
    return found


def devices(ground: Ground, directories: Iterable[str]) -> list[int]:
    """Give the filesystem (st_dev) of each directory."""
    return [os.fstat(ground.directory(path)).st_dev for path in directories]


OPERATIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (look, exists, leads, devices)}
"""What a hand can be asked to do, by name."""
