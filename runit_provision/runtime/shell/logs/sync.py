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
from .steps import PAUSE, Pause, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .steps import Steps

    Job = Callable[[], bool]
    """Gives whether it is done, or else to be tried again."""
    Step = tuple[bytes, Callable[[], object]]
    """What is done, for a message, and how."""

HANDS_MAX = 16
LINGER = 1.0
"""Seconds that a thread waits for more: where logs are flooded, to start one takes longer than what it does."""


class Crew:
    """Threads that make files of one filesystem safe: HANDS_MAX at most, none after a while with nothing to do.

    What the disk refuses is tried again after PAUSE seconds; meanwhile the threads do what there is for others.
    """

    def __init__(self) -> None:
        self._lock = _thread.allocate_lock()
        self._jobs: list[Job] = []
        self._refused: list[tuple[float, Job]] = []  # what is to be tried again, and when (monotonic seconds), the soonest first
        self._begun: dict[int, float] = {}  # by thread, when it began what it does (monotonic seconds)
        self._hands = 0
        self._idle = 0
        self._bell = _thread.allocate_lock()  # released: one of those that are idle is to look
        self._bell.acquire()

    def do(self, job: Job) -> None:
        """Let it be done soon."""
        with self._lock:
            if self._hands == HANDS_MAX or self._idle > len(self._jobs):
                self._add(job)
                return
            self._hands += 1
        try:
            threads.start(self._work, job)
        except RuntimeError:  # no room for a thread
            with self._lock:
                self._hands -= 1
                if self._hands:
                    self._add(job)
                    return
            while not job():
                time.sleep(PAUSE)

    def _add(self, job: Job) -> None:
        self._jobs.append(job)
        self._ring()

    def _ring(self) -> None:
        if self._jobs and self._idle and self._bell.locked():
            self._bell.release()

    def is_busy_since(self, moment: float) -> bool:
        """Whether a thread is still at what it had begun at `moment` (monotonic seconds)."""
        return any(begun <= moment for begun in list(self._begun.values()))

    def _work(self, job: Job | None) -> None:
        thread = _thread.get_ident()
        while job is not None:
            self._begun[thread] = time.monotonic()
            done = job()
            del self._begun[thread]
            if not done:
                with self._lock:
                    self._refused.append((time.monotonic() + PAUSE, job))
            job = self._next()

    def _next(self) -> Job | None:
        """Give what is to be done next; None for nothing, which ends a thread."""
        with self._lock:
            self._take_up_refused()
            if self._jobs:
                return self._jobs.pop(0)
            self._idle += 1
            seconds = self._patience()
        while True:
            self._bell.acquire(timeout=seconds)
            with self._lock:
                self._take_up_refused()
                if self._jobs:
                    self._idle -= 1
                    job = self._jobs.pop(0)
                    self._ring()
                    return job
                if not self._refused or self._idle > 1:
                    self._idle -= 1
                    self._hands -= 1
                    return None
                seconds = self._patience()

    def _patience(self) -> float:
        """Give how long one that is idle waits for the bell, in seconds."""
        return max(0.0, self._refused[0][0] - time.monotonic()) if self._refused else LINGER

    def _take_up_refused(self) -> None:
        while self._refused and self._refused[0][0] <= time.monotonic():
            self._jobs.append(self._refused.pop(0)[1])


class Sync:
    """Makes the files of one log safe, one after the other; say: takes svlogd's messages; crew: whose threads do it, or its own.

    refusal: the errno with which the disk refuses that; 0: it does not.

    Nothing here ever waits for a thread: who must wait does so by `idle`, and whoever drives that goes on with others' logs.
    """

    __slots__ = ("_busy", "_crew", "_is_alone", "_last", "_lock", "_say", "_waiter", "refusal")

    def __init__(self, say: Callable[[bytes], None], crew: Crew | None) -> None:
        self._is_alone = crew is None
        self._crew = crew or Crew()
        self._say = say
        self._lock = _thread.allocate_lock()
        self._busy = False
        self._waiter = -1
        self.refusal = 0
        self._last: tuple[int, ...] = ()

    def idle(self) -> Steps[None]:
        """Wait until nothing is under way."""
        while self._busy:
            try:
                done = posix.eventfd(0, posix.EFD_CLOEXEC)
            except OSError as error:  # no descriptor to wait with
                number = error.errno or 0
                yield Pause(b"pausing: unable to wait for fsync: " + errors.text(number), number)
                continue
            try:
                if self._is_told_by(done):
                    yield Wait(done)
            finally:
                self._is_told_by(-1)
                posix.close(done)

    def finish(self, descriptor: int, name: bytes, then: list[Step]) -> None:
        """Make a file safe, do what is to be done `then`, and close it, soon; while nothing else is under way. name: the log's."""
        self._crew.do(self._begin(descriptor, name, then))

    def finish_last(self, descriptor: int, name: bytes, *, once: bool) -> Steps[None]:
        """Make a file that keeps its name safe, and close it; others of the crew's may go on meanwhile. once: try no second time."""
        job = self._begin(descriptor, name, [], once=once)
        if self._is_alone:
            while not job():
                time.sleep(PAUSE)
        else:
            self._crew.do(job)
            yield from self.idle()

    @property
    def is_busy(self) -> bool:
        """Whether something is under way."""
        return self._busy

    def end(self, *descriptors: int) -> None:
        """Close `descriptors` as soon as nothing is under way; what the disk refuses from now on is not tried again."""
        with self._lock:
            if self._busy:
                self._last = descriptors
                return
        _close(*descriptors)

    def _begin(self, descriptor: int, name: bytes, then: list[Step], *, once: bool = False) -> Job:
        assert not self._busy
        self._busy = True
        todo: list[Step] = [
            (b"fsync current logfile", lambda: posix.fsync(descriptor)),
            (b"set mode of current", lambda: posix.fchmod(descriptor, 0o744)),
            *then,
        ]

        def job() -> bool:
            done = True
            try:
                done = self._try(todo, name, once=once)
            finally:
                if done:
                    self._finished(descriptor)
            return done

        return job

    def _try(self, todo: list[Step], name: bytes, *, once: bool) -> bool:
        """Do what is still to do, as far as the disk lets us; tell whether it is over."""
        while todo:
            what, call = todo[0]
            try:
                call()
            except OSError as error:
                # Somebody has removed the file, or we have for want of space; or the log has ended, and who opens it next sees to it.
                over = once or isinstance(error, FileNotFoundError) or bool(self._last)
                reason = b"unable to " + what + b": " + name + b": " + errors.text(error.errno or 0)
                self.refusal = 0 if over else error.errno or 0
                self._say((b"warning: " if over else b"pausing: ") + reason)
                return over
            self.refusal = 0
            del todo[0]
        return True

    def _is_told_by(self, waiter: int) -> bool:
        """Let the end of what is under way be told by the eventfd `waiter`, -1 for none; whether anything is under way."""
        with self._lock:
            self._waiter = waiter
            return self._busy

    def _finished(self, descriptor: int) -> None:
        _close(descriptor)
        with self._lock:
            self._busy = False
            _close(*self._last)
            if self._waiter >= 0:
                posix.eventfd_write(self._waiter, 1)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        try:
            posix.close(descriptor)
        except OSError:
            pass  # it is closed nevertheless; what a network filesystem says by that, fsync has said
