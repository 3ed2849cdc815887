"""Supervisor and keeper may be killed at any time: services run on, with their pids, and are adopted."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import supervision
from support.supervision import Tree, is_alive, letter, pid_of, script, send, service, stat, tree
from support.waiting import DEADLINE, until

SLEEPER = "exec sleep 1000"
RECORDER = 'exec sh -c \'while IFS= read -r line; do printf "%s\\n" "$line" >>../lines; done\''


@pytest.fixture
def services(tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    folder.mkdir()
    for name in ("one", "two"):
        service(folder / name, SLEEPER)
    service(folder / "logged", "echo begun\nexec sleep 1000", log=RECORDER)
    return folder


def started(running: Tree) -> dict[str, int]:
    running.start()
    folders = [running.services / name for name in ("one", "two", "logged", "logged/log")]
    until(lambda: all(pid_of(folder) for folder in folders), what="all services run")
    return {str(folder): pid_of(folder) for folder in folders}


def is_unchanged(pids: dict[str, int]) -> bool:
    return all(pid_of(Path(folder)) == pid and supervision.is_alive(pid) for folder, pid in pids.items())


def answers(folder: Path, runtime: Path) -> bool:
    done = subprocess.run(["sv", "status", str(folder)], capture_output=True, check=False)
    return done.returncode == 0 and done.stdout.startswith(b"run:")


def sleepers(running: Tree) -> int:
    return running.commands().count("sleep 1000")


def named(running: Tree, name: str) -> list[int]:
    return [pid for pid in running.supervisors() if supervision.name(pid) == name and supervision.is_alive(pid)]


def is_alone(running: Tree) -> bool:
    return named(running, "runsvdir") == [running.pid] and len(running.supervisors()) == 2


def test_when_the_supervisor_is_killed_a_stand_in_supervises_at_once(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        running.kill()
        until(lambda: answers(services / "one", runtime), what="sv is answered")
        assert is_unchanged(pids)
        supervision.letter(services / "one", "t")
        until(lambda: pid_of(services / "one") not in {0, pids[str(services / "one")]}, what="it was started again")
        until(lambda: sleepers(running) == 3, what="each is there once")


def test_what_is_asked_right_after_term_is_done_by_the_stand_in(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        started(running)
        running.kill(signal.SIGTERM)
        folders = [services / name for name in ("one", "two", "logged")]
        done = subprocess.run([runtime / "sv", "-w120", "down", *folders], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout.count("ok: down: ")) == (0, 3), done.stdout
        assert sleepers(running) == 0


def test_the_next_runsvdir_takes_over_from_the_stand_in(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        for _ in range(3):
            running.kill()
            running.start()
        until(lambda: len(running.supervisors()) == 2 and answers(services / "logged", runtime), what="runsvdir and its keeper")
        assert is_unchanged(pids)
        assert sleepers(running) == 3


def test_when_the_keeper_is_killed_the_supervisor_goes_on_with_another(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        keeper = running.keeper()
        subprocess.run(["kill", "-KILL", str(keeper)], check=True)
        until(lambda: len(running.supervisors()) == 2 and running.keeper() != keeper, what="another keeper")
        assert is_unchanged(pids)
        subprocess.run(["kill", "-KILL", str(pids[str(services / "two")])], check=True)
        until(lambda: pid_of(services / "two") not in {0, pids[str(services / "two")]}, what="an orphan's end is noticed")
        until(lambda: sleepers(running) == 3, what="each is there once")  # its pid is told before it is a sleep


def test_a_signal_that_a_dying_keeper_never_sent_is_sent_all_the_same(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        keeper = running.keeper()
        os.kill(keeper, signal.SIGSTOP)
        timed_out = subprocess.run([runtime / "sv", "-w1", "down", services / "one"], capture_output=True, check=False)
        assert timed_out.returncode == 1
        assert b"got TERM" in timed_out.stdout
        assert supervision.is_alive(pids[str(services / "one")])
        os.kill(keeper, signal.SIGKILL)
        until(lambda: stat(services / "one") == "down", what="the service is down")
        assert not supervision.is_alive(pids.pop(str(services / "one")))
        assert is_unchanged(pids)


def test_an_end_that_waits_for_a_control_script_is_one_though_the_keeper_dies_meanwhile(runtime: Path, tmp_path: Path) -> None:
    home = service(
        tmp_path / "services/it",
        "[ ! -e in-finish ] || echo >beside; echo >>starts; exec sleep 1000",
        finish="echo >in-finish; echo >>ends; while [ ! -e end ]; do sleep 0.01; done; rm in-finish end",
    )
    (home / "control").mkdir()
    script(home / "control/h", "echo >in-control; while [ ! -e go ]; do sleep 0.01; done")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until((home / "starts").exists, what="it runs")
        letter(home, "h")
        until((home / "in-control").exists, what="the control script runs")
        process = pid_of(home)
        send(home, signal.SIGKILL)
        until(lambda: not is_alive(process), what="it is gone")
        before = running.keeper()
        os.kill(before, signal.SIGKILL)
        until(lambda: running.keeper() not in {0, before}, what="another keeper")
        (home / "go").touch()
        until((home / "in-finish").exists, what="it is in finish")
        until(lambda: stat(home) == "finish", what="that is told")
        (home / "end").touch()
        until(lambda: len((home / "starts").read_text()) == 2, what="it runs again")
        assert not (home / "beside").exists()
        assert len((home / "ends").read_text()) == 1


def test_when_both_are_killed_the_next_runsvdir_adopts(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        subprocess.run(["kill", "-KILL", str(running.keeper()), str(running.pid)], check=True)
        running.kill()
        running.start()
        until(lambda: answers(services / "logged", runtime), what="sv is answered")
        assert is_unchanged(pids)
        assert sleepers(running) == 3


def test_one_supervisor_is_left_when_keepers_are_killed_around_a_takeover(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        running.kill()
        running.start()
        # One that was handed the tree, and then had to start a keeper of its own.
        until(lambda: running.pid in named(running, "runsvdir") and len(running.supervisors()) == 2, what="the takeover")
        until(lambda: answers(services / "one", runtime), what="sv is answered")
        first = running.keeper()
        os.kill(first, signal.SIGKILL)
        until(lambda: named(running, "runsvdir-keeper") not in ([], [first]), what="another keeper")
        running.kill()
        running.start()
        until(lambda: running.pid in named(running, "runsvdir"), what="the next runsvdir")
        for keeper in named(running, "runsvdir-keeper"):
            os.kill(keeper, signal.SIGKILL)
        until(lambda: is_alone(running) and answers(services / "one", runtime), what="one runsvdir and its keeper")
        assert is_unchanged(pids)
        assert sleepers(running) == 3
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.supervisors() == [], what="no supervisor is left")
        assert sleepers(running) == 0


def test_a_stand_in_that_had_to_start_a_keeper_yields_too(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        running.kill()
        until(lambda: len(named(running, "runsvdir")) == 1 and answers(services / "one", runtime), what="a stand-in")
        first = running.keeper()
        os.kill(first, signal.SIGKILL)
        until(lambda: named(running, "runsvdir-keeper") not in ([], [first]), what="another keeper")
        running.start()
        until(lambda: is_alone(running) and answers(services / "one", runtime), what="one runsvdir and its keeper")
        assert is_unchanged(pids)


def test_a_runsvdir_that_waits_asks_again_when_the_keeper_is_replaced(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        running.kill()
        until(lambda: len(named(running, "runsvdir")) == 1 and answers(services / "one", runtime), what="a stand-in")
        (standing,) = named(running, "runsvdir")
        first = running.keeper()
        os.kill(standing, signal.SIGSTOP)
        running.start()
        until(lambda: running.pid in named(running, "runsvdir"), what="the next runsvdir")
        os.kill(first, signal.SIGKILL)
        os.kill(standing, signal.SIGCONT)
        until(lambda: is_alone(running) and answers(services / "one", runtime), what="one runsvdir and its keeper")
        assert is_unchanged(pids)


@pytest.mark.covers("runsvdir", "the stand-in after TERM")
def test_term_leaves_services_to_a_stand_in(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        assert running.kill(signal.SIGTERM) == 0
        until(lambda: answers(services / "one", runtime), what="sv is answered")
        assert is_unchanged(pids)
        running.start()
        until(lambda: len(running.supervisors()) == 2 and answers(services / "one", runtime), what="the next runsvdir has them")
        assert is_unchanged(pids)


@pytest.mark.covers("runsvdir", "HUP, 111 when all are gone")
def test_hup_ends_everything_and_then_exits_111(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        started(running)
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left")
        assert stat(services / "one") == "down"


@pytest.mark.parametrize("first", ["all", "keeper", "supervisor"])
def test_term_to_all_of_a_tree_ends_it(runtime: Path, services: Path, tmp_path: Path, first: str) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        started(running)
        keeper = running.keeper()
        if first == "all":
            os.killpg(running.pid, signal.SIGTERM)
        elif first == "keeper":
            os.kill(keeper, signal.SIGTERM)
        else:
            assert running.kill(signal.SIGTERM) == 0
            until(lambda: len(running.supervisors()) == 2, what="a stand-in is there")
            os.kill(keeper, signal.SIGTERM)
        assert running.process is not None
        assert running.process.wait(60) == 0
        until(lambda: not running.processes(), what="all is gone")


def test_a_runsvdir_that_comes_after_term_to_all_goes_on(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        os.killpg(running.pid, signal.SIGTERM)
        assert running.process is not None
        running.process.wait(60)
        until(lambda: not any(supervision.is_alive(pid) for pid in pids.values()), what="what ran has ended")
        assert started(running).keys() == pids.keys()
        until(lambda: all(running.supervises(Path(folder)) for folder in pids), what="it supervises all")


@pytest.mark.parametrize("said", ["-5", "nan", "soon"])
def test_a_time_for_hup_that_is_none_is_told_and_not_taken(runtime: Path, services: Path, tmp_path: Path, said: str) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = said
        started(running)
        assert running.kill(signal.SIGHUP) == 111
        assert f"warning: RUNSVDIR_HUP_SECONDS is no number of seconds: {said}, taking 60\n" in running.stderr.read_text()


def test_hup_does_not_wait_for_a_service_that_another_one_supervises(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        pids = started(running)
        os.kill(running.keeper(), signal.SIGSTOP)  # so that no stand-in comes
        running.kill()
        with (services / "one/supervise/lock").open("ab") as lock:
            until(lambda: supervision.locks(lock), what="the lock of a service is another's")
            os.kill(running.keeper(), signal.SIGKILL)
            running.start()
            until(lambda: b"another one supervises it, waiting" in running.stderr.read_bytes(), what="it waits for the other")
            assert running.kill(signal.SIGHUP) == 111
        assert b"runsv one: warning: another one supervises it, leaving it" in running.stderr.read_bytes()
        until(lambda: stat(services / "two") == "down", what="the others are down")
        assert supervision.is_alive(pids[str(services / "one")])
        assert sleepers(running) == 1


def test_without_a_private_state_directory_services_end_with_runsvdir(runtime: Path, services: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o755)
    with tree(runtime / "runsvdir", services, state) as running:
        pids = started(running)
        said = running.stderr.read_text()
        assert (
            f"services will end with this process: no state directory: {state}: open to others, mode 0755; chmod 700 {state}\n" in said
        )
        assert "Errno" not in said
        running.kill()
        until(lambda: running.supervisors() == [], what="nobody stands in")
        assert not any(supervision.is_alive(pid) for pid in pids.values())
        state.chmod(0o700)
        running.start()
        until(lambda: all(supervision.is_alive(pid_of(Path(folder))) for folder in pids), what="all services run again")
        until(lambda: sleepers(running) == 3, what="each is there once")


def test_no_log_line_is_lost_when_the_supervisor_is_killed(runtime: Path, tmp_path: Path) -> None:
    services = tmp_path / "services"
    counter = 'i=0; while [ $i -lt 3000 ]; do echo "$i"; i=$((i+1)); done; exec sleep 1000'
    service(services / "counter", counter, log=RECORDER)
    lines = services / "counter" / "lines"
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        for number in (100, 700, 1500):
            until(lambda number=number: lines.exists() and len(lines.read_text().split()) > number)  # type: ignore[misc]
            running.kill()
            running.start()
        until(lambda: len(lines.read_text().split()) >= 3000, what="all lines are there")
        assert lines.read_text().split() == [str(number) for number in range(3000)]


def test_a_runsv_of_its_own_leaves_nothing_behind(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "it", SLEEPER)
    with tree(runtime / "runsv", home, tmp_path / "state") as running:
        running.start()
        until(lambda: pid_of(home), what="it runs")
        pid = pid_of(home)
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsv has it")
        assert pid_of(home) == pid
        supervision.letter(home, "x")
        assert running.process is not None
        assert running.process.wait(DEADLINE) == 0
        assert list((tmp_path / "state/services").iterdir()) == []
        running.start()
        until(lambda: pid_of(home) not in {0, pid}, what="it can be supervised again")


@pytest.mark.parametrize("program", ["runsvdir", "runsv"])
def test_a_directory_that_was_made_anew_owes_nothing_to_the_one_before(runtime: Path, tmp_path: Path, program: str) -> None:
    home = service(tmp_path / "services/it", SLEEPER)
    with tree(runtime / program, home.parent if program == "runsvdir" else home, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(home) == "run", what="it runs")
        supervision.letter(home, "d")
        until(lambda: stat(home) == "down", what="it is down")
        running.end()
        # As if it had been deleted, and the new one had got its inode.
        for path in home.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        supervision.script(home / "run", SLEEPER)
        running.start()
        until(lambda: stat(home) == "run", what="the new one runs")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_service_that_a_link_leads_to_over_a_long_way_is_gone_on_with_also_without_a_process(
    runtime: Path, services: Path, tmp_path: Path, number: int
) -> None:
    far = tmp_path.joinpath(*["d" * 200] * 4)
    idle, dies = service(far / "idle", SLEEPER), service(far / "dies", "exit 1")
    (idle / "down").touch()
    (dies / "max-delay").write_text("3600000\n")
    for home in (idle, dies):
        (services / home.name).symlink_to(home)

    def shown(home: Path) -> str:
        return subprocess.run([runtime / "sv", "status", home], capture_output=True, text=True, check=False).stdout

    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        started(running)
        until(lambda: stat(idle) == "down" and "backing off" in shown(dies), what="one is down, the other rests")
        running.kill(number)
        until(lambda: answers(services / "one", runtime), what="a stand-in")
        done = subprocess.run([runtime / "sv", "-w", "60", "up", idle], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: run:"), done
        until(lambda: "backing off" in shown(dies), what="the other rests on")
        pid = pid_of(idle)
        running.start()
        until(lambda: all(map(running.supervises, (idle, dies))), what="the next runsvdir has them")
        assert pid_of(idle) == pid
        assert "unable to go on" not in running.stderr.read_text()
