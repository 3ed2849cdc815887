"""A process that only holds descriptors: of services' locks, of their FIFOs to logs, supervise/control and supervise/ok.

A service that writes to a FIFO without any reader is killed by SIGPIPE, and what the FIFO holds, lines or letters, is gone at its last
close; a logger that reads from one without any writer ends. Supervisor and logger each have it open, and may die at the same instant;
the keeper must not have it, since the descriptor table of every service would be as large as its own. So a child of the keeper does.

With thousands of services the supervisor has no room for more than what it waits for: then the holders alone have the rest, and watch
processes whose parent died, of which nobody else would tell. There are as many as are needed, each for a range of slots.

An open supervise/ok says that somebody supervises. As long as there is a keeper that is so, or will be in a moment: who asks in between
two supervisors is not told that there is none.

Supervisors find it by its socket; it depends on nobody's life. When neither supervisor nor keeper is left it waits for the next ones.
"""

from __future__ import annotations

import _socket
import os
import select
import struct
import time

from ...wire import errors
from ...wire import holder as wire
from .. import descriptors, process
from ..channel import LATER_SECONDS, close_all, received_fds
from ..epoll import Epoll
from ..report import report_to_stderr
from ..title import Title, name_process

NAME = b"fifo-holder"
LINGER_SECONDS = 60.0
"""How long the FIFOs are held when supervisor and keeper are gone: init has started the next supervisor by then."""
_BREATH_SECONDS = 0.05
"""Before who comes is let in, when there was no descriptor."""
_FDS = struct.Struct(f"{wire.KINDS}i")
_NONE = _FDS.pack(*[-1] * wire.KINDS)
"""What is held of a slot is kept as bytes: a list of numbers takes four times as many."""


