"""runsvdir -P: the leader of a session that service and logger share may die or be stopped, and goes when nobody needs it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support import supervision
from support.supervision import Tree, pid_of, service, tree
from support.waiting import until

LEADER = "runsv-session"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return service(tmp_path / "services/it", "exec sleep 1000", log="exec cat >/dev/null")


def leaders(running: Tree) -> list[int]:
    return [pid for pid in running.processes() if supervision.name(pid) == LEADER and supervision.is_alive(pid)]


def up(running: Tree, home: Path) -> int:
    """Start the tree with -P; give the pid of the leader."""
    running.start()
    until(lambda: pid_of(home) and pid_of(home / "log") and len(leaders(running)) == 1, what="service, logger and leader")
    (leader,) = leaders(running)
    assert {os.getsid(pid_of(home)), os.getsid(pid_of(home / "log"))} == {leader}
    return leader


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_leader_that_cannot_fork_is_replaced(runtime: Path, home: Path, tmp_path: Path, number: int) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        before = pid_of(home)
        os.kill(leader, number)
        supervision.letter(home, "t")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        until(lambda: leaders(running) not in ([], [leader]), what="another leader, and the old one is gone")
        assert leaders(running) == [os.getsid(pid_of(home))]
        assert os.getsid(pid_of(home / "log")) == leader


def test_a_leader_ends_with_its_keeper_and_with_its_service(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        pids = pid_of(home), pid_of(home / "log")
        os.kill(running.keeper(), signal.SIGKILL)
        until(lambda: leaders(running) == [], what="the leader is gone")
        assert (pid_of(home), pid_of(home / "log")) == pids
        supervision.letter(home, "t")
        until(lambda: len(leaders(running)) == 1, what="another leader for the next run")
        assert leaders(running) != [leader]
        home.rename(tmp_path / "elsewhere")
        until(lambda: leaders(running) == [], what="the leader went with the service")


def test_a_session_outlives_the_supervisor_and_starts_with_the_next_ones_environment(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", 'echo "$NEW" >told; exec sleep 1000', log="exec cat >/dev/null")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        before = pid_of(home)
        running.kill()
        running.extra = {"NEW": "here"}
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has taken over")
        supervision.letter(home, "t")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        until(lambda: (home / "told").read_text() == "here\n", what="it has the new environment")
        assert leaders(running) == [leader] == [os.getsid(pid_of(home))]
