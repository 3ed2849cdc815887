"""sv's waits: woken by what happens in supervise/, not by a clock.

Three sources, all told by one signal that carries the descriptor they stand for:

    dnotify on supervise/           the status was rewritten; any user who may list the directory gets it, fcntl(2)
    O_ASYNC on supervise/ok         the supervisor closed its end: it has gone, fifo(7); only where that is waited for
    the clock                       ./check, which nobody announces, and file systems without events

A queue of signals that overflows becomes a SIGIO, which stands for every descriptor.
"""

from __future__ import annotations

import fcntl
import posix
from _signal import SIG_BLOCK, SIGIO, SIGRTMIN, pthread_sigmask, sigtimedwait
from time import monotonic, time_ns

from ...core import sv
from . import check
from .client import WRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .client import Client

_EVENTS = fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_RENAME | fcntl.DN_DELETE | fcntl.DN_MULTISHOT
_NEVER = 1e6
"""Seconds, and the longest that sigtimedwait is asked for at once."""
_SPARE = 4
"""Descriptors that listening leaves for looking; services for which none is left to listen are looked at by the clock."""
_FIRST_CHECK = 0.02
"""Seconds until a ./check that failed is run again; twice as long each time, up to a tick."""
_LEAST_FOR_CHECK = 7.0
"""Seconds that a ./check has though the limit comes sooner: those of several services run one after the other, and hosts are busy.

The limit that sv has by itself: in C's any check that passes at last has passed, and `sv -w 1 check` is how scripts ask for that.
"""


class _Wait:
    """One service that is waited for; descriptors: where its events come from, none where it has to be looked at.

    looked_at: when the last look was over, in seconds since sv was called.
    """

    __slots__ = ("check_pause", "descriptors", "due", "index", "looked_at", "name", "path")

    def __init__(self, index: int, name: bytes, path: bytes) -> None:
        self.index = index
        self.name = name
        self.path = path
        self.descriptors: list[int] = []
        self.due = 0.0
        self.looked_at = 0.0
        self.check_pause = _FIRST_CHECK


