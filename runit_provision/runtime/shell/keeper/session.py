"""Sessions for what runsvdir -P starts: no program leads one, so that `exec setsid getty` works and no terminal is caught.

In runit runsv leads a session, and service and logger are in it. Who was forked in a session is in it, and there is no other way to get
there: so a process of ours makes one, forks what is to be in it, and ends at once. One that lasts, so that a service and its logger
share a session through all their restarts, would take ten times the memory of a runsv, for each service.
"""

from __future__ import annotations

import _signal
import errno
import os
import select

from ..report import be_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE = 1.0
"""Seconds for a leader to fork, before another takes its place: somebody may have stopped it."""
_NONE = b"0"
"""A leader's answer when there is no process to be had."""


class LeaderLostError(OSError):
    """The leader was killed or stopped, and is no more; what it forked, and told nobody of, is to get no go."""


def fork(be_in_session: Callable[[], None], *others: int) -> int:
    """Fork a process that does `be_in_session`, which never returns, in a session of its own; give its pid.

    others: descriptors that are to be open in us alone. OSError when there is no process to be had: LeaderLostError when there may be.
    """
    answer, tell = os.pipe2(os.O_CLOEXEC)
    try:
        try:
            leader = os.fork()
            if leader == 0:
                be_child("runsv-session", lambda: _lead(be_in_session, tell, (answer, *others)))
        finally:
            os.close(tell)
        said = _heard(answer)
        if not said:
            # Not reaped yet, whatever became of it: only we do that.
            os.kill(leader, _signal.SIGKILL)
            raise LeaderLostError(errno.EAGAIN, "no process for a session")
    finally:
        os.close(answer)
    if said == _NONE:
        raise BlockingIOError(errno.EAGAIN, "no process in a session")
    return int(said)


def _heard(answer: int) -> bytes:
    ready = select.poll()
    ready.register(answer, select.POLLIN)
    try:
        return os.read(answer, 16) if ready.poll(PATIENCE * 1000) else b""
    except OSError:
        return b""


def _lead(be_in_session: Callable[[], None], tell: int, others: tuple[int, ...]) -> None:
    for fd in others:
        os.close(fd)
    os.setsid()
    try:
        pid = os.fork()
    except OSError:
        os.write(tell, _NONE)
        return
    if pid == 0:
        os.close(tell)
        be_in_session()
    os.write(tell, b"%d" % pid)
