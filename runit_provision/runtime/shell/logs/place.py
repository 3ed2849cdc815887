"""Where a log is: how its directory is opened, and for the shipped logger how it is made, safely.

A directory is walked to from `/`, one name at a time. One that only root and we ourselves can write is trusted: a symbolic link
in it was meant, and is followed, by walking on from its target. In any other, a name may be replaced by someone else at any
moment: root drops to the log's owner before it goes on, and follows no link there.
"""

from __future__ import annotations

import errno
import posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .settings import Settings

WALK = posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
PASS = posix.O_PATH | posix.O_DIRECTORY | posix.O_NOFOLLOW | posix.O_CLOEXEC
READ = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CLOEXEC
LINKS = 40
"""As many links as the kernel follows in a path."""
_NAME_PART = 200
"""Bytes of a directory's name that are in the one by which it is made; a name has at most 255."""


class Account:
    """Whom a log belongs to; groups: the supplementary ones."""

    __slots__ = ("gid", "groups", "name", "uid")

    def __init__(self, *, name: bytes, uid: int, gid: int, groups: list[int]) -> None:
        self.name = name
        self.uid = uid
        self.gid = gid
        self.groups = groups

    @classmethod
    def named(cls, name: bytes) -> Account:
        """Look an account up. Raises ValueError when there is none."""
        import pwd

        text = name.decode("utf-8", "surrogateescape")
        try:
            entry = pwd.getpwnam(text)
        except KeyError:
            raise ValueError(f"RSVLOG_USER: no such account: {text!a}") from None
        return cls(name=name, uid=entry.pw_uid, gid=entry.pw_gid, groups=posix.getgrouplist(text, entry.pw_gid))

    def become(self) -> None:
        """Drop to the account, for good. Raises OSError."""
        if posix.geteuid() == 0:
            posix.setgroups(self.groups)
        if posix.getegid() != self.gid:
            posix.setgid(self.gid)
        if posix.geteuid() != self.uid:
            posix.setuid(self.uid)


class Place:
    """A log directory by its `name`, as svlogd opens it: whatever the name leads to."""

    __slots__ = ("name",)

    def __init__(self, name: bytes) -> None:
        self.name = name

    @staticmethod
    def of(settings: Settings) -> MadePlace:
        """The place that rsvlog's settings name."""
        return MadePlace(settings.directory, Account.named(settings.user) if settings.user else None)

    def open(self) -> int:
        """Open the directory. Raises OSError."""
        return posix.open(self.name, READ)


class MadePlace(Place):
    """A log directory that is made when it is missing, for `owner`, or for whom we are."""

    __slots__ = ("_owner",)

    def __init__(self, name: bytes, owner: Account | None) -> None:
        super().__init__(name)
        self._owner = owner

    def make(self) -> None:
        """Make the directory. Raises OSError, its filename being the path so far."""
        posix.close(self.open())

    def refuse_other_owner(self) -> None:
        """Raise ValueError when the log is to be written by someone whom we are not."""
        if self._owner is not None and self._owner.uid != posix.geteuid():
            raise ValueError(f"RSVLOG_USER: this pool writes as uid {posix.geteuid()}, not {self._owner.uid}")

    def become_owner(self) -> None:
        """Drop to the owner, for good. Raises OSError."""
        if self._owner is not None:
            self._owner.become()

    def open(self) -> int:
        """Walk to the directory, making what is missing; may drop to the owner on the way. Raises OSError."""
        names = [name for name in self.name.split(b"/") if name not in (b"", b".")][::-1]
        at = posix.open(b"/", PASS)
        walked = [b""]
        links = 0
        try:
            while names:
                name = names.pop()
                if name == b"..":
                    raise OSError(errno.EINVAL, "", self.name)
                if not self._trusted(at):
                    self.become_owner()
                try:
                    link = self._link(at, name)
                    if link is None:
                        at = self._enter(at, name, last=not names)
                        walked.append(name)
                        continue
                    links += 1
                    if not self._trusted(at) or links > LINKS:
                        raise OSError(errno.ELOOP, "")
                except OSError as error:
                    raise OSError(error.errno, "", b"/".join([*walked, name])) from None
                parts = [part for part in link.split(b"/") if part not in (b"", b".")]
                if not link.startswith(b"/"):
                    parts = _joined(walked[1:], parts)
                posix.close(at)
                at = posix.open(b"/", PASS)
                walked = [b""]
                names.extend(parts[::-1])
            return posix.open(b".", READ | posix.O_DIRECTORY, dir_fd=at)
        finally:
            posix.close(at)

    def _trusted(self, directory: int) -> bool:
        status = posix.fstat(directory)
        return status.st_uid in (0, posix.geteuid()) and not status.st_mode & 0o022

    @staticmethod
    def _link(directory: int, name: bytes) -> bytes | None:
        try:
            return posix.readlink(name, dir_fd=directory)
        except OSError as error:
            if error.errno in (errno.EINVAL, errno.ENOENT):
                return None
            raise

    def _enter(self, directory: int, name: bytes, *, last: bool) -> int:
        """Open `name` in `directory` in its place, having made it if need be."""
        try:
            inner = posix.open(name, PASS, dir_fd=directory)
        except FileNotFoundError:
            if last and self._owner is not None and posix.geteuid() != self._owner.uid:
                self._give(directory, name, self._owner)
            else:
                posix.mkdir(name, 0o755, dir_fd=directory)
            inner = posix.open(name, WALK, dir_fd=directory)
        posix.close(directory)
        return inner

    @staticmethod
    def _give(directory: int, name: bytes, owner: Account) -> None:
        """Make `name` in `directory` for its owner: whole, or by a name where only the next attempt finds it.

        Who was killed, or had no descriptor, before it was given away would leave one that its owner cannot write. Only we can write
        `directory`, so what has that name is what was made.
        """
        made = b".rsvlog-" + name[:_NAME_PART]
        try:
            posix.mkdir(made, 0o755, dir_fd=directory)
        except FileExistsError:
            pass  # the attempt before got no further
        posix.chown(made, owner.uid, owner.gid, dir_fd=directory, follow_symlinks=False)
        posix.rename(made, name, src_dir_fd=directory, dst_dir_fd=directory)


def _joined(base: list[bytes], parts: list[bytes]) -> list[bytes]:
    """Give the names of `parts` seen from `base`, which holds no link any more."""
    joined = list(base)
    for part in parts:
        if part == b"..":
            joined = joined[:-1]
        else:
            joined.append(part)
    return joined
