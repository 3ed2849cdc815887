"""Where sv differs from C's on purpose, and no other file's subject is touched."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

from support.supervised import FakeSupervisor

from runit_provision.runtime.wire import status as wire


def packed(state: int, *, pid: int = 0, want: int = wire.WANT_UP) -> bytes:
    now = time.time_ns() - 10_000_000_000
    return wire.pack(wire.Status(since_ns=now, pid=pid, state=state, want=want, paused=False, got_term=False))


def call(program: Path, *arguments: str, services: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "SVDIR": str(services)}
    return subprocess.run([program, *arguments], capture_output=True, text=True, env=environment, check=False)


def test_as_an_init_script_status_exits_by_the_service_and_not_by_its_logger(runtime: Path, tmp_path: Path) -> None:
    supervisors = [
        FakeSupervisor(tmp_path / "it", packed(wire.RUN, pid=os.getpid())),
        FakeSupervisor(tmp_path / "it/log", packed(wire.DOWN, want=wire.WANT_DOWN)),
    ]
    script = tmp_path / "init.d" / "it"
    script.parent.mkdir()
    script.symlink_to(runtime / "sv")
    done = call(script, "status", services=tmp_path)
    for supervisor in supervisors:
        supervisor.stop()
    assert done.stdout.startswith(f"run: it: (pid {os.getpid()}) ")
    assert done.returncode == 0


def test_a_status_with_an_unknown_state_is_bad_format(runtime: Path, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "it", packed(wire.DOWN)[:-1] + b"\x09")
    done = call(runtime / "sv", "status", "it", services=tmp_path)
    supervisor.stop()
    assert (done.returncode, done.stdout) == (1, "warning: it: unable to read supervise/status: bad format\n")


def test_a_relative_path_that_ends_in_a_slash_is_waited_for_where_it_is(runtime: Path, tmp_path: Path) -> None:
    supervisor = FakeSupervisor(tmp_path / "here/it", packed(wire.DOWN, want=wire.WANT_DOWN))
    done = subprocess.run(
        [runtime / "sv", "-v", "down", "./it/"], capture_output=True, text=True, cwd=tmp_path / "here", check=False, timeout=60
    )
    supervisor.stop()
    assert done.stdout.startswith("ok: down: ./it")
    assert done.returncode == 0
