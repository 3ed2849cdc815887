"""Who makes a supervisor's processes: a keeper at the other end of a socket, or, in a runsv of its own, the supervisor itself."""

from __future__ import annotations

import _signal
import _socket
import os
import time

from ...wire import keeper as wire
from .. import descriptors, installation, meeting, process
from ..channel import ANY, BEGIN, FINISH, Channel, received_fds
from ..keeper import keeper
from ..keeper.children import Children
from ..report import be_child
from .heed import Heed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from ..channel import Message
    from ..keeper.keeper import Call
    from ..loop import Loop
    from ..state import State

    Request = tuple[wire.Record, tuple[int, ...], tuple[int, ...]]
    """What is asked for, the descriptors that go with it, and those of them that were opened for that."""

    class Wish(Protocol):
        """A process that is to be asked for."""

        def request(self) -> Request | None:
            """Give what is to be asked for now; None when that is nothing any more."""

    class Parent(Protocol):
        """What a supervisor asks of its processes' parent. Answers come back as records, STARTED, FAILED and ENDED."""

        def spawn(self, wish: Wish, slot: int, *, asked: bool) -> None:
            """Ask for a process of `slot`, as soon as that can be told. asked: by somebody."""

        def signal(self, slot: int, key: int, number: int, *, asked: bool = False) -> int | None:
            """Ask for a signal to a process; gives how many that has got, or None: SIGNALLED will tell."""

        def pool(self, uid: int, gid: int, fds: tuple[int, ...]) -> None:
            """Ask for a pool of loggers; fds: its listening socket and its journal."""

        def holder(self, index: int, listener: int) -> None:
            """Ask for a holder that listens on a socket."""

        def resume(self) -> None:
            """Send what had to wait for what goes elsewhere."""

        def look(self) -> None:
            """Take now what has been answered, instead of in the loop's next turn."""

        def leave(self) -> None:
            """Say that every service is gone."""

        def children(self) -> dict[tuple[int, int], int]:
            """Give (slot, key) and pid of what is this parent's child, and not an orphan of one before."""


_AGAIN_SECONDS = 0.05
_LAST = -1
"""Comes after what is about any service, and waits."""
_SILENT_SECONDS = 2.0
"""For a keeper to greet who connects, before that is told, and its signals end it."""
_ASK = wire.pack(wire.Record(wire.SIGNAL))
"""A signal to no process is answered as any other, by a keeper of any version."""
_RENEWAL_SECONDS = 30.0
"""For a keeper to become another version; it takes 0.02 with 900 services."""


class TakenError(Exception):
    """Another runsvdir has the tree."""


class RemovedError(Exception):
    """The state directory was removed: nobody can be met there any more."""


class Own:
    """The supervisor is the parent: `runsv DIR` on its own is one process."""

    def __init__(self, state: State, loop: Loop, received: Callable[[wire.Record], None]) -> None:
        self._children = Children(state.table)
        self._loop = loop
        self._received = received

    def spawn(self, wish: Wish, _slot: int, *, asked: bool) -> None:  # noqa: ARG002 - nothing waits
        made = wish.request()
        if made is None:
            return
        request, fds, own = made
        try:
            written = self._children.spawn(request, list(fds)).process
        except OSError as error:
            answer = _failed(request, error)
        else:
            answer = wire.Record(
                wire.STARTED, slot=request.slot, key=request.key, role=written.role, value=written.pid, when=written.started
            )
        for fd in own:
            os.close(fd)
        self._tell(answer)

    def signal(self, slot: int, key: int, number: int, *, asked: bool = False) -> int | None:  # noqa: ARG002 - nothing waits
        return self._children.signal(slot, key, number)

    def pool(self, uid: int, gid: int, fds: tuple[int, ...]) -> None:
        raise NotImplementedError("one process keeps no pool")

    def holder(self, index: int, listener: int) -> None:
        raise NotImplementedError("one process has no holder")

    def resume(self) -> None:
        """Nothing waits."""

    def look(self) -> None:
        """Nobody answers."""

    def leave(self) -> None:
        """Nobody else is to be told."""

    def children(self) -> dict[tuple[int, int], int]:
        return {(child.slot, child.key): child.process.pid for child in self._children.all()}

    def reap(self) -> None:
        """Tell of every child that ended; call it on SIGCHLD."""
        for child in self._children.reap():
            written = child.process
            ended = wire.Record(wire.ENDED, slot=child.slot, key=child.key, role=written.role, value=written.status, when=written.pid)
            self._tell(ended)

    def _tell(self, record: wire.Record) -> None:
        """Not at once: the service that asked is still being moved, and what was started just now has begun before it ended."""
        self._loop.soon(lambda: self._received(record))


