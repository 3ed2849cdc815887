"""Which processes have a variable in their environment. Nobody's process holds up who looks for that.

An environment is its account's memory: to read it may hang for as long as that account likes, in a filesystem of its own (FUSE), for
root as well. So a child reads, and answers process by process. Where it says nothing for a second it is killed, that process is passed
over from then on, and another child reads the others.
"""

from __future__ import annotations

import _signal
import mmap
import os
import select
import time

from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

_SECOND = 1.0
"""For one process to be read, at the least, and for each look at all of them."""
_PATIENCE = 30.0
"""What all looks together may take beyond that."""
_HAS, _HAS_NOT = b"+-"


class Search:
    """Looks, as often as it is asked, for who has one of `variables`, each NAME=VALUE.

    silent: the start times of those that could not be read, by their pids.
    """

    def __init__(self, variables: Iterable[bytes]) -> None:
        self.silent: dict[int, int] = {}
        self._variables = frozenset(variables)
        self._patience = _PATIENCE

    def among(self, pids: Iterable[int]) -> set[int]:
        """Give those of the processes that have one. OSError."""
        began = time.monotonic()
        ends = began + _SECOND + self._patience
        # Root and the system's accounts come first: how many processes people have, and accounts for them, is up to them.
        left = sorted((_uid(pid), pid) for pid in pids if not self._is_silent(pid))
        found: set[int] = set()
        while left and time.monotonic() < ends:
            answers = _ask([pid for _, pid in left], self._variables, ends)
            found.update(pid for (_, pid), answer in zip(left, answers, strict=False) if answer == _HAS)
            del left[: len(answers)]
            if left:
                account, pid = left.pop(0)
                self.silent[pid] = process.starttime(pid)
                left.sort(key=lambda one: one[0] == account)
        self._patience -= max(0.0, time.monotonic() - began - _SECOND)
        return found

    def _is_silent(self, pid: int) -> bool:
        return pid in self.silent and self.silent[pid] == process.starttime(pid)


def _ask(pids: list[int], variables: frozenset[bytes], ends: float) -> bytes:
    """Give what a child answers of each process, until it is silent of one, or it is `ends`, a monotonic time."""
    reader = -1
    try:
        # No pipe: each answer would wake us.
        answers = mmap.mmap(-1, len(pids))
        reader = os.fork()
        if reader == 0:
            _answer(pids, variables, answers)
        pidfd = os.pidfd_open(reader)
    except OSError:
        # What we look for may be just what leaves no room for one more process: better to risk that one hangs.
        if reader > 0:
            os.kill(reader, _signal.SIGKILL)
            os.waitpid(reader, os.WNOHANG)
        return bytes(_HAS if _has(pid, variables) else _HAS_NOT for pid in pids)
    try:
        _listen(answers, reader, pidfd, ends)
    finally:
        process.send_to(pidfd, _signal.SIGKILL)
        process.wait_for_end(pidfd)  # not for ever: the kernel may hold it
        os.waitpid(reader, os.WNOHANG)
        os.close(pidfd)
    return answers[:].partition(b"\0")[0]


def _listen(answers: mmap.mmap, reader: int, pidfd: int, ends: float) -> None:
    """Wait until the child has answered all, or hangs."""
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    before = 0
    while (seconds := min(_SECOND, ends - time.monotonic())) > 0 and not ended.poll(seconds * 1000):
        now = answers.find(b"\0")
        # One that runs does not hang: there was no processor for it.
        if now == before and not process.is_running(reader):
            break
        before = now


def _answer(pids: list[int], variables: frozenset[bytes], answers: mmap.mmap) -> NoReturn:
    """Be the child."""
    try:
        # It may outlive us in the kernel: nobody is to wait for it at the other end of what we have open.
        os.closerange(0, os.sysconf("SC_OPEN_MAX"))
        for number, pid in enumerate(pids):
            answers[number] = _HAS if _has(pid, variables) else _HAS_NOT
    finally:
        os._exit(0)


def _has(pid: int, variables: frozenset[bytes]) -> bool:
    found = process.environment(pid)
    if any(found):
        return not variables.isdisjoint(found)
    # A kernel's, or one whose first thread has ended: then the others tell.
    return any(not variables.isdisjoint(process.environment(thread)) for thread in process.threads(pid) if thread != pid)


def _uid(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return 0  # it has just ended
