"""The pool of loggers: one process for all logs that are written as one uid; what it says is in wire.pool.

    this thread     the supervisor's records, signals; no disk is ever touched here
    openers         read `log/env`, make and look at the log directory, which tells the filesystem; openers.py
    writers         one for each filesystem: writer.py

The pool outlives the supervisor: it goes on with every log, and the next one that connects is told what there is.
"""

from __future__ import annotations

import _socket
import binascii
import errno
import posix
import select
import time

from ...wire import errors, tai
from ...wire import pool as wire
from .. import descriptors, installation
from ..epoll import Epoll
from ..logs import settings
from ..logs.memory import keep_freed_memory
from ..logs.place import Place
from ..logs.steps import Pause
from ..report import report_to_stderr
from ..title import Title, name_process
from .connection import Client
from .journal import Journal
from .logger import LIMIT_MAX, Logger
from .openers import Openers
from .room import Room
from .successor import Successor
from .watch import Watch
from .writer import PAUSED_BY_SIGNAL, Task, Writer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable

    from ..logs.steps import Steps
    from .watch import Turn
    from .writer import Call
else:
    import _signal


_report = report_to_stderr("log-pool")
_BREATH = 0.05
"""Seconds that the others of the pool have to close something."""
LEAVING_SECONDS = 5.0
"""For logs to be closed before the pool ends."""


class Member:
    """A logger of the supervisor's `slot`, from ADD to the ACK of its ENDED; turn: of the thread that does something for it."""

    __slots__ = ("_pool", "closing", "fifo", "paused", "slot", "status", "task", "turn", "waiting", "waits", "writer")

    def __init__(self, slot: int, pool: Pool) -> None:
        self.slot = slot
        self._pool = pool
        self.task: Task | None = None
        self.writer: Writer | None = None
        self.turn: Turn | None = None
        self.waiting: tuple[tuple[Callable[[Member], None], int], ...] = ()
        self.status: int | None = None
        self.closing = False
        self.paused = False
        self.fifo = (0, 0)
        self.waits: tuple[int, bytes] | None = None  # why, and since when, as it is said

    def has_ended(self, status: int) -> None:
        """From a writer: the logger is no more."""
        self._pool.call(self._pool.ended, self, status)

    def has_to_wait(self, why: int | None) -> None:
        """From a writer: the log waits, or goes on."""
        self._pool.call(self._pool.waits, self, why)


