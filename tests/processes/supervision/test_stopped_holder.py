"""A holder that does nothing: it has the locks of all services until it sees that their supervisor has ended."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from support.interrupt import held
from support.supervision import Tree, is_alive, letter, log_in_pool, pid_of, send, service, stat, tree
from support.waiting import until


@pytest.fixture(params=[True, False], ids=["logged", "unlogged"])
def running(runtime: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Tree]:
    home = service(tmp_path / "services/a", "exec sleep 1000", log="" if request.param else None)
    if request.param:
        log_in_pool(home, runtime)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: stat(home) == "run" and (not request.param or stat(home / "log") == "run"), what="it runs")
        until(lambda: prepared.named("holder"), what="a holder")
        yield prepared


@pytest.mark.parametrize("goes_on", [True, False], ids=["stopped", "held by a debugger"])
def test_the_next_runsvdir_supervises_though_the_holder_does_nothing(running: Tree, goes_on: bool) -> None:
    home = running.services / "a"
    before, (holder,) = pid_of(home), running.named("holder")
    with nullcontext() if goes_on else held(holder):
        if goes_on:
            os.kill(holder, signal.SIGSTOP)
        running.kill()
        running.start()
        until(lambda: running.supervises(home, *home.glob("log")), what="the next runsvdir has it")
        assert pid_of(home) == before
        send(home, signal.SIGKILL)
        until(lambda: pid_of(home) not in {0, before}, what="it runs again")
    assert is_alive(holder) == goes_on


def test_what_exits_is_let_go_of_though_the_holder_is_stopped(running: Tree) -> None:
    (holder,) = running.named("holder")
    os.kill(holder, signal.SIGSTOP)
    letter(running.services / "a", "x")
    until(lambda: running.named("holder") not in ([], [holder]), what="another holder")
    assert not is_alive(holder)
    until(lambda: running.supervises(running.services / "a"), what="runsvdir has begun it anew")


def test_hup_ends_a_tree_whose_holder_is_stopped(running: Tree) -> None:
    (holder,) = running.named("holder")
    os.kill(holder, signal.SIGSTOP)
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="nothing is left")
    assert "a holder of descriptors does not answer, starting another\n" in running.stderr.read_text()
