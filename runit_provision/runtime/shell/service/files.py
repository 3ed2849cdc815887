"""`supervise/` of a service or of its log: the lock, the FIFOs, and the three files that say how it is; runsv(8).

Everything is opened relative to the service directory, and no link is followed inside supervise/, which may belong to another user
(delegated control). supervise/ itself may be a link, to a tmpfs for one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat

from ...wire import errors, holder
from ...wire import status as wire
from .. import descriptors, process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable

    from .home import Home

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
NOT_NOW = frozenset({*process.NOT_NOW, errno.EIO})
"""What a call about a file fails with that does not say that there is none, nor what it is."""


class RefusedError(Exception):
    """This service cannot be supervised now; the text is what runsv says of it. number: the errno of it, 0 for none."""

    number = 0


class LockedError(RefusedError):
    """Another one supervises it."""


class Supervise:
    """An open supervise/; `control` is read for letters, `ok` vouches for the status, `pipe` in log/supervise/ is the log's."""

    __slots__ = ("_home", "_lock", "_ok", "_pid", "_pipe", "_pipe_flags", "_pipe_is", "_prefix", "_vouches", "control")

    def __init__(self, home: Home, prefix: str, *, is_new: bool = True) -> None:
        """Take supervise/ of the service directory `home`; prefix: empty, or `log/`. Raises RefusedError.

        is_new: whether nothing can be open yet of what is not there; else a log's pipe that is missing waits for `find_pipe`.
        """
        self._home = home
        self._prefix = "log/supervise/" if prefix else "supervise/"
        self._pid = -1  # as it was written last
        self._lock = self._ok = self.control = self._pipe = -1
        self._pipe_flags = os.O_RDWR if prefix else -1
        self._pipe_is: tuple[int, int] | None = None
        self._vouches = False
        try:
            self._open(prefix, is_new=is_new)
        except BaseException:
            self.close()
            raise
        home.files += (self,)

    def _open(self, prefix: str, *, is_new: bool) -> None:
        self._take_lock(lambda: self._make_directory(prefix))
        self.control = self.open_fifo("control")
        # It is there, with nobody at its end yet, before anything runs: a run that gives control away changes its owner.
        self._make_fifo("ok")
        if prefix and (is_new or self._is_fifo(self._prefix + "pipe")):
            self._pipe = self.open_fifo("pipe")

    @property
    def lacks_pipe(self) -> bool:
        """Whether `find_pipe` is to find the FIFO to the log."""
        return self.has_pipe and self._pipe < 0 and self._pipe_is is None

    def find_pipe(self, pids: Iterable[int]) -> bool:
        """Have the FIFO that one of these processes writes to, or reads, though its name was removed; False: a new one."""
        path = os.path.realpath(f"/proc/self/fd/{self._home.fd}/{self._prefix}")
        try:
            owner = os.stat(self._prefix, dir_fd=self._home.fd).st_uid
        except OSError as error:
            raise _refused(f"unable to stat {self._prefix[:-1]}", error) from None
        found = self._find_pipe(path + "/pipe", pids, {os.geteuid(), owner})
        if not found:
            self._pipe = self.open_fifo("pipe")
        return found

    def _find_pipe(self, path: str, pids: Iterable[int], owners: Container[int]) -> bool:
        """Have what had been made at `path` by one of `owners` and has no name now.

        What a process has open there may be another FIFO all the same, be it one that it may only name: mounted in its own namespace.
        But that is somebody's, and has its name.
        """

        def had_that_name(fd: int) -> bool:
            found = os.fstat(fd)
            is_nameless = stat.S_ISFIFO(found.st_mode) and not found.st_nlink and found.st_uid in owners
            return is_nameless and os.readlink(f"/proc/self/fd/{fd}") == path + process.DELETED

        for pid in pids:
            try:
                for fd, leads_to in process.open_files(pid):
                    if leads_to == path and self._take_pipe(had_that_name, fd):
                        return True
            except OSError:
                continue  # it has ended, or is none of our business
        return False

    def _take_pipe(self, right: Callable[[int], bool], path: str, flags: int = 0, directory: int | None = None) -> bool:
        """Have what is at `path` as the log's FIFO, if it is `right`. OSError."""
        pipe = descriptors.opened_if(right, path, self._pipe_flags | os.O_NONBLOCK | flags, directory)
        if pipe >= 0:
            self._pipe = self._home.opened(pipe)
        return pipe >= 0

    @property
    def has_pipe(self) -> bool:
        """Whether there is a FIFO to the log, and it is ours still."""
        return self._pipe_flags >= 0

    @property
    def pipe(self) -> int:
        """The FIFO to the log, open. OSError when it cannot be opened again."""
        if self._pipe < 0:
            self._open_pipe_again()
        return self._pipe

    def _open_pipe_again(self) -> None:
        try:
            if self._take_pipe(self._is_the_pipe, self._prefix + "pipe", os.O_NOFOLLOW, self._home.fd):
                return
        except FileNotFoundError:
            pass
        # It was removed, or replaced, but service and logger go on with theirs.
        for pid in self._home.pids():
            for fd in process.descriptors(pid, self._pipe_is):
                if self._take_pipe(self._is_the_pipe, f"/proc/{pid}/fd/{fd}"):
                    return
        raise OSError(errno.ESTALE, f"{self._prefix}pipe was removed, or another one has taken its place")

    def _is_the_pipe(self, fd: int) -> bool:
        return descriptors.is_fifo(fd) and _identity(fd) == self._pipe_is

    def doors(self) -> dict[int, int]:
        """Give what is open and can be held by others too, by its kind."""
        if self._prefix.startswith("log"):
            kinds = (holder.LOG_LOCK, holder.LOG_OK, holder.LOG_CONTROL, holder.PIPE)
        else:
            kinds = (holder.LOCK, holder.OK, holder.CONTROL, holder.PIPE)
        fds = (self._lock, self._ok, self.control, self._pipe)
        return {kind: fd for kind, fd in zip(kinds, fds, strict=True) if fd >= 0}

    def take_again(self) -> None:
        """Have the lock, and supervise/ok where it was open, as before they were shed; RefusedError when that cannot be."""
        if self._lock < 0:
            self._take_lock()
        if self._vouches and self._ok < 0:
            self._ok = self.open_fifo("ok")
        if self.has_pipe:
            try:
                self.pipe  # noqa: B018 - opened again
            except OSError as error:
                raise _refused(f"unable to open {self._prefix}pipe", error) from None

    def shed(self, but: Container[int] = ()) -> None:
        """Close what others hold, or can be opened again; but: the descriptors that stay open."""
        if self._pipe >= 0:
            self._pipe_is = _identity(self._pipe)
        self._ok, self._pipe, self._lock = (_closed(fd, but) for fd in (self._ok, self._pipe, self._lock))

    @property
    def is_shed(self) -> bool:
        """Whether nothing is open that `shed` would close."""
        return self._ok < 0 and self._pipe < 0 and self._lock < 0

    def open_ok(self) -> bool:
        """Say that somebody is there: from now on `sv` believes the status. Once is enough; True when that was now."""
        if self._vouches:
            return False
        self._ok = self.open_fifo("ok")
        self._vouches = True
        return True

    def announce(self, status: wire.Status, *, lasts: bool) -> None:
        """Have a first status, if there is room for one, and let it count; RefusedError when `sv` cannot be told that we are there.

        lasts: whether it is to be read for longer than a start takes; then pid and stat say so too.
        """
        try:
            if lasts:
                self.publish(status)
            else:
                # Nobody reads it before supervise/ok is open, so it needs no other name at first.
                self._fill("status", wire.pack(status))
        except RefusedError:
            pass  # it is told with the next one
        self.open_ok()

    def publish(self, status: wire.Status, *, left: bool = False) -> None:
        """Write pid (when it changed), stat and status, each by rename, whatever becomes of the others.

        left: whether a supervisor before has left some, which are not written again when they are true. RefusedError tells what could
        not be written first.
        """
        pid = status.pid
        refusals = []
        try:
            if pid != self._pid:
                self._replace("pid", wire.pid_text(status), left)
            self._pid = pid
        except RefusedError as refusal:
            refusals.append(refusal)
        try:
            self._replace("stat", wire.stat_text(status), left)
        except RefusedError as refusal:
            refusals.append(refusal)
        try:
            self._replace_status(wire.pack(status), left)
        except RefusedError as refusal:
            refusals.append(refusal)
        if refusals:
            raise refusals[0]

    def _replace_status(self, content: bytes, left: bool) -> None:
        try:
            self._replace("status", content, left)
        except RefusedError as refusal:
            # A false one is worse than none, and what it takes may be all the room that is wanting.
            try:
                self.remove("status")
                self._fill("status", content)
            except RefusedError:
                raise refusal from None

    def _replace(self, name: str, content: bytes, left: bool) -> None:
        try:
            if left and self._holds(name, content):
                return
        except OSError:
            pass
        self.replace(name, content)

    def _holds(self, name: str, content: bytes) -> bool:
        fd = os.open(self._prefix + name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=self._home.fd)
        try:
            return os.pread(fd, len(content) + 1, 0) == content  # which takes nothing out of what is no file
        finally:
            os.close(fd)

    def read(self, name: str, size: int) -> bytes:
        """Give at most `size` bytes of a file of this directory; OSError when there is none, or something else."""
        fd = os.open(self._prefix + name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=self._home.fd)
        try:
            return os.read(fd, size) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of everything; the lock is free, and `sv` finds nobody."""
        self.shed()
        if self.control >= 0:
            os.close(self.control)
        self.control = self._pipe_flags = -1

    def stop_writing(self) -> None:
        """Keep what the log's FIFO holds, but be no writer: its reader reaches the end."""
        reader = self.open_pipe(os.O_RDONLY | os.O_NONBLOCK)
        os.close(self._pipe)
        self._pipe, self._pipe_flags = reader, os.O_RDONLY

    def close_pipe(self) -> None:
        """Have no more to do with the log's FIFO."""
        if self._pipe >= 0:
            os.close(self._pipe)
        self._pipe = self._pipe_flags = -1

    def open_pipe(self, flags: int) -> int:
        """Give another open file description of the log's FIFO."""
        return descriptors.opened_again(self.pipe, flags, self._prefix + "pipe", self._home.fd)

    def _make_directory(self, prefix: str) -> None:
        path = self._prefix[:-1]
        try:
            os.mkdir(path, 0o700, dir_fd=self._home.fd)
        except OSError as error:
            try:
                target = os.readlink(path, dir_fd=self._home.fd)
            except OSError as unreadable:
                if isinstance(error, FileExistsError) or unreadable.errno == errno.EINVAL:
                    return  # it is there already, and no link
                if unreadable.errno == errno.ENOENT:
                    raise _refused(f"unable to create ./{path}", error) from None
                raise _refused(f"unable to readlink ./{path}", unreadable) from None
            try:
                os.mkdir(target if target.startswith("/") else prefix + target, 0o700, dir_fd=self._home.fd)
            except OSError:
                return

    def _take_lock(self, make_directory: Callable[[], None] | None = None) -> None:
        """Have the lock alone, and first the directory where it is missing and may be made; RefusedError."""
        path = self._prefix + "lock"
        try:
            try:
                lock = self._open_lock(path)
            except FileNotFoundError:
                if make_directory is None:
                    raise
                make_directory()
                lock = self._open_lock(path)
            self._lock = self._home.opened(lock)
        except OSError as error:
            raise _refused(f"unable to open {path}", error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            self._lock = -1
            raise LockedError(f"unable to lock {path}: {errors.words(error)}") from None

    def _open_lock(self, path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | _FLAGS, 0o600, dir_fd=self._home.fd)

    def remove(self, name: str) -> None:
        """Remove a file of this directory, if it is there; RefusedError tells why that cannot be."""
        try:
            os.unlink(self._prefix + name, dir_fd=self._home.fd)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _refused(f"unable to remove {self._prefix}{name}", error) from None

    def open_fifo(self, name: str) -> int:
        """Open for reading and writing: there is always a reader, nobody waits for a writer, and reading never meets EOF."""
        path = self._prefix + name
        try:
            if not self._is_fifo(path):
                self._make_fifo(name)
            fifo = os.open(path, os.O_RDWR | os.O_NONBLOCK | _FLAGS, dir_fd=self._home.fd)
            if not descriptors.is_fifo(fifo):  # what was seen may have been exchanged since, by who has supervise/
                os.close(fifo)
                raise _no_fifo(path)
            return self._home.opened(fifo)
        except OSError as error:
            raise _refused(f"unable to open {path}", error) from None

    def _is_fifo(self, path: str) -> bool:
        """Whether it is there; RefusedError when something else is."""
        try:
            found = os.stat(path, dir_fd=self._home.fd, follow_symlinks=False)
        except FileNotFoundError:
            return False
        if not stat.S_ISFIFO(found.st_mode):
            raise _no_fifo(path)
        return True

    def _make_fifo(self, name: str) -> None:
        """Have it there, as ours or as it was."""
        path = self._prefix + name
        try:
            os.mkfifo(path, 0o600, dir_fd=self._home.fd)
        except FileExistsError:
            pass
        except OSError as error:
            raise _refused(f"unable to create {path}", error) from None

    def replace(self, name: str, content: bytes, *, instead: bytes = b"") -> None:
        """Write a file of this directory by rename; RefusedError tells why that cannot be.

        instead: what a link of that name is to hold then, if there is room for that.
        """
        try:
            self._fill(name + ".new", content)
            self._rename(name)
        except RefusedError:
            if instead:
                self._link(name, instead)
            raise

    def _rename(self, name: str) -> None:
        path, new = self._prefix + name, name + ".new"
        try:
            os.rename(self._prefix + new, path, src_dir_fd=self._home.fd, dst_dir_fd=self._home.fd)
        except OSError as error:
            raise _refused(f"unable to rename {new} to {path}", error) from None

    def _link(self, name: str, content: bytes) -> None:
        try:
            os.symlink(content, os.fsencode(self._prefix + name + ".new"), dir_fd=self._home.fd)
            self._rename(name)
        except (OSError, RefusedError):
            pass  # what stood in the way of the file does so here too

    def _fill(self, name: str, content: bytes) -> None:
        """Write a new file; RefusedError when that cannot be, or not whole."""
        path = self._prefix + name
        try:
            fd = self._create(path)
        except OSError as error:
            raise _refused(f"unable to open {path}", error) from None
        reason = ""
        try:
            try:
                if os.write(fd, content) != len(content):
                    reason = "partial write."
            finally:
                os.close(fd)  # which tells on some filesystems what has become of the write
        except OSError as error:
            reason = errors.words(error)
        if reason:
            self.remove(name)
            raise RefusedError(f"unable to write {path}: {reason}")

    def _create(self, path: str) -> int:
        # Exclusively: what stands in the place may be a link or a hard link that another user put there.
        try:
            return os.open(path, _NEW, 0o644, dir_fd=self._home.fd)
        except FileExistsError:
            os.unlink(path, dir_fd=self._home.fd)
            return os.open(path, _NEW, 0o644, dir_fd=self._home.fd)


class Removed(Supervise):
    """What a service whose directory is gone has until it has ended: no lock, no letters and no status, only the log's FIFO."""

    __slots__ = ()

    def _open(self, prefix: str, *, is_new: bool) -> None:  # noqa: ARG002 - there is nothing to be opened
        # Waited at like a FIFO, and nobody writes to it.
        self.control = self._home.opened(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK))

    def _take_lock(self, make_directory: Callable[[], None] | None = None) -> None:
        """Nobody else could have it."""

    def find_pipe(self, pids: Iterable[int]) -> bool:
        found = self._find_pipe(f"{os.fsdecode(self._home.identity.path)}/{self._prefix}pipe", pids, {os.geteuid()})
        if not found:
            self._pipe_flags = -1
        return found


def _closed(fd: int, but: Container[int]) -> int:
    if fd < 0 or fd in but:
        return fd
    os.close(fd)
    return -1


def _identity(fd: int) -> tuple[int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino


def _no_fifo(path: str) -> RefusedError:
    return RefusedError(f"{path} exists but is not a fifo")


def _refused(what: str, error: OSError) -> RefusedError:
    refusal = RefusedError(f"{what}: {errors.words(error)}")
    refusal.number = error.errno or 0
    return refusal
