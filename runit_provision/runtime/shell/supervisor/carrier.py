"""Carries into the log's FIFO what a service still writes to the pipe of a runsv that was relieved (relief.py).

The pipe was that runsv's, and has no name: only the service and its logger have it now. When the logger ends before the service, whose
next write would then be its death by SIGPIPE, somebody has to read in its place. That is the carrier, a process of its own, which
outlives the supervisor; one for all services. It ends when each of them has been started anew, or has ended.
"""

from __future__ import annotations

import _signal
import _socket
import os
import select
import struct

from ...wire import records
from .. import process
from ..channel import received_fds
from ..report import be_child
from ..title import Title, name_process

_NAME = b"runsv-carrier"
_AT_A_TIME = 1 << 16
_FDS_MAX = 3


class Carrier:
    """The carrier as its supervisor sees it: started when it is needed, and again when it has ended."""

    def __init__(self) -> None:
        self._sock: _socket.socket | None = None

    def carry(self, pipe: int, fifo: int, *, logger: records.Process) -> None:
        """Carry from `pipe` to `fifo` once the logger that reads `pipe` has ended. OSError when that cannot be."""
        fds = [pipe, fifo]
        pidfd = os.pidfd_open(logger.pid) if logger.life == records.LIVE else -1
        try:
            self._send([*fds, pidfd] if pidfd >= 0 else fds)
        finally:
            if pidfd >= 0:
                os.close(pidfd)

    def _send(self, fds: list[int]) -> None:
        rights = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
        if self._sock is not None:
            try:
                self._sock.sendmsg([b"+"], rights, _socket.MSG_NOSIGNAL)
            except BrokenPipeError:
                self._sock.close()  # it had nothing left to carry
            else:
                return
        self._sock = _start()
        self._sock.sendmsg([b"+"], rights, _socket.MSG_NOSIGNAL)


def _start() -> _socket.socket:
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        be_child(os.fsdecode(_NAME), lambda: _carry(theirs))
    theirs.close()
    return ours


def _carry(sock: _socket.socket) -> None:
    _signal.set_wakeup_fd(-1)
    for number in (_signal.SIGTERM, _signal.SIGHUP, _signal.SIGINT, _signal.SIGIO, _signal.SIGURG):
        _signal.signal(number, _signal.SIG_IGN)
    process.close_all_but(sock.fileno())
    name_process(_NAME)
    Title().show([_NAME])
    _Streams(sock).run()


class _Stream:
    """One service's: logger: pidfd of who reads the pipe, -1 once it has ended; pending: what is read and not written."""

    __slots__ = ("fifo", "logger", "pending", "pipe")

    def __init__(self, pipe: int, fifo: int, logger: int = -1) -> None:
        self.pipe = pipe
        self.fifo = fifo
        self.logger = logger
        self.pending = b""

    def waits_for(self) -> tuple[int, int]:
        """Give the descriptor that something has to happen to next, and what."""
        if self.logger >= 0:
            return self.logger, select.POLLIN
        return (self.fifo, select.POLLOUT) if self.pending else (self.pipe, select.POLLIN)

    def go_on(self) -> bool:
        """Do what can be done now; False when there is nothing left to do."""
        if self.logger >= 0:
            os.close(self.logger)
            self.logger = -1
            return True
        try:
            if not self.pending:
                self.pending = os.read(self.pipe, _AT_A_TIME)
                if not self.pending:
                    return False
            self.pending = self.pending[os.write(self.fifo, self.pending) :]
        except BlockingIOError:
            pass
        return True


class _Streams:
    def __init__(self, sock: _socket.socket) -> None:
        self._sock = sock
        self._open = True
        self._poll = select.poll()
        self._poll.register(sock.fileno(), select.POLLIN)
        self._waiting: dict[int, _Stream] = {}

    def run(self) -> None:
        """Carry until nothing is left, and nobody can ask for more."""
        while self._open or self._waiting:
            for fd, _events in self._poll.poll():
                if fd == self._sock.fileno():
                    self._receive()
                else:
                    self._move(fd)

    def _receive(self) -> None:
        data, ancillary, _flags, _address = self._sock.recvmsg(1, _socket.CMSG_SPACE(4 * _FDS_MAX))
        fds = received_fds(ancillary)
        if fds:
            self._wait(_Stream(*fds))
        elif not data:
            self._open = False
            self._poll.unregister(self._sock.fileno())

    def _wait(self, stream: _Stream) -> None:
        fd, events = stream.waits_for()
        self._waiting[fd] = stream
        self._poll.register(fd, events)

    def _move(self, fd: int) -> None:
        stream = self._waiting.pop(fd)
        self._poll.unregister(fd)
        if stream.go_on():
            self._wait(stream)
            return
        os.close(stream.pipe)
        os.close(stream.fifo)
        if not self._waiting and self._open:
            # Who asks from now on starts another; what was asked before is still read.
            self._sock.shutdown(_socket.SHUT_RD)
