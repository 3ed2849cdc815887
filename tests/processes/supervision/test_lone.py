"""A runsv of its own and a tree, one after the other over a service: whoever was killed amid what, it is started once."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.injected import injected
from support.instants import numbers
from support.programs import run, started
from support.supervision import Tree, letter, pid_of, said, send, service, stat, text_of, tree
from support.waiting import until

from runit_provision.runtime.wire import records

STARTS = "echo $$ >>starts; exec sleep 1000"
REFUSED = b"a process of it runs, or begins, that the runsvdir of"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    """A tree that is not started yet, of one service."""
    service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as made:
        yield made


@pytest.fixture
def home(running: Tree) -> Path:
    return running.services / "it"


def leave(runtime: Path, home: Path, running: Tree) -> int:
    """Let a runsv start the service, and be killed; give the service's pid."""
    with started([runtime / "runsv", home], env=running.environment()):
        until(lambda: stat(home) == "run" and numbers(home / "starts"), what="it runs")
        if (home / "log").exists():
            until(lambda: stat(home / "log") == "run" and numbers(home / "logs"), what="its log runs")
    return pid_of(home)


def is_asked_for(running: Tree) -> bool:
    """Whether it is written down that a process is asked for."""
    (table,) = running.state.glob("trees/*/records")
    intent = records.unpack_intent(table.read_bytes()[records.offset(1) : records.offset(2)])
    return intent is not None and intent.main.spawning


def open_to_others(state: Path) -> None:
    """Do what somebody does who lets others look, and then thinks better of it."""
    subprocess.run(["chmod", "-R", "go+rX", str(state)], check=True)
    state.chmod(0o700)


def test_what_a_keeper_was_asked_for_is_started_by_nobody_else(runtime: Path, running: Tree, home: Path) -> None:
    (home / "down").touch()
    running.start()
    until(lambda: running.supervises(home) and stat(home) == "down", what="it is down")
    keeper = running.keeper()
    os.kill(keeper, signal.SIGSTOP)
    letter(home, "u")
    until(lambda: is_asked_for(running), what="the keeper is asked for it")
    running.kill()
    (home / "down").unlink()
    with started([runtime / "runsv", home], env=running.environment(), stderr=subprocess.PIPE) as alone:
        until(lambda: alone.poll() is not None or text_of(home / "starts"), what="a runsv has begun, or refused")
        assert alone.poll() == 111
        assert alone.stderr is not None
        assert REFUSED in alone.stderr.read()
    os.kill(keeper, signal.SIGCONT)
    until(lambda: stat(home) == "run", what="it is started")
    assert numbers(home / "starts") == [pid_of(home)]


def test_a_process_that_a_runsv_has_not_started_is_not_forgotten_when_that_is_taken_over(
    runtime: Path, running: Tree, home: Path, tmp_path: Path
) -> None:
    """The runsv has its state elsewhere, where nothing tells of the process that a tree had started before."""
    running.start()
    until(lambda: running.supervises(home) and stat(home) == "run" and numbers(home / "starts"), what="it runs")
    pid = pid_of(home)
    running.kill_with_keeper()
    program, running.program = running.program, oracle.program("runsvdir", package="runit")
    running.extra = {"RUNIT_PROVISION_STATE": str(tmp_path / "another"), "PATH": f"{runtime}:{os.environ['PATH']}"}
    running.start()
    until(lambda: len(numbers(home / "starts")) == 2 and stat(home) == "run", what="it runs a second time")
    (runsv,) = [each for each in running.processes() if supervision.name(each) == "runsv"]
    running.kill()
    running.program, running.extra = program, {}
    running.start()
    said(running, f"unable to take over from process {runsv} yet: a process of it runs too that it has not started")
    os.kill(runsv, signal.SIGTERM)
    until(lambda: running.supervises(home), what="then it is supervised")
    assert (pid_of(home), stat(home)) == (pid, "run")
    assert [supervision.is_alive(each) for each in numbers(home / "starts")] == [True, False]


def test_what_was_left_is_found_in_a_state_that_others_could_read_meanwhile(runtime: Path, running: Tree, home: Path) -> None:
    pid = leave(runtime, home, running)
    open_to_others(running.state)
    running.start()
    until(lambda: running.supervises(home), what="a tree supervises it")
    running.kill_with_keeper()
    open_to_others(running.state)
    refused = run(runtime / "runsv", [str(home)], env=running.environment())
    assert (refused.code, REFUSED in refused.err) == (111, True)
    assert (pid_of(home), numbers(home / "starts")) == (pid, [pid])
    assert {path.stat().st_mode & 0o077 for path in running.state.glob("trees/*/records")} == {0}


def test_what_a_runsv_has_written_down_is_believed_by_nobody_once_a_tree_has_it(runtime: Path, running: Tree, home: Path) -> None:
    """It cannot be removed: who went by it would start another log."""
    oracle.root("mounts something")
    (home / "log").mkdir()
    supervision.script(home / "log/run", "echo $$ >>../logs; exec sleep 1000")
    pid = leave(runtime, home, running)
    (table,) = running.state.glob("services/*/records")
    subprocess.run(["mount", "--bind", str(table), str(table)], check=True)
    try:
        running.start()
        until(lambda: running.supervises(home, home / "log"), what="a tree supervises it")
        send(home / "log", signal.SIGKILL)
        until(lambda: len(numbers(home / "logs")) == 2 and stat(home / "log") == "run", what="its log runs anew")
        running.kill_with_keeper()
        with started([runtime / "runsv", home], env=running.environment()) as alone:
            until(lambda: alone.poll() is not None or len(numbers(home / "logs")) > 2, what="a runsv has begun, or refused")
            assert alone.poll() == 111
        assert (pid_of(home), numbers(home / "starts"), len(numbers(home / "logs"))) == (pid, [pid], 2)
    finally:
        subprocess.run(["umount", "--lazy", str(table)], check=True)


def test_of_what_has_ended_nothing_stays_written_down(runtime: Path, running: Tree, home: Path) -> None:
    os.kill(leave(runtime, home, running), signal.SIGKILL)
    running.start()
    until(lambda: running.supervises(home) and len(numbers(home / "starts")) == 2, what="a tree has it")
    assert not list(running.state.glob("services/*"))


def test_a_finish_that_ends_as_soon_as_it_is_started_has_ended(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    supervision.script(home / "finish", "exit 0")
    with started([runtime / "runsv", home], env=running.environment()) as alone:
        until(lambda: stat(home) == "run" and numbers(home / "starts"), what="it runs")
        # It is over before whoever has given it its go looks at anything else.
        with injected(alone.pid, "write", "delay_exit=200000", tmp_path / "trace"):
            send(home, signal.SIGKILL)
            until(lambda: len(numbers(home / "starts")) == 2, what="it runs again")
        alone.terminate()
        alone.wait()
