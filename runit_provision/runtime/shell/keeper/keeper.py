"""The keeper: parent of every service of a tree, child of the supervisor, and outliving it.

It spawns, reaps and signals as it is told, writes down what it spawns (children.py), and decides nothing but this: when the supervisor
goes without a word, a stand-in takes its place at once, forked from here, since the code is loaded; when a runsvdir comes, the stand-in
yields. A supervisor that is a runsvdir itself is never sent away: the newcomer waits. Without a state directory nobody could come: then
all ends with the supervisor.
"""

from __future__ import annotations

import _signal
import _socket
import errno
import os
import time

from ...wire import errors, records
from ...wire import keeper as wire
from .. import installation, meeting, process
from ..channel import ANY, FINISH, Channel, close_all
from ..loop import Loop
from ..report import Trouble, report_to_stderr
from ..title import Title, name_process
from . import holder_start
from .children import Children

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from ..channel import Message
    from ..state import State
    from .children import Child

    class Call(Protocol):
        """How the tree's runsvdir was called."""

        path: str
        library: int

        def stand_in(self, state: State, sock: _socket.socket, children: dict[tuple[int, int], int]) -> int:
            """Supervise until a runsvdir comes, with the keeper, whose `children` are these, at the other end of `sock`.

            Gives the exit status.
            """

        def words(self) -> tuple[str, str, bool, str | None]:
            """Give what another version makes the same of."""


_KILL_SECONDS = 5.0
"""Between TERM and KILL when no state lets anybody find the processes again."""
_POOL_SECONDS = 10.0
"""For a pool to end that was told to; it gives its threads five."""
_SUCCESSOR_SECONDS = 5.0
"""For a supervisor to come that has said it would, or that has told us to become another version."""
_BREATH = 1.0
"""Seconds before the next stand-in, when one did not live as long; and before who comes is let in, when there was no descriptor."""
_report = report_to_stderr("runsvdir: keeper")


class _Peer:
    """A supervisor, or one that wants to be: what it brought along, until it is welcome."""

    def __init__(self, sock: _socket.socket, keeper: _Keeper, *, stands_in: bool) -> None:
        self.stands_in = stands_in
        self.pid = 0
        self.fds: list[int] = []
        self._keeper = keeper
        self.channel = Channel(
            sock,
            keeper.loop,
            size=wire.SIZE,
            received=self._received,
            closed=lambda: keeper.gone(self),
            under_way=wire.UNDER_WAY,
        )

    def send(self, record: wire.Record, fds: tuple[int, ...] = ()) -> None:
        self.channel.send(wire.pack(record), fds)

    def tell(self, record: wire.Record, rank: int = FINISH) -> None:
        """Tell of a process. Only ends that nobody has caused can be many at once: all else goes before them."""
        self.channel.send(wire.pack(record), about=record.slot, rank=rank)

    def welcome(self, children: list[Child], lock: int) -> None:
        """Say what there is, unless it is known. Nothing that happens from now on may be told before."""
        for child in children:
            written = child.process
            record = wire.Record(wire.CHILD, slot=child.slot, key=child.key, role=written.role, value=written.pid)
            self.channel.send(wire.pack(record), rank=FINISH)
        # Made when it is sent: a copy of the lock, for which there may be no descriptor, would be in the way, and it waits for ever.
        self.channel.send_late(_welcome, lock, rank=FINISH, insist=True)

    def forget(self) -> None:
        """Close what it brought along."""
        for fd in self.fds:
            os.close(fd)
        self.fds = []

    def _received(self, data: bytes, fds: list[int]) -> None:
        self._keeper.received(self, wire.unpack(data), fds)


