"""Processes of ours whose parent died: watched until they end, in a way that never means another process.

our children     of a keeper that died, since we are the nearest subreaper: wait(2) tells their ends
any other        by pidfd; when there is no room for so many descriptors, /proc is asked every second
"""

from __future__ import annotations

import _signal
import os

from ..wire import records
from . import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .home import Room
    from .loop import Loop

_AGAIN_SECONDS = 1.0
_NO_PIDFD = -1
_LATER = -2


class Orphans:
    """Live processes by (slot, key); `ended(slot, key, pid, status)` is called for each when it is over."""

    def __init__(self, loop: Loop, table: int, ended: Callable[[int, int, int, int], None], room: Room) -> None:
        self._loop = loop
        self._table = table
        self._ended = ended
        self._room = room
        self._known: dict[tuple[int, int], tuple[records.Process, int]] = {}
        self._unwatched: set[tuple[int, int]] = set()
        self._looked = False

    def examine(self, slot: int, key: int, written: records.Process) -> None:
        """Find out what became of a process that was written down as LIVE and is nobody's child; correct `written`.

        A pid that was given to another process since is told by its start time.
        """
        if self._pid(slot, key) == written.pid:
            return
        if process.starttime(written.pid) != written.starttime:
            written.life, written.status = records.ENDED, process.UNKNOWN
            return
        self._known[slot, key] = (written, _NO_PIDFD)
        if process.parent(written.pid) != os.getpid():
            # With thousands, not before every service has what it cannot do without.
            self._watch(slot, key, written, share=1 / 4)

    def _watch(self, slot: int, key: int, written: records.Process, *, share: float) -> None:
        """Watch a process that lived just now, by one of the `share` of our descriptors, or later."""
        pidfd = self._open(written)
        if pidfd == _NO_PIDFD:
            self._known.pop((slot, key))
            self._loop.soon(lambda: self._ended(slot, key, written.pid, process.UNKNOWN))
        elif pidfd == _LATER or not self._room.has(pidfd, share):
            if pidfd != _LATER:
                os.close(pidfd)
            self._later(slot, key)
        else:
            # Also one that has ended already: its pidfd is readable at once, and then somebody has reaped it or we will.
            self._known[slot, key] = (written, pidfd)
            self._loop.watch(pidfd, lambda: self._readable(slot, key))

    def _later(self, slot: int, key: int) -> None:
        if not self._unwatched:
            self._loop.after(_AGAIN_SECONDS if self._looked else 0, self._look)
        self._unwatched.add((slot, key))

    def _look(self) -> None:
        """There may be room by now; and some may have ended."""
        self._looked = True
        unwatched, self._unwatched = self._unwatched, set()
        for slot, key in unwatched:
            if (slot, key) not in self._known:
                continue
            written, _pidfd = self._known[slot, key]
            if process.is_zombie(written.pid) and process.starttime(written.pid) == written.starttime:
                self._gone(slot, key, process.zombie_status(written.pid))
            else:
                self._watch(slot, key, written, share=7 / 8)
        self._looked = bool(self._unwatched)

    @staticmethod
    def _open(written: records.Process) -> int:
        """Give a pidfd; _NO_PIDFD when the process is gone, _LATER for want of descriptors."""
        try:
            pidfd = os.pidfd_open(written.pid)
        except ProcessLookupError:
            return _NO_PIDFD
        except OSError:
            return _LATER
        if process.starttime(written.pid) == written.starttime:
            return pidfd
        os.close(pidfd)
        return _NO_PIDFD

    def _pid(self, slot: int, key: int) -> int:
        known = self._known.get((slot, key))
        return known[0].pid if known is not None else 0

    def signal(self, slot: int, key: int, number: int) -> int | None:
        """Send a signal; give how many the process has got since it was started, or None when there is no such orphan."""
        known = self._known.get((slot, key))
        if known is None:
            return None
        written, pidfd = known
        mine = self._open(written) if pidfd == _NO_PIDFD else _NO_PIDFD
        if pidfd >= 0 or mine >= 0:
            try:
                _signal.pidfd_send_signal(max(pidfd, mine), number)
            except ProcessLookupError:
                pass
        if mine >= 0:
            os.close(mine)
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
        if pidfd >= 0:
            self._loop.forget(pidfd)
            os.close(pidfd)
        self._ended(slot, key, written.pid, status)
