"""Whose clock tells that `current` is too old: C's svlogd goes by the wall clock, ours by one that nobody sets."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support import fifo, oracle, waiting


@pytest.mark.parametrize("world", ["C", "ours"])
def test_a_wall_clock_that_is_set_two_hours_on(runtime: Path, tmp_path: Path, world: str) -> None:
    program = oracle.program("svlogd", package="runit") if world == "C" else str(runtime / "svlogd")
    log = tmp_path / "log"
    log.mkdir()
    (log / "config").write_text("t3600\n")
    offset = tmp_path / "offset"
    offset.write_text("+0\n")
    clock = {
        "LD_PRELOAD": oracle.faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
    process = subprocess.Popen(
        [program, "-tt", "log"],
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", **clock},
        stdin=subprocess.PIPE,
    )
    assert process.stdin is not None

    def feed(line: bytes) -> None:
        assert process.stdin is not None
        process.stdin.write(line)
        process.stdin.flush()
        waiting.until(lambda: not fifo.unread(process.stdin.fileno()), what="it is read")  # type: ignore[union-attr]

    feed(b"first\n")
    waiting.until(lambda: (log / "current").read_bytes().endswith(b" first\n"), what="it is written")
    offset.write_text("+2h\n")
    feed(b"second\n")
    feed(b"third\n")
    process.stdin.close()
    assert process.wait(waiting.DEADLINE) == 0
    texts = [path.read_bytes() for path in (*log.glob("@*.s"), log / "current")]
    stamps = [int(line[11:13]) for line in b"".join(texts).splitlines()]
    assert (stamps[-1] - stamps[0]) % 24 in {2, 3}, "the wall clock was set"
    assert len(texts) == (2 if world == "C" else 1)
