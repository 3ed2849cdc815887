"""The supervisor's side of the holders (holder.py): what of each service is held open by another process too."""

from __future__ import annotations

import _socket
import os
import select
import time

from ..wire import errors
from ..wire import holder as wire
from . import keeper
from .channel import Channel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .state import State
    from .supervised import Supervised
    from .tree import Tree

_SPARE = 64
"""Descriptors of a holder that are for nothing that it holds."""
_AT_A_TIME = 64
_BREATH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
"""For an answer, when there is no room for more descriptors until then; a holder that gives none is stopped."""
_GREETING_SECONDS = 2.0
"""For a holder to say that it has seen the end of the supervisor before; one that does not is stopped."""


class Holder:
    """The holder number `index`.

    waits: how many answers are due for a slot; refused: slots of which it could not take everything; missing: those that it is yet to
    be given again.
    """

    def __init__(self, holders: Holders, index: int) -> None:
        self.index = index
        self.waits: dict[int, int] = {}
        self.refused: set[int] = set()
        self.channel: Channel | None = None
        self._holders = holders
        self._started = 0.0
        self.missing: set[int] = set()
        self._todo: list[Supervised] = []

    def send(self, record: wire.Record, fds: tuple[int, ...] = ()) -> None:
        """Tell it something; nothing when it is not there."""
        if self.channel is not None:
            self.channel.send(wire.pack(record), fds)

    def start(self) -> None:
        """Ask the keeper for one, and give it what there is to hold."""
        tree, state = self._holders.tree, self._holders.state
        self._started = time.monotonic()
        try:
            listener = keeper.listen(state, _name(self.index))
            try:
                sock = _connect(state, self.index)
                # If the keeper dies before it has made one, or cannot, nobody has the listener and the connection ends.
                tree.parent.holder(self.index, listener.fileno())
            finally:
                listener.close()
        except OSError as error:
            tree.report(f"runsv: warning: unable to start a holder, sleeping: {errors.words(error)}")
            tree.loop.after(_BREATH_SECONDS, self.start)
            return
        self._converse(sock)
        self._todo = [service for service in tree.services() if self._holders.index_of(service.slot) == self.index]
        self.missing = {service.slot for service in self._todo}
        self._more()

    def _more(self) -> None:
        """Give it what there is, a few services at a time: until it has them there may be no room for others."""
        while self.channel is not None and self._todo and not self.waits:
            batch, self._todo = self._todo[-_AT_A_TIME:], self._todo[:-_AT_A_TIME]
            for service in batch:
                service.take_again()
                self.missing.discard(service.slot)

    def join(self) -> bool:
        """Connect to one that outlived a supervisor; False when there is none."""
        try:
            sock = _connect(self._holders.state, self.index)
        except OSError:
            return False
        sock.settimeout(_GREETING_SECONDS)
        try:
            if not sock.recv(wire.SIZE):
                sock.close()
                return False
        except TimeoutError:
            pass
        except OSError:
            sock.close()
            return False
        self._converse(sock)
        return True

    def _converse(self, sock: _socket.socket) -> None:
        loop = self._holders.tree.loop
        self.channel = Channel(
            sock, loop, size=wire.SIZE, received=self._received, closed=self._gone, drained=self._holders.tree.parent.resume
        )

    def _received(self, data: bytes, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        record = wire.unpack(data)
        if record.op in {wire.HELD, wire.REFUSED}:
            left = self.waits.pop(record.slot, 1) - 1
            if left > 0:
                self.waits[record.slot] = left
            if record.op == wire.REFUSED:
                self.refused.add(record.slot)
            if self._todo and not self.waits:
                self._holders.tree.loop.soon(self._more)
        elif record.op == wire.RELEASED:
            self.refused.discard(record.slot)
            self._holders.tree.released(record.slot)

    def _gone(self) -> None:
        """It was killed, or could not be made."""
        self.channel = None
        self.waits.clear()
        self.refused.clear()
        tree = self._holders.tree
        if self._holders.left:
            return
        tree.parent.resume()
        tree.released(*(slot for slot in tree.leaving() if self._holders.index_of(slot) == self.index))
        tree.loop.after(max(0.0, self._started + _BREATH_SECONDS - time.monotonic()), self.start)


class Holders:
    """The holders of a tree. `most`: descriptors that a process may have, ours and theirs; left: none is needed any more."""

    def __init__(self, tree: Tree, state: State, most: int) -> None:
        self.tree = tree
        self.state = state
        self._slots = max(16, (most - _SPARE) // wire.KINDS)
        self._each: dict[int, Holder] = {}
        self.left = False
        self._patient_again = 0.0

    def index_of(self, slot: int) -> int:
        """Give the number of the holder that a slot belongs to."""
        return slot // self._slots

    def hold(self, service: Supervised, kinds: tuple[int, ...]) -> None:
        """Let what is open of `service` be held too, as far as it is of one of these `kinds`."""
        holder = self._of(service.slot)
        doors = service.doors()
        there = tuple(kind for kind in kinds if kind in doors)
        if holder.channel is None or not there:
            return
        holder.waits[service.slot] = holder.waits.get(service.slot, 0) + 1
        holder.send(wire.Record(wire.HOLD, slot=service.slot, kinds=there), tuple(doors[kind] for kind in there))

    def drop(self, service: Supervised, kind: int) -> None:
        """Let something of `service` be held no more."""
        self._of(service.slot).send(wire.Record(wire.DROP, slot=service.slot, kinds=(kind,)))

    def release(self, slot: int) -> bool:
        """Let nothing of `slot` be held any more; True when that is so, False when tree.released will be told."""
        holder = self._of(slot)
        holder.send(wire.Record(wire.RELEASE, slot=slot))
        return holder.channel is None

    def holds(self, slot: int) -> bool:
        """Whether a slot's descriptors are certainly held by another process too."""
        holder = self._each.get(self.index_of(slot))
        if slot == 0 or holder is None or holder.channel is None:
            return False
        return not (slot in holder.waits or slot in holder.refused or slot in holder.missing)

    def sent(self) -> bool:
        """Whether all that is to be held is on its way, whatever happens to us."""
        return not any(holder.channel is not None and holder.channel.backlog for holder in self._each.values())

    def wait(self) -> bool:
        """Wait for answers that are due; False when none is, or none comes."""
        waits = [holder for holder in self._each.values() if holder.waits and holder.channel is not None]
        if not waits or time.monotonic() < self._patient_again:
            return False
        poll = select.poll()
        for holder in waits:
            assert holder.channel is not None
            poll.register(holder.channel.fileno(), select.POLLIN | (select.POLLOUT if holder.channel.backlog else 0))
        if not poll.poll(_PATIENCE_SECONDS * 1000):
            self._patient_again = time.monotonic() + 5 * _PATIENCE_SECONDS
            return False
        for holder in waits:
            if holder.channel is not None:
                holder.channel.look()
        return True

    def rejoin(self) -> None:
        """Connect to the holders that outlived the supervisor before."""
        for name in os.listdir(self.state.directory):
            kind, _, index = name.partition("-")
            if kind == "holder" and index.isdigit():
                holder = Holder(self, int(index))
                if holder.join():
                    self._each[holder.index] = holder

    def settle(self, others: list[int]) -> None:
        """Every service that there is was held; others: slots that are known too. Nothing else needs to be held."""
        for slot in others:
            self._of(slot).send(wire.Record(wire.KEEP, slot=slot))
        for holder in self._each.values():
            holder.send(wire.Record(wire.SETTLED))

    def keeper_is(self, pidfd: int) -> None:
        """There is another keeper."""
        for holder in self._each.values():
            holder.send(wire.Record(wire.KEEPER), (pidfd,))

    def leave(self) -> None:
        """Every service is gone: so may the holders."""
        self.left = True
        for holder in self._each.values():
            holder.send(wire.Record(wire.QUIT))

    def _of(self, slot: int) -> Holder:
        index = self.index_of(slot)
        holder = self._each.get(index)
        if holder is None:
            holder = self._each[index] = Holder(self, index)
            holder.start()
        return holder


def _name(index: int) -> str:
    return f"holder-{index}"


def _connect(state: State, index: int) -> _socket.socket:
    sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
    try:
        sock.connect(keeper.address(state, _name(index)))
    except OSError:
        sock.close()
        raise
    return sock
