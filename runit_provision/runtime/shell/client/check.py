"""A service's ./check script: exit status 0 says that the service is not only running but available; sv(8)."""

from __future__ import annotations

import posix
from _signal import (
    SIG_BLOCK,
    SIG_DFL,
    SIG_SETMASK,
    SIGCHLD,
    SIGHUP,
    SIGINT,
    SIGKILL,
    SIGPIPE,
    SIGQUIT,
    SIGTERM,
    SIGXFSZ,
    getsignal,
    pthread_sigmask,
    signal,
)
from time import monotonic

from .. import environment
from ..console import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType
    from typing import NoReturn

    from .client import Client

_AT_A_TIME = 1 << 20
"""Bytes: what any pipe holds at most (pipe(7), /proc/sys/fs/pipe-max-size)."""
_SHARED = (b"PATH", b"LANG", b"TZ")
"""Of root's environment, beside LC_*, what the script of another account gets."""
_IFMT, _IFDIR, _IFLNK = 0o170000, 0o040000, 0o120000
_STICKY = 0o1000
_ENDING = (SIGINT, SIGQUIT, SIGHUP, SIGTERM)
_GRACE = 1.0
"""Seconds that what is told to end has until KILL, and that this is waited for: what hangs in the kernel stays."""
_LOOK, _LONGEST = 0.02, 1e6
"""Seconds that its end is waited for at once where there is no pidfd to be had, and where there is."""


def is_there(path: bytes) -> bool:
    """Whether the service directory has a ./check; True also when nobody can tell, which `passes` complains of."""
    try:
        posix.stat(path + b"check")
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def passes(client: Client, name: bytes, path: bytes, seconds: float) -> bool:
    """Run ./check in the service directory, without standard output; True when it exits 0 within `seconds`, after which it is ended.

    A script that cannot be run is complained of and taken for available, as C's sv does; so is one that root would run as root from
    where another account may have put it.
    """
    try:
        posix.stat(path + b"check")
    except OSError as error:
        client.complain(b"unable to stat", name + b"/check", error.errno)
        return False
    client.flush()
    try:
        opened = [posix.open(path + b".", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)]
    except OSError as error:
        client.complain(b"unable to run", name + b"/check", error.errno)
        return True
    operation = b"find the owner of"
    try:
        owner = _owner(opened[0]) if posix.geteuid() == 0 else None
        if owner is not None and owner.st_uid == 0 and _may_others_write(owner):
            client.complain(b"others can write there, not running", name + b"/check", None)
            return True
        operation = b"fork for"
        if owner is not None and owner.st_uid != 0:
            opened += posix.pipe2(posix.O_CLOEXEC)
        script = _start(client, name, owner, opened)
    except OSError as error:
        client.complain(b"unable to " + operation, name + b"/check", error.errno)
        return False
    finally:
        for descriptor in opened:
            posix.close(descriptor)
    return script.passes(monotonic() + seconds)


def _owner(directory: int) -> posix.stat_result:
    """Tell which account may have written ./check: the first of its directory, and of all that leads to it from there, that is
    another's than root's or that others can write; else the directory. OSError.
    """
    found = posix.fstat(directory)
    if found.st_uid or _may_others_write(found):
        return found
    return next((each for each in _on_the_way(directory) if each.st_uid or _may_others_exchange(each)), found)


def _on_the_way(directory: int) -> Iterator[posix.stat_result]:
    """Give what the kernel goes through from `directory` to ./check: itself, or the link, and each folder and link that this leads to.

    Only where others can exchange something can they make a ring, and whoever asks has stopped there.
    """
    here = posix.dup(directory)
    names = [b"check"]
    try:
        while names:
            name = names.pop()
            found = posix.lstat(name, dir_fd=here)
            if found.st_mode & _IFMT == _IFLNK:
                yield found
                target = posix.readlink(name, dir_fd=here)
                names += filter(None, reversed(target.split(b"/")))
                if target[:1] != b"/":
                    continue
                name = b"/"
            there = posix.open(name, posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC, dir_fd=here)
            posix.close(here)
            here = there
            yield posix.fstat(here)
    finally:
        posix.close(here)


def _may_others_write(found: posix.stat_result) -> bool:
    return bool(found.st_mode & 0o022)  # where there is an ACL its mask shows as the group's


def _may_others_exchange(found: posix.stat_result) -> bool:
    """Whether others can write what it is or, of a folder of root's, put something in the place of what is root's there."""
    kind = found.st_mode & _IFMT
    is_guarded = kind == _IFLNK or (kind == _IFDIR and found.st_mode & _STICKY)
    return not is_guarded and _may_others_write(found)


def _start(client: Client, name: bytes, owner: posix.stat_result | None, opened: list[int]) -> _Script:
    """Start the script; from then on what ends sv ends it too. Takes the reading end of what it says out of `opened`. OSError."""
    heard = [number for number in _ENDING if getsignal(number) == SIG_DFL]
    signal(SIGCHLD, SIG_DFL)  # ignored, as the caller may have had it, it lets nobody know how a child ended
    mask = pthread_sigmask(SIG_BLOCK, heard)
    try:
        pid = posix.fork()
        if pid == 0:
            _run(client, name, owner, *opened)
        script = _Script(pid, opened.pop(1) if len(opened) > 1 else -1, heard)
        for number in heard:
            signal(number, script.end_with)
        return script
    finally:
        pthread_sigmask(SIG_SETMASK, mask)


