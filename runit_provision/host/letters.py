"""Running services, through the files of `supervise/` only: what they are, letters to them, and waits that end when it is so.

Sources: runsv(8) and sv(8). The `ok` fifo tells whether there is a supervisor at all, since a status file outlives it. `supervise`
may be a link (Debian's leads into /run) or belong to somebody who was given control: what is opened below it is a fifo or a
regular file, followed through no link, and looked at before it is opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
import struct
import time
from _thread import get_native_id
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from runit_provision.host import processes
from runit_provision.host.ground import Ground
from runit_provision.runtime.wire import detail, status

Life = tuple[bool, bool, bool, int, int, bool, bool]
"""Supervised, running, wanted up, pid, since (Unix time in nanoseconds), gave up, ready: model.observed.Life as a plain value."""
GONE: Life = (False, False, False, 0, 0, False, True)

Wish = tuple[str, str, int, int]
"""Service directory, condition, pid and since of before.

Conditions: supervised; running (and ready); renewed (so, and not the process of before); ended (that of before is gone); down;
unsupervised.
"""

_FIFO = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC
_PATH = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CHANGES = fcntl.DN_MULTISHOT | fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_MODIFY
_F_SETOWN_EX, _F_OWNER_TID = 15, 0
"""Of fcntl(2); the standard library does not name them."""
_DETAIL = 4096
_COARSE = 10_000_000
"""Nanoseconds by which a file's time may be behind the clock: the kernel takes that of its last tick."""
_LONGEST_NAP = 0.5
"""Seconds; only where the filesystem tells of no change (dnotify) is a nap slept to its end."""


def lives(ground: Ground, directories: Iterable[str]) -> list[Life]:
    """Give what each service directory's `supervise/` tells; GONE where there is none."""
    return [_life(ground, directory) for directory in directories]


def _life(ground: Ground, directory: str) -> Life:
    try:
        supervise = _supervise(ground, directory)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM):
            return GONE
        raise
    try:
        os.close(_open(supervise, "ok", stat.S_IFIFO, _FIFO))
        descriptor = _open(supervise, "status", stat.S_IFREG, os.O_RDONLY | os.O_CLOEXEC)
        try:
            seen = status.unpack(os.read(descriptor, status.SIZE + 1))
        finally:
            os.close(descriptor)
        ready = not seen.pid or _ready(supervise, seen.pid)
    except (OSError, ValueError):
        return GONE
    finally:
        os.close(supervise)
    want_up = seen.want == status.WANT_UP
    gave_up = not want_up and seen.state != status.RUN and _gave_up(ground, directory, seen)
    return (True, seen.state == status.RUN and seen.pid > 0, want_up, seen.pid, seen.since_ns, gave_up, ready)


def _ready(supervise: int, pid: int) -> bool:
    """Tell whether the process `pid` is not one that has still to say that it is ready."""
    try:
        said = detail.unpack(_detail(supervise), pid)
    except OSError:
        return True
    return not said.notifies or said.ready > 0


def _detail(supervise: int) -> bytes:
    """Read supervise/detail, which on a full disk is a link (wire/detail.py). OSError."""
    try:
        return os.fsencode(os.readlink("detail", dir_fd=supervise))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    descriptor = _open(supervise, "detail", stat.S_IFREG, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, _DETAIL)
    finally:
        os.close(descriptor)


def _gave_up(ground: Ground, directory: str, seen: status.Status) -> bool:
    """Tell whether `finish` has left word that it put an end to the restarts.

    The file is there until the next end: while `finish` is still at work, only one younger than the run that ended counts.
    """
    try:
        left = os.stat("gave_up", dir_fd=ground.directory(directory), follow_symlinks=False)
    except OSError:
        return False
    return not seen.pid or left.st_mtime_ns > seen.since_ns - _COARSE


def _supervise(ground: Ground, directory: str) -> int:
    """Open `supervise` below a service directory. It alone may be a link: whoever can put one there decides over the service anyway."""
    above = ground.directory(directory)
    return os.open("supervise", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)


def _open(directory: int, name: str, kind: int, flags: int) -> int:
    """Open `name` only when it is of `kind`: a device or somebody's link has no say in what opening it does."""
    found = os.open(name, _PATH, dir_fd=directory)
    try:
        if stat.S_IFMT(os.fstat(found).st_mode) != kind:
            raise OSError(errno.EINVAL, "is of another kind", name)
        return os.open(f"/proc/self/fd/{found}", flags)
    finally:
        os.close(found)


