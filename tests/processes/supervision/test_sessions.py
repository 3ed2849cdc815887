"""runsvdir -P: who leads a session may be killed, stopped or late, and nothing of it stays."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support import supervision
from support.injected import injected
from support.supervision import is_alive, pid_of, said, service, started, tree, up
from support.waiting import until


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return service(tmp_path / "services/it", "echo $$ >>started\nexec sleep 1000", log="exec cat >/dev/null")


def test_no_process_of_ours_stays_for_a_session(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        running.start()
        up(home)
        until(lambda: pid_of(home / "log"), what="the logger runs")
        theirs = {os.getsid(pid_of(home)), os.getsid(pid_of(home / "log"))}
        assert len(theirs | {pid_of(home), pid_of(home / "log"), os.getsid(running.pid)}) == 5
        until(lambda: not any(map(is_alive, theirs)), what="who led them has ended")
        names = sorted(supervision.name(pid) for pid in running.processes())
        assert names == ["cat", "fifo-holder", "runsvdir", "runsvdir-keeper", "sleep"]


@pytest.mark.parametrize("number", ["KILL", "STOP"])
def test_who_leads_no_session_in_time_is_replaced(runtime: Path, home: Path, tmp_path: Path, number: str) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        running.start()
        before = up(home)
        with injected(running.keeper(), "setsid", f"signal={number}:when=1", tmp_path / "trace", "-f"):
            os.kill(before, signal.SIGKILL)
            said(running, "runsv it: warning: unable to fork, sleeping: temporary failure")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        assert started(home) == [before, up(home)]
        until(lambda: running.named("keeper") == [running.keeper()], what="nobody is left")


def test_what_was_forked_by_who_said_so_too_late_never_runs(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        running.start()
        before = up(home)
        with injected(running.keeper(), "write", "delay_enter=3000000:when=1", tmp_path / "trace", "-f"):
            os.kill(before, signal.SIGKILL)
            said(running, "runsv it: warning: unable to fork, sleeping: temporary failure")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        assert started(home) == [before, up(home)]
