"""Where apply remembers: LIBRARY/{manifest.json,before.ID.json,journal,last,kept/,lock}, all of it the caller's alone.

manifest.json   what was made here, as of the last apply that was completed
before.ID.json  the manifest that the apply ID began with, for rollback
journal         an apply that is under way, or was killed: what it was about to do, then what it had done
last            the journal of the last apply that was completed
undone          the journal of an apply that was killed, or failed, while a rollback of it is under way: `last` stays what it was
kept/           what was replaced or removed in the system's realm
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from runit_provision.errors import HostError, LockHeldError, Problem, before_any_change
from runit_provision.host import files, locks, looks, records
from runit_provision.host.ground import Ground
from runit_provision.host.remedies import refused
from runit_provision.model.observed import Journal, Life, Manifest

_OF_ROOT = "/var/lib/runit-provision"
"""Where root's lies, on the host or below an image."""


def default(root: Path) -> tuple[Path, str]:
    """Give the root and the path below it where the library lies."""
    if given := os.environ.get("RUNIT_PROVISION_LIB"):
        return Path("/"), os.path.abspath(given)
    if os.geteuid() == 0:
        return root, _OF_ROOT
    home = Path.home() / ".local/state/runit-provision/apply"
    return Path("/"), str(home if root == Path("/") else home / str(root).strip("/").replace("/", "-"))


def roots_is_another(here: str) -> bool:
    """Whether root has a library on this host, and the caller, whose lies at `here`, is not root."""
    return os.geteuid() != 0 and here != _OF_ROOT and os.path.isdir(_OF_ROOT)


def _before(journal: Journal) -> str:
    return f"before.{journal.id}.json"


