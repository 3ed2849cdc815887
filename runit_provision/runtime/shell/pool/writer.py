"""A thread of the pool: everything that is done for the logs of one filesystem.

It waits for their FIFOs and does what is due, one chunk of one log after the other, without handing anything over; so a disk that
hangs stops this thread, and with it exactly the logs that are on this disk. A log whose disk refuses (Pause), or that waits
for its processor or until a full file is safe (Wait), is set aside with its chunk, and the others go on.

Other threads put what they want into `inbox`, by `call`.
"""

from __future__ import annotations

import _heapq
import posix
import select
import time

from ...wire import errors
from ...wire import pool as wire
from ..epoll import Epoll
from ..logs import threads
from ..logs.steps import LONGEST, PAUSE, Pause, Wait
from ..logs.sync import Crew
from .extents import CHUNK
from .logger import waiting, widen
from .watch import PATIENCE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..logs.steps import Steps
    from .extents import Slot
    from .logger import Logger
    from .room import Room
    from .watch import Turn

    Call = tuple[Callable[..., object], tuple[object, ...]]
    """What is to be called, and with what. A closure would take several times as much, and with a tree thousands of logs begin."""

    class Owner(Protocol):
        """Who hears, in the writer's thread, how a log goes."""

        def has_ended(self, status: int) -> None:
            """It ended with this wait status."""

        def has_to_wait(self, why: int | None) -> None:
            """It waits (wire.pool says for what); None: it goes on."""


IN_FLIGHT_MAX = 64
"""Chunks that logs which are set aside may hold; then no other is taken until one is through."""
OPEN_MAX = 256
"""Files `current` that are kept open."""
_SHED = 16
"""Logs whose directory and `current` are closed at a time where there is little room."""
_LOOKED_AT = 256
_AGAIN = 0.05
"""Seconds before what there was no room for is tried again, since others are about to close something."""
_AGAIN_MAX = 60
"""So often before it is told, and has to wait as what a disk refuses."""
WIDE_MAX = 128
"""FIFOs that are widened once they were full, so that a flood wakes us and its service half as often. That takes an eighth of the pages
that all pipes of an ordinary user have; who has more than them gets but small ones (pipe(7), pipe-user-pages-soft)."""
GATHER = 0.01
"""Seconds for which lines that come one by one, soon after each other, are left in their FIFOs, so that they are taken together: to be
woken takes longer than to take one, or several."""
SOON = GATHER / 4
"""Seconds between two rounds from which on as many are expected to gather that it is worth to be woken once more."""
FLOOD = 8192
"""Bytes of a chunk; who writes so many would fill its FIFO while lines gather, and so they do not, for a while."""
FLOOD_LASTS = 1.0
"""Seconds."""
PAUSED_BY_SIGNAL = 1
SET_ASIDE = 2
"""Why a FIFO is not looked at."""


class Task:
    """A log of this thread: what is being done for it, what is to be done next, and why its FIFO is not looked at."""

    __slots__ = (
        "ages",
        "draining",
        "logger",
        "mute",
        "over",
        "owner",
        "queue",
        "steps",
        "timed",
        "told",
        "tries",
        "waits_for",
        "waits_since",
        "watched",
    )

    def __init__(self, logger: Logger, owner: Owner) -> None:
        """owner: hears how it goes; told: whether it has heard that the log waits; timed: whether it will hear if that lasts;

        ages: whether a timer is set for the age of `current`, which one that is empty has not; tries: how often there was no room
        of late; over: whether it has ended, so that what was asked for too late is not done.
        """
        self.logger = logger
        self.owner = owner
        self.told = self.over = False
        self.tries = 0
        self.steps: Steps[object] | None = None
        self.queue: tuple[tuple[Callable[..., Steps[object]], tuple[object, ...]], ...] = ()
        self.draining = False
        self.ages = False
        self.mute = PAUSED_BY_SIGNAL
        self.waits_for = -1
        self.waits_since = 0.0
        self.timed = False
        self.watched = -1


