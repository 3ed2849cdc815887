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


class StrangerError(PermissionError):
    """Another account's process listens where only ours can."""


def listen(state: State, name: str) -> _socket.socket:
    """Give a listening socket, in place of any that was there before, and in a new directory where that was removed."""
    state.renew()
    try:
        os.unlink(name, dir_fd=state.directory)
    except FileNotFoundError:
        pass
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    sock.bind(_address(state, name))
    sock.listen(64)
    sock.setblocking(False)
    return sock


def connect(state: State, name: str) -> _socket.socket:
    """Give a connection to who listens; OSError when nobody does, StrangerError when another account does.

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
