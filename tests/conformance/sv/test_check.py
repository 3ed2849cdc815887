"""sv check honours what was asked for, as upstream's 2.3 documents and does; 2.1.2 took whatever was down for good."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import run
from support.supervised import FakeSupervisor
from support.waiting import until

from runit_provision.runtime.wire import status as wire


@pytest.mark.covers("sv", "check")
@pytest.mark.parametrize(
    ("pid", "want", "code"), [(7, wire.WANT_UP, 0), (0, wire.WANT_DOWN, 0), (0, wire.WANT_UP, 1), (7, wire.WANT_DOWN, 1)]
)
def test_check_fails_unless_the_service_is_as_asked(runtime: Path, tmp_path: Path, pid: int, want: int, code: int) -> None:
    state = wire.RUN if pid else wire.DOWN
    supervisor = FakeSupervisor(tmp_path / "a", wire.pack(wire.Status(since_ns=0, pid=pid, state=state, want=want)))
    said = run(runtime / "sv", ["-w", "0", "check", "a"], env={"SVDIR": str(tmp_path)})
    assert said.code == code
    assert said.out.startswith(b"timeout: " if code else b"ok: ")
    supervisor.stop()


def test_a_check_script_that_a_signal_ended_has_failed(runtime: Path, tmp_path: Path) -> None:
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    supervision.script(tmp_path / "a/check", "kill -9 $$")
    theirs, ours = (
        run(Path(sv), ["-w", "0", "check", "a"], env={"SVDIR": str(tmp_path)})
        for sv in (oracle.program("sv", package="runit"), runtime / "sv")
    )
    supervisor.stop()
    assert (theirs.code, ours.code) == (0, 1)
    assert ours.out.startswith(b"timeout: run: a: ")


def test_a_check_script_decides(runtime: Path, tmp_path: Path) -> None:
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    script = tmp_path / "a/check"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    assert run(runtime / "sv", ["-w", "0", "check", "a"], env={"SVDIR": str(tmp_path)}).code == 1
    script.write_text("#!/bin/sh\n")
    assert run(runtime / "sv", ["-w", "0", "check", "a"], env={"SVDIR": str(tmp_path)}).code == 0
    supervisor.stop()


def test_a_check_script_that_failed_is_soon_asked_again(runtime: Path, tmp_path: Path) -> None:
    """C's sv asks each 420 ms; ours waits less at first, and as long at last."""
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    supervision.script(tmp_path / "a/check", f"date +%s.%N >>{tmp_path}/$ASKED\nexit 1")

    def pauses(sv: str | Path, name: str) -> list[float]:
        (tmp_path / name).unlink(missing_ok=True)
        assert run(Path(sv), ["-w", "0", "start", "a"], env={"SVDIR": str(tmp_path), "ASKED": name}).code == 1
        return [after - before for before, after in pairwise(map(float, (tmp_path / name).read_text().split()))]

    assert min(pauses(oracle.program("sv", package="runit"), "theirs")) > 0.4
    until(lambda: min(pauses(runtime / "sv", "ours")) < 0.4, what="it is asked again before C's would")
    supervisor.stop()
