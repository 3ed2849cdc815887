"""The supervisor's side of the holders (holder.py): what of each service is held open by another process too."""

from __future__ import annotations

import _signal
import os
import select
import time

from ...core.breath import Breath
from ...wire import errors
from ...wire import holder as wire
from .. import descriptors, meeting
from ..channel import Channel
from ..keeper import holder_start
from ..report import Trouble
from .heed import Heed
from .kills import Seldom

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from typing import Protocol

    from ..channel import Message
    from ..service.supervised import Supervised
    from ..state import State
    from .tree import Tree

    class Holding(Protocol):
        """What a tree asks of those who hold its descriptors."""

        def hold(self, service: Supervised, kinds: tuple[int, ...] = ...) -> None:
            """Let what is open of `service` be held too, as far as it is of one of these `kinds`."""

        def watch(self, slot: int, key: int, pid: int, pidfd: int) -> bool:
            """Let the end of a process be told to tree.orphans; False when that cannot be now."""

        def drop(self, service: Supervised, kind: int) -> None:
            """Let something of `service` be held no more."""

        def release(self, slot: int) -> bool:
            """Let nothing of `slot` be held any more; True when that is so, False when tree.released will be told."""

        def holds(self, slot: int) -> bool:
            """Whether a slot's descriptors are certainly held by another process too."""

        def sent(self) -> bool:
            """Whether all that is to be held is on its way, whatever happens to us."""

        def wait(self) -> bool:
            """Wait for answers that are due; False when none is, or none comes."""

        def rejoin(self) -> None:
            """Connect to the holders that outlived the supervisor before; for whom letters wait is told to tree.hurry."""

        def look(self) -> None:
            """Take now what they have said, instead of in the loop's next turn."""

        def settle(self, others: list[int]) -> None:
            """Every service that there is was held; others: slots that are known too. Nothing else needs to be held."""

        def keeper_is(self, pidfd: int) -> None:
            """This is the keeper from now on; -1: who it is cannot be known."""

        def leave(self) -> None:
            """Every service is gone: so may the holders."""


ALL = tuple(range(wire.KINDS))

_AT_A_TIME = 64
"""Services that are given to a holder in a turn."""
_MORE = 16
"""Descriptors that one service may take beyond those that are too many; more than it has."""
_BREATH_SECONDS = 1.0
_PATIENCE_SECONDS = 2.0
"""For an answer, when there is no room for more descriptors until then; a holder that gives none is stopped."""
_GREETING_SECONDS = 2.0
"""For a holder to see the end of the supervisor before, whose locks it lets go of then, and say so; one that does not is stopped."""


