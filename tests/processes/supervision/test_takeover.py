"""What a supervisor has left is taken up a few services at a time: first what somebody waits for, and nobody waits for all of it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.crowd import Crowd
from support.supervision import Tree, letter, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.shell.loop import Loop
from runit_provision.runtime.shell.supervisor.takeover import Takeover

SERVICES = 300


@pytest.fixture
def crowd(runtime: Path, tmp_path: Path) -> Crowd:
    made = Crowd(tmp_path, SERVICES, logged=SERVICES // 5, rsvlog=runtime / "rsvlog")
    made.link(made.homes)
    return made


@pytest.fixture
def running(runtime: Path, crowd: Crowd, tmp_path: Path) -> Iterator[Tree]:
    with tree(runtime / "runsvdir", crowd.services, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: {stat(folder) for folder in (*crowd.homes, *crowd.logs)} == {"run"}, what="all run")
        yield prepared


def stand_ins(running: Tree) -> list[int]:
    return [pid for pid in running.supervisors() if supervision.name(pid) == "runsvdir" and pid != running.pid]


def doors(pid: int, homes: list[Path]) -> dict[Path, int]:
    """Give by which descriptors a supervisor hears letters: lower ones for those that it took up first."""
    found = {path: int(fd) for fd, path in supervision.opened(pid).items()}
    controls = {home: str(home.resolve() / "supervise/control") for home in homes}
    return {home: found[control] for home, control in controls.items() if control in found}


def open_files(pid: int) -> int:
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def test_a_service_with_a_letter_is_taken_up_before_those_without(crowd: Crowd, running: Tree) -> None:
    asked = crowd.homes[-1]
    pid = pid_of(asked)
    os.kill(running.pid, signal.SIGSTOP)
    letter(asked, "t")
    running.kill()
    until(lambda: pid_of(asked) not in {0, pid}, what="it was started again")
    until(lambda: any(len(doors(pid, crowd.homes)) == SERVICES for pid in stand_ins(running)), what="all are taken up")
    (stand_in,) = stand_ins(running)
    fds = doors(stand_in, crowd.homes)
    assert sorted(fds.values()).index(fds[asked]) < SERVICES / 2


def test_what_ends_while_others_are_taken_up_starts_again(crowd: Crowd, running: Tree) -> None:
    pids = {home: pid_of(home) for home in crowd.homes}
    dying = crowd.homes[1::7]
    running.kill()
    running.start()
    for home in dying:
        os.kill(pids[home], signal.SIGKILL)
    until(lambda: all(pid_of(home) not in {0, pids[home]} and stat(home) == "run" for home in dying), what="they were started again")
    until(lambda: all(running.supervises(home) for home in crowd.homes), what="all are supervised")
    others = set(crowd.homes).difference(dying)
    assert {home: pid_of(home) for home in others} == {home: pids[home] for home in others}


def test_supervisors_killed_while_they_take_services_up_leave_all_as_they_are(crowd: Crowd, running: Tree) -> None:
    pids = {home: pid_of(home) for home in crowd.homes}
    until(lambda: all(running.supervises(folder) for folder in (*crowd.homes, *crowd.logs)), what="all are supervised")
    most = open_files(running.pid)
    begun = []
    for share in (0.1, 0.2, 0.4, 0.6, 0.8):
        running.kill()
        running.start()
        until(lambda share=share: open_files(running.pid) > share * most, what="some are taken up")  # type: ignore[misc]
        begun.append(open_files(running.pid))
    print(f"killed when they had {begun} of {most} files open")
    until(lambda: all(running.supervises(folder) for folder in (*crowd.homes, *crowd.logs)), what="all are supervised")
    assert {home: pid_of(home) for home in crowd.homes} == pids
    assert {stat(folder) for folder in (*crowd.homes, *crowd.logs)} == {"run"}


def test_hup_amid_it_ends_those_too_that_are_yet_to_be_taken_up(crowd: Crowd, running: Tree) -> None:
    running.kill()
    running.start()
    until(lambda: doors(running.pid, crowd.homes), what="some are taken up")
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="nothing is left")


def test_term_amid_it_leaves_all_to_a_stand_in(crowd: Crowd, running: Tree) -> None:
    pids = {home: pid_of(home) for home in crowd.homes}
    running.kill()
    running.start()
    until(lambda: doors(running.pid, crowd.homes), what="some are taken up")
    assert running.kill(signal.SIGTERM) == 0
    until(lambda: any(len(doors(pid, crowd.homes)) == SERVICES for pid in stand_ins(running)), what="all are taken up")
    assert {home: pid_of(home) for home in crowd.homes} == pids


def test_a_new_directory_amid_it_is_one_more_and_nothing_is_new_twice(crowd: Crowd, running: Tree) -> None:
    pids = {home: pid_of(home) for home in crowd.homes}
    added = supervision.service(crowd.services.parent / "added", "echo $$ >>starts\nexec sleep 1000")
    running.kill()
    running.start()
    until(lambda: doors(running.pid, crowd.homes), what="some are taken up")
    (crowd.services / "added").symlink_to(added)
    until(lambda: stat(added) == "run" and (added / "starts").exists(), what="the new one runs")
    assert (added / "starts").read_text() == f"{pid_of(added)}\n"
    assert {home: pid_of(home) for home in crowd.homes} == pids
    assert "unable to" not in running.stderr.read_text()


def test_those_in_a_hurry_come_first_and_each_comes_once_whatever_becomes_of_it() -> None:
    taken: list[int] = []
    said: list[str] = []
    loop = Loop(said.append)

    def take_up(slot: int) -> None:
        taken.append(slot)
        assert slot != 7, "bad luck"

    slots = list(range(1, 31))
    takeover = Takeover(loop, slots, take_up, lambda: said.append("done"))
    takeover.hurry(30)
    takeover.hurry(20)
    takeover.hurry(99)
    takeover.when_taken_up(30, lambda: taken.append(-30))
    takeover.go_on()
    while takeover:
        takeover.hurry(30)
        loop.run_once()
    loop.close()
    assert taken[:3] == [30, -30, 20]
    assert sorted(taken) == [-30, *slots]
    assert said == ["internal error: AssertionError: bad luck\nassert 7 != 7", "done"]


@pytest.mark.parametrize("listing", [1, 2])
def test_a_holder_stays_where_a_supervisor_is_killed_while_it_looks_who_is_there(runtime: Path, tmp_path: Path, listing: int) -> None:
    """The one that has forked the keeper: what it has open the keeper has too, and where it was in that; so has the stand-in."""
    says = "exec 2>&1; while :; do echo much; done"
    homes = [
        service(tmp_path / "services" / f"says{number}", says, log="exec sleep 1000", finish='echo "$@" >ended') for number in range(9)
    ]
    for home in homes:
        (home / "log/down").touch()
    strace = oracle.program("strace", package="strace")
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: running.supervises(*homes) and all(map(pid_of, homes)), what="all run")
        (holder,) = running.named("holder")
        until(lambda: all(supervision.has_open(holder, home / "log/supervise/pipe") for home in homes), what="it holds all")
        pids = list(map(pid_of, homes))
        until(lambda: all(map(supervision.is_asleep, pids)), what="nobody reads what they say, and they wait")
        running.kill_with_keeper()
        (place,) = (tmp_path / "state/trees").iterdir()
        fault = ("-P", str(place), "-e", "trace=lseek", "-e", f"inject=lseek:signal=SIGKILL:when={listing}")
        running.arguments = ("-qq", "-o", str(tmp_path / "trace"), *fault, running.program)
        running.program = strace
        running.start()
        assert running.process is not None
        running.process.wait(DEADLINE)
        until(lambda: any(len(doors(pid, homes)) == len(homes) for pid in stand_ins(running)), what="a stand-in has all")
        assert running.named("holder") == [holder]
        assert [home.name for home in homes if (home / "ended").exists()] == []
        assert list(map(pid_of, homes)) == pids
