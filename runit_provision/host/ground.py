"""Directories reached safely: by descriptors, one component at a time, following no link that somebody else could have put there.

Two kinds of ground. An account's realm begins at its base (a home), is trodden with that account's credentials only, and no link
in it is followed at all. The system's realm begins at the root (of the host or of an image); a link in it is followed when it and
the directory that holds it belong to root or to the caller, and nobody else can write there: Debian's /etc/service is such a link.
A directory in the way that others own, or that all can write and that is not sticky, is refused: what lies there can be swapped.
"""

from __future__ import annotations

import errno
import os
import stat
import time

from runit_provision.host import locks

_PATH = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 40  # as the kernel's own limit, path_resolution(7)
LOCK = "lock"
"""The name of what is locked, in an account's realm."""
_NO_LOCK = "is in the place of a lock, and none: move it away"
_CLAIMING = 3.0
"""Seconds to wait for another who works below the same base: nobody may hold up all others' work for longer."""


class NotTrustedError(OSError):
    """A directory that somebody else can write, or a link that nobody may follow, is in the way."""

    def __init__(self, message: str, path: str) -> None:
        super().__init__(errno.EPERM, message, path)


class Ground:
    """The directories below a realm's base; all paths are absolute and begin with it.

    root: a descriptor of the directory that `/` means (the host's or an image's). account: the uid that the realm belongs to, or
    None for the system's realm. The base is opened at the first use, so that credentials can be dropped before. way: what lies above
    the base, where somebody else has opened it.
    """

    def __init__(self, root: int, base: str, *, account: int | None = None, way: int | None = None) -> None:
        self._root = root
        self._base = base
        self._account = account
        self._trusted = frozenset((0, os.geteuid(), os.fstat(root).st_uid))  # in a user namespace root's own `/` shows as nobody's
        self._chain: list[tuple[str, int]] = []
        self._way = way
        self._claim: int | None = None

    @property
    def base(self) -> str:
        """The directory that everything lies below."""
        return self._base

    def approach(self) -> int:
        """Open what lies above an account's base, which only the one who applies may be able to pass; give its descriptor."""
        if self._way is None:
            self._way = self._walk(os.dup(self._root), _names(os.path.dirname(self._base)), at="/")
        return self._way

    def claim(self, name: str) -> None:
        """Keep away, until `close`, every other who changes something below an account's base; OSError when one stays for too long.

        Root and the account itself may both apply there, each with a library of its own, but with the same staging names. name: the
        directory below the base for the lock. That is a file which only the account can open: whoever reads the base could lock that.
        It stays, so that there is never a second one for those who come later.
        """
        if self._account is None:
            return
        path = f"{self._base.rstrip('/')}/{name}"
        end = time.monotonic() + _CLAIMING
        while self._claim is None:
            lock = self._lock_file(self._account, path)
            try:
                left = end - time.monotonic()
                if left < 0 or not _taken(lock, left):
                    raise OSError(errno.EBUSY, "another apply works in it", self._base)
                if self._lies(lock, f"{name}/{LOCK}"):
                    self._claim = lock
            finally:
                if self._claim is None:
                    os.close(lock)
                    self.forget(path)

    def _lock_file(self, account: int, path: str) -> int:
        """Open the lock in the directory `path`; both are made where they are missing. NotTrustedError when others could hold it."""
        try:
            directory = self.directory(path)
        except FileNotFoundError:
            above, name = self.parent(path)
            try:
                os.mkdir(name, 0o700, dir_fd=above)
            except FileExistsError:
                pass  # by another who claims it as well
            except OSError as error:
                raise _named(error, path) from None
            directory = self.directory(path)
        _own(directory, account, stat.S_IWGRP | stat.S_IWOTH, path)
        file = f"{path}/{LOCK}"
        try:
            lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=directory)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise NotTrustedError(_NO_LOCK, file) from None
            raise _named(error, file) from None
        try:
            found = os.fstat(lock)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                raise NotTrustedError(_NO_LOCK, file)
            _own(lock, account, stat.S_IRWXG | stat.S_IRWXO, file)
        except BaseException:
            os.close(lock)
            raise
        return lock

    def _lies(self, descriptor: int, name: str) -> bool:
        """Whether `descriptor` is still what has that name below the base, and not what somebody took away while it was waited for."""
        try:
            found = os.stat(name, dir_fd=self.directory(self._base), follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(found, os.fstat(descriptor))

    def close(self) -> None:
        """Close every descriptor but the root's."""
        if self._claim is not None:
            os.close(self._claim)
            self._claim = None
        while self._chain:
            os.close(self._chain.pop()[1])
        if self._way is not None:
            os.close(self._way)
            self._way = None

    def directory(self, path: str) -> int:
        """Give a descriptor (O_PATH) of the directory `path`, valid until the next call; OSError with the path that failed."""
        if self._chain and self._chain[-1][0] == path:
            return self._chain[-1][1]
        chain = self._chain or self._begin()
        while not _leads(chain[-1][0], path):
            os.close(chain.pop()[1])
            if not chain:
                raise ValueError(f"{path} is not below {self._base}")
        at, descriptor = chain[-1]
        for name in _names(path[len(at) :]):
            at = f"{at.rstrip('/')}/{name}"
            try:
                descriptor = self._enter(descriptor, name, at)
            except OSError as error:
                raise _named(error, at) from None
            chain.append((at, descriptor))
        return descriptor

    def _enter(self, above: int, name: str, at: str) -> int:
        try:
            descriptor = os.open(name, _PATH, dir_fd=above)
        except NotADirectoryError:
            if self._account is not None:
                raise
            return self._walk(os.dup(above), [name], at=os.path.dirname(at))
        if self._account is None:
            try:
                self._trust(descriptor, at)
            except NotTrustedError:
                os.close(descriptor)
                raise
        return descriptor

    def forget(self, path: str) -> None:
        """Drop what is held of the directory `path`: it was moved, or goes."""
        while self._chain and _leads(path, self._chain[-1][0]):
            os.close(self._chain.pop()[1])

    def parent(self, path: str) -> tuple[int, str]:
        """Give a descriptor of the directory that holds `path`, and its last name."""
        above, _, name = path.rpartition("/")
        return self.directory(above or "/"), name

    def _begin(self) -> list[tuple[str, int]]:
        if self._account is None:
            descriptor = self._walk(os.dup(self._root), _names(self._base), at="/")
            self._chain.append((self._base, descriptor))
            return self._chain
        try:
            descriptor = os.open(os.path.basename(self._base), _PATH, dir_fd=self.approach())
        except OSError as error:
            raise _named(error, self._base) from None
        self._chain.append((self._base, descriptor))
        found = os.fstat(descriptor)
        wrong = f"belongs to uid {found.st_uid}, not to {self._account}" if found.st_uid != self._account else ""
        if found.st_mode & stat.S_IWOTH:
            wrong = wrong or "can be written by all"
        if wrong:
            os.close(self._chain.pop()[1])
            raise NotTrustedError(wrong, self._base)
        return self._chain

    def _walk(self, descriptor: int, names: list[str], *, at: str) -> int:
        """Go from `descriptor`, which is closed on the way, through `names`; links that can be trusted are followed."""
        names = names[::-1]
        links = 0
        try:
            while names:
                name = names.pop()
                if name == ".." and _same(descriptor, self._root):
                    continue
                at = os.path.normpath(f"{at.rstrip('/')}/{name}")
                try:
                    below = os.open(name, _PATH, dir_fd=descriptor)
                except OSError as error:
                    links += 1
                    if links > _MOST_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), at) from None
                    if error.errno != errno.ENOTDIR:
                        raise _named(error, at) from None
                    target = self._follow(descriptor, name, at)
                    names += _names(target)[::-1]
                    if target.startswith("/"):
                        at = "/"
                        below = os.dup(self._root)
                    else:
                        at = os.path.dirname(at)
                        below = os.dup(descriptor)
                os.close(descriptor)
                descriptor = below
                self._trust(descriptor, at)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _follow(self, descriptor: int, name: str, at: str) -> str:
        found = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
        if not stat.S_ISLNK(found.st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "is not a directory", at)
        holder = os.fstat(descriptor)
        if found.st_uid not in self._trusted or holder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotTrustedError("is a symbolic link that others could have put there", at)
        return os.readlink(name, dir_fd=descriptor)

    def _trust(self, descriptor: int, at: str) -> None:
        found = os.fstat(descriptor)
        if found.st_uid not in self._trusted:
            raise NotTrustedError(f"belongs to uid {found.st_uid}, who could swap what lies in it", at)
        if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            raise NotTrustedError("can be written by all", at)


def _own(descriptor: int, account: int, others: int, path: str) -> None:
    """Raise NotTrustedError when it is not the account's, or others have any of the rights `others`."""
    found = os.fstat(descriptor)
    if found.st_uid != account:
        raise NotTrustedError(f"belongs to uid {found.st_uid}, not to {account}", path)
    if found.st_mode & others:
        raise NotTrustedError(f"is open to others (mode {stat.S_IMODE(found.st_mode):04o}): `chmod go=` shuts it", path)


def _taken(lock: int, seconds: float) -> bool:
    try:
        return locks.take(lock, seconds)
    except OSError:
        return True  # a filesystem that knows no such locks


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name and name != "."]


def _leads(above: str, path: str) -> bool:
    return above in ("/", path) or path.startswith(above + "/")


def _same(one: int, other: int) -> bool:
    first, second = os.fstat(one), os.fstat(other)
    return (first.st_dev, first.st_ino) == (second.st_dev, second.st_ino)


def _named(error: OSError, path: str) -> OSError:
    """Give `error` with the whole path in the place of the last name."""
    if isinstance(error, NotTrustedError):
        return error
    return OSError(error.errno, error.strerror, error.filename if str(error.filename).startswith("/") else path)
