"""The sockets in a tree's state directory, where no other user can reach them: who listens there, and who comes."""

from __future__ import annotations

import _socket
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .state import State

KEEPER = "socket"


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
    """Give a connection to who listens; OSError when nobody does."""
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(_address(state, name))
    except OSError:
        sock.close()
        raise
    return sock


def _address(state: State, name: str) -> str:
    """Give a socket's address; its path may be longer than the 108 bytes that an address may have."""
    return f"/proc/self/fd/{state.directory}/{name}"
