"""Processes of ours whose parent died: watched by pidfd, which never means another process, until they end."""

from __future__ import annotations

import _signal
import os

from ..wire import records
from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .loop import Loop

_AGAIN_SECONDS = 1.0


class Orphans:
    """Live processes by (slot, key); `ended(slot, key, pid, status)` is called for each when it is over."""

    def __init__(self, loop: Loop, table: int, ended: Callable[[int, int, int, int], None]) -> None:
        self._loop = loop
        self._table = table
        self._ended = ended
        self._known: dict[tuple[int, int], tuple[records.Process, int]] = {}

    def examine(self, slot: int, key: int, written: records.Process) -> None:
        """Find out what became of a process that was written down as LIVE and is nobody's child; correct `written`.

        A pid that was given to another process since is told by its start time.
        """
        if self._pid(slot, key) == written.pid:
            return
        if process.starttime(written.pid) != written.starttime:
            written.life, written.status = records.ENDED, process.UNKNOWN
        elif not self._watch(slot, key, written):
            self._loop.after(_AGAIN_SECONDS, lambda: self._again(slot, key, written))

    def _watch(self, slot: int, key: int, written: records.Process) -> bool:
        """Watch a process that lived just now; False when that cannot be, for want of descriptors for one."""
        try:
            pidfd = os.pidfd_open(written.pid)
        except ProcessLookupError:
            pidfd = -1
        except OSError:
            return False
        if pidfd < 0 or process.starttime(written.pid) != written.starttime:
            if pidfd >= 0:
                os.close(pidfd)
            self._loop.soon(lambda: self._ended(slot, key, written.pid, process.UNKNOWN))
            return True
        # Also one that has ended already: its pidfd is readable at once, and then somebody has reaped it or we will.
        self._known[slot, key] = (written, pidfd)
        self._loop.watch(pidfd, lambda: self._readable(slot, key))
        return True

    def _again(self, slot: int, key: int, written: records.Process) -> None:
        if not self._watch(slot, key, written):
            self._loop.after(_AGAIN_SECONDS, lambda: self._again(slot, key, written))

    def _pid(self, slot: int, key: int) -> int:
        known = self._known.get((slot, key))
        return known[0].pid if known is not None else 0

    def signal(self, slot: int, key: int, number: int) -> int | None:
        """Send a signal; give how many the process has got since it was started, or None when there is no such orphan."""
        known = self._known.get((slot, key))
        if known is None:
            return None
        written, pidfd = known
        try:
            _signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass
        written.signals += 1
        os.pwrite(self._table, records.pack_process(written), records.process_offset(slot, key))
        return written.signals

    def reap(self) -> None:
        """Take leave of children that ended; call it on SIGCHLD. As a subreaper we get strangers' too."""
        by_pid = {written.pid: name for name, (written, _pidfd) in self._known.items()}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in by_pid:
                self._gone(*by_pid.pop(pid), status)

    def _readable(self, slot: int, key: int) -> None:
        self.reap()
        known = self._known.get((slot, key))
        if known is None:
            return
        written, pidfd = known
        # Not our child: its reaper may not have come yet, then the zombie tells.
        status = process.exit_status(pidfd)
        if status == process.UNKNOWN:
            status = process.zombie_status(written.pid)
        self._gone(slot, key, status)

    def _gone(self, slot: int, key: int, status: int) -> None:
        written, pidfd = self._known.pop((slot, key))
        self._loop.forget(pidfd)
        os.close(pidfd)
        self._ended(slot, key, written.pid, status)
