"""A rotated file is made safe while the next one is written: fsync, mode 0744, and only then the name `.s`, which says that it is.

C's svlogd does so before it renames the file, and reads nothing meanwhile. Until then the file is called `.u` here, as a `current` is
that a crash left behind.

Many fsyncs at once take hardly longer than one, since a filesystem commits for all that wait. So a pool whose logs end together makes
them safe together.
"""

from __future__ import annotations

import _thread
import posix
import time

from ...wire import errors
from . import threads
from .steps import PAUSE, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .steps import Steps

HANDS_MAX = 16
LINGER = 1.0
"""Seconds that a thread waits for more: where logs are flooded, to start one takes longer than what it does."""


class Crew:
    """Threads that make files of one filesystem safe: HANDS_MAX at most, none after a while with nothing to do."""

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._jobs: list[Callable[[], None]] = []
        self._hands = 0
        self._idle = 0
        self._bell = _thread.allocate_lock()  # released: one of those that are idle is to look
        self._bell.acquire()

    def do(self, job: Callable[[], None]) -> None:
        """Let it be done soon."""
        with self._lock:
            if self._hands == HANDS_MAX or self._idle > len(self._jobs):
                self._jobs.append(job)
                self._ring()
                return
            self._hands += 1
        try:
            threads.start(self._work, job)
        except RuntimeError:  # no room for a thread
            with self._lock:
                self._hands -= 1
            job()

    def _ring(self) -> None:
        if self._jobs and self._idle and self._bell.locked():
            self._bell.release()

    def _work(self, job: Callable[[], None] | None) -> None:
        while job is not None:
            job()
            job = self._next()

    def _next(self) -> Callable[[], None] | None:
        """Give what is to be done next; None for nothing, which ends a thread."""
        with self._lock:
            if self._jobs:
                return self._jobs.pop(0)
            self._idle += 1
        self._bell.acquire(timeout=LINGER)
        with self._lock:
            self._idle -= 1
            if not self._jobs:
                self._hands -= 1
                return None
            job = self._jobs.pop(0)
            self._ring()
            return job


class Sync:
    """Makes the files of one log safe, one after the other; say: takes svlogd's messages; crew: whose threads do it, or its own."""

    __slots__ = ("_busy", "_crew", "_is_alone", "_say")

    def __init__(self, say: Callable[[bytes], None], crew: Crew | None) -> None:
        self._is_alone = crew is None
        self._crew = crew or Crew()
        self._say = say
        self._busy = _thread.allocate_lock()

    def finish(self, descriptor: int, name: bytes, rename: Callable[[], None] | None) -> None:
        """Make a file safe, rename and close it, soon; waits for the one before. name: the log's."""
        self._busy.acquire()
        self._crew.do(lambda: self._finish(descriptor, name, rename))

    def finish_last(self, descriptor: int, name: bytes) -> Steps[None]:
        """Make a file that keeps its name safe, and close it; others of the crew's may go on meanwhile."""
        if self._is_alone:
            self._busy.acquire()
            self._finish(descriptor, name, None)
            return
        try:
            done = posix.eventfd(0, posix.EFD_CLOEXEC)
        except OSError:  # no descriptor to wait with
            self.finish(descriptor, name, None)
            self.wait()
            return
        try:
            self.finish(descriptor, name, lambda: posix.eventfd_write(done, 1))
            yield Wait(done)
        finally:
            self.wait()
            posix.close(done)

    def wait(self) -> None:
        """Wait until nothing is under way."""
        with self._busy:
            pass

    def _finish(self, descriptor: int, name: bytes, rename: Callable[[], None] | None) -> None:
        self._insist(b"fsync current logfile", name, lambda: posix.fsync(descriptor))
        self._insist(b"set mode of current", name, lambda: posix.fchmod(descriptor, 0o744))
        if rename is not None:
            self._insist(b"rename current", name, rename)
        posix.close(descriptor)
        self._busy.release()

    def _insist(self, what: bytes, name: bytes, call: Callable[[], None]) -> None:
        while True:
            try:
                return call()
            except OSError as error:
                self._say(b"pausing: unable to " + what + b": " + name + b": " + errors.text(error.errno or 0))
                time.sleep(PAUSE)
