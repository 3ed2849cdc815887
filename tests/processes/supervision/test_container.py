"""runsvdir as pid 1 of a container: it reaps, and what stops the container ends its services in order."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import service
from support.waiting import DEADLINE, until

SLOW = """\
trap 'kill -9 $!; sleep 0.3; echo ended >>ended; exit 0' TERM
: >ready
while :; do sleep 1000 & wait; done"""
ORPHANS = """\
for number in 1 2 3 4 5 6 7 8 9; do (sh -c 'sleep 0.1; : >ended.$0' $number &); done
until [ -e ended.1 ] && [ -e ended.9 ] && set -- ended.* && [ $# = 9 ]; do sleep 0.05; done
while :; do grep -ls '^State:.Z' /proc/[0-9]*/status | wc -l >zombies.new; mv zombies.new zombies; sleep 0.1; done"""


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(runtime: Path, tmp_path: Path) -> Iterator[Start]:
    """Start a container over a folder of services; `main` names the one that it is about."""
    oracle.root("makes a pid namespace")
    unshare = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    environment = {**os.environ, "RUNIT_PROVISION_STATE": str(tmp_path / "state"), "PATH": f"{runtime}:{os.environ['PATH']}"}
    with ExitStack() as stack:

        def run(folder: Path, *, main: str = "") -> subprocess.Popen[bytes]:
            own = {"RUNSVDIR_MAIN": main} if main else {}
            words = [*unshare, str(runtime / "runsvdir"), str(folder)]
            process = subprocess.Popen(words, env=environment | own, stderr=subprocess.PIPE)
            stack.callback(process.communicate)
            stack.callback(process.kill)
            return process

        yield run


@pytest.fixture
def container(start: Start, tmp_path: Path) -> tuple[subprocess.Popen[bytes], Path]:
    folder = tmp_path / "services"
    for name, run in (("slow", SLOW), ("orphans", ORPHANS), ("deaf", "trap '' TERM\n: >ready\nwhile :; do sleep 1; done")):
        service(folder / name, run)
    (folder / "deaf/down").touch()
    return start(folder), folder


def first(process: subprocess.Popen[bytes]) -> int:
    """Give the container's pid 1, by its pid here."""
    return int(until(lambda: Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split(), what="its pid 1")[0])


@pytest.mark.shows("inits", "container", "orderly power-off")
@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGPWR, signal.SIGRTMIN + 3, signal.SIGRTMIN + 4]
)
def test_stopping_the_container_ends_services_in_order(container: tuple[subprocess.Popen[bytes], Path], number: int) -> None:
    process, folder = container
    until((folder / "slow/ready").exists, what="it runs, and listens")
    os.kill(first(process), number)
    assert process.wait(DEADLINE) == 0
    assert (folder / "slow/ended").read_text() == "ended\n"


@pytest.mark.shows("inits", "container", "ends within the grace period")
def test_what_does_not_end_is_killed_in_time(container: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, folder = container
    until(lambda: supervision.stat(folder / "deaf") == "down", what="it is known")
    supervision.letter(folder / "deaf", "u")
    until((folder / "deaf/ready").exists, what="it runs, and is deaf")
    os.kill(first(process), signal.SIGTERM)
    assert process.wait(DEADLINE) == 0
    assert process.stderr is not None and b"still there, sending KILL: deaf" in process.stderr.read()


@pytest.mark.shows("inits", "container", "reaps")
def test_orphans_are_reaped(container: tuple[subprocess.Popen[bytes], Path]) -> None:
    _, folder = container
    zombies = folder / "orphans/zombies"
    until(lambda: zombies.exists() and zombies.read_text().strip() == "0", what="nine orphans that ended are nobody's zombies")


DOWN = "sv d .; until grep -q want supervise/stat; do sleep 0.05; done"
"""A finish that takes its service down, and ends when that is known: else run would be started once more before."""
ENDS = """\
until [ -e ../slow/ready ]; do sleep 0.05; done
"""


@pytest.mark.shows("inits", "container", "exit status of a main service")
@pytest.mark.parametrize(("end", "code"), [("exit 0", 0), ("exit 7", 7), ("kill -KILL $$", 137)])
def test_the_end_of_the_main_service_ends_the_container_in_order_with_its_exit_status(
    start: Start, tmp_path: Path, end: str, code: int
) -> None:
    folder = tmp_path / "services"
    service(folder / "slow", SLOW)
    service(folder / "main", f"echo started >>starts\n{ENDS}{end}", finish=DOWN)
    process = start(folder, main="main")
    assert process.wait(DEADLINE) == code
    assert (folder / "slow/ended").read_text() == "ended\n"
    assert (folder / "main/starts").read_text() == "started\n"


def test_a_main_service_that_is_started_again_does_not_end_the_container_until_it_gives_up(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "services"
    service(folder / "main", "echo started >>starts\nexit 3", finish=f'[ "$(wc -l <starts)" -lt 3 ] || {{ {DOWN}; }}')
    assert start(folder, main="main").wait(DEADLINE) == 3
    assert (folder / "main/starts").read_text() == "started\n" * 3


def test_a_main_service_that_a_person_takes_down_ends_the_container(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "services"
    service(folder / "main", SLOW)
    process = start(folder, main="main")
    until((folder / "main/ready").exists, what="it runs, and listens")
    supervision.letter(folder / "main", "d")
    assert process.wait(DEADLINE) == 0
    assert (folder / "main/ended").read_text() == "ended\n"


def test_stopping_the_container_gives_the_exit_status_of_its_main_service(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "services"
    service(folder / "main", SLOW.replace("exit 0", "exit 5"))
    service(folder / "slow", SLOW)
    process = start(folder, main="main")
    until(lambda: (folder / "main/ready").exists() and (folder / "slow/ready").exists(), what="both run, and listen")
    os.kill(first(process), signal.SIGTERM)
    assert process.wait(DEADLINE) == 5
    assert (folder / "slow/ended").read_text() == "ended\n"


def test_a_main_service_that_is_not_there_is_told(start: Start, tmp_path: Path) -> None:
    (tmp_path / "services").mkdir()
    process = start(tmp_path / "services", main="web")
    assert process.stderr is not None
    assert re.match(rb"runsvdir: warning: the main service is not there yet: web\n", process.stderr.readline())


def test_a_container_that_was_killed_whole_begins_anew_with_the_same_state(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "services"
    service(folder / "slow", SLOW)
    finish = f"{DOWN}\n[ ! -e finishing ] || exit 0\n: >finishing\nexec sleep 1000"
    service(folder / "main", "echo started >>starts\nexec sleep 1000", finish=finish)
    process = start(folder, main="main")
    until((folder / "slow/ready").exists, what="it runs, and listens")
    supervision.letter(folder / "slow", "d")
    until(lambda: supervision.stat(folder / "slow") == "down", what="a person took it down")
    until((folder / "main/starts").exists, what="the main service runs")
    supervision.letter(folder / "main", "k")
    until((folder / "main/finishing").exists, what="it has given up")
    (folder / "slow/ready").unlink()
    process.kill()
    process.wait()
    process = start(folder, main="main")
    until((folder / "slow/ready").exists, what="what was down in the container before runs")
    until(lambda: (folder / "main/starts").read_text() == "started\n" * 2, what="so does the main service")
    os.kill(first(process), signal.SIGTERM)
    assert process.wait(60) == 143, "of the new main service, which a signal ended"
