"""A small process, forked before data and libraries make this one large, that forks those who work for other accounts.

A fork copies the tables of all memory there is: of a process that has read the data of a thousand users that takes longer than what
is then done. What the nursery is asked comes over a socket pair that no child keeps:

    (number, job, argument, become), and the descriptors that the child gets     answered with the pid, 0 when there is none
    (number,)                                                                     that child is ended
    ()                                                                            all is ended

It dies with the one who forked it, and every child with it.
"""

from __future__ import annotations

import errno
import marshal
import os
import resource
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socket import socket

_LARGEST = 1 << 20
_DESCRIPTORS = 4
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_GOING = 5.0
"""Seconds that killed children have to be gone at the end."""
_NAP = 0.002
_MEMORY = 1 << 30
"""Bytes that a child may have at most: an account's directories can be as large as its disk."""
_ASKED_TO_END = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Work = Callable[[str, Sequence[int]], None]
"""What a child does, from its argument and the descriptors that it got."""
Credentials = tuple[int, int, tuple[int, ...]]
"""uid, gid, and all groups."""


class Nursery:
    """The parent's end."""

    def __init__(self, jobs: Mapping[str, Work]) -> None:
        import socket

        self._asks, answers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._born = 0
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            try:
                self._asks.close()
                _nurse(answers, parent, jobs)
            finally:
                os._exit(1)
        answers.close()

    def fork(self, job: str, argument: str, descriptors: Sequence[int], *, become: Credentials | None = None) -> tuple[int, int]:
        """Fork a child that does `job`; give its number here and its pid. OSError when there can be no more processes.

        become: the credentials that it takes for good before; None when it stays root.
        """
        import socket

        self._born += 1
        socket.send_fds(self._asks, [marshal.dumps((self._born, job, argument, become))], list(descriptors))
        pid = int.from_bytes(self._asks.recv(4), "little")
        if not pid:
            raise OSError(errno.EAGAIN, "no process could be made to work there", argument)
        return self._born, pid

    def end(self, number: int) -> None:
        """End a child, whatever it does; that it is gone is not waited for."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._asks.send(marshal.dumps((number,)))

    def close(self) -> None:
        """End it, with all its children."""
        with suppress(BrokenPipeError, ConnectionResetError):
            self._asks.send(marshal.dumps(()))
        self._asks.close()
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)


def _nurse(asked: socket, parent: int, jobs: Mapping[str, Work]) -> None:
    import ctypes
    import socket

    libc = ctypes.CDLL(None, use_errno=True)
    for number in _ASKED_TO_END:
        signal.signal(number, signal.SIG_IGN)  # a terminal's Ctrl-C is for the one who applies: he ends this one when he is done
    _die_with(libc, parent)
    _close_all_but(asked.fileno())
    here = os.getpid()
    children: dict[int, int] = {}
    ending: list[int] = []
    while received := socket.recv_fds(asked, _LARGEST, _DESCRIPTORS):
        data, descriptors, *_ = received
        if not data:
            break
        words = marshal.loads(data)
        if not words:
            break
        number, *order = words
        if not order:
            os.kill(
                children[number], signal.SIGKILL
            )  # it ends at its closed pipe; one that its account stopped, or that hangs, does not
            ending.append(children.pop(number))
            ending = _left(ending)
            continue
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            try:
                asked.close()
                job, argument, become = order
                _begin(libc, here, become)
                jobs[job](argument, descriptors)
                os._exit(0)
            finally:
                os._exit(1)
        for descriptor in descriptors:
            os.close(descriptor)
        if pid > 0:
            children[number] = pid
        asked.send(max(pid, 0).to_bytes(4, "little"))
    for pid in children.values():
        os.kill(pid, signal.SIGKILL)
    ending += children.values()
    end = time.monotonic() + _GOING
    while (ending := _left(ending)) and time.monotonic() < end:
        time.sleep(_NAP)
    os._exit(0)


def _close_all_but(kept: int) -> None:
    """Leave nothing of the parent's to children but the standard streams: they get what they are sent."""
    os.closerange(3, kept)
    os.closerange(kept + 1, os.sysconf("SC_OPEN_MAX"))


def _left(ending: list[int]) -> list[int]:
    """Give those killed children that are still there; until here nobody has reaped one, so that its pid was its own.

    None is waited for: what has asked a filesystem of an account's own (FUSE) for something does not even die before that answers.
    """
    return [pid for pid in ending if os.waitpid(pid, os.WNOHANG)[0] == 0]


def _die_with(libc: Any, parent: int) -> None:
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0 or os.getppid() != parent:
        os._exit(1)


def _begin(libc: Any, parent: int, become: Credentials | None) -> None:
    """Take an account's credentials for good. prctl comes after: a change of uid resets both settings; prctl(2)."""
    for number in (*_ASKED_TO_END, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    if become is not None:
        uid, gid, groups = become
        os.setgroups(groups)
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)
        if os.getresuid() != (uid, uid, uid) or os.getresgid() != (gid, gid, gid):
            raise OSError(errno.EPERM, "credentials")
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY if hard == resource.RLIM_INFINITY else min(_MEMORY, hard), hard))
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(errno.EPERM, "prctl")
    _die_with(libc, parent)
