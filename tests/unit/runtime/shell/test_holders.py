"""What is given to a holder of descriptors, and what of it is known to be held."""

from __future__ import annotations

import os
import resource
import socket
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from runit_provision.runtime.shell import meeting
from runit_provision.runtime.shell.loop import Loop
from runit_provision.runtime.shell.state import State
from runit_provision.runtime.shell.supervisor.holders import Holders
from runit_provision.runtime.wire import holder as wire


class _Busy:
    """A holder that takes nothing until it is told to."""

    def __init__(self, state: State) -> None:
        self._listener = socket.socket(fileno=meeting.listen(state, "holder-0").detach())
        self._greets = threading.Thread(target=self._greet)
        self._greets.start()

    def _greet(self) -> None:
        self._listener.setblocking(True)
        self._sock, _address = self._listener.accept()
        self._sock.send(wire.pack(wire.Record(wire.READY)))
        self._sock.setblocking(False)

    def works(self) -> list[int]:
        """Hold all that has come; give the slots."""
        self._greets.join()
        slots: list[int] = []
        while True:
            try:
                data, fds, _flags, _address = socket.recv_fds(self._sock, wire.SIZE, 8)
            except BlockingIOError:
                return slots
            for fd in fds:
                os.close(fd)
            record = wire.unpack(data)
            if record.op == wire.HOLD:
                slots.append(record.slot)
                self._sock.send(wire.pack(wire.Record(wire.HELD, slot=record.slot)))

    def close(self) -> None:
        self._greets.join()
        self._sock.close()
        self._listener.close()


def test_what_there_was_no_descriptor_for_is_given_to_the_holder_later(tmp_path: Path) -> None:
    """And not taken for held meanwhile, since it could be closed then."""
    state = State(str(tmp_path), directory=os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY), lock=-1, table=-1)
    said: list[str] = []
    loop = Loop(said.append)
    tree: Any = SimpleNamespace(
        loop=loop,
        report=said.append,
        parent=SimpleNamespace(resume=lambda: None),
        leaving=list,
        room=SimpleNamespace(more=0, is_there=lambda: True),
        orphans=SimpleNamespace(watch_again=lambda _slot: None),
    )
    holders, busy = Holders(tree, state, 10_000), _Busy(state)
    home = SimpleNamespace(is_open=True)
    first, second = (
        SimpleNamespace(slot=slot, closed=False, home=home, doors=lambda: {wire.OK: 0}, take_again=lambda: True) for slot in (1, 2)
    )
    try:
        holders.hold(first)  # type: ignore[arg-type]
        while holders.sent():
            holders.hold(first)  # type: ignore[arg-type]
        free, limits = os.dup(0), resource.getrlimit(resource.RLIMIT_NOFILE)
        os.close(free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (free, limits[1]))
        try:
            holders.hold(second)  # type: ignore[arg-type]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert not holders.holds(second.slot)
        while second.slot not in busy.works():
            loop.run_once()
            assert not holders.holds(second.slot)
        while not holders.holds(second.slot):
            loop.run_once()
        assert said == []
    finally:
        busy.close()
        loop.run_once()  # that it is gone is heard, and its socket closed
        holders.leave()
        loop.close()
        os.close(state.directory)
