"""Sessions for what runsvdir -P starts: no program leads one, so that `exec setsid getty` works and no terminal is caught.

In runit runsv leads the session, and service and logger are in it through all their restarts. Who was forked in a session is in it, and
there is no other way to get there, so each of these has a leader:

    service with a logger of its own    one that lasts: it forks both, again and again, and its children become the keeper's
    any other                           one that ends at once; its session has one process, and what that starts

A leader does nothing else, holds nothing, and ends with the keeper. One that was killed or stopped is replaced at the next start.
"""

from __future__ import annotations

import _signal
import _socket
import errno
import os
import struct

from ...wire import keeper as wire
from .. import process
from ..channel import received_fds
from ..report import be_child
from ..title import Title, name_process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    BeChild = Callable[[wire.Record, int, list[int]], None]

NAME = b"runsv-session"
PATIENCE = 1.0
"""Seconds for a leader to fork, before another takes its place: somebody may have stopped it."""
_NONE = b"0"
"""A leader's answer when there is no process to be had."""


class LeaderLostError(OSError):
    """The leader that was asked was killed or is stopped, and is no more; what it forked for all that is to get no go."""


class Sessions:
    """The leaders that last, by slot. be_child(request, wait, fds): what a process does that was forked in a session; never returns."""

    def __init__(self, be_child: BeChild) -> None:
        self._be_child = be_child
        self._leaders: dict[int, tuple[int, _socket.socket]] = {}
        self._slots: dict[int, int] = {}

    def fork(self, request: wire.Record, wait: int, fds: list[int]) -> int:
        """Fork a process in its service's session, or in one of its own; give its pid.

        OSError when there is none to be had: LeaderLostError when another leader may have one.
        """
        is_shared = bool(request.flags & wire.SHARED_SESSION)
        if not is_shared:
            self.end(request.slot)
        leader = self._leaders.pop(request.slot, None) or self._lead(lasts=is_shared)
        answer = self._ask(leader, request, [wait, *fds])
        if is_shared:
            self._keep(request.slot, leader)
        else:
            leader[1].close()
        if answer == _NONE:
            raise BlockingIOError(errno.EAGAIN, "no process in a session")
        return int(answer)

    def ended(self, pid: int) -> None:
        """A process was reaped: its number is somebody else's now."""
        slot = self._slots.pop(pid, 0)
        if slot in self._leaders and self._leaders[slot][0] == pid:
            self.end(slot)

    def renew(self, fds: list[int]) -> None:
        """Let what comes have the streams and the environment of another runsvdir; fds: as in HELLO."""
        for _pid, sock in self._leaders.values():
            try:
                _send(sock, wire.Record(wire.HELLO), fds)
            except OSError:
                pass

    def end(self, slot: int) -> None:
        """The service is gone, and its session needs no leader."""
        known = self._leaders.pop(slot, None)
        if known is not None:
            known[1].close()

    def known(self) -> list[tuple[int, int, int]]:
        """Give slot, pid and socket of each leader."""
        return [(slot, pid, sock.fileno()) for slot, (pid, sock) in self._leaders.items()]

    def resume(self, leaders: list[tuple[int, int, int]]) -> None:
        """Take over what `known` gave."""
        for slot, pid, fd in leaders:
            sock = _socket.socket(fileno=fd)
            sock.settimeout(PATIENCE)
            self._keep(slot, (pid, sock))

    def _keep(self, slot: int, leader: tuple[int, _socket.socket]) -> None:
        self._leaders[slot] = leader
        self._slots[leader[0]] = slot

    def _ask(self, leader: tuple[int, _socket.socket], request: wire.Record, fds: list[int]) -> bytes:
        """Give the pid of the process that `leader` forks, or _NONE; LeaderLostError, and it is killed, when it does not answer."""
        pid, sock = leader
        try:
            _send(sock, request, fds)
            answer = sock.recv(16)
        except OSError:
            answer = b""
        if not answer:
            sock.close()
            # Not reaped yet, whatever became of it: then we would have been told.
            os.kill(pid, _signal.SIGKILL)
            raise LeaderLostError(errno.EAGAIN, "no process for a session")
        return answer

    def _lead(self, *, lasts: bool) -> tuple[int, _socket.socket]:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        pid = os.fork()
        if pid == 0:
            be_child("runsv-session", lambda: _lead(theirs, self._be_child, lasts=lasts))
        theirs.close()
        ours.settimeout(PATIENCE)
        return pid, ours


def _lead(sock: _socket.socket, be_child: BeChild, *, lasts: bool) -> None:
    """Lead a new session, and fork in it what is asked for, until the other end closes.

    The keeper forks with signals blocked, and they stay so here: what a group is sent means its programs, not its leader.
    """
    os.setsid()
    process.close_all_but(sock.fileno())
    if lasts:
        name_process(NAME)
        Title().show([NAME])
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(wire.SIZE, 64, _socket.MSG_CMSG_CLOEXEC)
        except ConnectionResetError:
            return  # it was killed before it read an answer
        if not data:
            return
        request, fds = wire.unpack(data), received_fds(ancillary)
        if request.op == wire.HELLO:
            process.take_streams_and_environment(fds)
        elif not (lasts and _forked(sock)):
            _fork_and_end(sock, be_child, request, fds)
        for fd in fds:
            os.close(fd)


def _forked(sock: _socket.socket) -> bool:
    """Go on in a child, whose own child is the keeper's as soon as it ends; True in the leader, when that is over."""
    try:
        pid = os.fork()
    except OSError:
        sock.send(_NONE)
        return True
    if pid:
        os.waitpid(pid, 0)
    return pid != 0


def _fork_and_end(sock: _socket.socket, be_child: BeChild, request: wire.Record, fds: list[int]) -> None:
    try:
        pid = os.fork()
        if pid == 0:
            sock.close()
            be_child(request, fds[0], fds[1:])
        sock.send(b"%d" % pid)
    except OSError:
        sock.send(_NONE)
    finally:
        os._exit(0)


def _send(sock: _socket.socket, record: wire.Record, fds: list[int]) -> None:
    ancillary = [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, struct.pack(f"{len(fds)}i", *fds))]
    sock.sendmsg([wire.pack(record)], ancillary, _socket.MSG_NOSIGNAL)
