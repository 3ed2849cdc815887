"""How services end, beside what runit knows: KILL after a time, and a tally of the last ends."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support import fifo, supervision
from support.interrupt import Interrupter
from support.supervision import log_in_pool, pid_of, service, stat, tree
from support.waiting import DEADLINE, until, written

PWRITE = {"x86_64": 18, "aarch64": 68}[platform.machine()]
RENAMEAT = {"x86_64": 264, "aarch64": 38}[platform.machine()]
STUBBORN = "trap '' TERM\ntouch ready\nwhile :; do sleep 0.05; done"


@pytest.fixture
def stubborn(tmp_path: Path) -> Path:
    home = service(tmp_path / "services/it", STUBBORN, finish='echo "$1 $2" >ended')
    (home / "timeout-kill").write_text("300\n")
    return home


@pytest.mark.parametrize("program", ["runsv", "runsvdir"])
def test_a_service_that_ignores_term_is_killed_after_its_time(runtime: Path, stubborn: Path, tmp_path: Path, program: str) -> None:
    target = stubborn if program == "runsv" else stubborn.parent
    with tree(runtime / program, target, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", stubborn], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert (stubborn / "ended").read_text() == "-1 9\n"


def test_restart_is_bounded_too_also_by_the_next_supervisor(runtime: Path, stubborn: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        before = pid_of(stubborn)
        supervision.letter(stubborn, "t")
        until(lambda: "got TERM" in stat(stubborn), what="it got TERM")
        running.kill()
        running.start()
        until(lambda: pid_of(stubborn) not in {0, before}, what="it runs again")


def test_the_time_until_kill_goes_on_however_often_the_supervisor_is_killed(runtime: Path, stubborn: Path, tmp_path: Path) -> None:
    (stubborn / "timeout-kill").write_text("3000\n")
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        pid = pid_of(stubborn)
        supervision.letter(stubborn, "d")
        until(lambda: "KILL in" in shown(runtime, stubborn), what="its time has begun")

        def has_ended() -> bool:
            running.kill()
            running.start()
            until(lambda: running.supervises(stubborn), what="the next runsvdir has it")
            return not supervision.is_alive(pid)

        until(has_ended, what="it is killed")


@pytest.mark.parametrize("program", ["runsv", "runsvdir"])
@pytest.mark.parametrize("letter", ["t", "d"])
def test_a_control_script_that_hangs_ends_with_its_service(
    runtime: Path, stubborn: Path, tmp_path: Path, program: str, letter: str
) -> None:
    hang(stubborn, letter)
    with tree(runtime / program, stubborn if program == "runsv" else stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", stubborn], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not supervision.is_alive(int((stubborn / "script").read_text()))


@pytest.mark.parametrize("who", ["supervisor", "keeper", "both"])
def test_a_control_script_that_hangs_ends_also_where_who_was_to_end_it_is_killed(
    runtime: Path, stubborn: Path, tmp_path: Path, who: str
) -> None:
    (stubborn / "timeout-kill").write_text("2000\n")
    hang(stubborn, "t")
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        supervision.letter(stubborn, "d")
        until(lambda: (stubborn / "script").exists() and "KILL in" in shown(runtime, stubborn), what="its control script hangs")
        if who != "supervisor":
            os.kill(running.keeper(), signal.SIGKILL)
        if who != "keeper":
            running.kill()
            running.start()
            until(lambda: running.supervises(stubborn), what="the next runsvdir has it")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", stubborn], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not supervision.is_alive(int((stubborn / "script").read_text()))


def test_a_control_script_that_hangs_does_not_hold_up_the_end_by_hup(runtime: Path, stubborn: Path, tmp_path: Path) -> None:
    hang(stubborn, "t")
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        assert running.kill(signal.SIGHUP) == 111
        assert "KILL" not in running.stderr.read_text()
        assert (stubborn / "ended").read_text() == "-1 9\n"


def hang(home: Path, letter: str) -> None:
    """Let the control script of a letter hang, and say its pid in `script`."""
    (home / "control").mkdir()
    supervision.script(home / f"control/{letter}", "echo $$ >script.new; mv script.new script\nexec sleep 1000")


@pytest.fixture
def polite(tmp_path: Path) -> Path:
    """A service that ends when it is told, and whose stop is bounded."""
    home = service(tmp_path / "services/it", "touch ready\nexec sleep 1000", finish='echo "$1 $2" >ended')
    (home / "timeout-kill").write_text("300\n")
    return home


def hung_script(home: Path) -> int:
    """Wait for the control script that hangs, and give its pid."""
    until((home / "script").exists, what="its control script hangs")
    return int((home / "script").read_text())


@pytest.mark.parametrize("program", ["runsv", "runsvdir"])
def test_a_stop_does_not_wait_for_ever_for_the_control_script_of_an_earlier_letter(
    runtime: Path, polite: Path, tmp_path: Path, program: str
) -> None:
    hang(polite, "h")
    with tree(runtime / program, polite if program == "runsv" else polite.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (polite / "ready").exists() and pid_of(polite), what="it runs")
        supervision.letter(polite, "hha")
        pid = hung_script(polite)
        done = subprocess.run([runtime / "sv", "-w", "120", "down", polite], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not supervision.is_alive(pid)
        assert (polite / "ended").read_text() in {"-1 1\n", "-1 15\n"}  # HUP, which its script has not seen to, or TERM


def test_a_control_script_that_hangs_goes_on_until_there_is_a_stop_and_a_bound(runtime: Path, polite: Path, tmp_path: Path) -> None:
    unbounded = service(polite.parent / "unbounded", "touch ready\nexec sleep 1000")
    for home in (polite, unbounded):
        hang(home, "h")
    with tree(runtime / "runsvdir", polite.parent, tmp_path / "state") as running:
        running.start()
        pids = []
        for home, letters in ((polite, "hp"), (unbounded, "hd")):
            until(lambda home=home: (home / "ready").exists() and pid_of(home), what="it runs")  # type: ignore[misc]
            supervision.letter(home, letters)
            pids.append(hung_script(home))
        assert subprocess.run([runtime / "sv", "-w", "2", "down", unbounded], capture_output=True, check=False).returncode == 1
        assert [supervision.is_alive(pid) for pid in pids] == [True, True]
        assert [stat(home) for home in (polite, unbounded)] == ["run", "run"]
        (unbounded / "timeout-kill").write_text("300\n")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", unbounded], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8], supervision.is_alive(pids[1])) == (0, "ok: down", False)


@pytest.mark.parametrize("letter", ["d", "x", "t"])
def test_a_start_whose_control_script_hangs_ends_with_the_stop_that_waits_for_it(
    runtime: Path, polite: Path, tmp_path: Path, letter: str
) -> None:
    (polite / "down").touch()
    hang(polite, "u")
    with tree(runtime / "runsv", polite, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(polite) == "down", what="it is supervised")
        supervision.letter(polite, "u" + letter)
        first = hung_script(polite)
        until(lambda: not supervision.is_alive(first), what="it is killed")
        if letter == "t":
            until(lambda: hung_script(polite) != first, what="it is to start once more")
            supervision.letter(polite, "x")
        if letter == "d":
            until(lambda: stat(polite) == "down", what="it is down")
            supervision.letter(polite, "x")
        until(lambda: running.process is not None and running.process.poll() == 0, what="its supervisor exits")
        assert not (polite / "ready").exists()


def test_a_stop_that_waits_for_a_control_script_is_bounded_by_the_next_supervisor_too(
    runtime: Path, polite: Path, tmp_path: Path
) -> None:
    (polite / "timeout-kill").write_text("3000\n")
    hang(polite, "h")
    with tree(runtime / "runsvdir", polite.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (polite / "ready").exists() and pid_of(polite), what="it runs")
        supervision.letter(polite, "hd")
        pid = hung_script(polite)
        for _ in range(2):
            running.kill()
            running.start()
            until(lambda: running.supervises(polite), what="the next runsvdir has it")
        until(lambda: stat(polite) == "down", what="it is down")
        assert not supervision.is_alive(pid)


def test_a_control_script_of_an_earlier_letter_does_not_hold_up_the_end_by_hup(runtime: Path, polite: Path, tmp_path: Path) -> None:
    hang(polite, "h")
    with tree(runtime / "runsvdir", polite.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (polite / "ready").exists() and pid_of(polite), what="it runs")
        supervision.letter(polite, "h")
        pid = hung_script(polite)
        assert running.kill(signal.SIGHUP) == 111
        assert "KILL" not in running.stderr.read_text()
        assert not supervision.is_alive(pid)


@pytest.mark.parametrize("who", ["nobody", "keeper", "both"])
def test_what_a_killed_control_script_has_started_ends_with_it(runtime: Path, polite: Path, tmp_path: Path, who: str) -> None:
    (polite / "timeout-kill").write_text("2000\n")
    (polite / "control").mkdir()
    begun = "sh -c 'echo $$ >child; exec sleep 1000' & sh -c 'echo $$ >script.new; mv script.new script; exec sleep 1000'"
    supervision.script(polite / "control/t", begun)
    with tree(runtime / "runsvdir", polite.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (polite / "ready").exists() and pid_of(polite), what="it runs")
        supervision.letter(polite, "d")
        child = polite / "child"
        started = [hung_script(polite), int(written(child))]
        if who != "nobody":
            os.kill(running.keeper(), signal.SIGKILL)
        if who == "both":
            running.kill()
            running.start()
            until(lambda: running.supervises(polite), what="the next runsvdir has it")
        until(lambda: stat(polite) == "down", what="it is down")
        until(lambda: not any(map(supervision.is_alive, started)), what="what it has started is gone")


def test_a_control_script_that_hangs_is_killed_at_the_end_that_hup_brings_after_its_time(
    runtime: Path, polite: Path, tmp_path: Path
) -> None:
    (polite / "timeout-kill").unlink()
    hang(polite, "h")
    with tree(runtime / "runsvdir", polite.parent, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = "0.5"
        running.start()
        until(lambda: (polite / "ready").exists() and pid_of(polite), what="it runs")
        supervision.letter(polite, "h")
        pid = hung_script(polite)
        assert running.kill(signal.SIGHUP) == 111
        assert "still there, sending KILL: it" in running.stderr.read_text()
        assert not supervision.is_alive(pid)


def test_a_kill_that_was_asked_for_before_it_was_there_is_nobody_elses(runtime: Path, polite: Path, tmp_path: Path) -> None:
    (polite / "down").touch()
    with tree(runtime / "runsv", polite, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(polite) == "down", what="it is supervised")
        supervision.letter(polite, "okd")
        until(lambda: deaths(polite) == ["signal 9"], what="it was killed")
        assert "did not send" not in running.stderr.read_text()


def test_a_wrong_timeout_is_said_and_nothing_is_killed(runtime: Path, stubborn: Path, tmp_path: Path) -> None:
    (stubborn / "timeout-kill").write_text("soon\n")
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        supervision.letter(stubborn, "t")
        until(lambda: "runsv it: warning: timeout-kill is no number of milliseconds" in running.stderr.read_text(), what="it is said")
        assert supervision.is_alive(pid_of(stubborn))


def test_the_time_until_kill_is_seen(runtime: Path, stubborn: Path, tmp_path: Path) -> None:
    (stubborn / "timeout-kill").write_text("3600000\n")
    with tree(runtime / "runsvdir", stubborn.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (stubborn / "ready").exists() and pid_of(stubborn), what="it runs, and ignores TERM")
        supervision.letter(stubborn, "d")
        until(lambda: re.search(r", want down, got TERM, KILL in 3[56]\d\ds$", shown(runtime, stubborn)), what="the status tells it")
        supervision.letter(stubborn, "k")
        until(lambda: "KILL" not in shown(runtime, stubborn), what="it tells it no more")


@pytest.mark.covers("runsv", "a finish that hangs")
def test_a_finish_that_hangs_is_killed_after_its_time(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000", finish="trap '' TERM\ntouch finishing\nwhile :; do sleep 0.05; done")
    (home / "timeout-finish").write_text("2000\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: pid_of(home) and stat(home) == "run", what="it runs")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", home], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert (home / "finishing").exists()


def test_a_finish_that_takes_its_service_down_does_not_hold_up_the_end_by_hup(runtime: Path, tmp_path: Path) -> None:
    late = "until grep -q 'want exit' supervise/stat; do sleep 0.02; done; printf d >supervise/control"
    home = service(tmp_path / "services/it", "exit 1", finish=f"touch finishing; {late}")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until((home / "finishing").exists, what="it is in finish")
        assert running.kill(signal.SIGHUP) == 111
        assert "KILL" not in running.stderr.read_text()


@pytest.mark.parametrize("letters", ["d", "u", "o", "du"])
def test_a_letter_while_the_log_reads_what_was_left_behind_does_not_keep_it_from_leaving(
    runtime: Path, tmp_path: Path, letters: str
) -> None:
    """C's runsv stays on `d`, and runs it without its log on the next `u`."""
    run = "echo $$ >>starts; (trap '' TERM; exec sh -c 'echo $$ >left; exec sleep 1000') & exec sleep 1000"
    home = service(tmp_path / "services/it", run, log="exec cat >>../logged")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: pid_of(home) and pid_of(home / "log"), what="it runs and is logged")
        left = int(written(home / "left"))
        supervision.letter(home, "x")
        until(lambda: stat(home) == "down" and "want" in stat(home / "log"), what="only its log goes on")
        supervision.letter(home, letters)
        with (home / "supervise/control").open("r+b", buffering=0) as control:
            until(lambda: not fifo.unread(control.fileno()), what="they are read")
        os.kill(left, signal.SIGKILL)
        until(lambda: len((home / "starts").read_text().split()) == 2 and stat(home / "log") == "run", what="runsvdir begins it anew")


