"""Taking up what another supervisor has left, where something is refused in that very moment: nothing runs twice, and all is had."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support import oracle, supervision
from support.programs import started
from support.supervision import letter, pid_of, service, tree
from support.waiting import until

STARTS = "echo $$ >>starts\nexec sleep 1000"


def starts(home: Path) -> list[int]:
    return [int(line) for line in (home / "starts").read_text().split()]


def begun(home: Path) -> int:
    """Wait until it runs for the first time, and has said so; give its pid."""
    pid = until(lambda: pid_of(home), what="it runs")
    until(lambda: (home / "starts").exists() and starts(home) == [pid], what="it has begun")
    return pid


@pytest.mark.parametrize("refusal", ["read:error=ENOMEM", "openat:error=ENFILE"])
def test_a_process_that_cannot_be_looked_at_for_a_moment_is_taken_up_and_not_started_again(
    runtime: Path, tmp_path: Path, refusal: str
) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        pid = begun(home)
        running.kill_with_keeper()
        trace = tmp_path / "trace"
        fault = ("-P", f"/proc/{pid}/stat", "-e", f"inject={refusal}:when=1")
        running.arguments = ("-D", "-qq", "-o", str(trace), *fault, running.program)
        running.program = strace
        running.start()
        until(lambda: running.supervises(home), what="it is taken up")
        assert "(INJECTED)" in trace.read_text()
        letter(home, "t")
        until(lambda: len(starts(home)) == 2, what="it obeys")
        until(lambda: pid_of(home) == starts(home)[-1], what="its status is true")
        assert starts(home)[0] == pid
        assert not supervision.is_alive(pid)


@pytest.mark.parametrize("error", ["ENFILE", "EIO"])
def test_what_a_killed_runsv_has_left_is_taken_up_though_it_cannot_be_looked_at_for_a_moment(
    runtime: Path, tmp_path: Path, error: str
) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        with started([runtime / "runsv", home], env=running.environment()):
            pid = begun(home)
        trace = tmp_path / "trace"
        (place,) = running.state.glob("services/*")
        fault = ("-P", str(place), "-e", f"inject=openat:error={error}:when=1")
        running.arguments = ("-D", "-qq", "-o", str(trace), *fault, running.program)
        running.program = strace
        running.start()
        until(lambda: running.supervises(home), what="it is taken up")
        assert "(INJECTED)" in trace.read_text()
        assert starts(home) == [pid]
        assert pid_of(home) == pid


def test_a_service_that_cannot_be_signalled_when_it_is_taken_up_is_taken_up_later(runtime: Path, tmp_path: Path) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        pid = begun(home)
        keeper = running.keeper()
        os.kill(keeper, signal.SIGSTOP)
        letter(home, "t")
        until(lambda: supervision.stat(home) == "run, got TERM", what="it is to get TERM")
        running.kill()
        os.kill(keeper, signal.SIGKILL)
        trace = tmp_path / "trace"
        fault = ("-e", "trace=pidfd_open", "-e", "inject=pidfd_open:error=ENFILE:when=1..5")
        running.arguments = ("-D", "-qq", "-o", str(trace), *fault, running.program)
        running.program = strace
        running.start()
        until(lambda: len(starts(home)) == 2, what="it got TERM, and is started again")
        until(lambda: running.supervises(home), what="it is supervised")
        assert trace.read_text().count("(INJECTED)") == 5
        assert "another one supervises it" not in running.stderr.read_text()
        assert not supervision.is_alive(pid)


def test_a_keeper_that_a_supervisor_of_many_has_started_has_nothing_of_theirs_open(runtime: Path, tmp_path: Path) -> None:
    """The supervisor has more descriptors than its keeper may have: what is above that limit is closed before it counts."""
    homes = [service(tmp_path / f"services/it{number:02}", STARTS, log="exec cat >/dev/null") for number in range(20)]
    limited = tmp_path / "limited"
    limited.write_text(f'#!/bin/sh\nulimit -Sn 40\nexec {runtime}/runsvdir "$@"\n')
    limited.chmod(0o755)
    with tree(limited, tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: running.supervises(*homes) and all(map(pid_of, homes)), what="all run")
        for home in homes[:2]:
            home.rename(tmp_path / home.name)  # which makes low numbers free
        until(lambda: not running.supervises(tmp_path / homes[0].name), what="two are gone")
        rest = homes[2:]
        until(lambda: all((home / "starts").exists() for home in rest), what="the others have begun")
        before = running.keeper()
        os.kill(before, signal.SIGKILL)
        until(lambda: running.keeper() != before, what="there is another")
        opened = supervision.opened(running.keeper())
        assert [path for path in opened.values() if "/supervise/" in path] == []
        running.kill()
        running.start()
        until(lambda: running.supervises(*rest), what="the next one has all")
        assert all(starts(home) == [pid_of(home)] for home in rest)
        subprocess.run([runtime / "sv", "-w", "20", "restart", *rest[:3]], check=True, stdout=subprocess.DEVNULL)


def test_what_another_one_keeps_locked_is_tried_ever_more_seldom_and_taken_up_in_the_end(runtime: Path, tmp_path: Path) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        pid = begun(home)
        running.kill_with_keeper()
        trace = tmp_path / "trace"
        with (home / "supervise/lock").open("ab") as lock:
            until(lambda: supervision.locks(lock), what="the lock is another's")
            tries_to_lock = ("-e", "flock", "-P", str(home / "supervise/lock"))
            running.arguments = ("-D", "-qq", "-ttt", "-o", str(trace), *tries_to_lock, running.program)
            running.program = strace
            running.start()

            def pauses() -> list[float]:
                tries = [float(when) for when in re.findall(r"^([0-9.]+) flock", trace.read_text(), re.MULTILINE)]
                return [later - earlier for earlier, later in itertools.pairwise(tries)]

            until(lambda: trace.exists() and max(pauses(), default=0) > 4, what="some seconds pass between two tries")
            assert "another one supervises it, waiting" in running.stderr.read_text()
        until(lambda: running.supervises(home), what="it is taken up")
        assert starts(home) == [pid]
