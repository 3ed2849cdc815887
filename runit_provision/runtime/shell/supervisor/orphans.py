"""Processes of ours whose parent died: watched until they end, in a way that never means another process.

our children     of a keeper that died, since we are the nearest subreaper: wait(2) tells their ends
any other        by pidfd, our own while there are few, else a holder's
"""

from __future__ import annotations

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
    """A process that lives, as far as is known.

    pidfd: by which we wait for its end; none when wait(2) or a holder will tell. unsent: signals for which there was no descriptor.
    """

    __slots__ = ("pidfd", "process", "unsent")

    def __init__(self, written: records.Process) -> None:
        self.process = written
        self.pidfd = _NONE
        self.unsent: list[int] = []


class Orphans:
    """Live processes by (slot, key); `told(slot, key, pid, status)` is called for each when it is over.

    waits: whether children that have ended stay zombies, which tell how, since it is not known yet which are services'; doubts: asked
    whether that is so for one that is no orphan of ours.
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
        self.doubts: Callable[[], bool] = lambda: False

    def examine(self, slot: int, key: int, written: records.Process) -> None:
        """Find out what became of a process that was written down as LIVE and is nobody's child; correct `written`.

        A pid that was given to another process since is told by its start time.
        """
        known = self._known.get((slot, key))
        if known is not None and known.process.pid == written.pid:
            return
        if not _is_there(written):
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
        if process.is_child(orphan.process.pid):
            return
        try:
            pidfd = process.open_since(orphan.process.pid, orphan.process.starttime)
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
            self._let_watch(slot, key, orphan.process.pid, pidfd)

    def _let_watch(self, slot: int, key: int, pid: int, pidfd: int) -> None:
        """Let a holder wait for the end. One that is not there now asks for it as soon as it is: watch_again."""
        try:
            self._holders.watch(slot, key, pid, pidfd)
        except OSError:
            self._loop.after(_AGAIN_SECONDS, lambda: self.watch_again(slot))
        finally:
            os.close(pidfd)

    def signal(self, slot: int, key: int, number: int) -> int | None:
        """Send a signal; give how many the process has got since it was started, or None when there is no such orphan."""
        orphan = self._known.get((slot, key))
        if orphan is None:
            return None
        orphan.unsent.append(number)
        if len(orphan.unsent) == 1:  # else those before it are tried again soon
            self._send(slot, key, orphan)
        return orphan.process.signals

    def _send(self, slot: int, key: int, orphan: _Orphan) -> None:
        """Send what is to be sent, in its order; whoever comes after us finds in the table how much of it was."""
        if self._known.get((slot, key)) is not orphan:
            return
        written = orphan.process
        while orphan.unsent:
            try:
                self._kill(slot, key, orphan, orphan.unsent[0])
            except OSError:
                self._loop.after(_AGAIN_SECONDS, lambda: self._send(slot, key, orphan))
                return
            del orphan.unsent[0]
            written.signals += 1
            try:
                os.pwrite(self._table, records.pack_process(written), records.process_offset(slot, key))
            except OSError:
                pass  # whoever comes after us sends it once more

    def _kill(self, slot: int, key: int, orphan: _Orphan, number: int) -> None:
        written = orphan.process
        pid = written.pid
        # Only we reap a child of ours: nobody else can have its number. For that no descriptor is needed.
        is_child = process.is_child(pid)
        try:
            if is_child:
                process.send(pid, number, with_group=key == records.SCRIPT)
                return
            pidfd = orphan.pidfd if orphan.pidfd >= 0 else process.open_since(pid, written.starttime)
            try:
                if key == records.SCRIPT and process.is_since(pid, written.starttime):
                    process.send(pid, number, with_group=True)
                process.send_to(pidfd, number)
            finally:
                if pidfd not in {_NONE, orphan.pidfd}:
                    os.close(pidfd)
        except ProcessLookupError:
            pass
        except PermissionError:
            self._refusals.tell(slot, key, written, number)

    def reap(self) -> None:
        """Take leave of children that ended; call it on SIGCHLD. As a subreaper we get strangers' too."""
        while not self.waits:
            try:
                found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            # Asked after it was found: a keeper that lives then has not left it to us.
            if found is None or (found.si_pid not in self._by_pid and self.doubts()):
                return
            pid, status = os.waitpid(found.si_pid, os.WNOHANG)
            if pid in self._by_pid:
                # Those behind it do not wait for another signal when its end cannot be acted upon.
                self._loop.guarded(self._gone, *self._by_pid[pid], status)

    def ended(self, slot: int, key: int, status: int) -> None:
        """An orphan ended; a holder says so, who may mean one before."""
        orphan = self._known.get((slot, key))
        if orphan is None:
            return
        try:
            is_over = process.is_over(orphan.process.pid, orphan.process.starttime)
        except OSError:
            self._loop.after(_AGAIN_SECONDS, lambda: self.ended(slot, key, status))
            return
        if is_over:
            self._gone(slot, key, status)

    def _readable(self, slot: int, key: int) -> None:
        orphan = self._known.get((slot, key))
        if orphan is None or not process.has_ended(orphan.pidfd):
            return  # this was about the one whose descriptor had that number before
        pid = orphan.process.pid
        # It alone: in a runsv of its own, other children are not ours to take leave of.
        try:
            reaped, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            reaped, status = 0, process.UNKNOWN
        self._gone(slot, key, status if reaped else process.how_it_ended(orphan.pidfd, pid))

    def _gone(self, slot: int, key: int, status: int) -> None:
        orphan = self._known.pop((slot, key))
        del self._by_pid[orphan.process.pid]
        if orphan.pidfd >= 0:
            self._loop.forget(orphan.pidfd)
            os.close(orphan.pidfd)
        self._told(slot, key, orphan.process.pid, status)


def _is_there(written: records.Process) -> bool:
    """Whether a process that was written down is there, ended or not. OSError when that cannot be known now."""
    try:
        return process.is_since(written.pid, written.starttime)
    except OSError:
        # Without a descriptor wait(2) tells at least of a child, which nobody but us can have reaped.
        if process.is_child(written.pid):
            return True
        raise
