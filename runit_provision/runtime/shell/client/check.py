"""A service's ./check script: exit status 0 says that the service is not only running but available; sv(8)."""

from __future__ import annotations

import posix
from _signal import SIGINT, SIGPIPE, SIGXFSZ

from .. import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import Client


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

    A script that cannot be run is complained of and taken for available, as C's sv does.
    """
    try:
        posix.stat(path + b"check")
    except OSError as error:
        client.complain(b"unable to stat", name + b"/check", error.errno)
        return False
    client.flush()
    try:
        pid = posix.fork()
    except OSError as error:
        client.complain(b"unable to fork for", name + b"/check", error.errno)
        return False
    if pid == 0:
        _run(client, name, path)
    return posix.waitstatus_to_exitcode(posix.waitpid(pid, 0)[1]) == 0


def _run(client: Client, name: bytes, path: bytes) -> None:
    """Become the script; what Python ignores and what waiting blocks, the script must not inherit."""
    try:
        from _signal import SIG_DFL, SIG_SETMASK, pthread_sigmask, signal

        for number in (SIGINT, SIGPIPE, SIGXFSZ):
            signal(number, SIG_DFL)
        pthread_sigmask(SIG_SETMASK, ())
        posix.chdir(path)
        _become_owner()
        posix.close(1)
        posix.execve(b"check", [b"./check"], environment.inherited())
    except OSError as error:
        client.complain(b"unable to run", name + b"/check", error.errno)
        posix._exit(0)
    finally:
        posix._exit(111)


def _become_owner() -> None:
    """Root runs the script of a directory that another user owns as that user, who could else make root run anything."""
    if posix.geteuid() != 0:
        return
    owner = posix.stat(b".").st_uid
    if owner == 0:
        return
    import pwd

    try:
        account = pwd.getpwuid(owner)
        posix.initgroups(account.pw_name, account.pw_gid)
        posix.setgid(account.pw_gid)
    except KeyError:
        posix.setgroups([])
        posix.setgid(posix.stat(b".").st_gid)
    posix.setuid(owner)
