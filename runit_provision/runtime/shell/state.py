"""The private state directory of a tree: records, sockets and locks, where no other user can forge them.

    STATE/trees/KEY/            lock  records  ok  socket  stderr  pool-UID  pool-UID.journal
    STATE/services/DEV-INODE/   lock  records

STATE is $RUNIT_PROVISION_STATE, else /run/runit-provision for root, else ~/.local/state/runit-provision/host-NAME: several hosts may
share a home. Where that cannot be had, as without a home or with a read-only /run, it is in /dev/shm or /tmp, by a name that tells
user, host and container, unless somebody else has taken that. KEY is the directory's name as the supervisor was called with it, made
absolute: not its inode, since a run level is switched by replacing a link on the way.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from ..wire import records
from . import descriptors, process, state_place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TREES = "trees"
SERVICES = "services"
"""The kinds of state, runsvdir's and those of a runsv of its own."""


class NowhereError(Exception):
    """No private directory can be had; the text says why for people."""


class State:
    """An open state directory. `path` is empty and `directory` -1 when there is none: then nothing outlives the supervisor."""

    def __init__(self, path: str, *, directory: int, lock: int, table: int) -> None:
        self.path = path
        self.directory = directory
        self.lock = lock
        self.table = table
        self._ok = -1

    def try_lock(self) -> bool:
        """Become the one who may start a keeper; the keeper inherits the lock. False while another one holds it, or removed it."""
        if self.lock < 0:
            return True
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        try:
            return os.path.samestat(os.fstat(self.lock), os.stat("lock", dir_fd=self.directory))
        except FileNotFoundError:
            return False

    def names(self) -> list[str]:
        """Give what is in the directory.

        Keeper and stand-in are forks, which share one position in it: who is killed while it reads leaves that at the end for them.
        """
        own = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self.directory)
        try:
            return os.listdir(own)
        finally:
            os.close(own)

    def remove(self) -> None:
        """Leave nothing behind. Only for who has the lock: whoever opened it before finds that it is no file any more."""
        if self.directory >= 0:
            for name in self.names():
                os.unlink(name, dir_fd=self.directory)
            os.rmdir(self.path)

    def renew(self) -> None:
        """Make the directory anew, and be in it, where somebody removed it: what listens there is found again. OSError.

        Lock and records stay those that were removed, so the tree ends with those who have them.
        """
        if self.directory < 0:
            return
        here = os.fstat(self.directory)
        try:
            if os.path.samestat(here, os.stat(self.path)):
                return
        except FileNotFoundError:
            pass
        anew = _private(os.path.dirname(os.path.dirname(self.path)), self.path)
        os.dup2(anew, self.directory, inheritable=False)
        os.close(anew)

    def close(self) -> None:
        """Let go of it, and leave it as it is."""
        for fd in (self.directory, self.lock, self.table):
            if fd >= 0:
                os.close(fd)

    def take_lock(self, fd: int) -> None:
        """Share the lock that a keeper holds, by a copy of its descriptor."""
        os.dup2(fd, self.lock, inheritable=False)

    def prepare(self) -> None:
        """Void the table if it is of another version or boot, or of a container before this. Only for who has the lock."""
        if not self.is_of_now():
            os.ftruncate(self.table, 0)
            os.pwrite(self.table, records.pack_header(*process.life(), os.urandom(records.SECRET_SIZE)), 0)

    def void(self) -> None:
        """Let nobody believe the table, though it cannot be removed. Only for who has the lock. OSError."""
        os.pwrite(self.table, bytes(records.SIZE), 0)

    def is_of_now(self) -> bool:
        """Whether the table is of this version and boot, and of no container before this."""
        return records.is_of_life(os.pread(self.table, records.SIZE, 0), *process.life())

    def vouch(self) -> None:
        """Say that the table is as true as every service's `status`: `sv status` of many services reads it while `ok` has a reader."""
        if self.directory < 0:
            return
        try:
            os.mkfifo("ok", 0o600, dir_fd=self.directory)
        except FileExistsError:
            pass
        except OSError:
            return  # without room for it, each service is asked
        try:
            self._ok = os.open("ok", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.directory)
        except OSError:
            return

    def slot(self, number: int) -> bytes:
        """Give what stands in a slot."""
        return os.pread(self.table, records.SIZE, records.offset(number))

    def slots(self) -> list[int]:
        """Give each used slot's number."""
        # No more is asked for than there is: for that as much memory is had first, which every fork would keep.
        size, data = os.fstat(self.table).st_size, b""
        while piece := os.pread(self.table, size - len(data), len(data)):
            data += piece
        count = len(data) // records.SIZE
        return [slot for slot in range(1, count) if data[records.offset(slot)]]


