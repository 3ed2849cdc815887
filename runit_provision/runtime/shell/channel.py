"""Fixed-size records with descriptors over a SEQPACKET socket, in both directions, without ever blocking."""

from __future__ import annotations

import _socket
import errno
import os
import struct

from ..wire import errors
from .loop import EPOLLIN, EPOLLOUT
from .report import Trouble, report_to_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

    Message = tuple[bytes, tuple[int, ...], tuple[int, ...]]
    """A record, the descriptors that go with it, and those of them that were opened for that."""
    Waiting = tuple[bytes | Callable[..., Message | None], tuple[int, ...], object]
    """A record without the zeros at its end, since thousands may wait, and copies that go with it; or what makes it, (), of what."""

FINISH, BEGIN, ANY = range(3)
"""Ranks: it ends what somebody asked for, it begins that, nobody asked for it."""

_FDS_MAX = 8
_LATER = (errno.ETOOMANYREFS, *errors.NO_MEMORY)
"""Too many descriptors of this user are under way (unix(7)), and will arrive; or there is no memory."""
LATER_SECONDS = 0.005
"""Before what there was no memory for is sent again."""
TROUBLE_SECONDS = 0.05
"""Before what could not be sent for another reason is, or anything is received again that could not be."""
_FAULTY = (errno.EBADF, errno.EFAULT, errno.EINVAL, errno.EMSGSIZE)
"""What a record is refused with that will never be sent."""
_report = report_to_stderr("runsv")
_INT = struct.calcsize("i")