class Holder:
    """The holder number `index`.

    waits: how many answers are due for a slot; refused: slots of which it could not take everything; missing: the services that it is
    yet to be given again.
    """

    def __init__(self, holders: Holders, index: int) -> None:
        self.index = index
        self.waits: dict[int, int] = {}
        self.refused: set[int] = set()
        self.channel: Channel | None = None
        self._holders = holders
        self._breath = Breath()
        self._was_there = False
        self._trouble = Trouble(holders.tree.report)  # why none could be started
        self._is_met = True
        self._heed = Heed(holders.tree.loop, ask=self._owes, look=self.look, silent=self._replace)
        self.missing: dict[int, Supervised] = {}

    def send(self, record: wire.Record, fds: tuple[int, ...] = ()) -> None:
        """Tell it something; nothing when it is not there."""
        if self.channel is not None:
            self.channel.send(wire.pack(record), fds)

    def expect(self) -> None:
        """Have it answer within some seconds."""
        self._heed.expect()

    def _owes(self) -> bool:
        """Whether an answer is due: to what it is given to hold, or to let go of, or to who has come after another."""
        return self.channel is not None and (bool(self.waits) or not self._is_met or bool(self._leaving()))

    def _leaving(self) -> list[int]:
        """Give the slots of which it is yet to let go."""
        return [slot for slot in self._holders.tree.leaving() if self._holders.index_of(slot) == self.index]

    def look(self) -> None:
        """Take now what it has said."""
        if self.channel is not None:
            self.channel.look()

    def _replace(self, _is_new: bool) -> None:
        """It is stopped, or frozen, and nothing could be started any more: another takes its place."""
        if self.channel is not None:
            self._holders.tree.report("runsv: warning: a holder of descriptors does not answer, starting another")
            self.channel.close()
            self._was_there = False  # of that nothing more is to be told
            holder_start.send(self._holders.state, self.index, _signal.SIGKILL)  # nor is anything held that is told to be released
            self._gone()

    def start(self) -> None:
        """Ask the keeper for one, and give it what there is to hold."""
        tree, state = self._holders.tree, self._holders.state
        self._breath.begin(time.monotonic())
        try:
            listener = meeting.listen(state, _name(self.index))
            try:
                sock = meeting.connect(state, _name(self.index))
                # If the keeper dies before it has made one, or cannot, nobody has the listener and the connection ends.
                tree.parent.holder(self.index, listener.fileno())
            finally:
                listener.close()
        except OSError as error:
            self._trouble.tell(f"runsv: warning: unable to start a holder, sleeping: {errors.words(error)}")
            tree.loop.after(_BREATH_SECONDS, self.start)
            return
        self._miss_all()
        self._converse(sock)
        self._holders.feed()

    def _miss_all(self) -> None:
        """Whatever happens next, nothing that there is counts as held by it."""
        services = {service.slot: service for service in self._holders.tree.services()}
        self.missing = {slot: service for slot, service in services.items() if self._holders.index_of(slot) == self.index}

    def next_missing(self, *, room: bool) -> int:
        """Give a slot that is missing; without room one that is open, which takes few and makes some. 0 for none."""
        return next((slot for slot, service in self.missing.items() if room or service.home.is_open), 0)

    def give(self, slot: int, *, urgent: bool) -> bool:
        """Give it one of those that are missing, though there is no room if that is urgent; True when it will answer."""
        service = self.missing.pop(slot)
        tree = self._holders.tree
        if service.closed:
            return False
        tree.room.more = _MORE if urgent else 0
        taken = service.take_again()
        tree.room.more = 0
        if taken:
            self._holders.hold(service)
        else:
            # None of it: a lock that it had alone could not be taken again beside what is yet to come.
            self.miss_later(service)
        tree.orphans.watch_again(slot)
        return slot in self.waits

    def miss_later(self, service: Supervised) -> None:
        """Give it `service` anew in a second: what it was to be given it has not got."""
        self.refused.add(service.slot)
        self._holders.tree.loop.after(_BREATH_SECONDS, lambda: self._miss(service))

    def _miss(self, service: Supervised) -> None:
        if service.slot in self.refused and not service.closed:
            self.refused.discard(service.slot)
            self.missing[service.slot] = service
            self._holders.feed_soon()

    def meet(self) -> None:
        """Connect to the one that there is, or start one: the keeper ends the one whose place another takes."""
        if not self.rejoin():
            self.start()

    def rejoin(self) -> bool:
        """Connect to one that outlived a supervisor, later where that cannot be now; False when there is none."""
        try:
            return self._join()
        except OSError as error:
            self._trouble.tell(f"runsv: warning: unable to meet a holder, trying again: {errors.words(error)}")
            self._holders.tree.loop.after(_BREATH_SECONDS, self._meet_late)
            return True

    def _meet_late(self) -> None:
        """Meet it though services have been taken up since, which it was not given, and may hold from before."""
        if self._holders.left:
            return
        if not self.rejoin():
            self.start()
        elif self.channel is not None:
            self._miss_all()
            if self._holders.settled is not None:
                self.settle(self._holders.settled)
            self._holders.feed()

    def settle(self, others: list[int]) -> None:
        """It has been given what there is, or is about to be; `others` are known too. Let it hold nothing else."""
        for slot in (*others, *self.missing):
            if self._holders.index_of(slot) == self.index:
                self.send(wire.Record(wire.KEEP, slot=slot))
        self.send(wire.Record(wire.SETTLED))

    def _join(self) -> bool:
        """Connect to one that outlived a supervisor; False when there is none, OSError when that cannot be known now."""
        try:
            sock = meeting.connect(self._holders.state, _name(self.index))
        except meeting.NOBODY:
            return False
        sock.settimeout(_GREETING_SECONDS)
        try:
            self._is_met = self._greets(sock) or self._greets(sock)
        except ConnectionError:
            sock.close()
            return False
        except OSError:
            sock.close()
            raise
        self._converse(sock)
        self._was_there = True
        self.send(wire.Record(wire.LETTERS))
        if not self._is_met:
            self.expect()
        return True

    def _greets(self, sock: _socket.socket) -> bool:
        """Whether it says that it has seen the end of the supervisor before; if it was stopped, it goes on now.

        ConnectionError: it is gone. OSError: that cannot be known now.
        """
        try:
            if not sock.recv(wire.SIZE):
                raise ConnectionResetError
            return True
        except TimeoutError:
            holder_start.send(self._holders.state, self.index, _signal.SIGCONT)
            return False

    def _converse(self, sock: _socket.socket) -> None:
        loop = self._holders.tree.loop
        self._trouble.over()
        self.channel = Channel(sock, loop, size=wire.SIZE, received=self._received, closed=self._gone, drained=self._drained)
        self.meet_keeper()

    def meet_keeper(self) -> None:
        """Tell it who the keeper is, without whom it would not wait for the next supervisor: that may not be the one it knows."""
        if self.channel is not None:
            self.channel.send_late(self._who_keeps, None, insist=True)

    def _who_keeps(self, _nothing: object) -> Message | None:
        keeper = self._holders.keeper
        return (wire.pack(wire.Record(wire.KEEPER)), (keeper,), ()) if keeper >= 0 else None

    def _drained(self) -> None:
        # Whoever is the parent of the processes by now.
        self._holders.tree.parent.resume()

    def _received(self, data: bytes, fds: list[int]) -> None:
        for fd in fds:
            os.close(fd)
        self._heed.heard()
        self._was_there = self._is_met = True
        record = wire.unpack(data)
        if record.op in {wire.HELD, wire.REFUSED}:
            left = self.waits.pop(record.slot, 1) - 1
            if left > 0:
                self.waits[record.slot] = left
            if record.op == wire.REFUSED:
                self.refused.add(record.slot)
            if self.waits:
                self.expect()
            self._holders.feed_soon()
        elif record.op == wire.LETTER:
            self._holders.tree.hurry(record.slot)
        elif record.op == wire.ENDED:
            self._holders.tree.orphans.ended(record.slot, record.kinds[0], record.value)
        elif record.op == wire.UNWATCHED:
            tree = self._holders.tree
            tree.loop.after(_BREATH_SECONDS, lambda: tree.orphans.watch_again(record.slot))
        elif record.op == wire.RELEASED:
            self.refused.discard(record.slot)
            self._holders.tree.released(record.slot)

    def _tell_death(self) -> None:
        was_there, self._was_there = self._was_there, False
        times = self._holders.deaths.times(self.index) if was_there and not self._holders.tree.ends else None
        if times is not None:
            self._holders.tree.report(f"runsv: warning: a fifo-holder is gone{times}; another takes its place")

    def _gone(self) -> None:
        """It was killed, or could not be made."""
        self.channel = None
        self._is_met = True
        self._heed.heard()
        self.waits.clear()
        self.refused.clear()
        tree = self._holders.tree
        if self._holders.left:
            return
        self._tell_death()
        # Whatever goes wrong with the rest, there is to be another.
        tree.loop.after(self._breath.seconds(time.monotonic()), self.start)
        tree.released(*self._leaving())
        tree.parent.resume()


