"""The pool's side of its conversation with a supervisor: what that says, and what waits for it to be read."""

from __future__ import annotations

import _socket
import select
import time

from ...wire import errors
from ...wire import pool as wire
from ..channel import LATER_SECONDS, TROUBLE_SECONDS, received_fds
from ..report import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..epoll import Epoll

_AT_A_TIME = 64
_FDS_MAX = 4


class Client:
    """The supervisor that is there, if any. obey: called with each of its records and their descriptors.

    What cannot be said or heard now is tried again, whatever is in the way, which is told once by `report`.
    """

    def __init__(self, epoll: Epoll, obey: Callable[[wire.Record, list[int]], None], report: Callable[[str], None]) -> None:
        self._epoll = epoll
        self._obey = obey
        self._sock: _socket.socket | None = None
        self._events = 0
        self._hears = select.EPOLLIN
        self._backlog: list[bytes] = []
        self._unsent, self._unheard = Trouble(report), Trouble(report)

    def fileno(self) -> int:
        """Give the socket's descriptor; -1 when nobody is there."""
        return -1 if self._sock is None else self._sock.fileno()

    def take(self, descriptor: int) -> None:
        """Talk to who has come, and no more to the one before."""
        self.drop()
        self._sock = _socket.socket(fileno=descriptor)
        self._sock.setblocking(False)
        self._events = self._hears
        self._epoll.register(descriptor, self._events)

    def drop(self) -> None:
        """Talk to nobody."""
        if self._sock is not None:
            self._epoll.unregister(self._sock.fileno())
            self._sock.close()
            self._sock = None
        self._backlog.clear()

    def tell(self, op: int, slot: int = 0, *, value: int = 0, name: bytes = b"") -> None:
        """Say something, now or when it can be taken; nothing when nobody is there."""
        if self._sock is not None:
            self._backlog.append(wire.pack(wire.Record(op, slot=slot, value=value, name=name)))
            if not self._events & select.EPOLLOUT:  # else it waits behind others
                self._flush()

    def _flush(self) -> None:
        sock = self._sock
        if sock is None:
            return
        events = self._hears
        try:
            while self._backlog:
                sock.send(self._backlog[0], _socket.MSG_NOSIGNAL)
                self._backlog.pop(0)
                self._unsent.over()
        except BlockingIOError:
            events |= select.EPOLLOUT
        except (BrokenPipeError, ConnectionResetError):
            self._backlog.clear()  # its end is about to be read
        except OSError as error:
            events |= select.EPOLLOUT
            if error.errno in errors.NO_MEMORY:
                time.sleep(LATER_SECONDS)
            else:
                self._unsent.tell(f"warning: unable to send to the supervisor, trying again: {errors.words(error)}")
                time.sleep(TROUBLE_SECONDS)
        if events != self._events:
            self._events = events
            self._epoll.modify(sock.fileno(), events)

    def hear_no_more(self) -> None:
        """Only tell from now on: what is said is for our successor to ask about again."""
        self._hears = 0
        self._flush()

    def tell_on(self, events: int) -> None:
        """After `hear_no_more`, with the `events` of its descriptor: say what waits, while somebody is there."""
        if events & (select.EPOLLHUP | select.EPOLLERR):
            self.drop()
        else:
            self._flush()

    def receive(self) -> None:
        """Act on some of what was said, and say what waits."""
        self._flush()
        for _ in range(_AT_A_TIME):
            sock = self._sock
            if sock is None:
                return
            try:
                data, ancillary, _, _ = sock.recvmsg(wire.SIZE, _socket.CMSG_SPACE(_FDS_MAX * 4), _socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return
            except ConnectionResetError:
                continue  # it is gone, which comes before what it has said
            except OSError as error:
                self._unheard.tell(f"warning: unable to receive from the supervisor, trying again: {errors.words(error)}")
                time.sleep(TROUBLE_SECONDS)  # what has come is told again
                return
            self._unheard.over()
            if not data:
                self.drop()
                return
            self._obey(wire.unpack(data), received_fds(ancillary))
