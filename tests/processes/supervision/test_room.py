"""What a supervisor gives to its holders: each service, though there is no room for descriptors, and keeps nothing of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from runit_provision.runtime.shell.supervisor.holders import Holder, Holders
from runit_provision.runtime.wire import holder as wire


class _Service:
    """One of which only the FIFO to its log is open; the rest takes a descriptor that there is no room for."""

    closed = False

    def __init__(self, slot: int, room: SimpleNamespace, *, is_open: bool) -> None:
        self.slot = slot
        self.home = SimpleNamespace(is_open=is_open)
        self._room = room

    def take_again(self) -> bool:
        return bool(self._room.more > 0)

    def doors(self) -> dict[int, int]:
        return {wire.PIPE: 0}


def test_what_is_open_in_part_is_held_though_there_is_no_room() -> None:
    later: list[Callable[[], None]] = []
    room = SimpleNamespace(is_there=lambda: False, more=0)
    loop = SimpleNamespace(after=lambda _seconds, what: later.append(what), soon=later.append, guarded=lambda what: what())
    tree: Any = SimpleNamespace(room=room, loop=loop, report=print, orphans=SimpleNamespace(watch_again=lambda _slot: None))
    state: Any = None
    holders = Holders(tree, state, 400)
    given: list[int] = []
    holder: Any = Holder(holders, 0)
    holder.channel = SimpleNamespace(send=lambda data, _fds: given.append(wire.unpack(data).slot), look=lambda: None, backlog=False)
    holders._each[0] = holder
    services: Any = {slot: _Service(slot, room, is_open=slot % 2 == 1) for slot in range(1, 6)}
    holder.missing = dict(services)
    holders.feed()
    assert given == [1], "nobody else answers: one goes beyond what there is room for"
    while len(given) < len(services):
        holder._received(wire.pack(wire.Record(wire.HELD, slot=given[-1])), [])
        done, later[:] = list(later), []
        assert done, "somebody comes back to those that wait"
        for what in done:
            what()
    assert sorted(given) == list(services)
    assert room.more == 0


def test_thousands_that_are_held_leave_no_memory_behind() -> None:
    kinds = range(wire.WORD)
    service: Any = SimpleNamespace(slot=1, doors=lambda: dict.fromkeys(kinds, 0))
    tree: Any = SimpleNamespace(loop=SimpleNamespace(after=lambda _seconds, _what: None), report=print)
    state: Any = None
    holders = Holders(tree, state, 400)
    holder: Any = Holder(holders, 0)
    sent: set[tuple[bytes, int]] = set()
    holder.channel = SimpleNamespace(send=lambda data, fds: sent.add((data, len(fds))), backlog=False)
    holders._each[0] = holder
    before = sys.getallocatedblocks()
    for _ in range(3000):
        holders.hold(service)
    assert sys.getallocatedblocks() - before < 300
    assert sent == {(wire.pack(wire.Record(wire.HOLD, slot=1, kinds=tuple(kinds))), len(kinds))}
