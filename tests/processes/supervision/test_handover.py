"""One supervisor follows another: who asks in between is never told that nobody supervises, and no logger sees its input end."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle, supervision
from support.fifo import is_read
from support.programs import started
from support.supervision import Tree, is_alive, pid_of, said, service, stat, tree
from support.waiting import DEADLINE, until

HANDOVERS = 200 if os.environ.get("HARNESS") == "all" else 10
"""From a runsvdir to its stand-in, and from that to the next runsvdir."""
SLEEPER = "exec sleep 1000"
LOGGER = 'exec sh -c \'while IFS= read -r line; do printf "%s\\n" "$line" >>../lines; done\''


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    services = tmp_path / "services"
    for name in ("one", "logged"):
        service(services / name, SLEEPER, log=LOGGER if name == "logged" else None)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: all(stat(services / name) == "run" for name in ("one", "logged", "logged/log")), what="all run")
        yield prepared


@contextmanager
def asking(sv: str, place: Path, *services: Path) -> Iterator[Path]:
    """Ask again and again; gives the file where the answers go."""
    place.mkdir()
    words: list[str | Path] = [
        "sh",
        "-c",
        'sv=$1; shift; while [ ! -e enough ]; do "$sv" status "$@"; done >said 2>&1',
        "asking",
        sv,
        *services,
    ]
    with started(words, cwd=place) as asker:
        try:
            yield place / "said"
        finally:
            (place / "enough").touch()
            assert asker.wait(DEADLINE) == 0


def test_who_asks_all_the_time_never_hears_that_nobody_supervises(runtime: Path, running: Tree, tmp_path: Path) -> None:
    oracle.program("sv", package="runit")
    asked = [running.services / "one", running.services / "logged"]
    with asking("/usr/bin/sv", tmp_path / "C", *asked) as theirs, asking(str(runtime / "sv"), tmp_path / "ours", *asked) as ours:
        for number in range(HANDOVERS):
            last = running.pid
            running.kill((signal.SIGKILL, signal.SIGTERM)[number % 2])
            if number % 3:
                # Not always: the next runsvdir may also come before there is a stand-in.
                until(lambda: stand_ins(running, last), what="a stand-in")  # noqa: B023
            running.start()
            until(lambda: running.supervises(*asked), what="the next runsvdir has them")
    for place in (theirs, ours):
        answers = place.read_text().splitlines()
        assert len(answers) > HANDOVERS
        assert [answer for answer in answers if not answer.startswith("run: ")] == []


def test_who_has_gone_and_who_supervises_is_told(running: Tree) -> None:
    last = running.pid
    running.kill()
    said(running, f"runsvdir: keeper: warning: process {last}, which supervised, is gone; a stand-in does until runsvdir is")
    running.start()
    said(running, f"runsvdir: keeper: info: process {running.pid} supervises again\n")


def test_a_stand_in_that_is_stopped_yields_all_the_same(running: Tree) -> None:
    last = running.pid
    running.kill()
    until(lambda: stand_ins(running, last) and stat(running.services / "one") == "run", what="a stand-in")
    (stopped,) = stand_ins(running, last)
    os.kill(stopped, signal.SIGSTOP)
    running.start()
    until(lambda: running.supervises(running.services / "one"), what="the next runsvdir has it")
    assert not is_alive(stopped)


def stand_ins(running: Tree, last: int) -> set[int]:
    """Give the pid of the stand-in for the runsvdir `last`, once there is one."""
    return set(running.supervisors()) - {last, running.keeper()}


def test_a_service_that_has_exited_is_not_vouched_for(runtime: Path, running: Tree) -> None:
    running.kill(signal.SIGHUP)
    for sv in (oracle.program("sv", package="runit"), str(runtime / "sv")):
        done = subprocess.run([sv, "status", running.services / "one"], capture_output=True, text=True, check=False)
        assert done.stdout == f"fail: {running.services}/one: runsv not running\n"


def test_nobody_is_vouched_for_when_supervisor_and_keeper_have_gone(running: Tree) -> None:
    both = running.supervisors()
    for number in (signal.SIGSTOP, signal.SIGKILL):  # so that none has time to replace the other
        for pid in both:
            os.kill(pid, number)
    until(lambda: not is_read(running.services / "one/supervise/ok"), what="nobody has it open")


def test_one_is_vouched_for_between_two_supervisors_of_whom_the_first_had_to_start_a_keeper(running: Tree) -> None:
    one = running.services / "one"
    running.kill_with_keeper()
    running.start()
    until(lambda: running.supervises(one) and stat(one) == "run", what="the next runsvdir has it")
    os.kill(running.keeper(), signal.SIGSTOP)
    running.kill()
    (holder,) = running.named("holder")
    with (one / "supervise/lock").open("ab") as lock:
        until(lambda: supervision.locks(lock) and supervision.is_asleep(holder), what="the holder has seen the end of its supervisor")
    assert is_read(one / "supervise/ok")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_logger_of_a_service_that_is_down_goes_on_reading(running: Tree, number: int) -> None:
    logged = running.services / "logged"
    supervision.letter(logged, "d")
    until(lambda: stat(logged) == "down", what="it is down")
    logger = pid_of(logged / "log")
    running.kill(number)
    running.start()
    until(lambda: running.supervises(logged / "log"), what="the next runsvdir has it")
    supervision.script(logged / "run", f"echo again\n{SLEEPER}")
    supervision.letter(logged, "u")
    until(lambda: (logged / "lines").exists() and (logged / "lines").read_text() == "again\n", what="the line is logged")
    assert (pid_of(logged / "log"), is_alive(logger)) == (logger, True)
    supervision.letter(logged, "x")
    until(lambda: not is_alive(logger), what="the logger reads to the end when its service exits")