def test_a_crash_loop_rests_longer_and_longer_and_says_so_until_it_is_told_to_start(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "[ -e good ] && exec sleep 1000\nexit 3")
    (home / "max-delay").write_text("3600000\n")
    told = r"down: .*: \d+s, normally up, want up, backing off, next start in \d+s, died 3 times in \d+s, last exited 3$"
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: re.search(told, shown(runtime, home)), what="it is backing off")
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has it")
        assert re.search(told, shown(runtime, home))
        (home / "good").touch()
        done = subprocess.run([runtime / "sv", "-w", "120", "start", home], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: run:")
        assert not (home / "supervise/detail").exists()


def test_how_often_it_died_is_said_of_one_that_its_finish_took_down_and_not_of_one_that_somebody_stopped(
    runtime: Path, tmp_path: Path
) -> None:
    run = "[ -e good ] && exec sleep 1000\necho >>runs\nexit 3"
    home = service(tmp_path / "services/it", run, finish="[ $(wc -l <runs) -lt 3 ] || printf d >supervise/control")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        told = r"down: .*: \d+s, normally up, died 3 times in \d+s, last exited 3$"
        until(lambda: re.search(told, shown(runtime, home)), what="it gave up")
        (home / "good").touch()
        for word, said in (("up", "ok: run: "), ("down", "ok: down: ")):
            done = subprocess.run([runtime / "sv", "-w", "120", "-v", word, home], capture_output=True, text=True, check=False)
            assert done.stdout.startswith(said)
        assert re.search(r"down: .*: \d+s, normally up$", shown(runtime, home))


@pytest.mark.parametrize("run", ["exit 3", None])
def test_a_crash_loop_of_any_service_is_said(runtime: Path, tmp_path: Path, run: str | None) -> None:
    home = service(tmp_path / "services/it", run or "", finish="exit 0")
    if run is None:
        (home / "run").write_text("not a program\n")
    how = "exited 3" if run else "exited 111"
    told = rf"down: .*: \d+s, normally up, want up, died [2-9] times in \d+s, last {how}$"
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: re.search(told, shown(runtime, home)), what="it is said")


