"""Which directories are services: runsvdir's look at its directory, at once when something changes there.

The standard library has no inotify, but dnotify (fcntl(2), F_NOTIFY) tells that a directory changed; which is all that is needed, since
a look costs little. It says nothing of a link on the way to the directory that is replaced (runsvchdir), so the directory of every such
link is watched too; nor that the directory itself is moved, or one above it, so those that they stand in are watched: by another
signal, since a home, say, changes often, and one stat tells whether that is of any interest; nor that something is mounted over it,
which the list of mounts tells (proc(5)). Where a filesystem has no events (other hosts change it), a look every five seconds, as
runsvdir has it.
"""

from __future__ import annotations

import _signal
import errno
import fcntl
import os
import stat

from ...wire import errors
from .. import process

_EVENTS = fcntl.DN_CREATE | fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_ATTRIB | fcntl.DN_MULTISHOT
_MOVES = fcntl.DN_DELETE | fcntl.DN_RENAME | fcntl.DN_MULTISHOT
_MOVES_ABOVE = fcntl.DN_RENAME | fcntl.DN_MULTISHOT
_SILENT = ("nfs", "cifs", "smb3", "9p", "fuse", "ceph", "afs", "virtiofs", "glusterfs", "lustre", "vboxsf")
_LINKS_MAX = 40
_GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.ENAMETOOLONG}
"""What stat(2) fails with where no service is; any other error says nothing of that."""
BUILDING_NS = 1_000_000_000
"""A directory that is being filled where it stands is waited for this long, in nanoseconds: as long as runsvdir waits at least."""


class Found:
    """A directory that should be supervised.

    complete: it was moved or linked here, or nothing was added for a while; changed: its mtime in nanoseconds, for who looks twice.
    """

    __slots__ = ("changed", "complete", "identity", "name")

    def __init__(self, name: str, entry: os.stat_result, *, complete: bool) -> None:
        self.name = name
        self.identity = (entry.st_dev, entry.st_ino)
        self.changed = entry.st_mtime_ns
        self.complete = complete


class Watch:
    """The directories whose changes bring SIGIO, and all above them, whose changes bring SIGURG."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._fds: list[int] = []
        self._above: dict[tuple[str, int], int] = {}
        self._watched: tuple[int, int] | None = None
        self.polls = False

    def renew(self) -> None:
        """Watch what `path` leads to now; `polls` tells whether somebody must look by the clock all the same."""
        for fd in self._fds:
            os.close(fd)
        self._fds = []
        self.polls = False
        is_below = self.renew_above()
        self._watched = self._leads_to()
        if not is_below and self._watched is not None:
            self.polls = True  # it has come just now: nothing above it is watched before the next look
        way = _way(self._path)
        for directory in way:
            try:
                fd = _watch(directory, _EVENTS, _signal.SIGIO)
            except OSError:
                self.polls = True
                continue
            self._fds.append(fd)
            try:
                found = os.fstat(fd)
            except OSError:
                self.polls = True
                continue
            if _is_silent(found.st_dev):
                self.polls = True
            if directory == way[-1]:
                # What is watched, and not what has come into its place since: that is elsewhere.
                self._watched = (found.st_dev, found.st_ino)

    def renew_above(self) -> bool:
        """Watch what stands above; what is watched there already only if it is another one by now. False: nothing is below.

        What cannot be watched now is a cause to poll, until the next `renew`.
        """
        is_there = self._leads_to() is not None
        wanted = self._wanted_above() if is_there else set()  # else there is a look each second, and what is open cannot be unmounted
        for known in [known for known, fd in self._above.items() if known not in wanted or not _is(known[0], fd)]:
            os.close(self._above.pop(known))
        for directory, events in wanted - self._above.keys():
            try:
                self._above[directory, events] = _watch(directory, events, _signal.SIGURG)
            except OSError as error:
                # Where we may not look, few others may rename.
                self.polls = self.polls or error.errno in process.NOT_NOW
        return is_there

    def _wanted_above(self) -> set[tuple[str, int]]:
        way = _way(self._path)
        parent = os.path.dirname(way[-1])
        above = {directory for each in way for directory in _parents(each)} - {parent}
        return {(directory, _MOVES_ABOVE) for directory in above} | {(parent, _MOVES)}

    def is_elsewhere(self) -> bool:
        """Whether `path` leads to another directory than the one that is watched."""
        return self._leads_to() != self._watched

    def _leads_to(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino


def mounts() -> int:
    """Give a descriptor that EPOLLPRI comes for when anything is mounted, or no longer; proc(5). OSError."""
    return os.open("/proc/self/mountinfo", os.O_RDONLY | os.O_CLOEXEC)


def _watch(directory: str, events: int, number: int) -> int:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, number)
        fcntl.fcntl(fd, fcntl.F_NOTIFY, events)
    except OSError:
        os.close(fd)
        raise
    return fd


def _is(path: str, fd: int) -> bool:
    """Whether `path` still leads to the open directory."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False


