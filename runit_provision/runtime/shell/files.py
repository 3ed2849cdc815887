"""`supervise/` of a service or of its log: the lock, the FIFOs, and the three files that say how it is; runsv(8).

Everything is opened relative to the service directory, and no link is followed inside supervise/, which may belong to another user
(delegated control). supervise/ itself may be a link, to a tmpfs for one.
"""

from __future__ import annotations

import fcntl
import os
import stat

from ..wire import errors
from ..wire import status as wire

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW


class RefusedError(Exception):
    """This service cannot be supervised now; the text is what runsv says of it."""


class Supervise:
    """An open supervise/; `control` is read for letters, `ok` vouches for the status, `pipe` in log/supervise/ is the log's."""

    __slots__ = ("_directory", "_lock", "_pid", "_prefix", "control", "ok", "pipe")

    def __init__(self, directory: int, prefix: str) -> None:
        """Take supervise/ of the service directory `directory`; prefix: empty, or `log/`. Raises RefusedError."""
        self._directory = directory
        self._prefix = prefix + "supervise/"
        self._pid: bytes | None = None
        self._lock = self.ok = self.control = self.pipe = -1
        try:
            self._make_directory(prefix)
            self._take_lock()
            self.control = self.open_fifo("control")
            # It is there, with nobody at its end yet, before anything runs: a run that gives control away changes its owner.
            self._make_fifo("ok")
            if prefix:
                self.pipe = self.open_fifo("pipe")
        except BaseException:
            self.close()
            raise

    def open_ok(self) -> None:
        """Say that somebody is there: from now on `sv` believes the status. Once is enough."""
        if self.ok < 0:
            self.ok = self.open_fifo("ok")

    def publish(self, status: wire.Status) -> None:
        """Write pid (when it changed), stat and status, each by rename; RefusedError tells what could not be written."""
        pid = wire.pid_text(status)
        if pid != self._pid:
            self.replace("pid", pid)
            self._pid = pid
        self.replace("stat", wire.stat_text(status))
        self.replace("status", wire.pack(status))

    def read(self, name: str, size: int) -> bytes:
        """Give at most `size` bytes of a file of this directory; OSError when there is none, or something else."""
        fd = os.open(self._prefix + name, os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=self._directory)
        try:
            return os.read(fd, size) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
        finally:
            os.close(fd)

    def close(self) -> None:
        """Let go of everything; the lock is free, and `sv` finds nobody."""
        for fd in (self.ok, self.control, self.pipe, self._lock):
            if fd >= 0:
                os.close(fd)
        self._lock = self.ok = self.control = self.pipe = -1

    def close_pipe(self) -> None:
        """Let the log read to its end."""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def stop_writing(self) -> None:
        """Keep what the log's FIFO holds, but be no writer: its reader reaches the end."""
        reader = self.open_pipe(os.O_RDONLY | os.O_NONBLOCK)
        os.close(self.pipe)
        self.pipe = reader

    def open_pipe(self, flags: int) -> int:
        """Give another open file description of the log's FIFO."""
        return os.open(f"/proc/self/fd/{self.pipe}", flags | os.O_CLOEXEC)

    def _make_directory(self, prefix: str) -> None:
        path = self._prefix[:-1]
        try:
            os.mkdir(path, 0o700, dir_fd=self._directory)
        except OSError as error:
            try:
                target = os.readlink(path, dir_fd=self._directory)
            except OSError as unreadable:
                # Neither made nor a link: there already, or what follows will say what is wrong.
                if isinstance(error, FileExistsError) or unreadable.errno in {2, 22}:
                    return
                raise _refused(f"unable to readlink ./{path}", unreadable) from None
            try:
                os.mkdir(target if target.startswith("/") else prefix + target, 0o700, dir_fd=self._directory)
            except OSError:
                return

    def _take_lock(self) -> None:
        path = self._prefix + "lock"
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK
            self._lock = os.open(path, flags | _FLAGS, 0o600, dir_fd=self._directory)
        except OSError as error:
            raise _refused(f"unable to open {path}", error) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _refused(f"unable to lock {path}", error) from None

    def remove(self, name: str) -> None:
        """Remove a file of this directory, if it is there; RefusedError tells why that cannot be."""
        try:
            os.unlink(self._prefix + name, dir_fd=self._directory)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise _refused(f"unable to remove {self._prefix}{name}", error) from None

    def open_fifo(self, name: str) -> int:
        """Open for reading and writing: there is always a reader, nobody waits for a writer, and reading never meets EOF."""
        path = self._make_fifo(name)
        try:
            found = os.stat(path, dir_fd=self._directory, follow_symlinks=False)
            if not stat.S_ISFIFO(found.st_mode):
                raise RefusedError(f"{path} exists but is not a fifo")
            return os.open(path, os.O_RDWR | os.O_NONBLOCK | _FLAGS, dir_fd=self._directory)
        except OSError as error:
            raise _refused(f"unable to open {path}", error) from None

    def _make_fifo(self, name: str) -> str:
        """Have it there, as ours or as it was; give its path."""
        path = self._prefix + name
        try:
            os.mkfifo(path, 0o600, dir_fd=self._directory)
        except FileExistsError:
            pass
        except OSError as error:
            raise _refused(f"unable to create {path}", error) from None
        return path

    def replace(self, name: str, content: bytes) -> None:
        """Write a file of this directory by rename; RefusedError tells why that cannot be."""
        path = self._prefix + name
        new = path + ".new"
        try:
            fd = self._create(new)
            try:
                written = os.write(fd, content)
            finally:
                os.close(fd)
            if written < len(content):
                raise RefusedError(f"unable to write {new}: partial write.")
            os.rename(new, path, src_dir_fd=self._directory, dst_dir_fd=self._directory)
        except OSError as error:
            raise _refused(f"unable to write {path}", error) from None

    def _create(self, path: str) -> int:
        # Exclusively: what stands in the place may be a link or a hard link that another user put there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS
        try:
            return os.open(path, flags, 0o644, dir_fd=self._directory)
        except FileExistsError:
            os.unlink(path, dir_fd=self._directory)
            return os.open(path, flags, 0o644, dir_fd=self._directory)


def _refused(what: str, error: OSError) -> RefusedError:
    return RefusedError(f"{what}: {errors.words(error)}")