@pytest.mark.parametrize("log", ["process", "pool"])
def test_a_crash_loop_of_a_log_is_said(runtime: Path, tmp_path: Path, log: str) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000", log="[ -e ../good ] && exec cat\nexit 3")
    if log == "pool":
        log_in_pool(home, runtime)
        (home / "log/env/RSVLOG_OPTIONS").write_text("-x\n")
    how = "exited 3" if log == "process" else r"exited \d+"
    of_log = rf"\d+s, normally up, want up, died ([3-9]|\d\d) times in \d+s, last {how}"
    told = rf"run: \S+: \(pid \d+\) \d+s; down: log: {of_log}$"
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: re.search(told, shown(runtime, home)), what="it is said")
        until(lambda: re.search(rf"down: \S+/log: {of_log}$", shown(runtime, home / "log")), what="and of the log alone")
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has it")
        until(lambda: re.search(told, shown(runtime, home)), what="it counts on")
        (home / "good").touch()
        (home / "log/env/RSVLOG_OPTIONS").unlink(missing_ok=True)
        until(lambda: re.search(r"; run: log: \(pid \d+\) \d+s$", shown(runtime, home)), what="it runs")
        assert not (home / "log/supervise/detail").exists()


def shown(runtime: Path, home: Path) -> str:
    """Give what sv status says."""
    return subprocess.run([runtime / "sv", "status", home], capture_output=True, text=True, check=False).stdout.strip()


