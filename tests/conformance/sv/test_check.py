"""sv check honours what was asked for, as upstream's 2.3 documents and does; 2.1.2 took whatever was down for good."""

from __future__ import annotations

import os
import signal
from itertools import pairwise
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import run, started
from support.supervised import FakeSupervisor
from support.waiting import DEADLINE, until, written

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
    assert run(runtime / "sv", ["check", "a"], env={"SVDIR": str(tmp_path)}).code == 0
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


STUBBORN = "trap '' TERM INT HUP\nsleep 1000 & echo $$ $! >>pids\nsleep 1000 & echo $! >>pids\nwait; wait; wait"
"""It and its children outlive what asks them to end."""


@pytest.mark.parametrize("pidfd", [True, False], ids=["", "without pidfds"])
@pytest.mark.parametrize("owner", [None, 65534])
def test_a_check_script_that_hangs_is_ended_at_the_limit(runtime: Path, tmp_path: Path, owner: int | None, pidfd: bool) -> None:
    """C's sv waits for it without end, and looks at no other service."""
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisors = [FakeSupervisor(tmp_path / name, up) for name in ("hangs", "works")]
    supervision.script(tmp_path / "hangs/check", STUBBORN)
    supervision.script(tmp_path / "works/check", "exit 0")
    if owner is not None:
        oracle.root("services of other users")
        for parent in (tmp_path, *tmp_path.parents[:2]):
            parent.chmod(0o755)
        os.chown(tmp_path / "hangs", owner, owner)
    words = [str(runtime / "sv"), "-w", "1", "start", "hangs", "works"]
    if not pidfd:
        strace = oracle.program("strace", package="strace")
        words = [strace, "-o", "/dev/null", "-e", "trace=pidfd_open", "-e", "inject=pidfd_open:error=ENOSYS", *words]
    said = run(words[0], words[1:], env={"SVDIR": str(tmp_path), "PATH": "/usr/bin:/bin"})
    for supervisor in supervisors:
        supervisor.stop()
    works, hangs = sorted(said.out.splitlines())
    assert (said.code, said.err, works[:14], hangs[:20]) == (1, b"", b"ok: run: works", b"timeout: run: hangs:")
    pids = [int(pid) for pid in (tmp_path / "hangs/pids").read_text().split()]
    assert len(pids) == 3, "it was run once"
    until(lambda: not any(map(supervision.is_alive, pids)), what="nothing of it is left")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP], ids=lambda number: number.name)
def test_what_ends_sv_ends_the_check_script_that_runs(runtime: Path, tmp_path: Path, number: signal.Signals) -> None:
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    supervision.script(tmp_path / "a/check", STUBBORN.replace("wait;", "echo >begun; wait;", 1))
    with started([runtime / "sv", "-w", "1000", "check", tmp_path / "a"]) as process:
        written(tmp_path / "a/begun")
        process.send_signal(number)
        assert process.wait(DEADLINE) == -number
    supervisor.stop()
    pids = [int(pid) for pid in (tmp_path / "a/pids").read_text().split()]
    until(lambda: not any(map(supervision.is_alive, pids)), what="nothing of it is left")


def test_a_check_script_decides_for_a_caller_that_ignores_its_children(runtime: Path, tmp_path: Path) -> None:
    up = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    supervision.script(tmp_path / "a/check", "exit 0")
    said = run("/usr/bin/env", ["--ignore-signal=CHLD", str(runtime / "sv"), "check", str(tmp_path / "a")])
    supervisor.stop()
    assert (said.code, said.err) == (0, b"")
