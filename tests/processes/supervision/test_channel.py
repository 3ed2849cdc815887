"""What waits for the other side of a conversation, and in which order it goes."""

from __future__ import annotations

import gc
import os
import resource
import socket
import tracemalloc
from collections.abc import Iterator

import pytest

from runit_provision.runtime.shell.channel import ANY, BEGIN, FINISH, Channel
from runit_provision.runtime.shell.loop import Loop

_SIZE = 400


class _Talk:
    """A channel whose other side reads nothing before `read`."""

    def __init__(self) -> None:
        ours, self._theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._theirs.setblocking(False)
        self.faults: list[str] = []
        self.loop = Loop(self.faults.append)
        self.channel = Channel(ours, self.loop, size=_SIZE, received=lambda *_: None, closed=lambda: None, under_way=4096)
        while not self.channel.backlog:
            self.say("full", 0)

    def say(self, text: str, about: int, rank: int = ANY) -> None:
        self.channel.send(_record(text), about=about, rank=rank)

    def read(self) -> list[str]:
        """Give all that comes but what filled the socket."""
        found = []
        while True:
            try:
                record = self._theirs.recv(_SIZE)
                found.append(record.rstrip(b"\0").decode())
                assert len(record) == _SIZE
            except BlockingIOError:
                if not self.channel.backlog:
                    return [text for text in found if text != "full"]
                self.loop.run_once()

    def close(self) -> None:
        self.channel.close()
        self.loop.close()
        self._theirs.close()


def _record(text: str) -> bytes:
    return text.encode().ljust(_SIZE, b"\0")


@pytest.fixture
def talk() -> Iterator[_Talk]:
    """Give a conversation whose other side is busy."""
    there = _Talk()
    yield there
    there.close()
    assert not there.faults


def test_what_goes_first_comes_before_others_and_after_what_was_said_of_the_same(talk: _Talk) -> None:
    for service in (1, 2, 3):
        talk.say(f"start {service}", service)
    talk.say("term 3", 3, BEGIN)
    talk.say("term 2", 2, BEGIN)
    talk.say("more 3", 3)
    assert talk.read() == ["start 3", "term 3", "more 3", "start 2", "term 2", "start 1"]


def test_what_has_begun_is_finished_before_more_begins(talk: _Talk) -> None:
    for service in (1, 2, 3):
        talk.say(f"term {service}", service, BEGIN)
    talk.say("start 4", 4, FINISH)
    talk.say("start 3", 3, FINISH)
    talk.say("term 4", 4, BEGIN)
    assert talk.read() == ["start 4", "term 4", "term 3", "start 3", "term 1", "term 2"]


def test_others_keep_the_order_in_which_they_began_to_wait(talk: _Talk) -> None:
    for text, service in (("a 2", 2), ("a 1", 1), ("b 2", 2)):
        talk.say(text, service)
    assert talk.read() == ["a 2", "b 2", "a 1"]


def test_what_is_being_made_may_say_something_itself(talk: _Talk) -> None:
    def make(text: str) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
        talk.say("meanwh 1", 1, FINISH)
        talk.channel.resume()
        return _record(text), (), ()

    talk.channel.send_late(make, "late 1", about=1)
    talk.say("end 2", 2)
    assert talk.read() == ["late 1", "meanwh 1", "end 2"]


def test_thousands_that_wait_take_little_memory(talk: _Talk) -> None:
    count = 2000
    tracemalloc.start()
    for service in range(count):
        talk.say("end", service)
    taken, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < count * _SIZE
    assert talk.read() == ["end"] * count


def test_thousands_that_wait_to_be_made_take_little_memory_and_give_it_back(talk: _Talk) -> None:
    def make(text: str) -> tuple[bytes, tuple[int, ...], tuple[int, ...]]:
        return _record(text), (), ()

    count = 2000
    tracemalloc.start()
    for service in range(count):
        talk.channel.send_late(make, "made", about=service)
    taken, _most = tracemalloc.get_traced_memory()
    found = len(talk.read())
    gc.collect()  # which also empties Python's own store of freed tuples
    left, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < count * 300
    assert found == count
    assert left < count * 10


def test_what_there_are_not_enough_descriptors_for_leaves_none_open(talk: _Talk) -> None:
    """What waits takes a copy of each that goes with it, or none."""

    def lowest() -> int:
        fd = os.dup(0)
        os.close(fd)
        return fd

    before, limits = lowest(), resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before + 1, limits[1]))
    try:
        for say in (talk.channel.send, talk.channel.send_at_once):
            with pytest.raises(OSError, match="Too many open files"):
                say(_record("it"), (0, 0))
            assert lowest() == before
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert talk.read() == []