def _parents(path: str) -> list[str]:
    pieces = path.rstrip("/").split("/")
    return ["/".join(pieces[:count]) or "/" for count in range(1, len(pieces))]


class Look:
    """What a look at a directory found.

    services: in the order of their names; unknown: names of which it cannot be known now whether they are services; complaints: what
    runsvdir says of the rest; entered, readable: whether that could be.
    """

    __slots__ = ("complaints", "entered", "readable", "services", "unknown")

    def __init__(self) -> None:
        self.services: list[Found] = []
        self.unknown: set[bytes] = set()
        self.complaints: list[str] = []
        self.entered = self.readable = False

    def complain(self, what: str, error: OSError) -> None:
        self.complaints.append(f"unable to {what}: {errors.words(error)}")


def look(path: str, shown: str, now_ns: int) -> Look:
    """Look for services in the directory `path`, which complaints call `shown`. Names that begin with a dot are none."""
    found = Look()
    what = "stat"
    directory = -1
    try:
        os.stat(path)
        what = "change directory to"
        os.stat(f"{path}/.")
        found.entered = True
        what = "open directory"
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        what = "read directory"
        names = sorted(os.listdir(directory))
        found.readable = True
        for name in names:
            if not name.startswith("."):
                _examine(directory, name, now_ns, found)
    except OSError as error:
        found.complain(f"{what} {shown}", error)
    finally:
        if directory >= 0:
            os.close(directory)
    return found


def glance(path: str, known: set[str], now_ns: int) -> list[Found] | None:
    """Look for services whose names are not `known`; None where that cannot be. What cannot be looked at is left to `look`."""
    found = Look()
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        for name in sorted(set(os.listdir(directory)) - known):
            if not name.startswith("."):
                _examine(directory, name, now_ns, found)
    except OSError:
        return None
    finally:
        os.close(directory)
    return found.services


def _examine(directory: int, name: str, now_ns: int, found: Look) -> None:
    try:
        entry = os.stat(name, dir_fd=directory)
        if stat.S_ISDIR(entry.st_mode):
            found.services.append(Found(name, entry, complete=_is_complete(directory, name, entry, now_ns)))
    except OSError as error:
        if error.errno not in _GONE:
            found.unknown.add(os.fsencode(name))
        found.complain(f"stat {name}", error)


def _is_complete(directory: int, name: str, entry: os.stat_result, now_ns: int) -> bool:
    if not 0 <= now_ns - entry.st_mtime_ns < BUILDING_NS:
        return True
    # Whoever makes a link or moves a directory has finished it: moving changes ctime and not mtime.
    if entry.st_ctime_ns != entry.st_mtime_ns:
        return True
    return stat.S_ISLNK(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode)


def _way(path: str) -> list[str]:
    """Give the directory that `path`, from the root on, leads to, and each directory in which a link stands that leads there."""
    found = []
    walked = "/"
    todo = [piece for piece in path.split("/") if piece]
    for _ in range(_LINKS_MAX * 8):
        if not todo:
            break
        piece = todo.pop(0)
        if piece == "..":
            walked = os.path.dirname(walked)
            continue
        step = os.path.join(walked, piece)
        try:
            target = os.readlink(step)
        except OSError:
            walked = step
            continue
        if walked not in found:
            found.append(walked)
        if target.startswith("/"):
            walked = "/"
        todo = [part for part in target.split("/") if part not in {"", "."}] + todo
    return [*found, walked]


def _is_silent(dev: int) -> bool:
    """Whether the filesystem on `dev` is one that others change without our kernel knowing."""
    number = f"{os.major(dev)}:{os.minor(dev)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                fields, _, rest = line.partition(" - ")
                if fields.split()[2] == number:
                    return rest.split()[0].startswith(_SILENT)
    except (OSError, IndexError):
        pass
    return False
