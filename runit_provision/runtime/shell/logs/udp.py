"""Lines by UDP; svlogd(8) `u` and `U`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket

    from ...wire.svlogd_config import Udp

_sockets: list[_socket.socket] = []


def send(message: bytes, to: Udp) -> bool:
    """Send one datagram and tell whether the kernel took it; nobody knows whether it arrived."""
    import _socket  # a svlogd without such lines does without

    try:
        if not _sockets:
            _sockets.append(_socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM | _socket.SOCK_NONBLOCK | _socket.SOCK_CLOEXEC))
        return _sockets[0].sendto(message, (to.address, to.port)) == len(message)
    except OSError:
        return False