class Writer:
    """The thread's loop; turn: how it says what it does; room, report: the pool's."""

    def __init__(self, turn: Turn, room: Room, report: Callable[[str], None]) -> None:
        self.turn = turn
        self._room = room
        self.crew = Crew()
        self.inbox: list[Call] = []
        self._epoll = Epoll(report)  # first: where there is no descriptor for the next one, it is closed with us
        self._wake = posix.eventfd(0, posix.EFD_CLOEXEC | posix.EFD_NONBLOCK)
        self._calls = select.poll()
        self._calls.register(self._wake, select.POLLIN)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._by_fifo: dict[int, Task] = {}
        self._by_processor: dict[int, Task] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._spare: list[Slot] = []
        self._open: dict[Task, None] = {}
        self._near: dict[Task, None] = {}
        self._aside: set[Task] = set()
        self._wide: set[Task] = set()
        self._runs = False
        self._round = 0.0  # when the last one began
        self._flood = 0.0

    # ---- for other threads

    def call(self, function: Callable[..., object], *arguments: object) -> None:
        """Let this thread call `function` with `arguments` soon."""
        self.inbox.append((function, arguments))
        posix.eventfd_write(self._wake, 1)

    # ---- the loop

    def start(self) -> None:
        """Work in a thread of its own from now on, if it does not yet.

        Raises: RuntimeError, when there is no room for one.
        """
        if not self._runs:
            threads.start(self._run)
            self._runs = True

    def _run(self) -> None:
        while True:
            timeout = min(max(0.0, self._timers[0][0] - time.monotonic()), LONGEST) if self._timers else -1
            ready = self._epoll.poll(timeout)
            last, self._round = self._round, time.monotonic()
            for descriptor, events in ready:
                if (task := self._by_fifo.get(descriptor)) is not None:
                    self._fifo_ready(task, events)
                elif descriptor == self._wake:
                    posix.eventfd_read(self._wake)
                elif (task := self._by_processor.get(descriptor)) is not None:
                    self._processor_ended(task, descriptor)
            while self.inbox:
                function, arguments = self.inbox.pop(0)
                function(*arguments)
            while self._timers and self._timers[0][0] <= time.monotonic():
                _heapq.heappop(self._timers)[2]()
            self.turn.end()
            if (len(ready) > 1 or self._round - last < SOON) and self._round > self._flood and not self._aside:
                self._calls.poll(GATHER * 1000)

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        self._count += 1
        _heapq.heappush(self._timers, (time.monotonic() + seconds, self._count, function))

    # ---- tasks

    def begin(self, task: Task, first: Callable[..., Steps[object]], *arguments: object) -> None:
        """Take a task; `first`, called with `arguments`, opens its log."""
        self._by_fifo[task.logger.fifo] = task
        task.logger.log.crew = self.crew
        self.do(task, first, *arguments)

    def do(self, task: Task, what: Callable[..., Steps[object]], *arguments: object) -> None:
        """Do `what`, called with `arguments`, for a task as soon as nothing else is being done for it."""
        if task.over:
            return
        if task.steps is None and not task.queue:
            task.steps = what(*arguments)
            self._advance(task)
            self._next(task)
        else:
            task.queue += ((what, arguments),)

    def listen(self, task: Task, why: int) -> None:
        """The reason `why` not to look at the FIFO is gone."""
        if task.over:
            return
        before, task.mute = task.mute, task.mute & ~why
        if before and not task.mute:
            self._epoll.register(task.logger.fifo, select.EPOLLIN)

    def _listen_again(self, task: Task) -> None:
        if task.steps is None and task.logger.fifo >= 0:
            self.listen(task, SET_ASIDE)

    def mute(self, task: Task, why: int) -> None:
        """Do not look at the FIFO, for the reason `why`."""
        if not task.mute and task.logger.fifo >= 0:
            self._epoll.unregister(task.logger.fifo)
        task.mute |= why

    def replace_fifo(self, task: Task, fifo: int) -> None:
        """Read from `fifo` instead."""
        if task.over:
            posix.close(fifo)
            return
        mute = task.mute
        self.mute(task, PAUSED_BY_SIGNAL)
        self._wide.discard(task)
        del self._by_fifo[task.logger.fifo]
        task.logger.replace_fifo(fifo)
        self._by_fifo[fifo] = task
        if not mute & PAUSED_BY_SIGNAL:
            self.listen(task, PAUSED_BY_SIGNAL)

    def end(self, task: Task, status: int) -> None:
        """A log is closed, or abandoned: tell its end, once, and let go of it when what is being done is done."""
        if not task.over:
            task.over = True
            task.queue = ()
            task.owner.has_ended(status)
            self.call(self.remove, task)

    def remove(self, task: Task) -> None:
        """Let go of a task that is over, or was never told of."""
        if task.logger.fifo < 0:
            return
        self.mute(task, PAUSED_BY_SIGNAL)
        del self._by_fifo[task.logger.fifo]
        posix.close(task.logger.fifo)
        task.logger.fifo = -1
        self._open.pop(task, None)
        self._near.pop(task, None)
        self._aside.discard(task)
        self._wide.discard(task)
        self._unwatch(task)
        # It goes on, as that of a svlogd that is killed; but it is our child, and nobody else buries it.
        self._watch(task, task.logger.log.processor.pidfd)
        task.waits_for = -1
        if task.steps is not None:
            task.steps.close()
            task.steps = None
        task.queue = ()

    def reopen(self, task: Task) -> None:
        """HUP: read the config again, as soon as nothing else is being done."""
        self.do(task, self._reopen, task)
        self._heed_processor(task)

    def _reopen(self, task: Task) -> Steps[None]:
        if (yield from task.logger.reopen()):
            self.age(task)
            return
        task.logger.log.say(b"fatal: no functional log directories.")
        task.logger.abandon()
        self.end(task, 111 << 8)

    def _heed_processor(self, task: Task) -> None:
        """HUP has this effect at once, or no other processor would ever be tried where one fails again and again."""
        log = task.logger.log
        if task.waits_for >= 0 and task.waits_for == log.processor.pidfd and (self._reopen, (task,)) in task.queue:
            self.turn.begin(log.name)
            log.reread_processor()

    def age(self, task: Task) -> None:
        """Rotate when `current` is as old as the config allows, now and ever after."""
        due = task.logger.log.due
        task.ages = due > 0
        if due:
            self._after(max(0.0, due - time.monotonic()), lambda: self._aged(task, due))

    def _aged(self, task: Task, due: float) -> None:
        log = task.logger.log
        if task.logger.fifo < 0 or log.due != due:
            return  # it has ended, or has another config
        if not log.size and task.steps is None:
            task.ages = False
            return

        def rotate() -> Steps[None]:
            yield from log.rotate()
            self.age(task)

        self.do(task, rotate)

    def _next(self, task: Task) -> None:
        """Begin what is to be done next; when there is nothing, look at the FIFO again."""
        while task.steps is None and task.queue:
            (what, arguments), *others = task.queue
            task.queue = tuple(others)
            task.steps = what(*arguments)
            self._advance(task)

    def _advance(self, task: Task) -> None:
        """Go on with what is being done, as far as it goes."""
        assert task.steps is not None
        self.turn.begin(task.logger.log.name)
        try:
            step = next(task.steps, None)
        except Exception as error:
            self._fail(task, error)
            return
        match step:
            case None:
                task.steps = None
                task.waits_since = 0.0
                task.tries = 0
                if task.told:
                    self._tell(task, None)
                self._rest(task)
            case Pause() if task.logger.log.folder.is_removed(step.number):
                # Whoever starts it anew makes the directory; else it would wait for ever, and its end too.
                task.logger.log.warn(b"log directory was removed, ending")
                task.logger.lose_directory()
                self.end(task, 111 << 8)
            case Pause():
                self._set_aside(task)
                steps = task.steps
                if step.number in errors.NO_DESCRIPTOR and self._makes_room_for(task):
                    self._after(_AGAIN, lambda: self._resume(task, steps))
                    return
                task.logger.log.say(step.warning)
                self._tell(task, step.number)
                self._after(PAUSE, lambda: self._resume(task, steps))
            case Wait():
                self._set_aside(task)
                task.waits_for = step.descriptor
                self._unwatch(task)
                self._watch(task, step.descriptor)
                task.waits_since = task.waits_since or time.monotonic()
                self._tell_if_long(task)
                self._heed_processor(task)

    def _fail(self, task: Task, error: Exception) -> None:
        """End a log that something unforeseen was met with."""
        log = task.logger.log
        log.say(b"fatal: " + log.name + b": " + repr(error).encode("utf-8", "surrogateescape"))
        task.steps = None
        task.logger.abandon()
        self.end(task, 111 << 8)

    def _tell(self, task: Task, why: int | None) -> None:
        task.told = why is not None
        task.owner.has_to_wait(why)

    def _tell_if_long(self, task: Task) -> None:
        """Tell of what has waited for long; for a processor, or for a file that is made safe."""
        left = task.waits_since + PATIENCE - time.monotonic()
        if left <= 0:
            log = task.logger.log
            if task.waits_for != log.processor.pidfd:
                self._tell(task, log.refusal or wire.SILENT)
            else:
                self._tell(task, wire.PROCESSOR_FAILS if log.processor.fails else wire.PROCESSOR)
        elif not task.timed:
            task.timed = True
            self._after(left, lambda: self._look_whether_long(task))

    def _look_whether_long(self, task: Task) -> None:
        task.timed = False
        if task.waits_for >= 0:
            self._tell_if_long(task)

    def _set_aside(self, task: Task) -> None:
        if not task.mute & SET_ASIDE:
            self.mute(task, SET_ASIDE)
            self._aside.add(task)

    def _rest(self, task: Task) -> None:
        """Nothing is being done: see to the processor, the age, the files that are open, and listen."""
        if task.mute & SET_ASIDE:
            self._aside.discard(task)
            self.listen(task, SET_ASIDE)
        log = task.logger.log
        if log.size and log.due and not task.ages:
            log.pass_due()
            self.age(task)
        if log.processor.pidfd != task.watched:
            self._unwatch(task)
            self._watch(task, log.processor.pidfd)
        if log.current >= 0:
            is_old = self._open.pop(task, task) is None
            self._open[task] = None
            if len(self._open) > OPEN_MAX:
                self._close_one()
            self._near.pop(task, None)
            self._near[task] = None
            if not is_old and self._room.is_little(log.current, log.directory):
                self._make_room()

    def _makes_room_for(self, task: Task) -> bool:
        """Make room for a log that there was no descriptor for; False when that has not helped for long."""
        self._make_room()
        task.tries += 1
        return task.tries < _AGAIN_MAX

    def _make_room(self) -> None:
        if not self.shed():
            self._room.make()

    def shed(self) -> bool:
        """Close directory and `current` of some logs, the longest unused first; False when there is none of which that may be."""
        found: list[Task] = []
        busy: list[Task] = []
        for task in self._near:
            if len(found) == _SHED or len(busy) == _LOOKED_AT:
                break
            (found if task.steps is None and task.logger.log.release() else busy).append(task)
        for task in found:
            del self._near[task]
            self._open.pop(task, None)
        for task in busy:
            del self._near[task]
            self._near[task] = None
        return bool(found)

    def _close_one(self) -> None:
        """Close the `current` that was longest not written."""
        for task in self._open:
            if task.steps is None:
                task.logger.log.release_current()
                del self._open[task]
                return

    def _resume(self, task: Task, steps: Steps[object]) -> None:
        if task.steps is steps:
            self._advance(task)
            self._next(task)

    def _watch(self, task: Task, descriptor: int) -> None:
        if descriptor >= 0:
            self._by_processor[descriptor] = task
            self._epoll.register(descriptor, select.EPOLLIN)
        task.watched = descriptor

    def _unwatch(self, task: Task) -> None:
        if task.watched >= 0:
            self._by_processor.pop(task.watched, None)
            try:
                self._epoll.unregister(task.watched)
            except OSError:
                pass  # it was closed, which has the same effect
        task.watched = -1

    def _processor_ended(self, task: Task, descriptor: int) -> None:
        self._unwatch(task)
        if task.over:
            task.logger.log.processor.bury()
        elif task.waits_for == descriptor and task.steps is not None:
            task.waits_for = -1
            self._resume(task, task.steps)
        else:
            self.do(task, task.logger.log.processor.reap)

    # ---- chunks

    def _fifo_ready(self, task: Task, events: int) -> None:
        if task.mute or task.over:
            return  # since this round's other events
        length = waiting(task.logger.fifo)
        if length:
            if length >= FLOOD:
                self._flood = self._round + FLOOD_LASTS
            if length >= CHUNK and task not in self._wide and len(self._wide) < WIDE_MAX:
                self._wide.add(task)
                widen(task.logger.fifo)
            if length < task.logger.few and task.steps is None and self._spare and not self._aside:
                self._take_few(task, length)
            elif len(self._aside) < IN_FLIGHT_MAX or sum(other.logger.in_flight for other in self._aside) < IN_FLIGHT_MAX:
                self.do(task, task.logger.take, length, self._spare)
            else:
                # It would only wait in the journal's memory instead of in its own FIFO.
                self.mute(task, SET_ASIDE)
                self._after(1, lambda: self._listen_again(task))
        elif events & select.EPOLLHUP:
            self.mute(task, PAUSED_BY_SIGNAL)
            if task.draining:
                self.do(task, self._drained, task)

    def _take_few(self, task: Task, length: int) -> None:
        """Take so little of a log for which nothing else is being done."""
        self.turn.begin(task.logger.log.name)
        try:
            done = task.logger.take_few(length, self._spare)
        except Exception as error:
            self._fail(task, error)
            return
        if done:
            self._rest(task)
        else:
            self.do(task, task.logger.complete, self._spare)

    def _drained(self, task: Task) -> Steps[None]:
        yield from task.logger.close()
        self.end(task, 0)
