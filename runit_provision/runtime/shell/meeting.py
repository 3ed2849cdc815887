"""The sockets in a tree's state directory, where no other user can reach them: who listens there, and who comes."""

from __future__ import annotations

import _socket
import errno
import os

from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .state import State

KEEPER = "socket"


_NEXT = ".next"
"""Behind the name of a socket that is about to take that of another."""


class StrangerError(PermissionError):
    """Another account's process listens where only ours can."""


NOBODY = (FileNotFoundError, ConnectionRefusedError, StrangerError)
"""What `connect` raises where nobody of ours listens. Any other error tells nothing of that: who is there may not be reached now."""


def listen(state: State, name: str) -> _socket.socket:
    """Give a listening socket, in place of any that was there before, and in a new directory where that was removed.

    OSError, and whoever listened can still be reached: no name is taken away before there is another one.
    """
    state.renew()
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        try:
            os.unlink(name + _NEXT, dir_fd=state.directory)
        except FileNotFoundError:
            pass
        sock.bind(_address(state, name + _NEXT))
        sock.listen(64)
        sock.setblocking(False)
        os.rename(name + _NEXT, name, src_dir_fd=state.directory, dst_dir_fd=state.directory)
    except OSError:
        sock.close()
        raise
    return sock


def connect(state: State, name: str) -> _socket.socket:
    """Give a connection to who listens; NOBODY tells what is raised when nobody of ours does, OSError when that cannot be known now.

    Who comes brings along what services get, and believes what it is told: the directory is ours alone, and so is who is there.
    """
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(_address(state, name))
        if (uid := process.peer_uid(sock)) != os.geteuid():
            raise StrangerError(errno.EPERM, f"user {uid} listens there", f"{state.path}/{name}")
    except OSError:
        sock.close()
        raise
    return sock


def _address(state: State, name: str) -> str:
    """Give a socket's address; its path may be longer than the 108 bytes that an address may have."""
    return f"/proc/self/fd/{state.directory}/{name}"