class Kept:
    """A keeper is the parent; `lost` is called when it is gone, and then nothing that is asked for happens.

    may: whether what a process may need of others is on its way, so that it can be asked for; silent: called each time that it has not
    answered what is asked of it, with whether that is new; speaks: when it answers again.
    """

    def __init__(
        self,
        sock: _socket.socket,
        children: dict[tuple[int, int], int],
        loop: Loop,
        *,
        received: Callable[[wire.Record], None],
        lost: Callable[[], None],
        may: Callable[[], bool],
        silent: Callable[[bool], None],
        speaks: Callable[[], None],
    ) -> None:
        self._children = children
        self._loop = loop
        self._received = received
        self._lost = lost
        self._speaks = speaks
        self._heed = Heed(loop, ask=self._ask, look=self.look, silent=silent)
        self._channel = Channel(sock, loop, size=wire.SIZE, received=self._record, closed=self._gone, may=may, under_way=wire.UNDER_WAY)

    def spawn(self, wish: Wish, slot: int, *, asked: bool) -> None:
        self._channel.send_late(_message, wish, about=slot, rank=FINISH if asked else ANY)
        self.expect()

    def signal(self, slot: int, key: int, number: int, *, asked: bool = False) -> int | None:
        self._channel.send(
            wire.pack(wire.Record(wire.SIGNAL, slot=slot, key=key, value=number)), about=slot, rank=BEGIN if asked else ANY
        )
        self.expect()
        return None

    def pool(self, uid: int, gid: int, fds: tuple[int, ...]) -> None:
        self._channel.send(wire.pack(wire.Record(wire.POOL, slot=uid, value=gid)), fds)
        self.expect()

    def holder(self, index: int, listener: int) -> None:
        self._channel.send_at_once(wire.pack(wire.Record(wire.HOLDER, slot=index)), (listener,))
        self.expect()

    def expect(self) -> None:
        """Have it answer within some seconds."""
        self._heed.expect()

    def insist(self, seconds: float) -> None:
        """Have it answer within `seconds`, whatever it was asked before."""
        self._heed.insist(seconds)

    def _ask(self) -> bool:
        if not self._heed.is_silent:  # else it has yet to read the question before
            # Before all that waits, which may do so for others.
            self._channel.send_at_once(_ASK, ())
        return self._channel.open

    def resume(self) -> None:
        self._channel.resume()

    def look(self) -> None:
        self._channel.look()

    def leave(self) -> None:
        self._channel.send(wire.pack(wire.Record(wire.LEAVE)), about=_LAST)

    def succeed(self, expected: bool) -> None:
        """Say whether we end, and connect again soon."""
        self._channel.send(wire.pack(wire.Record(wire.SUCCESSOR, value=expected)))

    def children(self) -> dict[tuple[int, int], int]:
        return self._children

    def _gone(self) -> None:
        self._heed.heard()
        self._children.clear()
        self._lost()

    def _record(self, data: bytes, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        if self._heed.heard():
            self._speaks()
        record = wire.unpack(data)
        if record.op == wire.STARTED:
            self._children[record.slot, record.key] = record.value
        elif record.op == wire.ENDED:
            self._children.pop((record.slot, record.key), None)
        self._received(record)


class Absent:
    """Nobody is there: what is asked for is asked for again when somebody is, as if one had just died (Tree.parent_lost)."""

    def spawn(self, wish: Wish, slot: int, *, asked: bool) -> None:
        """Not now."""

    def signal(self, slot: int, key: int, number: int, *, asked: bool = False) -> int | None:  # noqa: ARG002 - later
        return None

    def pool(self, uid: int, gid: int, fds: tuple[int, ...]) -> None:
        """Not now."""

    def holder(self, index: int, listener: int) -> None:
        """Not now: whoever connects to it meets the end of the conversation."""

    def resume(self) -> None:
        """Nothing waits."""

    def look(self) -> None:
        """Nobody answers."""

    def leave(self) -> None:
        """Nobody else is to be told."""

    def children(self) -> dict[tuple[int, int], int]:
        return {}


class Nobody(Absent):
    """There is no keeper yet; error: why. So each process that is asked for cannot be made."""

    def __init__(self, loop: Loop, received: Callable[[wire.Record], None], error: OSError) -> None:
        self._loop = loop
        self._received = received
        self._error = error

    def spawn(self, wish: Wish, slot: int, *, asked: bool) -> None:  # noqa: ARG002 - none is made before another
        made = wish.request()
        if made is None:
            return
        request, _fds, own = made
        for fd in own:
            os.close(fd)
        # Not at once: the service that asked is still being moved.
        self._loop.soon(lambda: self._received(_failed(request, self._error)))


class Other(Absent):
    """A keeper of another version, until it becomes ours: it is asked for nothing.

    It may understand another thing, and a supervisor that does not get as far is to leave it as it was.
    """

    def __init__(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        self._sock = sock
        self._children = children
        self._signals: list[tuple[int, int, int]] = []

    def signal(self, slot: int, key: int, number: int, *, asked: bool = False) -> int | None:  # noqa: ARG002 - later
        self._signals.append((slot, key, number))
        return None

    def children(self) -> dict[tuple[int, int], int]:
        return self._children

    def renew(self, state: State) -> tuple[_socket.socket, dict[tuple[int, int], int]] | None:
        """Have it become what we are; give the connection to it then, or None when it has died of that.

        Raises TimeoutError when it does neither, TakenError when somebody else was faster, OSError when it cannot be met now.
        """
        self._sock.settimeout(_RENEWAL_SECONDS)
        try:
            self._sock.send(wire.pack(wire.Record(wire.UPGRADE, name=os.fsencode(installation.LIBRARY))), _socket.MSG_NOSIGNAL)
            while self._sock.recv(wire.SIZE):
                pass
        except ConnectionError:
            pass
        self._sock.close()
        try:
            sock = self._met(state)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        try:
            greeting = greet(sock, state, _taken)
            if greeting is None:
                sock.close()
                return None
            if greeting[1] != installation.version():
                raise TimeoutError  # it has tried, and stays what it is
        except BaseException:
            sock.close()
            raise
        return sock, greeting[0]

    def _met(self, state: State) -> _socket.socket:
        """Give a new connection to it, on which we have introduced ourselves, as soon as that can be. OSError."""
        due = time.monotonic() + _SILENT_SECONDS
        while True:
            try:
                return _introduced(state, _RENEWAL_SECONDS)
            except meeting.NOBODY:
                raise
            except OSError:
                if time.monotonic() > due:
                    raise
                time.sleep(_AGAIN_SECONDS)

    def lost(self) -> None:
        """It is gone: what was its children is nobody's."""
        self._children.clear()

    def pass_on(self, kept: Kept, slots: set[int]) -> None:
        """Have done what was asked about other services than those in `slots`, which find out themselves what was not done."""
        for slot, key, number in self._signals:
            if slot not in slots:
                kept.signal(slot, key, number)


def _taken(pid: int) -> None:
    raise TakenError(pid)


def _message(wish: Wish) -> Message | None:
    made = wish.request()
    return None if made is None else (wire.pack(made[0]), *made[1:])


def _failed(request: wire.Record, error: OSError) -> wire.Record:
    return wire.Record(wire.FAILED, slot=request.slot, key=request.key, role=request.role, value=error.errno or 0)


def fork_keeper(state: State, call: Call, *, stands_in: bool, descriptors_allowed: int = 0) -> tuple[_socket.socket, int]:
    """Start a keeper as a child; give our end of the conversation, and its pid; OSError. Only for who has the state's lock.

    call: how runsvdir was called; stands_in: whether we are a stand-in; descriptors_allowed: the soft limit for the keeper and its
    services, 0 for ours.
    """
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_SEQPACKET)
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        raise
    if pid == 0:

        def keep() -> None:
            _signal.set_wakeup_fd(-1)
            # Before the limit is as low as it was: what is above that would stay open. The library tells who asks /proc which
            # installation and version this is.
            process.close_all_but(state.directory, state.lock, state.table, call.library, theirs.fileno())
            if descriptors_allowed:
                descriptors.allow(descriptors_allowed)
            keeper.show(call.path)
            keeper.run(state, theirs, call, stands_in=stands_in)

        be_child("runsvdir: keeper", keep)
    theirs.close()
    return ours, pid


def greet(sock: _socket.socket, state: State, busy: Callable[[int], None]) -> tuple[dict[tuple[int, int], int], bytes] | None:
    """Wait until the keeper says WELCOME; give what its children are, and its version; None when it went away instead."""
    children = {}
    while True:
        try:
            data, ancillary, _flags, _address = sock.recvmsg(wire.SIZE, 256)
        except ConnectionResetError:
            return None
        fds = received_fds(ancillary)
        if not data:
            return None
        record = wire.unpack(data)
        for fd in fds:
            state.take_lock(fd)
            os.close(fd)
        if record.op == wire.CHILD:
            children[record.slot, record.key] = record.value
        elif record.op == wire.BUSY:
            busy(record.value)
        elif record.op == wire.WELCOME:
            return children, record.name


def find_keeper(state: State, busy: Callable[[int], None]) -> tuple[_socket.socket, dict[tuple[int, int], int], bytes] | None:
    """Give the connection to the keeper that the tree has, once we are its supervisor, its children, and its version.

    None when there is no keeper, and the lock is ours instead; StrangerError when another account's process takes a keeper's place,
    RemovedError when there will never be one.
    busy(pid): process `pid` supervises the tree; 0: its keeper is silent.
    """
    while not state.try_lock():
        try:
            sock = _introduced(state)
        except meeting.StrangerError:
            raise
        except OSError:
            if _is_removed(state):
                raise RemovedError from None
            # Between two keepers: whoever has the lock is about to start one, or to end. Or there is no descriptor or memory now.
            time.sleep(_AGAIN_SECONDS)
            continue
        if not _answers(sock):
            _wake(sock)
            busy(0)
        greeting = greet(sock, state, busy)
        if greeting is not None:
            return sock, *greeting
        sock.close()
    return None


def _is_removed(state: State) -> bool:
    """Whether the lock is no file any more that somebody else would take."""
    try:
        return not os.path.samestat(os.fstat(state.lock), os.stat(f"{state.path}/lock"))
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _answers(sock: _socket.socket) -> bool:
    """Whether the keeper says anything, or goes away, before one can take it for stopped."""
    sock.settimeout(_SILENT_SECONDS)
    try:
        sock.recv(1, _socket.MSG_PEEK)
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    finally:
        sock.settimeout(None)
    return True


def _wake(sock: _socket.socket) -> None:
    """Let the keeper go on if it was stopped; one that is frozen or traced is waited for."""
    keeper = process.open_peer(sock)
    process.send_to(keeper, _signal.SIGCONT)
    if keeper >= 0:
        os.close(keeper)


def _introduced(state: State, seconds: float | None = None) -> _socket.socket:
    """Give a connection to the keeper, on which it is told who has come; seconds: its patience. OSError."""
    sock = meeting.connect(state, meeting.KEEPER)
    try:
        sock.settimeout(seconds)
        _say_hello(sock)
    except BaseException:
        sock.close()
        raise
    return sock


def _say_hello(sock: _socket.socket) -> None:
    """Bring along what services get: stdin, stdout, stderr and the environment. OSError: nothing is said."""
    import struct

    memory = os.memfd_create("environment", os.MFD_CLOEXEC)
    try:
        os.write(memory, b"\0".join(name + b"=" + value for name, value in os.environb.items()))
        fds = struct.pack("4i", 0, 1, 2, memory)
        hello = wire.pack(wire.Record(wire.HELLO, value=os.getpid()))
        sock.sendmsg([hello], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, fds)], _socket.MSG_NOSIGNAL)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the EOF that follows tells it
    finally:
        os.close(memory)
