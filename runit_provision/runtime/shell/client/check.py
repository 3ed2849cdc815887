"""A service's ./check script: exit status 0 says that the service is not only running but available; sv(8)."""

from __future__ import annotations

import posix
from _signal import SIG_DFL, SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGXFSZ, getsignal, signal

from .. import environment
from ..console import encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

    from .client import Client

_AT_A_TIME = 1 << 20
"""Bytes: what any pipe holds at most (pipe(7), /proc/sys/fs/pipe-max-size)."""
_SHARED = (b"PATH", b"LANG", b"TZ")
"""Of root's environment, beside LC_*, what the script of another account gets."""
_IFMT, _IFLNK = 0o170000, 0o120000
_OF_THE_TERMINAL = (SIGINT, SIGQUIT, SIGHUP)


def is_there(path: bytes) -> bool:
    """Whether the service directory has a ./check; True also when nobody can tell, which `passes` complains of."""
    try:
        posix.stat(path + b"check")
    except FileNotFoundError:
        return False
    except OSError:
        pass
    return True


def passes(client: Client, name: bytes, path: bytes) -> bool:
    """Run ./check in the service directory, without standard output; True when it exits 0.

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
    try:
        owner = _owner(opened[0]) if posix.geteuid() == 0 else None
        if owner is not None and owner.st_uid == 0 and _may_others_write(owner):
            client.complain(b"others can write there, not running", name + b"/check", None)
            return True
        is_others = owner is not None and owner.st_uid != 0
        if is_others:
            opened += posix.pipe2(posix.O_CLOEXEC)
        pid = posix.fork()
        if pid == 0:
            _run(client, name, owner, *opened)
        if is_others:
            posix.close(opened.pop())
            _show(opened[1], pid)
    except OSError as error:
        client.complain(b"unable to fork for", name + b"/check", error.errno)
        return False
    finally:
        for descriptor in opened:
            posix.close(descriptor)
    return posix.waitstatus_to_exitcode(posix.waitpid(pid, 0)[1]) == 0


def _owner(directory: int) -> posix.stat_result:
    """Tell which account may have written ./check: of its directory, itself, and the folder that a link leads to, the first that is
    another's than root's, else what others can write, else the directory. OSError.
    """
    found = [posix.fstat(directory)]
    if found[0].st_uid:
        return found[0]
    found.append(posix.stat("check", dir_fd=directory))
    if posix.stat("check", dir_fd=directory, follow_symlinks=False).st_mode & _IFMT == _IFLNK:
        script = posix.open("check", posix.O_PATH | posix.O_CLOEXEC, dir_fd=directory)
        try:
            path = posix.readlink(f"/proc/self/fd/{script}")
        finally:
            posix.close(script)
        found.append(posix.stat(path[: path.rindex("/") + 1]))
    anothers = next((each for each in found if each.st_uid), None)
    return anothers or next(filter(_may_others_write, found), found[0])


def _may_others_write(found: posix.stat_result) -> bool:
    return bool(found.st_mode & 0o022)  # where there is an ACL its mask shows as the group's


def _run(client: Client, name: bytes, owner: posix.stat_result | None, directory: int, _said: int = -1, says: int = -1) -> NoReturn:
    """Become the script; what Python ignores and what waiting blocks, the script must not inherit.

    says: what a script of another account, of `owner`, gets for standard error.
    """
    try:
        from _signal import SIG_SETMASK, pthread_sigmask

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
    posix.setsid()
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
        posix.setgroups([])
        posix.setgid(owner.st_gid)
    posix.setuid(owner.st_uid)
    return kept


def _show(said: int, pid: int) -> None:
    """Copy what the script says, printable, until it has ended: whom it leaves behind may have the other end for ever.

    What the terminal's keys send is for it too, as if it had the terminal.
    """
    from select import POLLIN, poll

    def pass_on(number: int, _frame: FrameType | None) -> None:
        try:
            posix.killpg(pid, number)
        finally:
            signal(number, SIG_DFL)
            posix.kill(posix.getpid(), number)

    heard = [number for number in _OF_THE_TERMINAL if getsignal(number) == SIG_DFL]
    for number in heard:
        signal(number, pass_on)
    posix.set_blocking(said, False)
    either = poll()
    either.register(said, POLLIN)
    ended = -1
    try:
        ended = posix.pidfd_open(pid)
        either.register(ended, POLLIN)
    except OSError:
        pass  # then until nobody has the other end
    is_over = False
    while not is_over:
        is_over = any(descriptor == ended for descriptor, _event in either.poll())
        is_over |= not _copy(said)
    if ended >= 0:
        posix.close(ended)
    for number in heard:
        signal(number, SIG_DFL)


def _copy(said: int) -> bool:
    """Pass on what there is; False at its end."""
    from ..report import printable

    try:
        text = posix.read(said, _AT_A_TIME)
    except BlockingIOError:
        return True
    # Some terminals answer to what they are sent, which is typed into root's shell.
    rest = b"\n".join(map(printable, text.split(b"\n")))
    try:
        while rest:
            rest = rest[posix.write(2, rest) :]
    except OSError:
        pass  # nobody hears it, or has room for it
    return text != b""