def send(ground: Ground, directory: str, letters: str) -> bool:
    """Write control letters to the service in `directory`; False when nobody supervises it.

    OSError, when somebody does and cannot be told: EAGAIN from one that reads no more letters.
    """
    try:
        supervise = _supervise(ground, directory)
    except OSError:
        return False
    try:
        descriptor = _open(supervise, "control", stat.S_IFIFO, _FIFO)
        try:
            os.write(descriptor, letters.encode("ascii"))
        finally:
            os.close(descriptor)
    except OSError as error:
        # Or it has gone since the FIFO was opened.
        if error.errno in (errno.ENOENT, errno.ENXIO, errno.EPIPE):
            return False
        raise OSError(error.errno, error.strerror, f"{directory}/supervise/control") from error
    finally:
        os.close(supervise)
    return True


def wait(ground: Ground, wishes: Sequence[Wish], seconds: float) -> list[Life]:
    """Wait until each service is as wished, or has given up since, `seconds` at most; give what all of them are then.

    The kernel's word wakes it (fcntl F_NOTIFY: runsv renames a new status into place), of `supervise` where there is one and else of
    the nearest directory that exists.
    """
    end = time.monotonic() + seconds
    seen = lives(ground, (wish[0] for wish in wishes))
    pending = [place for place, wish in enumerate(wishes) if not is_over(wish, seen[place])]
    if not pending:
        return seen
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGIO,))  # not queued: one wake-up stands for any number of changes
    watched: dict[str, int] = {}
    try:
        while pending:
            for place in pending:
                _watch(ground, wishes[place][0], watched)
            for place in pending:
                seen[place] = _life(ground, wishes[place][0])
            pending = [place for place in pending if not is_over(wishes[place], seen[place])]
            rest = end - time.monotonic()
            if not pending or rest <= 0:
                break
            signal.sigtimedwait((signal.SIGIO,), min(rest, _LONGEST_NAP))
    finally:
        for descriptor in watched.values():
            os.close(descriptor)
        while signal.sigtimedwait((signal.SIGIO,), 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return seen


def is_over(wish: Wish, life: Life) -> bool:
    """Whether there is nothing to wait for: it is as wished, or an end after that of before was its last."""
    _, condition, *before = wish
    return reached(wish, life) or (condition in ("running", "renewed") and life[5] and [life[3], life[4]] != before)


def reached(wish: Wish, life: Life) -> bool:
    """Tell whether `life` is what `wish` asks for."""
    _, condition, *before = wish
    supervised, running, want_up, pid, since, _, ready = life
    now = [pid, since]
    match condition:
        case "supervised":
            return supervised
        case "running":
            return running and ready
        case "renewed":
            return running and ready and now != before
        case "ended":
            return now != before
        case "down":
            return not supervised or not (now[0] or want_up)
        case "unsupervised":
            return not supervised
        case _:
            raise ValueError(condition)


def _watch(ground: Ground, directory: str, watched: dict[str, int]) -> None:
    """Ask for a signal when something in `supervise` changes, or in the service directory as long as there is none."""
    if f"{directory}/supervise" in watched:
        return
    with suppress(OSError):
        supervise = _supervise(ground, directory)
        try:
            watched[f"{directory}/supervise"] = _notify(supervise)
        finally:
            os.close(supervise)
        return
    if directory not in watched:
        with suppress(OSError):
            watched[directory] = _notify(ground.directory(directory))


def _notify(directory: int) -> int:
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        # Told to this thread, not to the process: another thread, which does not block SIGIO, would die of it.
        fcntl.fcntl(descriptor, _F_SETOWN_EX, struct.pack("ii", _F_OWNER_TID, get_native_id()))
        fcntl.fcntl(descriptor, fcntl.F_NOTIFY, _CHANGES)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def looked_into(ground: Ground, directories: Iterable[str], pids: Iterable[int], surely: bool) -> list[tuple[bool, str]]:
    """Tell of each directory whether a runsvdir among the processes `pids` names it, or, unless `surely`, something in it is
    supervised; and what it is called without links; "" where there is none.
    """
    found = []
    named = processes.named_by_runsvdirs(pids)
    for directory in directories:
        try:
            here = ground.directory(directory)
            place = os.readlink(f"/proc/self/fd/{here}")
            names = [name for name in _list(here) if not name.startswith(".")]
        except OSError:
            found.append((False, ""))
        else:
            sign = not surely and any(_supervised(here, name) for name in names)
            found.append((sign or not named.isdisjoint((directory, place)), place))
    return found


def _supervised(directory: int, name: str) -> bool:
    try:
        supervise = os.open(f"{name}/supervise", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    try:
        os.close(_open(supervise, "ok", stat.S_IFIFO, _FIFO))
    except OSError:
        return False
    finally:
        os.close(supervise)
    return True


def _list(directory: int) -> list[str]:
    descriptor = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        return os.listdir(descriptor)
    finally:
        os.close(descriptor)


OPERATIONS: dict[str, Callable[..., Any]] = {function.__name__: function for function in (lives, send, wait, looked_into)}
"""What a hand can be asked to do, by name."""
