"""What is taken over from runsvs is neither lost nor started twice where a system call fails, or something ends, amid that."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.injected import injected
from support.programs import started
from support.supervision import Tree, letter, pid_of, service, stat, text_of, tree, up
from support.waiting import until, written

from runit_provision.runtime.wire import records


@pytest.fixture
def running(runtime: Path, home: Path, tmp_path: Path) -> Iterator[Tree]:
    """A runsvdir that has one service, and nothing to do; `meet` lets it meet another."""
    first = service(tmp_path / "met/first", "exec sleep 1000")
    with tree(runtime / "runsvdir", first.parent, tmp_path / "state") as made:
        made.start()
        up(first)
        until(lambda: made.named("holder") and supervision.is_asleep(made.pid), what="it has nothing to do")
        yield made


def meet(running: Tree, home: Path) -> Path:
    met = running.services / home.name
    met.symlink_to(home)
    return met


def orphaned(program: Path | str, home: Path, running: Tree) -> int:
    """Start a runsv, whose parent ends; give its pid."""
    with started(["sh", "-c", '"$@" &', "sh", program, home], env=running.environment()) as parent:
        parent.wait()
    until(lambda: stat(home) == "run" and text_of(home / "started"), what="it runs")
    (runsv,) = [pid for pid in running.processes() if supervision.name(pid) == "runsv"]
    return runsv


@pytest.mark.parametrize("whose", ["C's", "ours"])
def test_a_runsv_that_cannot_be_watched_is_not_killed(runtime: Path, home: Path, running: Tree, tmp_path: Path, whose: str) -> None:
    runsv = orphaned(oracle.program("runsv", package="runit") if whose == "C's" else runtime / "runsv", home, running)
    pid = pid_of(home)
    with injected(running.pid, "epoll_ctl", "error=ENOMEM:when=1", tmp_path / "trace"):
        meet(running, home)
        until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
        until(lambda: running.supervises(home), what="it is taken over later")
    assert not supervision.is_alive(runsv)
    letter(home, "d")
    until(lambda: stat(home) == "down", what="it is taken down")
    assert (supervision.started(home), supervision.is_alive(pid)) == ([pid], False)


def test_what_a_runsv_has_left_that_ends_at_once_is_no_fault(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    """It was told to exit, and its ./finish ends just when it is taken over."""
    supervision.script(home / "finish", "echo $$ >finishing; exec sleep 1000")
    runsv = orphaned(runtime / "runsv", home, running)
    letter(home, "x")
    until(lambda: stat(home) == "finish, want exit", what="it is about to exit")
    finish = int(written(home / "finishing"))
    os.kill(runsv, signal.SIGKILL)
    with injected(running.pid, "pwrite64", "signal=STOP:when=1", tmp_path / "trace"):
        meet(running, home)
        until(lambda: "--- stopped by SIGSTOP ---" in text_of(tmp_path / "trace"), what="it has written down what is left")
        os.kill(finish, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{finish}").exists(), what="nobody can be asked how that ended")
    os.kill(running.pid, signal.SIGCONT)
    until(lambda: len(supervision.started(home)) == 2 and running.supervises(home), what="it begins anew")
    assert "internal error" not in running.stderr.read_text()


def test_where_nothing_can_be_written_down_of_what_a_runsv_has_left_there_is_room_for_it_later(
    runtime: Path, home: Path, running: Tree, tmp_path: Path
) -> None:
    orphaned(runtime / "runsv", home, running)
    pid = pid_of(home)
    with injected(running.pid, "pwrite64", "error=ENOSPC:when=1", tmp_path / "trace"):
        meet(running, home)
        until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
        until(lambda: running.supervises(home), what="it is taken over later")
    assert (pid_of(home), supervision.started(home)) == (pid, [pid])
    (table,) = running.state.glob("trees/*/records")
    told = records.unpack_identity(table.read_bytes()[records.offset(2) : records.offset(3)])
    assert told is not None
    assert told.ino == home.stat().st_ino
