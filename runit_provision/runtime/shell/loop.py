"""One thread's waiting: descriptors, due times and signals. It wakes up for a cause only."""

from __future__ import annotations

import _heapq
import _signal
import os
import select
import time

from .epoll import Epoll

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LONGEST_SECONDS = 1_000_000.0
"""In one wait: epoll_wait(2) knows no more milliseconds than an int holds, and to wake up each eleven days costs nothing."""
_AT_A_TIME = 16
"""Descriptors and due times in a turn: with thousands at once, whatever else happens is not to wait for all of them."""
EPOLLIN = select.EPOLLIN
EPOLLOUT = select.EPOLLOUT
EPOLLPRI = select.EPOLLPRI
ON_CHANGE = select.EPOLLIN | select.EPOLLET
"""For `mind`: when there is something to read, and then when there is more, whether or not it is read."""


def _noop(_number: int, _frame: object) -> None:
    """Make the interpreter write the signal's number to the wake-up pipe instead of acting on it."""


class Loop:
    """Calls back for readable (or writable) descriptors, times that have come, and signals; faults: how many callbacks have failed."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._epoll = Epoll(report)
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._soon: list[Callable[[], None]] = []
        self._signals: dict[int, Callable[[], None]] = {}
        self.faults = 0
        # A pipe and not a signalfd: Python has no signalfd, and its handlers run between bytecodes only, so that one that arrives
        # just before epoll_wait would be noticed too late. set_wakeup_fd writes from the C handler.
        self._awake, self._waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        _signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        self.watch(self._awake, self._on_signal)

    def close(self) -> None:
        """Give up the loop's own descriptors, for a child that goes on with another loop."""
        _signal.set_wakeup_fd(-1)
        self._epoll.close()
        os.close(self._awake)
        os.close(self._waker)

    def watch(self, fd: int, callback: Callable[[], None], events: int = EPOLLIN) -> None:
        """Call `callback` whenever `fd` is ready (level triggered); up to a second late where the kernel has no room to watch it."""
        self._epoll.register(fd, events)
        self._callbacks[fd] = callback

    def mind(self, fd: int, events: int) -> None:
        """Change what a watched `fd` is waited for; 0: nothing for now."""
        self._epoll.modify(fd, events)

    def forget(self, fd: int) -> None:
        """Watch `fd` no more; harmless when it is not watched."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def after(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call `callback` once, `seconds` from now; with 0 when all that is ready has had its turn."""
        self._count += 1
        _heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, callback))

    def soon(self, callback: Callable[[], None]) -> None:
        """Call `callback` once, when what is being done now is done."""
        self._soon.append(callback)

    def on_signal(self, number: int, callback: Callable[[], None]) -> None:
        """Call `callback` when the signal `number` comes; several that come at once may count as one."""
        self._signals[number] = callback
        _signal.signal(number, _noop)

    def run_once(self) -> None:
        """Wait for the next cause, and call back for everything that is ready."""
        for fd, _events in self._epoll.poll(self._timeout(), _AT_A_TIME):
            callback = self._callbacks.get(fd)
            if callback is not None:
                self.guarded(callback)
        now = time.monotonic()
        for _ in range(_AT_A_TIME):
            if not self._timers or self._timers[0][0] > now:
                break
            self.guarded(_heapq.heappop(self._timers)[2])
        self.run_soon()

    def run_soon(self) -> None:
        """Do what was put off by `soon`."""
        while self._soon:
            batch, self._soon = self._soon, []
            for callback in batch:
                self.guarded(callback)

    def _timeout(self) -> float:
        if self._soon:
            return 0
        if not self._timers:
            return -1
        # epoll counts in milliseconds and Python rounds up: never too early, so no turn is for nothing.
        return min(max(0.0, self._timers[0][0] - time.monotonic()), _LONGEST_SECONDS)

    def guarded(self, callback: Callable[..., None], *arguments: object) -> None:
        """Call `callback` with `arguments`; a fault in the handling of one service, or of anything else, never ends the others'."""
        try:
            callback(*arguments)
        except Exception as error:
            self.faults += 1
            self._report(f"internal error: {type(error).__name__}: {error}")

    def _on_signal(self) -> None:
        try:
            numbers = os.read(self._awake, 4096)
        except BlockingIOError:
            return
        for number in sorted(set(numbers)):
            callback = self._signals.get(number)
            if callback is not None:
                self.guarded(callback)
