"""Processes of ours whose parent died: watched until they end, in a way that never means another process.

our children     of a keeper that died, since we are the nearest subreaper: wait(2) tells their ends
any other        by pidfd, our own while there are few, else a holder's
"""

from __future__ import annotations

import _signal
import os

from ...wire import holder as wire
from ...wire import records
from .. import process
from ..refusals import Refusals

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop
    from ..service.home import Room
    from .holders import Holding

_SHARE = 1 / 4
"""Of our descriptors: for orphans of which we ourselves wait for the end."""
_AGAIN_SECONDS = 1.0
"""When there is no descriptor to be had."""
_NONE = -1


class _Orphan:
    """A process that lives, as far as is known. pidfd: by which we wait for its end; none when wait(2) or a holder will tell."""

    __slots__ = ("pidfd", "process")

    def __init__(self, written: records.Process) -> None:
        self.process = written
        self.pidfd = _NONE


class Orphans:
    """Live processes by (slot, key); `told(slot, key, pid, status)` is called for each when it is over.

    waits: whether children that have ended stay zombies, which tell how, since it is not known yet which are services'.
    """

    def __init__(self, loop: Loop, table: int, told: Callable[[int, int, int, int], None], room: Room, holders: Holding) -> None:
        self._loop = loop
        self._table = table
        self._refusals = Refusals(table)
        self._told = told
        self._room = room
        self._holders = holders
        self._known: dict[tuple[int, int], _Orphan] = {}
        self._by_pid: dict[int, tuple[int, int]] = {}
        self.waits = False

    def examine(self, slot: int, key: int, written: records.Process) -> None:
        """Find out what became of a process that was written down as LIVE and is nobody's child; correct `written`.

        A pid that was given to another process since is told by its start time.
        """
        known = self._known.get((slot, key))
        if known is not None and known.process.pid == written.pid:
            return
        if process.starttime(written.pid) != written.starttime:
            written.life, written.status = records.ENDED, process.UNKNOWN
            return
        self._known[slot, key] = orphan = _Orphan(written)
        self._by_pid[written.pid] = (slot, key)
        self._watch(slot, key, orphan)

    def watch_again(self, slot: int) -> None:
        """Have those of a slot watched that its holder has watched, or was to watch."""
        for key in range(wire.WATCHED):
            orphan = self._known.get((slot, key))
            if orphan is not None and orphan.pidfd == _NONE:
                self._watch(slot, key, orphan)

    def _watch(self, slot: int, key: int, orphan: _Orphan) -> None:
        try:
            if process.parent(orphan.process.pid) == os.getpid():
                return
            pidfd = _open(orphan.process)
        except OSError:
            self._loop.after(_AGAIN_SECONDS, lambda: self.watch_again(slot))
            return
        if pidfd == _NONE:
            # Not at once: who asks is still being moved.
            self._loop.soon(lambda: self.ended(slot, key, process.UNKNOWN))
        elif self._room.has(pidfd, _SHARE):
            # Also one that has ended already: its pidfd is readable at once, and then somebody has reaped it or we will.
            orphan.pidfd = pidfd
            self._loop.watch(pidfd, lambda: self._readable(slot, key))
        else:
            # One that is not there now asks for it as soon as it is: watch_again.
            self._holders.watch(slot, key, orphan.process.pid, pidfd)
            os.close(pidfd)

    def signal(self, slot: int, key: int, number: int) -> int | None:
        """Send a signal; give how many the process has got since it was started, or None when there is no such orphan."""
        orphan = self._known.get((slot, key))
        if orphan is None:
            return None
        written = orphan.process
        pidfd = orphan.pidfd if orphan.pidfd >= 0 else _open(written)
        if pidfd >= 0:
            try:
                if key == records.SCRIPT and process.starttime(written.pid) == written.starttime:
                    process.send(written.pid, number, with_group=True)
                _signal.pidfd_send_signal(pidfd, number)
            except ProcessLookupError:
                pass
            except PermissionError:
                self._refusals.tell(slot, key, written, number)
            if pidfd != orphan.pidfd:
                os.close(pidfd)
        written.signals += 1
        os.pwrite(self._table, records.pack_process(written), records.process_offset(slot, key))
        return written.signals

    def reap(self) -> None:
        """Take leave of children that ended; call it on SIGCHLD. As a subreaper we get strangers' too."""
        while not self.waits:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._by_pid:
                self._gone(*self._by_pid[pid], status)

    def ended(self, slot: int, key: int, status: int) -> None:
        """An orphan ended; a holder says so, who may mean one before."""
        orphan = self._known.get((slot, key))
        if orphan is not None:
            pid = orphan.process.pid
            if process.starttime(pid) != orphan.process.starttime or process.is_zombie(pid):
                self._gone(slot, key, status)

    def _readable(self, slot: int, key: int) -> None:
        self.reap()
        orphan = self._known.get((slot, key))
        if orphan is not None:
            self._gone(slot, key, process.how_it_ended(orphan.pidfd, orphan.process.pid))

    def _gone(self, slot: int, key: int, status: int) -> None:
        orphan = self._known.pop((slot, key))
        del self._by_pid[orphan.process.pid]
        if orphan.pidfd >= 0:
            self._loop.forget(orphan.pidfd)
            os.close(orphan.pidfd)
        self._told(slot, key, orphan.process.pid, status)


def _open(written: records.Process) -> int:
    """Give a pidfd of a process; none when it is gone."""
    try:
        pidfd = os.pidfd_open(written.pid)
    except ProcessLookupError:
        return _NONE
    try:
        is_it = process.starttime(written.pid) == written.starttime
    except OSError:
        os.close(pidfd)
        raise
    if is_it:
        return pidfd
    os.close(pidfd)
    return _NONE
