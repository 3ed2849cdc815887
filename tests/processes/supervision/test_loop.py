"""One thread's waiting, beside what each process of a tree shows of it."""

from __future__ import annotations

import errno
import os
import select

import pytest

from runit_provision.runtime.shell.loop import EPOLLIN, Loop


@pytest.mark.parametrize("seconds", [2_147_484.0, 1e10, float("inf")])
def test_a_time_longer_than_the_kernel_waits_at_once_is_waited_for_all_the_same(seconds: float) -> None:
    said: list[str] = []
    loop = Loop(said.append)
    mine, others = os.pipe()
    try:
        loop.watch(mine, lambda: said.append(os.read(mine, 1).decode()))
        loop.after(seconds, lambda: said.append("too early"))
        os.write(others, b"a")
        loop.run_once()
        assert said == ["a"]
    finally:
        loop.close()
        os.close(mine)
        os.close(others)


class _Crowded:
    """An epoll(7) that may have no room for one more."""

    is_full = False
    tries = 0

    def __init__(self) -> None:
        self._real = real = EPOLL()
        self.poll, self.modify, self.unregister, self.close = real.poll, real.modify, real.unregister, real.close

    def register(self, fd: int, events: int) -> None:
        _Crowded.tries += 1
        if _Crowded.is_full:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._real.register(fd, events)


EPOLL = select.epoll


def test_what_the_kernel_has_no_room_to_watch_is_looked_at_until_there_is_some(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where all of an account's processes wait for more than fs.epoll.max_user_watches, however long that lasts."""
    monkeypatch.setattr(select, "epoll", _Crowded)
    monkeypatch.setattr(_Crowded, "is_full", False)
    said: list[str] = []
    loop = Loop(said.append)
    (mine, others), (forgotten, _its) = pipes = os.pipe(), os.pipe()
    told = "warning: unable to wait for events, looking for them each second: fs.epoll.max_user_watches is reached"

    def hears(text: str) -> None:
        os.write(others, text.encode())
        before = len(said)
        while len(said) == before:
            loop.run_once()
        assert said[before:] == [text]

    try:
        for _episode in range(2):
            said.clear()
            _Crowded.is_full = True
            loop.watch(mine, lambda: said.append(os.read(mine, 1).decode()))
            loop.watch(forgotten, lambda: said.append("nobody waits for it"))
            loop.forget(forgotten)
            assert said == [told]
            hears("a")
            loop.mind(mine, 0)
            loop.mind(mine, EPOLLIN)
            hears("b")
            _Crowded.is_full = False
            before = _Crowded.tries
            while _Crowded.tries == before:
                loop.run_once()
            hears("c")
            loop.mind(mine, EPOLLIN)
            loop.forget(mine)
        assert loop.faults == 0
    finally:
        loop.close()
        for fd in (*pipes[0], *pipes[1]):
            os.close(fd)