def key(path: str) -> str:
    """Give the name that stands for an absolute `path`."""
    return os.fsdecode(state_place.key(os.fsencode(path)))


def path_of(name: str) -> str:
    """Give the path that `key` gave `name` for; another one, where nothing is, of a path too long to be in a name."""
    return "/" + name.replace("+", "/").replace("%2B", "+").replace("%25", "%").strip("/")


def open_state(kind: str, name: str) -> State:
    """Open STATE/KIND/NAME, and create it if need be; NowhereError when that is impossible or not private.

    kind: TREES or SERVICES.
    """
    if not process.is_told():
        is_mounted = os.path.exists("/proc/self/stat")
        raise NowhereError("/proc tells of another pid namespace" if is_mounted else "/proc is not mounted")
    refusals = []
    found: list[State] = []
    for place in map(os.fsdecode, state_place.places()):
        path = f"{place}/{kind}/{name}"
        if found and not os.path.isdir(path):
            continue
        try:
            found.append(_open(place, path))
        except OSError as error:
            refusals.append(f"{error.filename or place}: {error.strerror}")
    if not found:
        raise NowhereError(f"no state directory: {'; '.join(refusals)}")
    chosen = found[0] if len(found) == 1 else _inhabited(found)
    for other in found:
        if other is not chosen:
            other.close()
    return chosen


def _inhabited(states: list[State]) -> State:
    """Give the one that somebody has, else the first where something is known: the first of all could not be had for a while."""
    free = [state for state in states if state.try_lock()]
    held = [state for state in states if state not in free]
    known = [state for state in free if state.is_of_now() and state.slots()]
    return [*held, *known, *free][0]


def _open(place: str, path: str) -> State:
    directory = _private(place, path)
    lock = os.open("lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
    table = os.open("records", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600, dir_fd=directory)
    if not os.fstat(table).st_size:
        descriptors.keep_in_place(table)
    return State(path, directory=directory, lock=lock, table=table)


def _private(place: str, path: str) -> int:
    """Open, and create if need be, the directory `path` below `place`, which is ours alone."""
    _make(place)
    if complaint := state_place.complaint(os.fsencode(place)):
        raise PermissionError(1, complaint, place)
    _make(path)
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _make(path: str) -> None:
    """Make a directory, and those above it that are missing, for us alone: os.makedirs leaves the latter to the umask."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except FileNotFoundError:
        _make(os.path.dirname(path))
        _make(path)


def open_left(place: str, path: str, flags: int = 0, *, right: Callable[[int], bool] | None = None) -> State:
    """Open the state at `path`, which `place` leads to, if it is there, and our account's alone, or `right`. OSError."""
    opened: list[int] = []
    try:
        open_own(place, os.O_RDONLY | os.O_DIRECTORY | flags, opened, right=right)
        for name in ("lock", "records"):
            open_own(name, os.O_RDWR | os.O_NOFOLLOW, opened, directory=opened[0], right=right)
    except OSError:
        for fd in opened:
            os.close(fd)
        raise
    directory, lock, table = opened
    return State(path, directory=directory, lock=lock, table=table)


def open_own(
    path: str, flags: int, opened: list[int], *, directory: int | None = None, right: Callable[[int], bool] | None = None
) -> None:
    """Open what our account alone has, or what is `right`, as `descriptors.opened_if` asks it. OSError."""
    fd = descriptors.opened_if(right or (lambda found: is_own(os.fstat(found))), path, flags, directory)
    if fd < 0:
        raise PermissionError(errno.EPERM, "another account has it too", path)
    opened.append(fd)


def is_own(found: os.stat_result) -> bool:
    """Whether a file is our account's alone."""
    # What is called a keeper may be a setuid program that another account has called so, which has open what that account gave it.
    return found.st_uid == os.geteuid() and not found.st_mode & 0o077 and not stat.S_ISLNK(found.st_mode)


def be_own(fd: int) -> bool:
    """Let a file that our account has be nobody else's to read, though a `chmod -R` gave it to others; whether it is ours. OSError.

    What others could write is not.
    """
    found = os.fstat(fd)
    if found.st_uid != os.geteuid() or stat.S_ISLNK(found.st_mode) or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return False
    mode = 0o700 if stat.S_ISDIR(found.st_mode) else 0o600
    if stat.S_IMODE(found.st_mode) != mode:
        os.chmod(f"/proc/self/fd/{fd}", mode)
    return True


def without_directory() -> State:
    """Give a state that nothing outlives, for a host where no private directory can be had."""
    return State("", directory=-1, lock=-1, table=os.memfd_create("records", os.MFD_CLOEXEC))
