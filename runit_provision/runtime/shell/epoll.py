"""epoll(7) that turns no descriptor away: what the kernel has no room to watch is looked at each second, by poll(2), until it has."""

from __future__ import annotations

import errno
import select
import time

from .report import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_LOOKS = (0.01, 1.0)
"""Seconds between two looks: first, and at most."""
_NO_ROOM = {errno.ENOMEM: "out of memory", errno.ENOSPC: "fs.epoll.max_user_watches is reached"}
"""Why it has none (epoll_ctl(2)): that may be over soon, and no descriptor is to be lost for that."""
_POLLED = 0xFFFF
"""The events that poll(2) knows too, by the same numbers."""


class Epoll:
    """As select.epoll, whose methods these are; report: told once that there is no room, each time."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._epoll = select.epoll()
        self._unwatched: dict[int, int] = {}  # what each of those is waited for that are looked at now and then
        self._pause = 0.0
        self._next = 0.0
        self._trouble = Trouble(report)

    def close(self) -> None:
        """Give up its descriptor."""
        self._epoll.close()

    def register(self, fd: int, events: int = select.EPOLLIN) -> None:
        """Wait for `fd`, if need be up to a second late, and edge triggered or not."""
        self._unwatched.pop(fd, None)  # another one was closed that had the number
        try:
            self._epoll.register(fd, events)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            reason = _NO_ROOM[error.errno]
            self._trouble.tell(f"warning: unable to wait for events, looking for them each second: {reason}")
            if not self._unwatched:
                self._pause = _LOOKS[0]
                self._next = time.monotonic() + self._pause
            self._unwatched[fd] = events

    def modify(self, fd: int, events: int) -> None:
        """Change what `fd` is waited for."""
        if fd in self._unwatched:
            self._unwatched[fd] = events
        else:
            self._epoll.modify(fd, events)

    def unregister(self, fd: int) -> None:
        """Wait for `fd` no more."""
        if self._unwatched.pop(fd, None) is None:
            self._epoll.unregister(fd)

    def poll(self, seconds: float = -1, most: int = -1) -> list[tuple[int, int]]:
        """Give what is ready, with its events; nothing after `seconds`, or sooner when it was time for a look."""
        if not self._unwatched:
            return self._epoll.poll(seconds, most)
        left = max(0.0, self._next - time.monotonic())
        ready = self._epoll.poll(left if seconds < 0 else min(seconds, left), most)
        if time.monotonic() >= self._next:
            ready += self._look()
        return ready

    def _look(self) -> list[tuple[int, int]]:
        """Watch what there was no room for, and see by poll(2) to what there is none for still."""
        poll = select.poll()
        for fd, events in list(self._unwatched.items()):
            try:
                self._epoll.register(fd, events)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    poll.register(fd, events & _POLLED)
                    continue
                # It was closed, which for epoll(7) has the same effect as to unregister it.
            del self._unwatched[fd]
        ready = poll.poll(0)
        for fd, _events in ready:
            if self._unwatched[fd] & select.EPOLLONESHOT:
                self._unwatched[fd] = 0
        if self._unwatched:
            self._pause = min(2 * self._pause, _LOOKS[1])
            self._next = time.monotonic() + self._pause
        else:
            self._trouble.over()
        return ready