class Pool:
    """listener, journal: descriptors; see `main`; most: descriptors that this process may have."""

    def __init__(self, listener: int, journal: int, most: int) -> None:
        # EFBIG is told, and what is too long for a limit goes another way.
        _signal.signal(_signal.SIGXFSZ, _signal.SIG_IGN)
        self._listener = _socket.socket(fileno=listener)
        self._listener.setblocking(False)
        self._members: dict[int, Member] = {}
        self._writers: dict[int, Writer] = {}
        self._inbox: list[Call] = []
        self._room = Room(most, lambda: self.call(self._make_room))
        # A pipe for the sake of signals, as in ../loop.py: a handler that is called just before epoll_wait would be heeded after that.
        self._wake, self._waker = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
        self._epoll = Epoll(_report)
        self._epoll.register(self._wake, select.EPOLLIN)
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._client = Client(self._epoll, self._obey, _report)
        self._watch = Watch(self._awake, self._say, self._disk_hangs)
        self._journal = Journal(journal, self._say)
        self._journal.tidy()
        self._openers = Openers(self._watch, self._open)
        self._says: Callable[[bytes], None] = self._say  # one for all logs
        self._successor = Successor(self._is_busy_since, self._say)
        self._ending = self._hands_over = False
        _signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        _signal.signal(_signal.SIGTERM, self._on_term)
        for number in (_signal.SIGHUP, _signal.SIGALRM):
            _signal.signal(number, self._on_signal)
        _signal.signal(_signal.SIGPIPE, _signal.SIG_IGN)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())

    def run(self) -> None:
        """Work until TERM, or QUIT."""
        while not self._ending:
            for descriptor, _ in self._epoll.poll(self._timeout()):
                if descriptor == self._wake:
                    posix.read(self._wake, 4096)
                elif descriptor == self._listener.fileno():
                    self._accept()
                elif descriptor == self._client.fileno():
                    self._client.receive()
            self._empty_inbox()
            self._watch.look()
            self._openers.look()
            self._hand_over()
        self._leave_all()

    @property
    def next_version(self) -> str:
        """The library that is to be executed in our place; empty for none."""
        return self._successor.library if self._hands_over else ""

    def _empty_inbox(self) -> None:
        while self._inbox:
            function, arguments = self._inbox.pop(0)
            function(*arguments)

    def _timeout(self) -> float:
        return min((seconds for seconds in self._timeouts() if seconds >= 0), default=-1)

    def _timeouts(self) -> tuple[float, ...]:
        return self._watch.timeout(), self._openers.timeout(), self._successor.timeout()

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Let the main thread call `function` with `arguments`; from any thread."""
        self._inbox.append((function, arguments))
        self._awake()

    def _awake(self) -> None:
        try:
            posix.write(self._waker, b"\0")
        except BlockingIOError:
            pass  # it is full of what wakes us

    def _on_term(self, _number: int, _frame: object) -> None:
        self._ending = True

    def _on_signal(self, number: int, _frame: object) -> None:
        self._inbox.append((self._signal_all, (number,)))

    # ---- the supervisor

    def _accept(self) -> None:
        try:
            descriptor, _ = self._listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in {*errors.NO_DESCRIPTOR, *errors.NO_MEMORY}:
                self._make_room()
                time.sleep(_BREATH)  # it would be told at once again
            return
        self._client.take(descriptor)
        self._successor.forget()
        living = [member for member in self._members.values() if member.status is None]
        for record in wire.haves([(member.slot, member.closing * wire.CLOSING | member.paused * wire.PAUSED) for member in living]):
            self._client.tell(record.op, record.slot, value=record.value, name=record.name)
        for member in list(self._members.values()):
            if member.status is not None:
                self._client.tell(wire.ENDED, member.slot, value=member.status)
        self._client.tell(wire.END, value=posix.getpid(), name=installation.version())
        for member in list(self._members.values()):
            if member.waits is not None:
                self._tell_waits(member)

    def _obey(self, record: wire.Record, fds: list[int]) -> None:
        member = self._members.get(record.slot)
        match record.op:
            case wire.ADD:
                fds = self._add_or_refuse(record, fds)
            case wire.SIGNAL if member is not None:
                self._when_open(member, lambda member: self._signal(member, record.value))
            case wire.CLOSE if member is not None:
                fds = self._close_or_refuse(member, fds)
            case wire.ACK:
                if member is not None and member.status is not None:
                    del self._members[record.slot]
            case wire.PING:
                self._client.tell(wire.PONG)
            case wire.QUIT:
                self._ending = True
            case wire.UPGRADE:
                self._successor.ask(record.name.decode("utf-8", "surrogateescape"))
                self._hand_over()
            case _:
                pass  # for a logger that has just ended
        for descriptor in fds:
            posix.close(descriptor)

    def _hand_over(self) -> None:
        """Let another version follow, if one is to, as soon as that holds up no log."""
        if self._successor.may_follow():
            self._client.drop()  # nobody is to hear that logs end: they are added again
            self._ending = self._hands_over = True

    def _is_busy_since(self, moment: float) -> bool:
        return self._watch.is_busy_since(moment) or any(writer.crew.is_busy_since(moment) for writer in self._writers.values())

    # ---- add

    def _add_or_refuse(self, record: wire.Record, fds: list[int]) -> list[int]:
        """Take a log, if there is room for it; give what is left of its descriptors, which may not all have come (MSG_CTRUNC)."""
        if len(fds) != 2 or self._room.is_little(*fds):
            self._make_room()
        if len(fds) == 2 and self._room.has(*fds):
            self._add(record, *fds)
            return []
        self._client.tell(wire.FAILED, record.slot, value=errno.EMFILE, name=errors.text(errno.EMFILE))
        return fds

    def _add(self, record: wire.Record, fifo: int, directory: int) -> None:
        member = self._members.get(record.slot)
        status = posix.fstat(fifo)
        if member is not None and member.status is not None:
            # Its supervisor died before it heard of that end; this one hears of it first, and asks again if it still wants to.
            posix.close(directory)
            posix.close(fifo)
            return
        if member is not None:
            posix.close(directory)
            if member.fifo == (status.st_dev, status.st_ino):
                posix.close(fifo)
            else:
                self._when_open(member, lambda member: self._new_fifo(member, fifo), fifo)
            if member.task is not None:
                self._client.tell(wire.ADDED, record.slot)
            return
        member = self._members[record.slot] = Member(record.slot, self)
        member.fifo = (status.st_dev, status.st_ino)
        try:
            self._openers.add(b"log of " + record.name, member, fifo, directory)
        except RuntimeError:
            self._no_thread(member, fifo, directory)

    def _new_fifo(self, member: Member, fifo: int) -> None:
        writer, task = _running(member)
        status = posix.fstat(fifo)
        member.fifo = (status.st_dev, status.st_ino)
        writer.call(writer.replace_fifo, task, fifo)

    def _open(self, turn: Turn, member: Member, fifo: int, directory: int) -> None:
        """In an opener: find out where the log is, and give it to that filesystem's writer."""
        member.turn = turn
        try:
            found = settings.read(directory, posix.environ)
            if found.options.limit > LIMIT_MAX:
                raise ValueError(f"RSVLOG_OPTIONS: -l is at most {LIMIT_MAX}")
            place = Place.of(found)
            place.refuse_other_owner()
            opened = place.open()
            status = posix.fstat(opened)
            posix.close(opened)
        except Exception as error:
            number = error.errno or 0 if isinstance(error, OSError) else 22
            text = settings.explain(error)
            self.call(self._failed, member, number, text)
            posix.close(fifo)
        else:
            logger = Logger(place, found.options, fifo, journal=self._journal, say=self._says)
            self.call(self._give, member, logger, (status.st_dev, status.st_ino), binascii.crc32(turn.name))
        finally:
            posix.close(directory)

    def _give(self, member: Member, logger: Logger, directory: tuple[int, int], owner: int) -> None:
        writer = self._writers.get(directory[0])
        try:
            if writer is None:
                writer = self._writers[directory[0]] = Writer(self._watch.turn(), self._room, _report)
            writer.start()
        except OSError as error:
            posix.close(logger.fifo)
            self._failed(member, error.errno or 0, errors.text(error.errno or 0))
            return
        except RuntimeError:
            self._no_thread(member, logger.fifo)
            return
        task = Task(logger, member)
        member.writer, member.turn = writer, writer.turn
        self.waits(member, None)
        writer.call(writer.begin, task, self._opening, member, task, writer, directory, owner)

    def _opening(self, member: Member, task: Task, writer: Writer, directory: tuple[int, int], owner: int) -> Steps[None]:
        """In a writer: open the log and begin to read."""
        if not (yield from task.logger.open(directory, owner)):
            task.logger.abandon()
            self.call(self._failed, member, 11, b"unable to open log directory")
            writer.call(writer.remove, task)
            return
        writer.age(task)
        writer.listen(task, PAUSED_BY_SIGNAL)
        self.call(self._added, member, task)

    def _added(self, member: Member, task: Task) -> None:
        member.task = task
        self._client.tell(wire.ADDED, member.slot)
        waiting, member.waiting = member.waiting, ()
        for action, _fifo in waiting:
            action(member)

    def _failed(self, member: Member, number: int, text: bytes) -> None:
        self._members.pop(member.slot, None)
        for _action, fifo in member.waiting:
            if fifo >= 0:
                posix.close(fifo)
        self._client.tell(wire.FAILED, member.slot, value=number, name=text)

    def _no_thread(self, member: Member, *descriptors: int) -> None:
        for descriptor in descriptors:
            posix.close(descriptor)
        self._failed(member, 11, b"unable to start a thread: temporary failure")

    def _make_room(self) -> None:
        for writer in self._writers.values():
            writer.call(writer.shed)

    def _when_open(self, member: Member, action: Callable[[Member], None], fifo: int = -1) -> None:
        """Do something for a log as soon as it is open, nothing when it has ended; fifo: the descriptor that `action` takes, if any."""
        if member.task is None:
            member.waiting += ((action, fifo),)
        elif member.status is None:
            action(member)
        elif fifo >= 0:
            posix.close(fifo)

    # ---- signals and ends

    def _signal_all(self, number: int) -> None:
        """Whoever signals a log by the pid in its supervise/, which is ours, means that log at least."""
        for member in list(self._members.values()):
            if member.task is not None:  # one that is being opened reads its config anew anyhow
                self._when_open(member, lambda member: self._signal(member, number))

    def _signal(self, member: Member, number: int) -> None:
        writer, task = _running(member)
        match number:
            case _signal.SIGHUP:
                writer.call(writer.reopen, task)
            case _signal.SIGALRM:
                writer.call(writer.do, task, task.logger.log.rotate)
            case _signal.SIGTERM:
                writer.call(writer.do, task, self._leave, writer, task)
            case _signal.SIGSTOP:
                member.paused = True
                writer.call(writer.mute, task, PAUSED_BY_SIGNAL)
            case _signal.SIGCONT:
                if member.paused:
                    member.paused = False
                    writer.call(writer.listen, task, PAUSED_BY_SIGNAL)
            case _signal.SIGKILL | _signal.SIGINT | _signal.SIGQUIT | _signal.SIGUSR1 | _signal.SIGUSR2:
                writer.call(self._kill, writer, task, number)

    def _leave(self, writer: Writer, task: Task) -> Steps[None]:
        yield from task.logger.log.processor.finish()
        yield from task.logger.leave()
        writer.end(task, 0)

    def _kill(self, writer: Writer, task: Task, number: int) -> None:
        if not task.over:
            task.logger.abandon()
            writer.end(task, number)

    def _close_or_refuse(self, member: Member, fds: list[int]) -> list[int]:
        """Read to the end, if the descriptor for that has come; give what is left of it."""
        if len(fds) != 1:
            self._make_room()
            self._client.tell(wire.UNCLOSED, member.slot)
            return fds
        (fifo,) = fds
        member.closing = True
        self._when_open(member, lambda member: self._drain(member, fifo), fifo)
        return []

    def _drain(self, member: Member, fifo: int) -> None:
        writer, task = _running(member)

        def drain() -> None:
            task.draining = True
            writer.replace_fifo(task, fifo)

        writer.call(drain)

    def ended(self, member: Member, status: int) -> None:
        """A logger is no more."""
        member.status = status
        self._client.tell(wire.ENDED, member.slot, value=status)

    def _disk_hangs(self, turn: Turn, hangs: bool) -> None:
        for member in list(self._members.values()):
            if member.turn is turn:
                self.waits(member, wire.SILENT if hangs else None)

    def waits(self, member: Member, why: int | None) -> None:
        """A log waits, or goes on."""
        if member.status is not None or (member.waits[0] if member.waits else None) == why:
            return
        member.waits = None if why is None else (why, tai.text(time.time_ns()).encode())
        self._tell_waits(member)

    def _tell_waits(self, member: Member) -> None:
        why, since = member.waits or (0, b"")
        self._client.tell(wire.WAITS, member.slot, value=why, name=since)

    def _say(self, text: bytes) -> None:
        """From any thread: one of svlogd's messages."""
        self.call(lambda: self._client.tell(wire.SAYS, name=b"svlogd: " + text))

    def _leave_all(self) -> None:
        """Close what can be closed soon, so that even C's svlogd finds whole logs; the journal has the rest.

        Our own successor needs none of that: to make a log safe would only hold up all of them.
        """
        left = []
        for member in self._members.values():
            writer, task = member.writer, member.task
            if writer is not None and task is not None and member.status is None:
                left.append(member)
                writer.call(self._let_go, writer, task)
        # Whoever comes now waits for our successor; to look at that, or at who goes, would be told again and again.
        self._epoll.unregister(self._listener.fileno())
        self._client.hear_no_more()
        deadline = time.monotonic() + LEAVING_SECONDS
        while any(member.status is None for member in left) and time.monotonic() < deadline:
            for descriptor, events in self._epoll.poll(max(0.0, deadline - time.monotonic())):
                if descriptor == self._wake:
                    posix.read(self._wake, 4096)
                elif descriptor == self._client.fileno():
                    self._client.tell_on(events)
            self._empty_inbox()

    def _let_go(self, writer: Writer, task: Task) -> None:
        """In a writer: end a log; at once where it waits for its disk or a processor, maybe for ever: the journal has the rest."""
        waits = task.steps is not None or task.logger.log.refusal
        if self._journal.lasts and (self._hands_over or waits):
            self._kill(writer, task, 0)
        else:
            writer.do(task, self._leave_quietly, writer, task)

    def _leave_quietly(self, writer: Writer, task: Task) -> Steps[None]:
        for step in task.logger.leave(once=True):
            if isinstance(step, Pause) and self._journal.lasts:
                self._kill(writer, task, 0)
                return
            yield step
        writer.end(task, 0)


def _running(member: Member) -> tuple[Writer, Task]:
    assert member.writer is not None and member.task is not None
    return member.writer, member.task


def show(uid: int) -> None:
    """Say in name and title that this process is the pool of `uid`."""
    name_process(b"log-pool")
    Title().show([b"log-pool", b"%d" % uid, installation.version()])


def main(listener: int, journal: int, *, was_root: bool = False) -> int:
    """Be the pool of the uid that we are.

    listener: a listening AF_UNIX SOCK_SEQPACKET socket; journal: an open regular file that is the same for every successor; was_root:
    whether this process gave that up, and what it has from then is nobody else's business of this uid. exec(2) would make it that.
    """
    keep_freed_memory()
    _, most = descriptors.allow_all()
    pool = Pool(listener, journal, most)
    pool.run()
    if pool.next_version and not was_root:
        try:
            installation.become(pool.next_version, "pool", listener, journal)
        except OSError as error:
            _report(f"unable to become {pool.next_version}: {error.strerror}")
    # Threads that hang on a dead disk are not waited for.
    posix._exit(0)
