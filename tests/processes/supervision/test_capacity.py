"""More services than a process may have descriptors for: everything is as with few, whoever is killed."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import supervision
from support.crowd import SAYS, Crowd
from support.supervision import Tree, pid_of, script, stat, tree
from support.waiting import until

SERVICES = 120
"""Half of them logged: they would take 720 descriptors of a supervisor that kept all open."""
DESCRIPTORS = 400


def own(running: Tree, role: str) -> list[int]:
    if role == "keeper":
        return [running.keeper()]
    return running.named(role)


def kill(running: Tree, *roles: str) -> None:
    """Kill them all at once, and start the next runsvdir where it was among them, as init does."""
    for pid in [pid for role in roles for pid in own(running, role)]:
        os.kill(pid, signal.SIGKILL)
    if "supervisor" in roles:
        running.kill()
        running.start()


def said(runtime: Path, crowd: Crowd) -> list[str]:
    """Give what sv says of the services that are not up."""
    done = subprocess.run([runtime / "sv", "status", *crowd.homes], capture_output=True, text=True, check=False)
    return [line for line in done.stdout.splitlines() if not line.startswith("run: ")]


def locked(home: Path) -> bool:
    with (home / "supervise/lock").open("rb") as lock:
        return not supervision.locks(lock)


@pytest.fixture
def crowd(runtime: Path, tmp_path: Path) -> Crowd:
    made = Crowd(tmp_path, SERVICES, logged=SERVICES // 2, rsvlog=runtime / "rsvlog")
    made.link(made.homes)
    script(tmp_path / "start", f'ulimit -n {DESCRIPTORS}; exec {runtime / "runsvdir"} "$@"')
    return made


@pytest.mark.parametrize(
    "roles",
    [("supervisor",), ("keeper",), ("holder",), ("pool",), ("supervisor", "keeper"), ("supervisor", "holder"), ("keeper", "holder")],
    ids="+".join,
)
def test_whoever_is_killed_every_service_stays(runtime: Path, crowd: Crowd, tmp_path: Path, roles: tuple[str, ...]) -> None:
    with tree(tmp_path / "start", crowd.services, tmp_path / "state") as running:
        running.start()
        until(lambda: all(stat(folder) == "run" for folder in (*crowd.homes, *crowd.logs)), what="all run")
        assert len(own(running, "holder")) > 1
        pids = {home: pid_of(home) for home in crowd.homes}
        kill(running, *roles)
        until(lambda: said(runtime, crowd) == [], what="all are supervised")
        until(lambda: all(stat(log) == "run" for log in crowd.logs), what="all are logged")
        until(lambda: all(locked(home) for home in (*crowd.homes, *crowd.logs)), what="all are locked")
        assert {home: pid_of(home) for home in crowd.homes} == pids
        for home in crowd.homes:
            supervision.letter(home, "t")
        until(lambda: all(pid_of(home) not in {0, pid} for home, pid in pids.items()), what="all were started again")
        until(lambda: said(runtime, crowd) == [], what="all run again")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left")
        assert not any(locked(home) for home in crowd.homes)


def test_a_service_keeps_its_way_to_its_log_whose_fifo_was_replaced_or_removed(crowd: Crowd, tmp_path: Path) -> None:
    with tree(tmp_path / "start", crowd.services, tmp_path / "state") as running:
        running.start()
        until(lambda: all(stat(folder) == "run" for folder in (*crowd.homes, *crowd.logs)), what="all run")
        logs = [tmp_path / "logs" / log.parent.name / "current" for log in crowd.logs]
        until(lambda: {times_said(log) for log in logs} == {1}, what="all have said so")
        for number, log in enumerate(crowd.logs):
            (log / "supervise/pipe").unlink()
            if number % 2:
                os.mkfifo(log / "supervise/pipe")
            supervision.letter(log.parent, "t")
        until(lambda: {times_said(log) for log in logs} == {2}, what="all have said so again")


def test_a_lock_that_is_not_free_at_once_is_had_again(runtime: Path, crowd: Crowd, tmp_path: Path) -> None:
    with tree(tmp_path / "start", crowd.services, tmp_path / "state") as running:
        running.start()
        until(lambda: all(stat(folder) == "run" for folder in (*crowd.homes, *crowd.logs)), what="all run")
        os.kill(running.pid, signal.SIGSTOP)
        kill(running, "holder")
        until(lambda: own(running, "holder") == [], what="they are gone")
        taken = 0
        with ExitStack() as held:
            for log in crowd.logs:
                # Those that the supervisor itself has open stay its own.
                lock = held.enter_context((log / "supervise/lock").open("ab"))
                taken += supervision.locks(lock)
            assert taken
            os.kill(running.pid, signal.SIGCONT)
            until(lambda: "unable to lock log/supervise/lock" in running.stderr.read_text(), what="it is said")
        until(lambda: said(runtime, crowd) == [], what="all are supervised")
        until(lambda: all(locked(home) for home in (*crowd.homes, *crowd.logs)), what="all are locked")


def times_said(log: Path) -> int:
    return log.read_bytes().count(SAYS) if log.exists() else 0


def test_a_holder_that_is_stopped_holds_nobody_up(runtime: Path, tmp_path: Path) -> None:
    crowd = Crowd(tmp_path, 300, logged=150, rsvlog=runtime / "rsvlog")
    crowd.link(crowd.homes[:10])
    with tree(runtime / "runsvdir", crowd.services, tmp_path / "state") as running:
        running.start()
        until(lambda: all(stat(home) == "run" for home in crowd.homes[:10]), what="some run")
        pids = {home: pid_of(home) for home in crowd.homes[:10]}
        (stopped,) = own(running, "holder")
        # Whoever made it: the next keeper knows it too.
        before = running.keeper()
        os.kill(before, signal.SIGKILL)
        until(lambda: running.keeper() not in {0, before}, what="another keeper")
        os.kill(stopped, signal.SIGSTOP)
        crowd.link(crowd.homes[10:])
        until(lambda: all(stat(folder) == "run" for folder in (*crowd.homes, *crowd.logs)), what="all run")
        until(lambda: own(running, "holder") not in ([], [stopped]), what="another holds")
        assert not supervision.is_alive(stopped)
        assert {home: pid_of(home) for home in pids} == pids
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left")