class Waiting:
    """The services of one call of sv that have not yet done what they were told to; `run` ends when none is left."""

    def __init__(self, client: Client, command: sv.Command, *, limit: int, started_ns: int) -> None:
        self._client = client
        self._command = command
        self._limit = sv.last_look(limit)
        self._started_ns = started_ns
        self._start = monotonic() - (time_ns() - started_ns) / 1e9
        self._waits: dict[int, _Wait] = {}
        self._by_descriptor: dict[int, _Wait] = {}
        self._told: dict[int, bytes] = {}

    def run(self, services: list[tuple[int, bytes, bytes]]) -> None:
        """Wait for `services`: index on the command line, name, path. Their lines come in the command line's order, tick by tick."""
        client = self._client
        pthread_sigmask(SIG_BLOCK, (SIGRTMIN, SIGIO))
        spare = [posix.open(b"/", posix.O_PATH | posix.O_CLOEXEC) for _ in range(_SPARE)]
        for index, name, path in services:
            self._waits[index] = wait = _Wait(index, name, path)
            self._listen(wait)
        for descriptor in spare:
            posix.close(descriptor)
        self._look(list(self._waits.values()))
        tick = sv.TICK
        while self._waits:
            now = self._elapsed()
            if now >= tick:
                tick = sv.next_look(now)
                self._tell()
            if now >= self._limit:
                self._time_out()
                break
            due = min(wait.due for wait in self._waits.values())
            until = min(due, self._limit, tick if self._told else _NEVER)
            self._look(self._woken(min(max(0.0, until - now), _NEVER)))
        self._tell()
        client.flush()

    def _elapsed(self) -> float:
        return monotonic() - self._start

    def _listen(self, wait: _Wait) -> None:
        try:
            descriptor = posix.open(wait.path + b"supervise", posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
            self._by_descriptor[descriptor] = wait
            wait.descriptors.append(descriptor)
            fcntl.fcntl(descriptor, fcntl.F_SETSIG, SIGRTMIN)
            fcntl.fcntl(descriptor, fcntl.F_NOTIFY, _EVENTS)
            if b"x" in self._command.letters:
                descriptor = posix.open(wait.path + b"supervise/ok", WRITE)
                self._by_descriptor[descriptor] = wait
                wait.descriptors.append(descriptor)
                fcntl.fcntl(descriptor, fcntl.F_SETSIG, SIGRTMIN)
                fcntl.fcntl(descriptor, fcntl.F_SETOWN, posix.getpid())
                fcntl.fcntl(descriptor, fcntl.F_SETFL, WRITE | fcntl.FASYNC)
        except OSError:
            self._ignore(wait)

    def _ignore(self, wait: _Wait) -> None:
        for descriptor in wait.descriptors:
            del self._by_descriptor[descriptor]
            posix.close(descriptor)
        wait.descriptors.clear()

    def _woken(self, timeout: float) -> list[_Wait]:
        """Give the services that something happened to, or whose time has come, within `timeout` seconds."""
        woken: dict[int, _Wait] = {}
        while (info := sigtimedwait((SIGRTMIN, SIGIO), 0.0 if woken else timeout)) is not None:
            if info.si_signo == SIGIO:
                return list(self._waits.values())
            # Of the union in siginfo_t, si_fd lies where si_status does, behind si_band or behind si_pid and si_uid; sigaction(2).
            wait = self._by_descriptor.get(info.si_status)
            if wait is None:
                timeout = 0.0
            else:
                woken[wait.index] = wait
        now = self._elapsed()
        return [wait for index, wait in self._waits.items() if index in woken or wait.due <= now]

    def _look(self, waits: list[_Wait]) -> None:
        for wait in waits:
            self._client.now_ns = time_ns()
            is_over = self._is_over(wait)
            wait.looked_at = self._elapsed()
            if is_over:
                self._ignore(wait)
                del self._waits[wait.index]

    def _is_over(self, wait: _Wait) -> bool:
        """Look at one service; True when there is nothing more to wait for, its line then being ready."""
        client = self._client
        wait.due = _NEVER if wait.descriptors else self._elapsed() + sv.TICK
        said, client.out = client.out, []
        try:
            try:
                posix.stat(wait.path + b".")
            except OSError as error:
                client.fail(b"fail: ", wait.name, b"unable to change to service directory", error.errno)
                return True
            status = client.status(wait.name, wait.path)
            if isinstance(status, int):
                return True
            answer = sv.reached(self._command.letters, status, started_ns=self._started_ns, now_ns=time_ns())
            if answer == sv.REACHED_IF_CHECKED and not check.is_there(wait.path):
                known = client.detail(wait.path, status)
                if known is not None and known.notifies and not known.ready:
                    return False
            elif answer == sv.REACHED_IF_CHECKED and not self._passes(wait):
                wait.due = self._elapsed() + wait.check_pause
                wait.check_pause = min(2 * wait.check_pause, sv.TICK)
                return False
            if answer == sv.NOT_YET:
                return False
            client.out.append(b"ok: %s\n" % client.line(wait.name, wait.path, status))
            return True
        finally:
            if client.out:
                self._told[wait.index] = b"".join(client.out)
            client.out = said

    def _passes(self, wait: _Wait) -> bool:
        return check.passes(self._client, wait.name, wait.path, max(self._limit - self._elapsed(), _LEAST_FOR_CHECK))

    def _tell(self) -> None:
        """Print what is ready, in the order of the command line."""
        for index in sorted(self._told):
            self._client.out.append(self._told[index])
        self._told.clear()
        self._client.flush()

    def _time_out(self) -> None:
        """The limit has passed: a last look, unless one was over since, then `timeout:` or `kill:`, and k, for what is not done."""
        client = self._client
        self._look([wait for wait in self._waits.values() if wait.looked_at < self._limit])
        client.now_ns = time_ns()
        verb = b"kill: " if self._command.kills else b"timeout: "
        for index, wait in self._waits.items():
            status = client.status(wait.name, wait.path)
            if not isinstance(status, int):
                client.out.append(client.line(wait.name, wait.path, status))
                client.failures += 1
            client.out.append(b"\n")
            if self._command.kills:
                client.control(wait.name, wait.path, b"k")
            self._told[index] = verb + b"".join(client.out)
            client.out.clear()