class _Keeper:
    def __init__(self, state: State, call: Call) -> None:
        self.loop = Loop(_report)
        self._state = state
        self._call = call
        self._expects = False
        self._children = Children(state.table)
        self._supervisor: _Peer | None = None
        self._waiting: list[_Peer] = []
        self._stood_in = 0.0
        self._missed = 0  # the pid of the runsvdir that went, -1 when that was told, 0 when there is another
        self._no_stand_in = Trouble(_report)
        self._no_holder = Trouble(_report)
        self._ends = False
        self._left = False
        self._listener: _socket.socket | None = None
        self.done = False

        for number in (_signal.SIGHUP, _signal.SIGIO, _signal.SIGPIPE):
            self.loop.on_signal(number, _nothing)
        self.loop.on_signal(_signal.SIGTERM, self._end_tree)
        self.loop.on_signal(_signal.SIGUSR2, self._pass_on)
        self.loop.on_signal(_signal.SIGCHLD, self._reap)

    def begin(self, sock: _socket.socket, *, stands_in: bool) -> None:
        self._supervisor = _Peer(sock, self, stands_in=stands_in)
        self._supervisor.pid = os.getppid()
        if self._state.directory >= 0:
            self._listen(meeting.listen(self._state, meeting.KEEPER))

    def resume(self, known: dict[str, Any]) -> None:
        """Go on as the keeper that knew this; the supervisor that told it is about to come again."""
        self._listen(_socket.socket(fileno=known["listener"]))
        self._children.resume(known["children"], known["last"], known["reaps"])
        self._left = known["left"]
        self.loop.soon(self._reap)
        self.loop.after(_SUCCESSOR_SECONDS, self._replace)

    def _pass_on(self) -> None:
        """Another version is installed: the supervisor decides."""
        if self._supervisor is not None:
            self._supervisor.send(wire.Record(wire.UPGRADE))

    def _end_tree(self) -> None:
        """TERM to a runsvdir leaves its services; the keeper gets it from who sends it to all: to a process group, or a control group.

        The supervisor may have got it too, and go before it reads this: then the stand-in is told.
        """
        self._ends = True
        if self._supervisor is not None:
            self._supervisor.send(wire.Record(wire.END))

    def _listen(self, listener: _socket.socket) -> None:
        self._listener = listener
        self.loop.watch(listener.fileno(), self._accept)

    def received(self, peer: _Peer, record: wire.Record, fds: list[int]) -> None:
        try:
            self._obey(peer, record, fds)
        finally:
            for fd in fds:
                os.close(fd)

    def gone(self, peer: _Peer) -> None:
        """A supervisor ended, or one that waited."""
        peer.forget()
        if peer is not self._supervisor:
            self._waiting = [other for other in self._waiting if other is not peer]
            return
        self._supervisor = None
        if self._waiting:
            self._welcome(self._waiting.pop(0))
        elif self._left:
            self._end_if_empty()
        elif self._state.directory < 0:
            self._end_all()
        elif self._expects:
            self._expects = False
            self.loop.after(_SUCCESSOR_SECONDS, self._replace)
        else:
            self._missed = self._missed or peer.pid
            # One that dies at once must not keep this process busy.
            delay = max(0.0, self._stood_in + _BREATH - time.monotonic()) if peer.stands_in else 0.0
            self.loop.after(delay, self._replace)

    def go_on(self) -> None:
        """Work until all is over."""
        self.loop.run_soon()
        while not self.done:
            self.loop.run_once()

    def _obey(self, peer: _Peer, record: wire.Record, fds: list[int]) -> None:
        match record.op:
            case wire.HELLO:
                peer.pid = record.value
                peer.forget()
                peer.fds, fds[:] = list(fds), []
                self._introduce(peer)
            case _ if peer is not self._supervisor:
                pass
            case wire.SPAWN:
                self._spawn(peer, record, fds)
            case wire.SIGNAL:
                count = self._children.signal(record.slot, record.key, record.value)
                peer.tell(wire.Record(wire.SIGNALLED, slot=record.slot, key=record.key, value=record.value, when=count))
            case wire.POOL:
                self._pool(peer, record, fds)
            case wire.HOLDER if fds:
                self._make_holder(record.slot, fds[0])
            case wire.SUCCESSOR:
                self._expects = bool(record.value)
            case wire.UPGRADE:
                self._become(os.fsdecode(record.name))
            case wire.LEAVE:
                self._left = True
                self.loop.after(_POOL_SECONDS, self._kill_pools)
                self._end_if_empty()
            case _:
                raise ValueError(f"no record for a keeper: {record.op}")

    def _spawn(self, peer: _Peer, record: wire.Record, fds: list[int]) -> None:
        try:
            child = self._children.spawn(record, fds)
        except OSError as error:
            number = error.errno or 0
            peer.tell(wire.Record(wire.FAILED, slot=record.slot, key=record.key, role=record.role, value=number))
            return
        written = child.process
        peer.tell(
            wire.Record(wire.STARTED, slot=record.slot, key=record.key, role=written.role, value=written.pid, when=written.started)
        )

    def _pool(self, peer: _Peer, record: wire.Record, fds: list[int]) -> None:
        request = wire.Record(wire.SPAWN, slot=record.slot, key=records.POOL, role=wire.LOGGERS)
        uid, gid = record.slot, record.value
        living = self._children.get(request.slot, request.key)
        try:
            if not fds:
                raise OSError(errno.EMFILE, "the descriptors could not be received")
            listener, journal = fds
            if living is not None:
                # Whoever is told of it connects at once, and is not to meet a listener that is about to be closed.
                close_all(fds)
                fds.clear()
            child = living or self._children.fork(request, lambda: _be_pool(uid, gid, listener, journal))
        except OSError as error:
            peer.send(wire.Record(wire.FAILED, slot=uid, key=records.POOL, value=error.errno or 0))
            return
        peer.send(wire.Record(wire.STARTED, slot=uid, key=records.POOL, value=child.process.pid))

    def _become(self, library: str) -> None:
        """Execute another version in our place; whoever is connected connects again."""
        assert self._listener is not None
        state = self._state
        children, last, reaps = self._children.known()
        known = {
            "state": (state.path, state.directory, state.lock, state.table),
            "call": self._call.words(),
            "listener": self._listener.fileno(),
            "children": children,
            "last": last,
            "reaps": reaps,
            "left": self._left,
        }
        fds = [state.directory, state.lock, state.table, self._listener.fileno()]
        memory = -1
        try:
            memory = _leave(known)
            installation.become(library, "keeper", memory, *fds)
        except OSError as error:
            _report(f"unable to become {library}: {errors.words(error)}")
            if memory >= 0:
                os.close(memory)
        if self._supervisor is not None:
            # It asks again, and sees that we are as we were.
            self._expects = True
            self._supervisor.channel.close()
            self.gone(self._supervisor)

    def _make_holder(self, index: int, listener: int) -> None:
        try:
            holder_start.make(self._state, index, listener)
            self._no_holder.over()
        except OSError as error:
            self._no_holder.tell(f"unable to start a holder: {errors.words(error)}")

    def _reap(self) -> None:
        for child in self._children.reap():
            self.loop.guarded(self._tell_end, child)
        self._end_if_empty()

    def _tell_end(self, child: Child) -> None:
        written = child.process
        if self._supervisor is not None:
            record = wire.Record(wire.ENDED, slot=child.slot, key=child.key, role=written.role, value=written.status, when=written.pid)
            self._supervisor.tell(record, FINISH if written.signals else ANY)

    def _end_if_empty(self) -> None:
        if self._left and not len(self._children):
            self.done = True

    def _kill_pools(self) -> None:
        """One that is stopped would keep us for ever."""
        for child in self._children.all():
            if self._left and child.key == records.POOL:
                self.loop.guarded(self._signal, child, _signal.SIGKILL)

    def _signal(self, child: Child, number: int) -> None:
        self._children.signal(child.slot, child.key, number)

    def _end_all(self) -> None:
        """Nobody will find these processes again, and the next supervisor would start them a second time."""
        self._left = True
        self._send_all((_signal.SIGTERM, _signal.SIGCONT))
        self.loop.after(_KILL_SECONDS, lambda: self._send_all((_signal.SIGKILL,)))
        self._end_if_empty()

    def _send_all(self, numbers: tuple[int, ...]) -> None:
        for child in self._children.all():
            for number in numbers:
                self.loop.guarded(self._signal, child, number)

    def _accept(self) -> None:
        listener = self._listener
        assert listener is not None
        try:
            fd, _address = listener._accept()  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno in {*errors.NO_DESCRIPTOR, *errors.NO_MEMORY}:
                # Who comes waits there, and would wake us again and again.
                self.loop.forget(listener.fileno())
                self.loop.after(_BREATH, lambda: self._listen(listener))
            return
        _Peer(_socket.socket(fileno=fd), self, stands_in=False)

    def _introduce(self, peer: _Peer) -> None:
        """A runsvdir asks for the tree."""
        current = self._supervisor
        if current is None:
            self._welcome(peer)
            return
        self._waiting.append(peer)
        if current.stands_in:
            current.send(wire.Record(wire.YIELD))
            # It would never yield if it was stopped.
            self.loop.guarded(os.kill, current.pid, _signal.SIGCONT)
        else:
            peer.send(wire.Record(wire.BUSY, value=current.pid))

    def _welcome(self, peer: _Peer) -> None:
        self._supervisor = peer
        if self._missed and not peer.stands_in:
            gone = f"process {self._missed}, which supervised, is gone; " if self._missed > 0 else ""
            _report(f"info: {gone}process {peer.pid} supervises again")
            self._missed = 0
        self._left = False
        if len(peer.fds) == 4:
            # Without them services have what they had; but whoever is not welcome waits for ever.
            self.loop.guarded(process.take_streams_and_environment, peer.fds)
        peer.forget()
        # A stand-in is our fork, and knows.
        peer.welcome([] if peer.stands_in else self._children.all(), self._state.lock)
        # A runsvdir that has come since is wanted.
        self._ends = self._ends and peer.stands_in
        if self._ends:
            peer.send(wire.Record(wire.END))

    def _replace(self) -> None:
        if self._supervisor is not None or self.done:
            return
        self._stood_in = time.monotonic()
        try:
            pid, ours = self._fork_stand_in()
        except OSError as error:
            self._no_stand_in.tell(f"warning: unable to fork stand-in: {errors.words(error)}, trying again")
            self.loop.after(_BREATH, self._replace)
            return
        self._no_stand_in.over()
        if self._missed > 0:
            _report(f"warning: process {self._missed}, which supervised, is gone; a stand-in does until runsvdir is started again")
            self._missed = -1
        peer = _Peer(ours, self, stands_in=True)
        peer.pid = pid
        self._welcome(peer)

    def _fork_stand_in(self) -> tuple[int, _socket.socket]:
        ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            raise
        else:
            if pid == 0:
                ours.close()
                self._become_stand_in(theirs)
        finally:
            theirs.close()
        return pid, ours

    def _become_stand_in(self, sock: _socket.socket) -> None:
        status = 111
        try:
            _signal.set_wakeup_fd(-1)
            state = self._state
            process.close_all_but(state.directory, state.lock, state.table, self._call.library, sock.fileno())
            children = {(child.slot, child.key): child.process.pid for child in self._children.all()}
            status = self._call.stand_in(state, sock, children)
        except BaseException as error:
            _report(f"stand-in: {type(error).__name__}: {error}")
        finally:
            os._exit(status)


