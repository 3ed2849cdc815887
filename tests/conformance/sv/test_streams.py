"""Where sv's words go when there is nowhere for them: a closed or full output, a reader that has gone."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.programs import run
from support.supervised import FakeSupervisor

from runit_provision.runtime.wire import status as wire

Both = tuple[Path, Path]
UP = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))


@pytest.fixture
def services(tmp_path: Path) -> Iterator[Path]:
    supervisors = [FakeSupervisor(tmp_path / name, UP) for name in ("a", "a/log")]
    yield tmp_path
    for each in supervisors:
        each.stop()


@pytest.mark.parametrize("streams", [">&-", ">/dev/full", ">&- 2>&-", "2>/dev/full >/dev/full", "<&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("words", ["status a", "status a nope", "up a nope", "-w 0 down a", "nonsense a", "-V"])
def test_what_cannot_be_said_changes_nothing_else(both: Both, services: Path, streams: str, words: str) -> None:
    said = [run("/bin/sh", ["-c", f"exec {sv} {words} {streams}"], env={"SVDIR": str(services)}) for sv in both]
    codes, errors = zip(*((each.code, each.err if "2>" not in streams and words != "-V" else b"") for each in said), strict=True)
    assert codes[1] == codes[0]
    assert errors[1] == errors[0]


def test_nothing_that_sv_says_gets_into_a_fifo_of_the_service(runtime: Path, services: Path) -> None:
    ok = os.open(services / "a/supervise/ok", os.O_RDONLY | os.O_NONBLOCK)
    run("/bin/sh", ["-c", f"exec {runtime}/sv status a nope a >&- 2>&-"], env={"SVDIR": str(services)})
    assert os.read(ok, 100) == b""
    os.close(ok)


def test_a_reader_that_goes_ends_it_as_it_ends_any_filter(both: Both, services: Path) -> None:
    codes = []
    for sv in both:
        reading, writing = os.pipe()
        os.close(reading)
        codes.append(subprocess.run([sv, "status", "a"], env={"SVDIR": str(services)}, stdout=writing, check=False).returncode)
        os.close(writing)
    assert codes == [-signal.SIGPIPE] * 2
