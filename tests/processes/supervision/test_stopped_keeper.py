"""A keeper that does nothing: it is the parent of all services, whose fault it must not become."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import supervision
from support.interrupt import held
from support.supervision import Tree, is_alive, pid_of, said, send, service, stat, tree
from support.waiting import until

SLEEPER = "exec sleep 1000"
STOPPED = "runsvdir: warning: the keeper does not answer, sending CONT; its services go on\nrunsvdir: the keeper answers again\n"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    services = tmp_path / "services"
    service(services / "a", SLEEPER)
    service(services / "b", SLEEPER)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: all(pid_of(services / name) for name in "ab"), what="both run")
        yield prepared


def pids(running: Tree) -> list[int]:
    return [pid_of(running.services / name) for name in "ab"]


def succeed(running: Tree) -> None:
    """Have another runsvdir supervise, whose child the keeper is not."""
    running.kill()
    running.start()
    until(lambda: running.supervises(*(running.services / name for name in "ab")), what="the next runsvdir has them")


@pytest.mark.parametrize("which", ["first", "next", "stand-in"])
def test_a_stopped_keeper_does_what_is_asked_of_it(running: Tree, runtime: Path, which: str) -> None:
    before, keeper = pids(running), running.keeper()
    if which == "next":
        succeed(running)
    elif which == "stand-in":
        running.kill()
        until(lambda: len(running.supervisors()) == 2 and stat(running.services / "a") == "run", what="a stand-in")
    os.kill(keeper, signal.SIGSTOP)
    done = subprocess.run([runtime / "sv", "-w60", "restart", running.services / "a"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout[:8]) == (0, "ok: run:"), done
    said(running, STOPPED)
    assert [now == then for now, then in zip(pids(running), before, strict=True)] == [False, True]
    assert running.keeper() == keeper


def is_at_rest(pid: int) -> bool:
    """Whether a process waits by epoll_wait(2), for nothing that has a time."""
    return Path(f"/proc/{pid}/syscall").read_text().split()[4:5] == ["0xffffffff"]


def test_what_ends_under_a_stopped_keeper_runs_again_though_nobody_asks(running: Tree) -> None:
    keeper = running.keeper()
    until(lambda: is_at_rest(running.pid), what="nothing is expected of the keeper any more")
    os.kill(keeper, signal.SIGSTOP)
    killed = send(running.services / "b", signal.SIGKILL)
    until(lambda: pid_of(running.services / "b") not in {0, killed}, what="it runs again")
    assert running.keeper() == keeper


def test_hup_ends_a_tree_whose_keeper_is_stopped_in_order(running: Tree) -> None:
    supervision.script(running.services / "a/finish", "echo >finished")
    os.kill(running.keeper(), signal.SIGSTOP)
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="nothing is left")
    assert (running.services / "a/finished").exists()
    assert "sending" not in running.stderr.read_text()


def test_hup_ends_all_in_time_though_the_keeper_does_nothing(runtime: Path, tmp_path: Path) -> None:
    """Neither what it is to do, nor what it is to tell, is ever done."""
    services = tmp_path / "services"
    service(services / "a", SLEEPER)
    service(services / "b", f"trap '' TERM; {SLEEPER}")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = "0"
        running.start()
        until(lambda: running.commands().count("sleep 1000") == 2, what="both run")
        with held(running.keeper()):
            assert running.kill(signal.SIGHUP) == 111
            until(lambda: running.processes() == [], what="nothing is left")
        assert running.stderr.read_text() == (
            "runsvdir: warning: still there, sending KILL: a, b\n"
            "runsvdir: warning: the keeper does not answer, sending KILL; its services go on\n"
            "runsvdir: warning: the keeper is gone, starting another; its services go on\n"
        )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_next_runsvdir_has_a_stopped_keeper_go_on(running: Tree, number: int) -> None:
    before, keeper = pids(running), running.keeper()
    os.kill(keeper, signal.SIGSTOP)
    running.kill(number)
    if number == signal.SIGTERM:
        until(lambda: len(running.supervisors()) == 2, what="a stand-in")
    running.start()
    until(lambda: running.supervises(*(running.services / name for name in "ab")), what="the next runsvdir has them")
    assert (pids(running), running.keeper()) == (before, keeper)
    assert ("its keeper does not answer; waiting until it does" in running.stderr.read_text()) is (number == signal.SIGKILL)


@pytest.mark.long
def test_a_keeper_that_does_nothing_for_a_minute_is_replaced(running: Tree) -> None:
    before, keeper = pids(running), running.keeper()
    with held(keeper):
        supervision.letter(running.services / "a", "t")
        said(running, "the keeper does not answer, sending KILL; its services go on\n")
        until(lambda: pid_of(running.services / "a") not in {0, before[0]}, what="it is restarted")
    assert not is_alive(keeper)
    assert pids(running)[1] == before[1]
