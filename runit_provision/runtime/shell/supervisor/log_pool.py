"""The pool of loggers of one uid, as the supervisor knows it: whose log it keeps, and what they tell each other.

A pool is the keeper's child and outlives the supervisor, who talks to it over a socket (wire/pool.py). To a service it looks as if its
logger were a process whose pid is the pool's.

One of another account than ours is in that account's hands, should a way be found to trace it. So it is heard about those logs alone
of which it is written down, where only we write, that its uid keeps them: no other log's FIFO ever comes to it. And it is not executed
as another version, since exec(2) makes traceable what a change of uid had made untraceable (PR_SET_DUMPABLE): it ends, and the keeper
forks another.
"""

from __future__ import annotations

import _signal
import _socket
import errno
import os
import time

from ...core.breath import Breath
from ...wire import errors, keeper, records, tai
from ...wire import pool as wire
from .. import descriptors, installation, meeting, process
from ..channel import Channel, close_all, received_fds
from ..report import Trouble
from .heed import Heed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..channel import Message
    from ..service.supervised import Supervised
    from .loggers import Loggers

_AGAIN_SECONDS = (0.005, 0.05)
"""Before the keeper is asked again that has a dying pool still: first, and at most; it doubles."""
_BREATH_SECONDS = 1.0
_GREETING_SECONDS = 2.0
_GREETING_MAX = 65536
"""Records: of 52 logs each, and the end of one."""
_DEATH_SECONDS = 1.0
"""For the keeper to tell how a pool ended; one that is nobody's child, its keeper having died, is told of without that."""
_FULL_SECONDS = (0.25, 8.0)
"""Before a log is asked for again that its pool has no room for: first, and at most; it doubles."""
_FULL_TOLD_SECONDS = 1.0
"""The pause that is told: before it, the pool may have been about to close what others of many that begin at once have open."""
_NOT_ALLOWED = (errno.EACCES, errno.EPERM)
_OVER = -1
"""A pool has a log no more, and is about to say so."""


