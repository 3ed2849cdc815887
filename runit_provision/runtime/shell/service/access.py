"""Control given away: a file `control-access` in the service directory, whose owner, group and mode supervise/ok and control get.

So who they are given to may control a service before it was ever started, and after a boot that has emptied supervise/. What it
holds is for people. The directories stay the supervisor's: who could write there could have it write elsewhere. A file `given` in
supervise/ remembers it: when control-access has gone, control is taken back.
"""

from __future__ import annotations

import os
import stat

_NAME = "control-access"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_GIVEN = "given"


def share(directory: int, prefixes: tuple[str, ...]) -> None:
    """Give supervise/ below each of the `prefixes` in the service directory, which has its FIFOs, to whom it is to be; OSError."""
    asked = _stat(_NAME, directory)
    for prefix in prefixes:
        supervise = f"{prefix}supervise"
        given = _stat(f"{supervise}/{_GIVEN}", directory) is not None
        if asked is not None or given:
            _share(directory, supervise, asked, given=given)


def _share(directory: int, supervise: str, asked: os.stat_result | None, *, given: bool) -> None:
    inside = os.open(supervise, _DIRECTORY, dir_fd=directory)
    try:
        if asked is None:
            _dress(inside, os.geteuid(), os.getegid(), 0o600, 0o700)
            os.unlink(_GIVEN, dir_fd=inside)
            return
        if {os.fstat(directory).st_uid, os.fstat(inside).st_uid} != {os.geteuid()} or not stat.S_ISREG(asked.st_mode):
            raise PermissionError(1, f"{_NAME}, or a directory, is not the supervisor's own")
        if not given:
            os.close(os.open(_GIVEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=inside))
        _dress(inside, asked.st_uid, asked.st_gid, asked.st_mode & 0o666, 0o711)
    finally:
        os.close(inside)


def _stat(path: str, directory: int) -> os.stat_result | None:
    try:
        return os.stat(path, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _dress(inside: int, uid: int, gid: int, fifo_mode: int, directory_mode: int) -> None:
    os.fchmod(inside, directory_mode)
    for name in ("ok", "control"):
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
        try:
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.chown(f"/proc/self/fd/{fd}", uid, gid)
                os.chmod(f"/proc/self/fd/{fd}", fifo_mode)
        finally:
            os.close(fd)