class _Script:
    """A ./check that runs in a session of its own.

    said: where what it says is read, -1 when that is not for us; heard: the signals that end it, and then sv.
    """

    __slots__ = ("_decoder", "_heard", "_pid", "_said")

    def __init__(self, pid: int, said: int, heard: list[int]) -> None:
        self._pid = pid
        self._said = said
        self._heard = heard
        if said >= 0:
            from codecs import getincrementaldecoder

            self._decoder = getincrementaldecoder("utf-8")("backslashreplace")
            posix.set_blocking(said, False)

    def passes(self, until: float) -> bool:
        """Wait until it has ended, whomever it leaves behind; end it when it has not before `until`, a monotonic time."""
        in_time = self._wait(until)
        if not in_time:
            self._end(SIGTERM)
        for number in self._heard:
            signal(number, SIG_DFL)
        if self._said >= 0:
            self._show(b"", is_all=True)
            posix.close(self._said)
        status = posix.waitpid(self._pid, posix.WNOHANG)[1]
        return in_time and status == 0

    def end_with(self, number: int, _frame: FrameType | None) -> None:
        """End it by a signal that sv has got, and then sv: it need not have that from the terminal, which it may not have."""
        self._end(number)
        signal(number, SIG_DFL)
        posix.kill(posix.getpid(), number)

    def _end(self, number: int) -> None:
        for each in (number, SIGKILL):
            try:
                posix.killpg(self._pid, each)
            except ProcessLookupError:
                posix.kill(self._pid, each)  # it has no session yet
            except OSError:
                pass  # it has become another account's
            self._wait(monotonic() + _GRACE)

    def _wait(self, until: float) -> bool:
        """Pass on what it says until it has ended, or it is `until`; whether it has ended."""
        from select import POLLIN, poll

        either = poll()
        if self._said >= 0:
            either.register(self._said, POLLIN)
        longest = _LONGEST
        ended = -1
        try:
            ended = posix.pidfd_open(self._pid)
            either.register(ended, POLLIN)
        except OSError:
            longest = _LOOK
        try:
            while not (is_over := self._has_ended()) and (left := until - monotonic()) > 0:
                if any(descriptor == self._said for descriptor, _event in either.poll(min(left, longest) * 1000)) and not self._copy():
                    either.unregister(self._said)
            if self._said >= 0:
                self._copy()
        finally:
            if ended >= 0:
                posix.close(ended)
        return is_over

    def _has_ended(self) -> bool:
        return posix.waitid(posix.P_PID, self._pid, posix.WEXITED | posix.WNOHANG | posix.WNOWAIT) is not None

    def _copy(self) -> bool:
        """Pass on what there is; False at its end."""
        try:
            text = posix.read(self._said, _AT_A_TIME)
        except BlockingIOError:
            return True
        self._show(text)
        return text != b""

    def _show(self, text: bytes, *, is_all: bool = False) -> None:
        """Write it printable: some terminals answer to what they are sent, which is typed into root's shell."""
        from ..report import printable

        rest = self._decoder.decode(text, is_all).encode()
        rest = b"\n".join(b"\t".join(map(printable, line.split(b"\t"))) for line in rest.split(b"\n"))
        try:
            while rest:
                rest = rest[posix.write(2, rest) :]
        except OSError:
            pass  # nobody hears it, or has room for it


def _run(client: Client, name: bytes, owner: posix.stat_result | None, directory: int, _said: int = -1, says: int = -1) -> NoReturn:
    """Become the script, in a session, and so a process group, of its own, which can be ended.

    What Python ignores and what waiting blocks, it must not inherit.
    says: what a script of another account, of `owner`, gets for standard error.
    """
    try:
        posix.setsid()
        for number in (SIGINT, SIGPIPE, SIGXFSZ):
            signal(number, SIG_DFL)
        pthread_sigmask(SIG_SETMASK, ())
        variables = environment.inherited()
        posix.fchdir(directory)
        if says >= 0:
            _leave_terminal(says)
            assert owner is not None
            variables = _become(owner, variables)
        posix.close(1)
        posix.execve(b"check", [b"./check"], variables)
    except OSError as error:
        client.complain(b"unable to run", name + b"/check", error.errno)
        posix._exit(0)
    finally:
        posix._exit(111)


def _leave_terminal(says: int) -> None:
    """Keep nothing that leads to root's terminal: whoever has it open can type into root's shell (ioctl_tty(2), TIOCSTI)."""
    posix.dup2(posix.open(b"/dev/null", posix.O_RDONLY | posix.O_CLOEXEC), 0)
    posix.dup2(says, 2)
    try:
        # Not the limit: that may have been lowered since.
        last = max(map(int, posix.listdir(b"/proc/self/fd")))
    except OSError:
        last = posix.sysconf("SC_OPEN_MAX")
    posix.closerange(3, last + 1)


def _become(owner: posix.stat_result, variables: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """Root runs the script of another user as that user, who could else make root run anything.

    Gives what that one gets of root's `variables`: passwords of root's, as of a backup that calls sv, may be among them.
    """
    import pwd

    kept = {name: value for name, value in variables.items() if name in _SHARED or name.startswith(b"LC_")}
    try:
        account = pwd.getpwuid(owner.st_uid)
        posix.initgroups(account.pw_name, account.pw_gid)
        posix.setgid(account.pw_gid)
        name = encode(account.pw_name)
        kept |= {b"HOME": encode(account.pw_dir), b"USER": name, b"LOGNAME": name, b"SHELL": encode(account.pw_shell)}
    except KeyError:
        # Not the file's group: that is root's where chown(1) has named the account alone.
        posix.setgroups([])
        posix.setgid(owner.st_uid)
    posix.setuid(owner.st_uid)
    return kept