class Channel:
    """One end of a conversation. What the other side is too busy to take waits here.

    It ends when the other side has closed, and by nothing else: what cannot be sent or received now is tried again, whatever is in the
    way, which is told once. Whoever took that for the end would start a second one of who is there. Only a record with descriptors may
    be refused for their sake; then who sends it is told, and what comes after it does not wait for it.

    What is about one service (`about`, its slot) keeps its order. Services come by rank, FINISH before BEGIN before ANY, and then in
    the order in which they began to wait: what somebody asks for does not wait for ten thousand that start anew; and of ten thousand
    that are to be restarted, those that have ended start before others end.

    drained: called when nothing waits any more; may: whether anything may be sent now; when that changes, call `resume`.
    under_way: bytes that are given to the kernel before the other side has read them, its own bookkeeping included; 0: what it likes.
    """

    def __init__(
        self,
        sock: _socket.socket,
        loop: Loop,
        *,
        size: int,
        received: Callable[[bytes, list[int]], None],
        closed: Callable[[], None],
        drained: Callable[[], None] | None = None,
        may: Callable[[], bool] | None = None,
        under_way: int = 0,
    ) -> None:
        self._sock = sock
        self._loop = loop
        self._size = size
        self._received = received
        self._closed = closed
        self._drained = drained
        self._may = may
        self._waiting: tuple[dict[int, list[Waiting]], ...] = ({}, {}, {})
        self._flushing = self._rests = self._is_deaf = False
        self._unsent, self._unheard = Trouble(_report), Trouble(_report)
        self._urgent: list[tuple[bytes, tuple[int, ...]]] = []
        self._minds = EPOLLIN
        self.open = True
        sock.setblocking(False)
        if under_way:
            sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_SNDBUF, under_way)
        loop.watch(sock.fileno(), self._ready)

    def send(self, data: bytes, fds: tuple[int, ...] = (), *, about: int = 0, rank: int = ANY) -> None:
        """Send a record and copies of `fds`, now or when there is room; nothing when nobody is there. OSError: it is not sent."""
        if not self.open or (self._clear() and self._try(data, fds, insist=not fds)):
            return
        # The caller may close its descriptors before there is room.
        self._wait(about, (data.rstrip(b"\0"), _copies(fds), None), rank)

    def send_at_once(self, data: bytes, fds: tuple[int, ...]) -> None:
        """Send a record and copies of `fds` before all that waits. OSError: it is not sent."""
        if self.open and not self._try(data, fds, insist=not fds):
            self._urgent.append((data, _copies(fds)))
            self._mind()

    def send_late(
        self, make: Callable[..., Message | None], what: object, *, about: int = 0, rank: int = ANY, insist: bool = False
    ) -> None:
        """Send what `make(what)` gives once there is room for it, so that no descriptor is open while it waits; None is not sent.

        Thousands may wait when a tree begins, and a closure for each would take several times what it is about. insist: it is tried
        again, though it has descriptors. OSError otherwise: it is not sent.
        """
        if self.open and not (self._clear() and self._made(make, what, insist=insist)):
            self._wait(about, (make, (), what), rank)

    def resume(self) -> None:
        """Send what waited, as far as that may be."""
        if self.open and self.backlog:
            self._flush()

    def look(self) -> None:
        """Take now what has come; otherwise the loop does."""
        if self.open:
            self._ready()

    @property
    def backlog(self) -> bool:
        """Whether something waits to be sent."""
        return any(self._waiting)

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
        waiting = [each for queue in self._waiting for those in queue.values() for each in those]
        for _data, copies in self._urgent:
            close_all(copies)
        for _how, copies, _what in waiting:
            close_all(copies)
        self._urgent.clear()
        for queue in self._waiting:
            queue.clear()

    def _clear(self) -> bool:
        return not self.backlog and (self._may is None or self._may())

    def _wait(self, about: int, waiting: Waiting, rank: int) -> None:
        queue, before = self._waiting[rank], self._queue_of(about)
        if before is None:
            queue[about] = [waiting]
        elif rank < self._waiting.index(before):
            queue[about] = [*before.pop(about), waiting]
        else:
            before[about].append(waiting)
        self._mind()

    def _queue_of(self, about: int) -> dict[int, list[Waiting]] | None:
        return next((queue for queue in self._waiting if about in queue), None)

    def _rest(self, seconds: float) -> None:
        if not self._rests:
            self._rests = True
            self._loop.after(seconds, self._go_on)

    def _go_on(self) -> None:
        self._rests = False
        if self.open:
            self._flush()

    def _mind(self) -> None:
        waits = not self._rests and (self._urgent or (self.backlog and (self._may is None or self._may())))
        events = EPOLLIN | EPOLLOUT if waits else EPOLLIN
        if events != self._minds:
            self._minds = events
            if not self._is_deaf:
                self._loop.mind(self._sock.fileno(), events)

    def _be_deaf(self) -> None:
        """Wait for nothing for a moment: what has come, or that the other side has closed, would be told again and again."""
        if not self._is_deaf:
            self._is_deaf = True
            self._loop.forget(self._sock.fileno())
            self._loop.after(TROUBLE_SECONDS, self._listen)

    def _listen(self) -> None:
        self._is_deaf = False
        if self.open:
            self._loop.watch(self._sock.fileno(), self._ready, self._minds)

    def _made(self, make: Callable[..., Message | None], what: object, *, insist: bool) -> bool:
        message = make(what)
        if message is None:
            return True
        data, fds, own = message
        try:
            return self._try(data, fds, insist=insist)
        finally:
            close_all(own)

    def _try(self, data: bytes, fds: tuple[int, ...], *, insist: bool) -> bool:
        ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))] if fds else []
        try:
            self._sock.sendmsg([data], ancillary, _socket.MSG_NOSIGNAL)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # the EOF that follows tells it
        except OSError as error:
            if error.errno not in _LATER:
                if error.errno in _FAULTY or not insist:
                    raise
                self._unsent.tell(f"runsv: warning: unable to send to a process of the tree, trying again: {errors.words(error)}")
            self._rest(LATER_SECONDS if error.errno in _LATER else TROUBLE_SECONDS)
            return False
        self._unsent.over()
        return True

    def _flush(self) -> None:
        if self._flushing:
            return  # what is being made has led here; it goes on afterwards
        self._flushing = True
        try:
            self._send_waiting()
        finally:
            self._flushing = False
        self._mind()
        if self._drained is not None and not self.backlog:
            self._drained()

    def _send_waiting(self) -> None:
        while self._urgent:
            data, copies = self._urgent[0]
            if not self._try(data, copies, insist=True):
                return
            self._urgent.pop(0)
            close_all(copies)
        while self.backlog and (self._may is None or self._may()):
            queue = next(filter(None, self._waiting))
            about = next(iter(queue))
            how, copies, what = queue[about][0]
            if isinstance(how, bytes):
                sent = self._try(how.ljust(self._size, b"\0"), copies, insist=True)
            else:
                sent = self._made(how, what, insist=True)
            if not sent or not self.open:
                return
            queue = self._queue_of(about) or queue  # meanwhile it may have moved
            del queue[about][0]
            if not queue[about]:
                del queue[about]
            if not queue:
                queue.clear()  # the room that thousands took is given back by this alone
            close_all(copies)

    def _ready(self) -> None:
        # One record a turn would cost an epoll_wait each; a bounded number keeps others from starving.
        for _ in range(64):
            if not self.open:
                return
            try:
                data, ancillary, flags, _address = self._sock.recvmsg(self._size, _FDS_MAX * _INT + 64, _socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                break
            except ConnectionResetError:
                continue  # it is gone, which comes before what it has said
            except OSError as error:
                self._unheard.tell(f"runsv: warning: unable to receive from a process of the tree, trying again: {errors.words(error)}")
                self._be_deaf()
                break
            self._unheard.over()
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
        if self.open and (self.backlog or self._urgent):
            self._flush()


def _copies(fds: tuple[int, ...]) -> tuple[int, ...]:
    """Give a copy of each. OSError, and there is none, when there is no descriptor for all of them."""
    copies: list[int] = []
    try:
        for fd in fds:
            copies.append(os.dup(fd))
    except OSError:
        close_all(copies)
        raise
    return tuple(copies)


def received_fds(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Give the descriptors that came with a message."""
    fds: list[int] = []
    for level, kind, data in ancillary:
        if level == _socket.SOL_SOCKET and kind == _socket.SCM_RIGHTS:
            fds.extend(struct.unpack(f"{len(data) // _INT}i", data[: len(data) - len(data) % _INT]))
    return fds


def close_all(fds: tuple[int, ...] | list[int]) -> None:
    """Close descriptors that were received and are not wanted."""
    for fd in fds:
        os.close(fd)