def deaths(home: Path) -> list[str]:
    path = home / "supervise/deaths"
    return re.findall(r"^@[0-9a-f]{24} ran \d+\.\d{3} (.*)$", path.read_text(), re.M) if path.exists() else []


def test_the_tally_tells_the_last_ends_also_over_a_change_of_supervisors(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "[ -e once ] || { touch once; exit 3; }\nexec sleep 1000", finish="exit 0")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: deaths(home) == ["exited 3"] and stat(home) == "run", what="one end, and it runs again")
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has it")
        kill(home)
        until(lambda: deaths(home) == ["exited 3", "signal 9"], what="two ends")


def test_the_tally_keeps_the_last_32_ends_and_follows_no_link(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000")
    (home / "supervise").mkdir(mode=0o700)
    (home / "supervise/deaths").write_text("an old line\n" * 40)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(home) == "run", what="it runs")
        kill(home)
        until(lambda: deaths(home) == ["signal 9"], what="an end")
        assert len((home / "supervise/deaths").read_text().splitlines()) == 32
        (tmp_path / "secret").write_text("secret\n")
        (home / "supervise/deaths").unlink()
        (home / "supervise/deaths").symlink_to(tmp_path / "secret")
        before = pid_of(home)
        kill(home)
        until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what="it runs again")
        assert (tmp_path / "secret").read_text() == "secret\n"