class Holders:
    """The holders of a tree. `most`: descriptors that a process may have, ours and theirs; left: none is needed any more.

    keeper: its pidfd, none as long as it is not known; settled: the slots that were known when all was taken up, None before.
    """

    def __init__(self, tree: Tree, state: State, most: int) -> None:
        self.tree = tree
        self.state = state
        self._slots = max(1, (most - descriptors.spare(most)) // (wire.KINDS + wire.WATCHED))
        self._each: dict[int, Holder] = {}
        self.left = False
        self.keeper = -1
        self.settled: list[int] | None = None
        self._patient_again = 0.0
        self._feeds = False
        self.deaths = Seldom()

    def index_of(self, slot: int) -> int:
        """Give the number of the holder that a slot belongs to."""
        return slot // self._slots

    def hold(self, service: Supervised, kinds: tuple[int, ...] = ALL) -> None:
        if not service.slot:
            return
        holder = self._of(service.slot)
        doors = service.doors()
        # Of lists: a tuple of what has no length is cut to it, and Python keeps up to 2,000 of those that nothing reuses.
        there = tuple([kind for kind in kinds if kind in doors])
        if holder.channel is None or not there:
            return
        try:
            holder.send(wire.Record(wire.HOLD, slot=service.slot, kinds=there), tuple([doors[kind] for kind in there]))
        except OSError:
            holder.miss_later(service)  # there is no descriptor for what waits to be sent
            return
        holder.waits[service.slot] = holder.waits.get(service.slot, 0) + 1
        holder.expect()

    def watch(self, slot: int, key: int, pid: int, pidfd: int) -> bool:
        holder = self._of(slot)
        holder.send(wire.Record(wire.WATCH, slot=slot, kinds=(key,), value=pid), (pidfd,))
        return holder.channel is not None

    def drop(self, service: Supervised, kind: int) -> None:
        if service.slot:
            self._of(service.slot).send(wire.Record(wire.DROP, slot=service.slot, kinds=(kind,)))

    def release(self, slot: int) -> bool:
        holder = self._of(slot)
        if holder.channel is None:
            return True
        holder.send(wire.Record(wire.RELEASE, slot=slot))
        self.tree.loop.soon(holder.expect)  # once its slot is among those that leave
        return False

    def holds(self, slot: int) -> bool:
        holder = self._each.get(self.index_of(slot))
        if slot == 0 or holder is None or holder.channel is None:
            return False
        return not (slot in holder.waits or slot in holder.refused or slot in holder.missing)

    def sent(self) -> bool:
        return not any(holder.channel is not None and holder.channel.backlog for holder in self._each.values())

    def wait(self) -> bool:
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
            holder.look()
        return True

    def feed_soon(self) -> None:
        """Give holders more of what they miss, when this turn is over."""
        if not self._feeds and any(holder.missing for holder in self._each.values()):
            self._feeds = True
            self.tree.loop.soon(self.feed)

    def feed(self) -> None:
        """Give holders what they miss, a few services at a time, while there is room; with each answer there may be more."""
        self._feeds = False
        for holder in list(self._each.values()):
            given = 0
            while holder.channel is not None and given < _AT_A_TIME:
                room = self.tree.room.is_there()
                # While no answer is due nothing else will ever make room: services may be open in part, and need more to be held.
                urgent = not room and not any(each.waits for each in self._each.values())
                slot = holder.next_missing(room=room or urgent)
                if slot == 0:
                    break
                given += holder.give(slot, urgent=urgent)

    def rejoin(self) -> None:
        for name in self.state.names():
            kind, _, index = name.partition("-")
            if kind == "holder" and index.isdigit():
                holder = Holder(self, int(index))
                if holder.rejoin():
                    self._each[holder.index] = holder

    def look(self) -> None:
        for holder in list(self._each.values()):
            holder.look()

    def settle(self, others: list[int]) -> None:
        self.settled = others
        for slot in others:
            self._of(slot)
        for holder in self._each.values():
            holder.settle(others)

    def keeper_is(self, pidfd: int) -> None:
        self.keeper = pidfd
        for holder in self._each.values():
            holder.meet_keeper()

    def leave(self) -> None:
        self.left = True
        for holder in self._each.values():
            holder.send(wire.Record(wire.QUIT))

    def _of(self, slot: int) -> Holder:
        index = self.index_of(slot)
        holder = self._each.get(index)
        if holder is None:
            holder = self._each[index] = Holder(self, index)
            # Though one that holds may not have been met.
            holder.meet()
        return holder


class Alone:
    """No other process holds anything: a runsv of its own, or a tree without a state directory."""

    def hold(self, service: Supervised, kinds: tuple[int, ...] = ALL) -> None:
        pass

    def watch(self, _slot: int, _key: int, _pid: int, _pidfd: int) -> bool:
        return False

    def drop(self, service: Supervised, kind: int) -> None:
        pass

    def release(self, _slot: int) -> bool:
        return True

    def holds(self, _slot: int) -> bool:
        return False

    def sent(self) -> bool:
        return True

    def wait(self) -> bool:
        return False

    def rejoin(self) -> None:
        pass

    def look(self) -> None:
        pass

    def settle(self, others: list[int]) -> None:
        pass

    def keeper_is(self, pidfd: int) -> None:
        pass

    def leave(self) -> None:
        pass


def _name(index: int) -> str:
    return f"holder-{index}"
