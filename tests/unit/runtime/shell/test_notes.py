"""What cannot be written down is told once, written later, and said to be written when all of it is."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from runit_provision.runtime.shell.loop import Loop
from runit_provision.runtime.shell.supervisor.notes import Notes


def test_it_is_written_down_again_when_all_that_was_due_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    bad = set(range(100))  # in whatever order they are tried
    pwrite = os.pwrite

    def fails_at_some(fd: int, content: bytes, at: int) -> int:
        if at in bad:
            raise OSError(errno.EIO, "a bad sector")
        return pwrite(fd, content, at)

    monkeypatch.setattr(os, "pwrite", fails_at_some)
    loop = Loop(said.append)
    table = os.open(tmp_path / "table", os.O_RDWR | os.O_CREAT)
    notes = Notes(table, loop, said.append)
    tries: list[int] = []

    def writes(at: int) -> Callable[[], None]:
        def write() -> None:
            tries.append(at)
            notes.write(b"it", at, write)

        return write

    try:
        for at in sorted(bad):
            writes(at)()
        told = ["runsv: warning: unable to write down what runs, trying again: input/output error"]
        assert said == told
        bad = {50}
        while tries.count(50) < 3:
            loop.run_once()
        assert {tries.count(at) for at in range(100) if at != 50} == {2}
        assert said == told
        bad.clear()
        while tries.count(50) < 4:
            loop.run_once()
        assert said == [*told, "runsv: info: what runs is written down again"]
    finally:
        loop.close()
        os.close(table)
