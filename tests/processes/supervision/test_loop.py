"""One thread's waiting, beside what each process of a tree shows of it."""

from __future__ import annotations

import os

import pytest

from runit_provision.runtime.shell.loop import Loop


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