def run(state: State, sock: _socket.socket, call: Call, *, stands_in: bool) -> None:
    """Be the keeper of `state`'s tree, with the supervisor at the other end of `sock`, until all is over.

    Nothing else than this is open, and the library. stands_in: whether that supervisor is a stand-in itself, and yields to a runsvdir.
    """
    for number in (_signal.SIGINT, _signal.SIGQUIT):
        _signal.signal(number, _signal.SIG_DFL)
    keeper = _Keeper(state, call)
    keeper.begin(sock, stands_in=stands_in)
    # Whoever started the tree may have blocked SIGCHLD, and nothing that ends would be noticed.
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    keeper.go_on()


def resume(state: State, call: Call, known: dict[str, Any]) -> None:
    """Be the keeper that another version was, whose process this is; known: what that has left."""
    for fd in (state.directory, state.lock, state.table, known["listener"]):
        if fd >= 0:
            os.set_inheritable(fd, False)
    keeper = _Keeper(state, call)
    keeper.resume(known)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    keeper.go_on()


def show(path: str) -> None:
    """Say in name and title that this process is the keeper of the tree over `path`, and of which version."""
    name_process(b"runsvdir-keeper")
    Title().show([b"runsvdir-keeper", os.fsencode(path), installation.version()])


def _welcome(lock: int) -> Message:
    return wire.pack(wire.Record(wire.WELCOME, name=installation.version())), (lock,) if lock >= 0 else (), ()