class Pool:
    """The pool of `uid`: its pid, 0 until it is there, and which services' logs it keeps or is asked to keep.

    gid: its group; keeper.OWN_GROUP for the one of the account.
    """

    def __init__(self, loggers: Loggers, uid: int, gid: int = keeper.OWN_GROUP) -> None:
        self.uid = uid
        self.gid = gid
        self.pid = 0
        self.has: dict[int, int] = {}
        self.wanted: dict[int, Supervised] = {}
        self._crowded_out: dict[Supervised, float] = {}
        self._unacknowledged: set[int] = set()
        self._loggers = loggers
        self._channel: Channel | None = None
        self._breath = Breath()
        self._starting = False
        self._trouble = Trouble(loggers.tree.report)  # why there is none
        self._again = _AGAIN_SECONDS[0]
        self._outdated = self._renewed = False
        self._child = self._told_of = self._deaths = 0
        self._is_ours = uid == os.geteuid()
        self._due: set[tuple[Supervised, Callable[[Supervised], None]]] = set()
        self._heed = Heed(loggers.tree.loop, ask=self._ping, look=self._look, silent=self._is_silent)

    def add(self, service: Supervised) -> None:
        """Keep the log of `service`; the answer is that it started, or that it ended or failed."""
        self.wanted[service.slot] = service
        try:
            self._loggers.tree.write_log_writer(service.slot, self.uid)
        except OSError as error:
            self._put_off(service, error)
            return
        if self._channel is not None:
            self._send_add(service)
        elif not self._starting:
            self.start()

    def keep(self, service: Supervised) -> bool:
        """Go on with a log that was kept when the supervisor before died; False when nobody keeps it: its pool died too."""
        closing, had = service.service.closing, self.has.get(service.slot)
        if service.slot in self.wanted:
            return True  # it was to be started, and is being asked for
        if had is None:
            return False
        if had != _OVER and closing != bool(had & wire.CLOSING) and not service.leaving:
            self.add(service)
            return True
        self.wanted[service.slot] = service
        if closing and service.leaving:
            self._loggers.tree.close_log(service)  # without its directory it cannot be added
        elif closing:
            self._loggers.tree.stop_writing(service)
        return True

    def signal(self, service: Supervised, number: int) -> bool:
        """Treat the log of `service` as a svlogd that gets the signal `number`; False when there is none yet, which will be told."""
        self._heed.expect()
        if service.slot not in self.has or self._channel is None or self._waits:
            return False
        self.send(wire.Record(wire.SIGNAL, slot=service.slot, value=number))
        return True

    def send(self, record: wire.Record, fds: tuple[int, ...] = ()) -> None:
        """Tell the pool something; nothing when it is not there, or is to become another version, which is told anew."""
        if self._channel is not None and not self._waits:
            self._channel.send(wire.pack(record), fds)

    def close(self, service: Supervised) -> None:
        """Let the log of `service` read to the end of its FIFO. OSError when that cannot be now."""
        files = service.log_files
        if files is not None and files.has_pipe:
            end = files.open_pipe(os.O_RDONLY | os.O_NONBLOCK)
            try:
                self.send(wire.Record(wire.CLOSE, slot=service.slot), (end,))
            finally:
                os.close(end)
            self._heed.expect()
            self._loggers.tree.stop_writing(service)

    def start(self, *, another: bool = False) -> None:
        """Join the pool that is there, unless it is to have `another` follow; when there is none, ask the keeper for one.

        What cannot be done now is done later.
        """
        self._starting = self._channel is None
        try:
            if self._starting and (another or not self._join()):
                self._starting = bool(self.wanted)  # else there was one that is gone before it could be met
                if self._starting:
                    self._ask()
        except OSError as error:
            self.failed(error.errno or 0)

    def failed(self, number: int) -> None:
        """There is none to be had now, by errno: it is told once, and tried until there is one."""
        self._trouble.tell(f"runsv: warning: unable to start loggers, sleeping: {errors.text(number).decode()}")
        self._loggers.tree.loop.after(_BREATH_SECONDS, self.start)

    def _ask(self) -> None:
        state = self._loggers.state
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        listener = meeting.listen(state, _socket_name(self.uid))
        try:
            journal = os.open(f"{_socket_name(self.uid)}.journal", flags, 0o600, dir_fd=state.directory)
            try:
                if not os.fstat(journal).st_size:
                    descriptors.keep_in_place(journal)
                self._loggers.tree.parent.pool(self.uid, self.gid, (listener.fileno(), journal))
            finally:
                os.close(journal)
        finally:
            listener.close()

    def start_again(self) -> None:
        """Ask another keeper for what was asked of one that died."""
        if self._starting:
            self.start()

    def started(self, pid: int) -> None:
        """The keeper made it, or has it still; the one before may be dying and not reaped yet, or it died at once."""
        self._child = pid
        try:
            is_there = self._channel is not None or self._join()
        except OSError as error:
            self.failed(error.errno or 0)
            return
        if not is_there:
            self._loggers.tree.loop.after(self._again, self.start)
            self._again = min(2 * self._again, _AGAIN_SECONDS[1])

    def ended(self, pid: int, status: int) -> None:
        """The keeper tells how a pool ended, which may not be known yet to be gone."""
        if self._starting and pid == self._child:
            self.start()  # nothing is in the way of another any more
        code = os.waitstatus_to_exitcode(status)
        self._tell_death(pid, f", killed by signal {-code}" if code < 0 else f", exited {code}")

    def _tell_death(self, pid: int, how: str = "") -> None:
        if pid == self._told_of:
            return
        self._told_of = pid
        times = None if self._loggers.tree.ends else self._loggers.deaths.times(self.uid)
        if times is not None:
            self._loggers.tree.report(f"runsv: warning: {self._shown} is gone{how}{times}; another goes on with its logs")

    @property
    def _shown(self) -> str:
        return f"the log-pool of uid {self.uid}"

    def expect(self) -> None:
        """Something is wanted of a service whose log it keeps, which may hang because that does."""
        self._heed.expect()

    def _ping(self) -> bool:
        self.send(wire.Record(wire.PING))
        return self._channel is not None and not self._waits

    def _look(self) -> None:
        if self._channel is not None:
            self._channel.look()

    def _is_silent(self, is_new: bool) -> None:
        """It is stopped, or frozen: told; where the tree is to end, another one has to bring its logs to their end."""
        if self._channel is None:
            return
        tree = self._loggers.tree
        if tree.ends and self._kill():
            tree.report(f"runsv: warning: {self._shown} does not answer, killed it; another goes on with its logs")
            return
        if not is_new:
            return
        tree.report(f"runsv: warning: {self._shown} does not answer; its logs wait until it does, or is killed")
        now = time.time_ns()
        for service in self.wanted.values():
            if not service.service.beyond.log_waits:
                service.log_waits(now, wire.STOPPED)

    def _speaks_again(self) -> None:
        self._loggers.tree.report(f"runsv: {self._shown} answers again")
        for service in self.wanted.values():
            if service.service.beyond.log_reason == wire.STOPPED:
                service.log_waits(0, 0)

    def _kill(self) -> bool:
        parent = self._loggers.tree.parent
        if (self.uid, records.POOL) in parent.children():
            parent.signal(self.uid, records.POOL, _signal.SIGKILL)
            return True
        if not self.pid:
            return False  # of a keeper that died, as did the supervisor that knew
        try:
            pidfd = os.pidfd_open(self.pid)
        except OSError:
            return False
        self._look()
        if self._channel is not None and self._has(self.pid):  # it is there still, so that pid is no other's
            _signal.pidfd_send_signal(pidfd, _signal.SIGKILL)
        os.close(pidfd)
        return True

    def _join(self) -> bool:
        """Talk to a pool that listens, whoever's child it is: one that nobody talks to would keep its journal from every other.

        OSError when it cannot be known now whether one does.
        """
        sock = self._connect()
        if sock is None:
            return False
        self._starting = False
        self._converse(sock)
        for service in list(self.wanted.values()):
            self._send_add(service)
        return True

    def rejoin(self) -> bool:
        """Connect to a pool that outlived a supervisor, and learn what it has; False when there is none.

        Where that cannot be known now, its logs are asked for again once it can.
        """
        try:
            return self._rejoin()
        except OSError as error:
            self._starting = True
            self.has.clear()
            self._deaths += 1  # it will say anew what it has said
            self.failed(error.errno or 0)
            return True

    def _rejoin(self) -> bool:
        sock = self._connect()
        if sock is None:
            return False
        # It answers at once or it is stopped; then its logs are asked for again once it talks.
        end = time.monotonic() + _GREETING_SECONDS
        try:
            for _ in range(_GREETING_MAX):
                sock.settimeout(max(0.001, end - time.monotonic()))
                data, ancillary, _flags, _address = sock.recvmsg(wire.SIZE, 64, _socket.MSG_CMSG_CLOEXEC)
                close_all(received_fds(ancillary))
                if not data:
                    sock.close()
                    return False
                if self._is_greeted(data):
                    break
        except TimeoutError:
            pass
        except ConnectionError:
            sock.close()
            return False
        except OSError:
            sock.close()
            raise
        self._converse(sock)
        return True

    def _is_greeted(self, data: bytes) -> bool:
        """Take a record of the greeting; whether it was the last one."""
        record = _heard(data)
        if record is None:
            return False
        if record.op == wire.ENDED:
            if self._keeps(record.slot):
                self.has[record.slot] = _OVER
            self._loggers.tree.loop.soon(self._later(record))
        elif record.op in {wire.HAVE, wire.END}:
            self._received(record)
        return record.op == wire.END

    def _keeps(self, slot: int) -> bool:
        """Whether the log of `slot` is any business of its account."""
        return self._is_ours or self._loggers.tree.log_writer(slot) == self.uid

    def _has(self, pid: int) -> bool:
        """Whether `pid` may be it, and is at least nobody's whom it could not harm itself."""
        return self._is_ours or process.is_of(pid, self.uid)

    @property
    def _waits(self) -> bool:
        return self._outdated and not self._renewed

    def renew(self) -> None:
        """Tell a pool of another version to become ours, or to let one follow that is, once.

        Its services do not notice: that has their logs again at once.
        """
        if self._waits and self._channel is not None:
            self._renewed = True
            self.send(wire.Record(wire.UPGRADE, name=os.fsencode(installation.LIBRARY) if self._is_ours else b""))

    def _converse(self, sock: _socket.socket) -> None:
        self._breath.begin(time.monotonic())
        self._trouble.over()
        self._again = _AGAIN_SECONDS[0]
        self._channel = Channel(sock, self._loggers.tree.loop, size=wire.SIZE, received=self._on_record, closed=self._gone)

    def _connect(self) -> _socket.socket | None:
        """Give a connection to the pool, None when there is none. OSError when that cannot be known now."""
        try:
            return meeting.connect(self._loggers.state, _socket_name(self.uid))
        except meeting.NOBODY:
            return None

    def _send_add(self, service: Supervised) -> None:
        self._acknowledge(service.slot)
        if self._channel is not None and not self._waits:
            try:
                self._channel.send_late(self._add, service)
            except OSError as error:
                self._put_off(service, error)
                return
            self._heed.expect()

    def _add(self, service: Supervised) -> Message | None:
        files = service.log_files
        if files is None or not files.has_pipe or service.closed or self.wanted.get(service.slot) is not service:
            return None
        log = -1
        try:
            log = os.open("log", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=service.home.fd)
            pipe = files.open_pipe(os.O_RDWR | os.O_NONBLOCK)
        except OSError as error:
            if log >= 0:
                os.close(log)
            self._put_off(service, error)
            return None
        if service.service.closing:
            self._loggers.tree.loop.soon(lambda: self._loggers.tree.close_log(service))
        return wire.pack(wire.Record(wire.ADD, slot=service.slot, name=service.identity.name)), (pipe, log), (pipe, log)

    def _put_off(self, service: Supervised, error: OSError) -> None:
        """Let the service try again later; one whose log reads to its end has nothing to try again, nor has one that was removed."""
        if service.leaving and isinstance(error, FileNotFoundError):
            self.wanted.pop(service.slot, None)
            self._loggers.tree.loop.soon(service.log_lost)
            return
        if service.service.closing:
            self._loggers.tree.loop.after(_BREATH_SECONDS, lambda: self._send_add(service))
            return
        self.wanted.pop(service.slot, None)
        self._loggers.tree.loop.soon(lambda: service.failed(records.LOG, errors.text(error.errno or 0)))

    def _on_record(self, data: bytes, fds: list[int]) -> None:
        close_all(fds)
        if self._heed.heard():
            self._speaks_again()
        record = _heard(data)
        if record is not None:
            self._received(record)

    def _later(self, record: wire.Record) -> Callable[[], None]:
        """Give what receives a record, unless its pool has died by then: what that said is not about the next one's logs."""
        deaths = self._deaths

        def receive() -> None:
            if deaths == self._deaths:
                self._received(record)

        return receive

    def _received(self, record: wire.Record) -> None:
        match record.op:
            case wire.HAVE:
                self.has.update((slot, value) for slot, value in wire.had(record) if self._keeps(slot))
            case wire.END:
                self._met(record)
            case wire.SAYS:
                self._loggers.tree.report(f"runsv: {os.fsdecode(record.name)}")
            case _:
                self._received_of_log(record)

    def _received_of_log(self, record: wire.Record) -> None:
        keeps = self._keeps(record.slot)
        if keeps and self._loggers.tree.put_off(record.slot, self._later(record)):
            return
        service = self.wanted.get(record.slot) if keeps else None
        match record.op:
            case wire.ADDED:
                if service is not None:
                    self.has[record.slot] = 0
                    self._crowded_out.pop(service, None)
                    service.must_prepare = False
                    service.log_waits(0, 0)  # or it will say so again
                    service.log_started(self.pid)
            case wire.FAILED | wire.ENDED:
                self._is_over(service, record)
            case wire.UNCLOSED if service is not None:
                self._once(_BREATH_SECONDS, self._loggers.tree.close_log, service)
            case wire.WAITS if service is not None:
                service.log_waits(min(tai.read(record.name), time.time_ns()) if record.name else 0, record.value)
            case _:
                pass

    def _met(self, record: wire.Record) -> None:
        self.pid = record.value if self._has(record.value) else self._child
        self._outdated = record.name != installation.version()
        if self._loggers.renews:
            self.renew()

    def _is_over(self, service: Supervised | None, record: wire.Record) -> None:
        self.has.pop(record.slot, None)
        if service is not None and record.op == wire.FAILED and record.value in errors.NO_DESCRIPTOR:
            self._crowd_out(service, os.fsdecode(record.name))
            return
        self.wanted.pop(record.slot, None)
        if record.op == wire.ENDED:
            self._unacknowledged.add(record.slot)
            if service is not None:
                service.log_ended(record.value)
            self._acknowledge(record.slot)
        elif service is not None:
            self._failed(service, record)

    def _acknowledge(self, slot: int) -> None:
        """Let the pool forget an end, once what follows from it is written down: until then the next supervisor is to be told too."""
        if slot in self._unacknowledged:
            self._unacknowledged.remove(slot)
            self.send(wire.Record(wire.ACK, slot=slot))

    def _crowd_out(self, service: Supervised, reason: str) -> None:
        """The pool has no descriptors for one log more: ask again until it has, and say so once if that takes longer."""
        if (service, self._ask_again) in self._due:
            return
        before = self._crowded_out.get(service)
        seconds = self._crowded_out[service] = _FULL_SECONDS[0] if before is None else min(2 * before, _FULL_SECONDS[1])
        if seconds == _FULL_TOLD_SECONDS:
            service.put_off(f"log: no room in its log-pool, waiting until there is: {reason}")
        self._once(seconds, self._ask_again, service)

    def _once(self, seconds: float, what: Callable[[Supervised], None], service: Supervised) -> None:
        """Do `what` about a log in so many seconds, and once, however often its pool gives cause for that."""

        def do() -> None:
            self._due.discard((service, what))
            what(service)

        if (service, what) not in self._due:
            self._due.add((service, what))
            self._loggers.tree.loop.after(seconds, do)

    def _ask_again(self, service: Supervised) -> None:
        if self.wanted.get(service.slot) is service and not service.closed:
            self._send_add(service)
        else:
            self._crowded_out.pop(service, None)

    def _failed(self, service: Supervised, record: wire.Record) -> None:
        """The log could not be opened. What its account may not do, we may: `rsvlog -p` makes the directory, and it is tried again."""
        if record.value in _NOT_ALLOWED and self.uid != os.geteuid() and not service.must_prepare:
            service.must_prepare = True
            self._loggers.tree.spawn(service, records.LOG, keeper.LOG_RUN, ())
            return
        self._loggers.doubt(self)
        service.log_failed(os.fsdecode(record.name))

    def _gone(self) -> None:
        """The pool died: its logs wait in their FIFOs, which we hold too."""
        self._channel = None
        self._deaths += 1
        self._heed.heard()
        self.has.clear()
        becomes_ours = self._outdated and self._renewed
        self._outdated = False
        if becomes_ours:
            self._told_of = self.pid
            self.start(another=not self._is_ours)
            return
        pid, self.pid = self.pid or self._child, 0
        self._loggers.tree.loop.after(_DEATH_SECONDS, lambda: self._tell_death(pid))
        seconds = self._breath.seconds(time.monotonic())
        closing = False
        for service in list(self.wanted.values()):
            if service.service.closing:
                closing = True
            else:
                del self.wanted[service.slot]
                service.pool_died(at_once=seconds == 0.0)
        # Those that are reading to their end do not know of it: another pool goes on.
        if closing and not self._starting:
            self._starting = True
            self._loggers.tree.loop.after(seconds, self.start)


def _heard(data: bytes) -> wire.Record | None:
    """Read what a pool says; None for what says nothing."""
    try:
        return wire.heard(data)
    except ValueError:
        return None


def _socket_name(uid: int) -> str:
    return f"pool-{uid}"


def uid_of_socket(name: str) -> int | None:
    """Give whose pool listens at the socket `name` of the state directory; None when that is another's."""
    kind, _, uid = name.partition("-")
    return int(uid) if kind == "pool" and uid.isdigit() else None
