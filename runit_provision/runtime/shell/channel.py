"""Fixed-size records with descriptors over a SEQPACKET socket, in both directions, without ever blocking."""

from __future__ import annotations

import _socket
import os
import struct

from .loop import EPOLLIN, EPOLLOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

_FDS_MAX = 8
_INT = struct.calcsize("i")


class Channel:
    """One end of a conversation. What the other side is too busy to take waits here, in order."""

    def __init__(
        self, sock: _socket.socket, loop: Loop, *, size: int, received: Callable[[bytes, list[int]], None], closed: Callable[[], None]
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._size = size
        self._received = received
        self._closed = closed
        self._backlog: list[tuple[bytes, list[int]]] = []
        self.open = True
        sock.setblocking(False)
        loop.watch(sock.fileno(), self._ready)

    def send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send a record and copies of `fds`, now or when there is room; nothing when the other side is gone."""
        if not self.open:
            return
        if not self._backlog and self._try(data, fds):
            return
        # The caller may close its descriptors before there is room.
        self._backlog.append((data, [os.dup(fd) for fd in fds]))
        self._loop.mind(self._sock.fileno(), EPOLLIN | EPOLLOUT)

    @property
    def backlog(self) -> bool:
        """Whether something waits to be sent."""
        return bool(self._backlog)

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._sock.fileno()

    def close(self) -> None:
        """End the conversation; the other side reads what was sent, then EOF."""
        if not self.open:
            return
        self.open = False
        self._loop.forget(self._sock.fileno())
        self._sock.close()
        for _data, fds in self._backlog:
            close_all(fds)
        self._backlog.clear()

    def _try(self, data: bytes, fds: tuple[int, ...] | list[int]) -> bool:
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
        try:
            self._sock.sendmsg([data], ancillary, _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # the EOF that follows tells it
        except OSError as error:
            # Too many descriptors of this user are under way (unix(7)): they will arrive.
            if error.errno == 109:
                return False
            raise
        return True

    def _flush(self) -> None:
        while self._backlog:
            data, fds = self._backlog[0]
            if not self._try(data, fds):
                return
            self._backlog.pop(0)
            close_all(fds)
        self._loop.mind(self._sock.fileno(), EPOLLIN)

    def _ready(self) -> None:
        # One record a turn would cost an epoll_wait each; a bounded number keeps others from starving.
        for _ in range(64):
            if not self.open:
                return
            try:
                data, ancillary, flags, _address = self._sock.recvmsg(self._size, _FDS_MAX * _INT + 64, _socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except OSError:
                data, ancillary, flags = b"", [], 0
            if not data:
                self.close()
                self._closed()
                return
            fds = received_fds(ancillary)
            if flags & _socket.MSG_CTRUNC:
                # This process may open no more: whoever gets none of them knows that they are missing.
                close_all(fds)
                fds = []
            self._received(data, fds)
        if self.open and self._backlog:
            self._flush()


def received_fds(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Give the descriptors that came with a message."""
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.extend(struct.unpack(f"{len(data) // _INT}i", data[: len(data) - len(data) % _INT]))
    return fds


def close_all(fds: list[int]) -> None:
    """Close descriptors that were received and are not wanted."""
    for fd in fds:
        os.close(fd)