def _leave(known: dict[str, Any]) -> int:
    """Write down what the next version has to know (handover.py); give the memory file."""
    import marshal

    memory = os.memfd_create("handover", os.MFD_CLOEXEC)
    try:
        os.write(memory, marshal.dumps(known))
    except OSError:
        os.close(memory)
        raise
    return memory


def _be_pool(uid: int, gid: int, listener: int, journal: int) -> None:
    """Turn into the pool of loggers that writes as `uid`."""
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    process.close_all_but(listener, journal)
    os.chdir("/")
    try:
        from ..pool import pool
    except ImportError as error:
        # A keeper that was executed, and not forked from who has it loaded: a tenth of a small tree's memory.
        raise RuntimeError(f"log-pool: {error}{installation.why_missing()}") from None
    # Before: what gave up root may not write to what names it, /proc/self/comm and mem.
    pool.show(uid)
    drops = os.geteuid() == 0 and uid != 0
    if drops:
        _drop(uid, gid)
    pool.main(listener, journal, was_root=drops)


def _drop(uid: int, gid: int) -> None:
    import pwd

    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        gid = uid if gid == wire.OWN_GROUP else gid
        os.setgroups([])
    else:
        gid = account.pw_gid if gid == wire.OWN_GROUP else gid
        os.initgroups(account.pw_name, gid)
    os.setgid(gid)
    os.setuid(uid)


def _nothing() -> None:
    """A signal that is not meant for the keeper."""