@pytest.mark.parametrize("keeper", ["living", "killed"])
@pytest.mark.parametrize("call", [PWRITE, RENAMEAT], ids=["remembered", "tallied"])
def test_an_end_over_which_the_supervisor_dies_is_tallied_and_once(runtime: Path, tmp_path: Path, call: int, keeper: str) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
        assert running.process is not None
        victims = [running.pid, *([running.keeper()] if keeper == "killed" else [])]
        interrupter = Interrupter(running.pid, victims, 1, after=call)
        kill(home)
        running.process.wait(DEADLINE)
        assert interrupter.end() is not None
        running.start()
        until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what="it runs again")
        assert deaths(home) == ["signal 9"]


def test_finish_finds_in_the_tally_what_it_was_started_for(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "echo >>runs\nexit $(wc -l <runs)", finish="tail -n 1 supervise/deaths >>seen")
    seen = home / "seen"
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: seen.exists() and seen.read_text().count("\n") > 1, what="it has ended twice")
        assert re.findall(r"exited \d+$", seen.read_text(), re.M)[:2] == ["exited 1", "exited 2"]


def test_the_last_end_of_a_service_that_exits_is_tallied(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(home) == "run", what="it runs")
        running.kill(signal.SIGHUP)
        assert deaths(home) == ["signal 15"]


def kill(home: Path) -> None:
    """Kill the process of a service, once there is one."""
    os.kill(until(lambda: pid_of(home), what="it has a process"), signal.SIGKILL)


def test_a_kill_that_nobody_here_has_sent_is_told_and_a_loop_of_them_once(runtime: Path, tmp_path: Path) -> None:
    """As the kernel kills where memory runs out: C's runsv says nothing."""
    folder = tmp_path / "services"
    loops = service(folder / "loops", "echo >>starts; kill -KILL $$")
    asked, stubborn = service(folder / "asked", "exec sleep 1000"), service(folder / "stubborn", STUBBORN)
    (stubborn / "timeout-kill").write_text("1\n")
    adopted = service(folder / "adopted", "exec sleep 1000")
    with tree(runtime / "runsvdir", folder, tmp_path / "state") as running:
        running.start()
        until(lambda: all(pid_of(home) for home in (asked, adopted)) and (stubborn / "ready").exists(), what="all run")
        for home, word in ((asked, "kill"), (stubborn, "restart")):
            before = pid_of(home)
            assert subprocess.run([runtime / "sv", "-w", "60", word, home], check=False).returncode == 0
            until(lambda home=home, before=before: pid_of(home) not in {0, before}, what="it runs again")  # type: ignore[misc]
        running.kill()
        running.start()
        until(lambda: running.supervises(adopted), what="the next runsvdir has them")
        supervision.send(adopted, signal.SIGKILL)
        until(lambda: (loops / "starts").read_text().count("\n") > 3, what="the loop goes on")
        until(lambda: "runsv adopted: warning: killed by signal 9 that runsv did not send" in running.stderr.read_text(), what="told")
        assert running.kill(signal.SIGHUP) == 111
        said = [line.split(":")[0] for line in running.stderr.read_text().splitlines() if "killed by signal 9" in line]
        assert {"runsv loops", "runsv adopted"} == set(said)
        assert said.count("runsv loops") <= 3, "once by each supervisor: runsvdir, a stand-in, the next runsvdir"