class _Holder:
    def __init__(self, listener: _socket.socket, keeper: int) -> None:
        self._listener = listener
        self._keeper = keeper
        self._held: dict[int, bytes] = {}
        self._named: set[int] = set()
        self._pidfds: dict[tuple[int, int], int] = {}
        self._watched: dict[int, tuple[int, int, int]] = {}
        self._controls: dict[int, int] = {}
        self._epoll = Epoll(report_to_stderr(NAME.decode()))

    def run(self) -> None:
        """Serve supervisors until one says QUIT, or there are none."""
        goes_on = True
        while goes_on and (client := self._next()) is not None:
            goes_on = self._serve(client)
            client.close()
            self._listen_no_more()
            self._let_go_of(wire.LOCK, wire.LOG_LOCK)
            for slot, key in list(self._pidfds):
                self._forget(slot, key)

    def _next(self) -> _socket.socket | None:
        """Wait for a supervisor; None when there is nobody left to have one."""
        deadline = None
        while True:
            waiting = select.poll()
            waiting.register(self._listener.fileno(), select.POLLIN)
            if self._keeper >= 0:
                waiting.register(self._keeper, select.POLLIN)
            elif deadline is None:
                self._let_go_of(wire.OK, wire.LOG_OK)
                deadline = time.monotonic() + LINGER_SECONDS
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            for fd, _events in waiting.poll(None if left is None else left * 1000):
                if fd == self._keeper:
                    os.close(self._keeper)
                    self._keeper = -1
                elif (client := self._accept()) is not None:
                    return client

    def _accept(self) -> _socket.socket | None:
        """Give who has come; None, after a moment, when that cannot be now: what nobody else holds is not to be lost for that."""
        try:
            accepted, _address = self._listener._accept()  # type: ignore[attr-defined]
        except OSError:
            time.sleep(_BREATH_SECONDS)
            return None
        return _socket.socket(fileno=accepted)

    def _serve(self, client: _socket.socket) -> bool:
        """Do what a supervisor says until it is gone; False when that was to end."""
        self._named.clear()
        _answer(client, wire.READY)
        self._epoll.register(client.fileno(), select.EPOLLIN)
        while True:
            for fd, _events in self._epoll.poll():
                if fd != client.fileno():
                    self._tell(client, fd)
                    continue
                try:
                    data, ancillary, _flags, _address = client.recvmsg(wire.SIZE, 64, _socket.MSG_CMSG_CLOEXEC)
                except ConnectionResetError:
                    continue  # it is gone, which comes before what it has said
                if not data:
                    return True
                record = wire.unpack(data)
                if record.op == wire.QUIT:
                    return False
                self._obey(client, record, received_fds(ancillary))

    def _obey(self, client: _socket.socket, record: wire.Record, fds: list[int]) -> None:
        self._named.add(record.slot)
        match record.op:
            case wire.HOLD:
                _answer(client, self._hold(record, fds), record.slot)
            case wire.DROP:
                self._drop(record.slot, record.kinds)
            case wire.RELEASE:
                self._let_go(record.slot)
                _answer(client, wire.RELEASED, record.slot)
            case wire.SETTLED:
                for slot in self._held.keys() - self._named:
                    self._let_go(slot)
                self._listen_no_more()
            case wire.LETTERS:
                self._listen()
            case wire.WATCH:
                self._watch(client, record, fds)
            case wire.KEEPER if fds:
                if self._keeper >= 0:
                    os.close(self._keeper)
                (self._keeper,) = fds

    def _watch(self, client: _socket.socket, record: wire.Record, fds: list[int]) -> None:
        (key,) = record.kinds
        self._forget(record.slot, key)
        if not fds:
            _answer(client, wire.UNWATCHED, record.slot)
            return
        (pidfd,) = fds
        self._pidfds[record.slot, key] = pidfd
        self._watched[pidfd] = (record.slot, key, record.value)
        self._epoll.register(pidfd, select.EPOLLIN)

    def _listen(self) -> None:
        for slot, held in self._held.items():
            fds = _FDS.unpack(held)
            for fd in (fds[wire.CONTROL], fds[wire.LOG_CONTROL]):
                if fd >= 0 and fd not in self._controls:
                    self._epoll.register(fd, select.EPOLLIN | select.EPOLLONESHOT)
                    self._controls[fd] = slot

    def _listen_no_more(self) -> None:
        for fd in self._controls:
            self._epoll.unregister(fd)
        self._controls.clear()

    def _tell(self, client: _socket.socket, fd: int) -> None:
        if fd in self._controls:
            _answer(client, wire.LETTER, self._controls[fd])
        elif fd in self._watched:
            slot, key, pid = self._watched[fd]
            _answer(client, wire.ENDED, slot, key, process.how_it_ended(fd, pid))
            self._forget(slot, key)

    def _forget(self, slot: int, key: int) -> None:
        pidfd = self._pidfds.pop((slot, key), -1)
        if pidfd >= 0:
            del self._watched[pidfd]
            os.close(pidfd)

    def _hold(self, record: wire.Record, fds: list[int]) -> int:
        if len(fds) < len(record.kinds):
            close_all(fds)
            return wire.REFUSED
        self._drop(record.slot, record.kinds)
        held = self._of(record.slot)
        for kind, fd in zip(record.kinds, fds, strict=True):
            held[kind] = fd
        self._held[record.slot] = _FDS.pack(*held)
        return wire.HELD

    def _of(self, slot: int) -> list[int]:
        return [*_FDS.unpack(self._held.get(slot, _NONE))]

    def _drop(self, slot: int, kinds: tuple[int, ...] | range) -> None:
        held = self._of(slot)
        open_kinds = [kind for kind in kinds if held[kind] >= 0]
        for kind in open_kinds:
            if self._controls.pop(held[kind], None) is not None:
                self._epoll.unregister(held[kind])
            os.close(held[kind])
            held[kind] = -1
        if open_kinds:
            self._held[slot] = _FDS.pack(*held)

    def _let_go(self, slot: int) -> None:
        self._drop(slot, range(wire.KINDS))
        self._held.pop(slot, None)
        for key in range(wire.WATCHED):
            self._forget(slot, key)

    def _let_go_of(self, *kinds: int) -> None:
        for slot in self._held:
            self._drop(slot, kinds)


def _answer(client: _socket.socket, op: int, slot: int = 0, key: int = 0, value: int = 0) -> None:
    """Say something. OSError when that cannot be: then another holder is to take our place."""
    record = wire.pack(wire.Record(op, slot=slot, kinds=(key,), value=value))
    while True:
        try:
            client.send(record, _socket.MSG_NOSIGNAL)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it is gone; what it has said before counts
        except OSError as error:
            if error.errno not in errors.NO_MEMORY:
                raise
            time.sleep(LATER_SECONDS)
            continue
        return


def main(listener: int, keeper: int) -> None:
    """Be a holder, a child of the process `keeper`, until nobody needs one.

    listener: a listening AF_UNIX SOCK_SEQPACKET socket.
    """
    pidfd = os.pidfd_open(keeper)
    if os.getppid() != keeper:
        return  # it died just now, and the number may be another's
    name_process(NAME)
    Title().show([NAME])
    descriptors.allow_all()
    sock = _socket.socket(fileno=listener)
    sock.setblocking(True)
    _Holder(sock, pidfd).run()
    sock.close()