class Library:
    """The folder itself. Nothing is created before something is to be remembered."""

    def __init__(self, root: int, path: str) -> None:
        self._ground = Ground(root, "/")
        self.path = path
        self._journal: int | None = None
        self._begun = ""
        self._kept: int | None = None
        self.held: tuple[int, ...] = ()
        """The lock's descriptor while it is held: the lock is, as long as anybody has that open."""

    def close(self) -> None:
        """Close what is open."""
        self._ground.close()
        self._end()
        if self._kept is not None:
            os.close(self._kept)
            self._kept = None

    @property
    def store(self) -> int:
        """Give a descriptor of `kept/`."""
        if self._kept is None:
            self._kept = os.dup(self._folder("kept"))
        return self._kept

    @property
    def begun(self) -> bool:
        """Whether anything was ever locked here, so that to lock it leaves nothing new."""
        return self._there(f"{self.path}/lock")

    @property
    def fresh(self) -> bool:
        """Whether nobody who had the lock has begun anything yet."""
        return files.names(self._ground, self.path) == ["lock"]

    def manifest(self) -> Manifest:
        """Give what is remembered; an empty manifest when nothing is. HostError when it is damaged."""
        return self._manifest("manifest.json")

    def before(self, journal: Journal) -> Manifest:
        """Give the manifest that the apply of `journal` began with."""
        return self._manifest(_before(journal))

    def journal(self) -> Journal | None:
        """Give the journal of an apply that was killed, or None."""
        return self._load("journal")

    def last(self) -> Journal | None:
        """Give the journal of the last apply that was completed, or None."""
        return self._load("last")

    def begin(self, journal: Journal, manifest: Manifest) -> None:
        """Write down what is going to be done, and make it last, before anything is.

        manifest: what was remembered before, and before any killed apply that this one completes.
        """
        self._folder("kept")
        self._write(_before(journal), records.dump_manifest(manifest))
        self._write("journal", records.dump_journal(journal))
        self._begun = _before(journal)
        self._end()
        self._journal = os.open("journal", os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._here())

    def note_lives(self, lives: dict[str, tuple[Life, Life]]) -> None:
        """Write down that all files have their new content, and what the services were then."""
        self._append(records.dump_lives(lives))

    def note_done(self, indices: Sequence[int]) -> None:
        """Write down that the calls of these numbers were answered."""
        self._append(records.dump_done(indices))

    def finish(self, manifest: Manifest) -> None:
        """Remember `manifest`, and put the journal where rollback finds it."""
        self.remember(manifest)
        with self._changing():
            here = self._here()
            self._drop("undone")
            self._tidy(self._begun)  # before, since nobody comes to do it once there is no journal
            os.rename("journal", "last", src_dir_fd=here, dst_dir_fd=here)
            files.sync(self._ground, (self.path,))
        self._end()

    def finish_rollback(self, manifest: Manifest, last: Journal | None) -> None:
        """Remember `manifest`, and forget what was undone. last: the apply that is the last one now, or None."""
        self.remember(manifest)
        with self._changing():
            if last is None:
                self._drop("last")
            self._drop("journal")
            self._drop("undone")  # after: who is killed here undoes once more what is undone, and not the one before it
            self._tidy(_before(last) if last else "")
            files.sync(self._ground, (self.path,))
        self._end()

    def set_aside(self) -> None:
        """Copy the journal of an apply that was killed, or failed, so that a rollback that is killed still knows what it undoes."""
        self._write("undone", self._read("journal") or b"")

    def undone(self) -> Journal | None:
        """Give the journal that was set aside, or None."""
        return self._load("undone")

    def _drop(self, name: str) -> None:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._here())

    def _tidy(self, kept: str) -> None:
        """Take away the manifests that applies began with, but for `kept`."""
        for name in files.names(self._ground, self.path):
            if name.startswith("before.") and name != kept:
                self._drop(name)

    def abandon(self, manifest: Manifest | None = None) -> None:
        """Forget what was going to be done: nothing was. manifest: what is remembered from now on."""
        if manifest:
            self.remember(manifest)
        with self._changing():
            self._drop("journal")
            self._drop(self._begun)
        self._end()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Let what the disk refuses here be told with its place."""
        try:
            yield
        except OSError as error:
            raise refused("cannot be written", error, self.path) from error

    def remember(self, manifest: Manifest) -> None:
        """Write the manifest down."""
        self._folder("")
        self._write("manifest.json", records.dump_manifest(manifest))

    @contextmanager
    def lock(self, *, timeout: float, command: str) -> Iterator[None]:
        """Hold the library's lock; LockHeldError, with who holds it, when it is not free within `timeout` seconds."""
        with before_any_change():
            self._folder("")
            descriptor = self._lock_file()
        try:
            if not locks.take(descriptor, timeout):
                said = f"held by {_holder(descriptor) or locks.locker(descriptor) or 'somebody'}"
                raise LockHeldError(Problem(said, path=f"{self.path}/lock", hint="wait for it with --lock-timeout"))
            with before_any_change(), self._changing():
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"pid {os.getpid()} ({command}) since {time.strftime('%F %T')}\n".encode(), 0)
                for name in self.half_written:
                    self._drop(name)
            self.held = (descriptor,)
            try:
                yield
            finally:
                with suppress(OSError):
                    os.ftruncate(descriptor, 0)
        finally:
            self.held = ()
            fcntl.flock(descriptor, fcntl.LOCK_UN)  # also for a hand that hangs in its account's filesystem, and cannot even die
            os.close(descriptor)

    @property
    def half_written(self) -> list[str]:
        """Give what one that was killed has left under the names by which files are made; whoever has the lock takes it away."""
        return [name for name in files.names(self._ground, self.path) if name.startswith(f"{files.STORE}.")]

    def holder(self) -> str:
        """Tell who holds the lock now, and since when, or ""; the lock itself is not tried for that."""
        try:
            descriptor = os.open("lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._here())
        except OSError:
            return ""
        try:
            said = _holder(descriptor)
            return said if said and locks.locker(descriptor) else ""
        except OSError:
            return ""
        finally:
            os.close(descriptor)

    def _lock_file(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            return os.open("lock", flags, 0o600, dir_fd=self._here())
        except OSError as error:
            raise refused("cannot be opened for writing", error, f"{self.path}/lock") from error

    def _end(self) -> None:
        if self._journal is not None:
            os.close(self._journal)
            self._journal = None

    def _here(self) -> int:
        return self._ground.directory(self.path)

    def _folder(self, name: str) -> int:
        path = f"{self.path}/{name}" if name else self.path
        try:
            return self._ground.directory(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            raise refused("cannot be used", error, str(error.filename)) from error
        missing = [path]
        while not self._there(os.path.dirname(missing[-1])):
            missing.append(os.path.dirname(missing[-1]))
        try:
            for folder in reversed(missing):
                files.make_directory(self._ground, folder, 0o700 if folder.startswith(self.path) else 0o755, os.geteuid(), os.getegid())
            return self._ground.directory(path)
        except OSError as error:
            raise refused("cannot be made", error, str(error.filename)) from error

    def _there(self, path: str) -> bool:
        return path == "/" or looks.exists(self._ground, [path])[0]

    def _read(self, name: str) -> bytes | None:
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NOATIME | os.O_CLOEXEC, dir_fd=self._here())
            with os.fdopen(descriptor, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
                return None  # root's library, looked at by an ordinary user: what it remembers is not for him
            raise refused("cannot be read", error, f"{self.path}/{name}") from error

    def _manifest(self, name: str) -> Manifest:
        data = self._read(name)
        if data is None:
            return Manifest()
        try:
            return records.load_manifest(data)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            hint = "move it away: everything is then taken as it is found, and nothing that the data left out is removed"
            raise HostError(Problem(f"is damaged: {error}", path=f"{self.path}/{name}", hint=hint)) from error

    def _load(self, name: str) -> Journal | None:
        data = self._read(name)
        if data is None:
            return None
        try:
            return records.load_journal(data)
        except (ValueError, KeyError, IndexError, TypeError) as error:
            raise HostError(Problem(f"is damaged: {error}", path=f"{self.path}/{name}", hint="move it away")) from error

    def _write(self, name: str, data: bytes) -> None:
        path = f"{self.path}/{name}"
        staging = files.staged(path)
        try:
            files.write(self._ground, staging, data, 0o600, os.geteuid(), os.getegid(), True)
            files.place(self._ground, staging, path)
            files.sync(self._ground, (self.path,))
        except OSError as error:
            with suppress(OSError):
                files.unlink(self._ground, staging)
            raise refused("cannot be written", error, path) from error

    def _append(self, line: bytes) -> None:
        if self._journal is None:
            raise ValueError("no journal was begun")
        try:
            os.write(self._journal, line)
            os.fsync(self._journal)
        except OSError as error:
            raise refused("cannot be written", error, f"{self.path}/journal") from error


def _holder(lock: int) -> str:
    return os.pread(lock, 200, 0).decode(errors="replace").strip()
