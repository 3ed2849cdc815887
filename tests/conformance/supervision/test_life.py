"""runsv(8), sentence by sentence, in C's runsv, in ours on its own, and in our runsvdir."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until
from support.worlds import Lab, Scenario, length_class, same_in_all

Same = Callable[[Scenario], Any]

TRACER = "echo run >>trace\nexec sleep 1000"
STAMPED = "date +%s.%N >>starts"
TRAPS = """for s in HUP ALRM INT QUIT USR1 USR2 TERM CONT; do trap "echo got $s >>trace" $s; done
echo ready >>trace
while :; do sleep 0.02; done"""
LOGGER = "exec cat >>../logged"


@pytest.fixture
def same(runtime: Path, tmp_path: Path) -> Same:
    return lambda scenario: same_in_all(scenario, runtime, tmp_path)


def test_a_service_is_started_and_its_status_says_so(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        return lab.seen(), lab.trace()

    assert same(scenario) == ((True, 0, "u", 0, 1, "run", True), ["run"])


def test_finish_gets_exit_code_and_zero_and_run_starts_again_after_a_second(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", f"{STAMPED}\nexit 3")
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.start()
        starts = lab.home / "starts"
        until(lambda: starts.exists() and len(starts.read_text().split()) >= 2, what="two starts")
        first, second = (float(time) for time in starts.read_text().split()[:2])
        return lab.trace()[0], length_class(second - first)

    assert same(scenario) == ("finish 3 0", "a second or more")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGUSR1])
def test_finish_gets_minus_one_and_the_signal(same: Same, number: int) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", f"ulimit -c 0\n{TRACER}")
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        lab.kill(number)
        lab.until_line("run", times=2)
        return lab.trace()

    assert same(scenario) == ["run", f"finish -1 {number}", "run"]


@pytest.mark.parametrize("how", ["missing", "not executable", "no shebang", "a directory", "missing interpreter"])
def test_a_run_that_cannot_be_started_gives_finish_111_0(same: Same, how: str) -> None:
    def scenario(lab: Lab) -> Any:
        run = lab.home / "run"
        if how == "a directory":
            run.mkdir()
        elif how != "missing":
            run.write_text({"no shebang": "echo x\n", "missing interpreter": "#!/nonexistent/sh\n"}.get(how, "#!/bin/sh\n"))
            run.chmod(0o644 if how == "not executable" else 0o755)
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.start()
        lab.until_line("finish 111 0")
        message = "unable to start ./run: "
        until(lambda: message in lab.stderr(), what="a message")
        return lab.trace()[0], lab.stderr().partition(message)[2].splitlines()[0]

    assert same(scenario)[0] == "finish 111 0"


def test_after_a_run_longer_than_a_second_the_next_follows_at_once(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", f"{STAMPED}\nsleep 1.2\ndate +%s.%N >ended")
        lab.start()
        starts = lab.home / "starts"
        until(lambda: starts.exists() and len(starts.read_text().split()) >= 2, what="two starts")
        return length_class(float(starts.read_text().split()[1]) - float(starts.read_text().split()[0]) - 1.2)

    assert same(scenario) == "at once"


def test_down_keeps_it_down_until_up(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        (lab.home / "down").touch()
        lab.start()
        before = lab.seen()
        lab.letters("u")
        lab.until_line("run")
        lab.until_stat("run")
        return before, lab.seen()

    assert same(scenario) == ((False, 0, "d", 0, 0, "down", True), (True, 0, "u", 0, 1, "run", True))


def test_d_sends_term_runs_finish_and_stays_down(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("finish", 'echo "finish $1 $2 $(cat supervise/stat)" >>trace')
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        lab.letters("d")
        lab.until_stat("down")
        return lab.seen(), lab.trace()

    seen, trace = same(scenario)
    assert seen == (False, 0, "d", 0, 0, "down", True)
    assert trace == ["run", "finish -1 15 finish, want down"]


def test_a_service_that_ignores_term_is_shown_as_got_term(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRAPS)
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        lab.letters("d")
        lab.until_stat("run, got TERM, want down")
        first = lab.seen()
        lab.letters("u")
        lab.until_stat("run, got TERM")
        second = lab.seen()
        lab.letters("x")
        lab.until_stat("run, got TERM, want exit")
        third = lab.seen()
        lab.letters("k")
        return first, second, third, lab.exit_status()

    assert same(scenario)[3] == 0


@pytest.mark.parametrize(
    ("letter", "name"),
    [("h", "HUP"), ("a", "ALRM"), ("i", "INT"), ("q", "QUIT"), ("1", "USR1"), ("2", "USR2"), ("t", "TERM"), ("c", "CONT")],
)
def test_a_letter_sends_its_signal(same: Same, letter: str, name: str) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRAPS)
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        lab.letters(letter)
        lab.until_line(f"got {name}")
        return lab.seen(), lab.trace()

    assert same(scenario)[1] == ["ready", f"got {name}"]


def test_k_kills_and_it_starts_again(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        lab.letters("k")
        lab.until_traced("run", "finish -1 9", "run")
        lab.until_stat("run")
        return lab.seen(), lab.trace()

    same(scenario)


def test_p_pauses_and_c_continues(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.start()
        lab.until_stat("run")
        lab.letters("p")
        lab.until_stat("run, paused")
        paused = lab.seen()
        until(lambda: _state(lab.pid()) == "T", what="it is stopped")
        lab.letters("c")
        lab.until_stat("run")
        until(lambda: _state(lab.pid()) != "T", what="it is not stopped")
        return paused, lab.seen()

    assert same(scenario)[0] == (True, 1, "u", 0, 1, "run, paused", True)


def test_p_on_a_stopped_service_sets_the_paused_byte(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        (lab.home / "down").touch()
        lab.start()
        lab.letters("p")
        lab.until_stat("down, paused")
        return lab.seen()

    assert same(scenario) == (False, 1, "d", 0, 0, "down, paused", True)


def test_o_starts_it_once(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo run >>trace\nsleep 1.1")
        (lab.home / "down").touch()
        lab.start()
        lab.letters("o")
        lab.until_stat("run, want down")
        running = lab.seen()
        lab.until_stat("down")
        return running, lab.seen(), lab.trace()

    assert same(scenario)[2] == ["run"]


def test_o_on_a_running_service_lets_it_run_and_not_again(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.start()
        lab.until_stat("run")
        lab.until_line("run")
        lab.letters("o")
        lab.until_stat("run, want down")
        lab.kill(signal.SIGKILL)
        lab.until_stat("down")
        return lab.seen(), lab.trace()

    assert same(scenario)[1] == ["run"]


def test_letters_that_mean_nothing_change_nothing(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.start()
        lab.until_stat("run")
        pid = lab.pid()
        lab.letters("zZ\n 09e!u")
        lab.letters("p")
        lab.until_stat("run, paused")
        return lab.pid() == pid, lab.seen()

    assert same(scenario)[0]


@pytest.mark.parametrize("letter", list("tduxk12haiqcpo"))
@pytest.mark.parametrize("code", [0, 1])
def test_control_scripts(same: Same, letter: str, code: int) -> None:
    """Every script of control/ leaves a trace, and exits 0 (handled) or 1 (send the signal all the same)."""

    def scenario(lab: Lab) -> Any:
        lab.script("run", TRAPS)
        for one in "tduxk12haiqcpo":
            lab.script(f"control/{one}", f'echo "control {one}" >>trace\nexit {code}')
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        lab.letters(letter)
        # A second letter, whose trace shows that the first was done with; USR1's own trap may come late.
        if letter not in "xk":
            lab.letters("h")
            lab.until_line("control h", times=2 if letter == "h" else 1)
            if code and letter != "p":
                lab.until_line("got HUP")
        elif letter == "x":
            lab.until_line("control x")
        elif code:
            lab.until_line("ready", times=2)
            lab.until_stat("run")
        else:
            lab.until_line("control k")
        expected = {"t": "TERM", "d": "CONT", "x": "CONT", "1": "USR1", "2": "USR2", "h": "HUP", "a": "ALRM", "i": "INT", "q": "QUIT"}
        if letter in expected and (code or letter in "dx"):
            lab.until_line(f"got {expected[letter]}")
        # The shell reports signals in an order of its own.
        return sorted(lab.trace()), supervise_words(lab)

    same(scenario)


def supervise_words(lab: Lab) -> Any:
    if lab.kind == "C runsv" or lab.pid():
        return lab.seen()[1:4] if lab.pid() else None
    return None


def test_x_with_a_log_lets_the_log_read_to_its_end(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "trap 'echo last; exit 0' TERM\necho first\necho ready >>trace\nwhile :; do sleep 0.02; done")
        lab.script("log/run", "cat >>../logged\nsleep 0.3\necho drained >>../logged")
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        lab.letters("x")
        status = lab.exit_status()
        return status, (lab.home / "logged").read_text()

    assert same(scenario) == (0, "first\nlast\ndrained\n")


def test_term_to_the_supervisor_is_x(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("finish", 'echo "finish $1 $2 $(cat supervise/stat)" >>trace')
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        lab.signal_supervisor(signal.SIGTERM)
        return lab.exit_status(), lab.trace()[:2]

    assert same(scenario) == (0, ["run", "finish -1 15 finish, want exit"])


def test_a_log_has_its_own_status_and_letters(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo one\nexec sleep 1000")
        lab.script("log/run", LOGGER)
        lab.start()
        lab.until_stat("run", log=True)
        up = lab.seen(log=True)
        lab.letters("d", log=True)
        lab.until_stat("down", log=True)
        down = lab.seen(log=True)
        lab.letters("u", log=True)
        lab.until_stat("run", log=True)
        lab.letters("x", log=True)
        lab.letters("p", log=True)
        lab.until_stat("run, paused", log=True)
        return up, down, lab.seen(log=True), lab.seen()

    assert same(scenario)[0] == (True, 0, "u", 0, 1, "run", True)


def test_log_down_keeps_the_log_down_and_what_is_written_waits(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo one\necho run >>trace\nexec sleep 1000")
        lab.script("log/run", LOGGER)
        (lab.home / "log/down").touch()
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        down = lab.seen(log=True)
        lab.letters("u", log=True)
        logged = lab.home / "logged"
        until(lambda: logged.exists() and logged.read_text() == "one\n", what="what waited is logged")
        return down, lab.seen()

    assert same(scenario)[0] == (False, 0, "d", 0, 0, "down", True)


def test_a_log_that_dies_is_started_again_and_nothing_written_meanwhile_is_lost(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "trap 'echo more; echo said >>trace' USR1\necho ready >>trace\nwhile :; do sleep 0.02; done")
        lab.script("log/run", LOGGER)
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run", log=True)
        lab.kill(signal.SIGKILL, log=True)
        lab.letters("1")
        lab.until_line("said")
        logged = lab.home / "logged"
        until(lambda: logged.exists() and logged.read_text() == "more\n", what="the line is logged")
        return supervise_words(lab)

    same(scenario)


def test_in_finish_letters_change_the_want_only(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo run >>trace\nexit 0")
        lab.script("finish", "echo finish >>trace\nexec sleep 1000")
        lab.start()
        lab.until_stat("finish")
        until(lab.pid, what="finish has a pid")
        seen = [lab.seen()]
        lab.letters("d")
        lab.until_stat("finish, want down")
        seen.append(lab.seen())
        lab.letters("t1h")
        lab.letters("u")
        lab.until_stat("finish")
        seen.append(lab.seen())
        lab.letters("d")
        lab.until_stat("finish, want down")
        lab.kill(signal.SIGKILL)
        lab.until_stat("down")
        return seen, lab.seen(), lab.trace()

    assert same(scenario)[2] == ["run", "finish"]


def test_a_finish_that_is_not_executable_counts_as_done(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo run >>trace\nexit 0")
        (lab.home / "finish").write_text("no program\n")
        lab.start()
        lab.until_line("run", times=2)
        return "unable to start ./finish: access denied" in lab.stderr()

    assert same(scenario) is True


def test_the_time_moves_with_run_and_down_not_with_finish_pause_or_want(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("finish", "exec sleep 1000")
        lab.start()
        lab.until_stat("run")
        times = [_time(lab)]
        lab.letters("p")
        lab.until_stat("run, paused")
        times.append(_time(lab))
        lab.letters("c")
        lab.letters("d")
        lab.until_stat("finish, want down")
        times.append(_time(lab))
        until(lab.pid, what="finish has a pid")
        lab.kill(signal.SIGKILL)
        lab.until_stat("down")
        times.append(_time(lab))
        return [later == times[0] for later in times]

    assert same(scenario) == [True, True, True, False]


def test_what_a_service_inherits(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo run >>trace\nexec sleep 1000")
        lab.script("log/run", "exec sleep 1000")
        lab.start()
        lab.until_line("run")
        lab.until_stat("run")
        lab.until_stat("run", log=True)
        until(lambda: _command(lab.pid(log=True)) == "sleep 1000", what="the log runs")
        until(lambda: _command(lab.pid()) == "sleep 1000", what="it runs")
        return _inherited(lab.pid()), _inherited(lab.pid(log=True))

    main, log = same(scenario)
    assert main["descriptors"] == {"0": "/dev/null", "1": "fifo, write", "2": "file"}
    assert log["descriptors"]["0"] == "fifo, read"


def test_files_in_supervise(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("log/run", LOGGER)
        lab.start()
        lab.until_stat("run")
        lab.until_stat("run", log=True)
        found = {}
        for folder in ("supervise", "log/supervise"):
            path = lab.home / folder
            found[folder] = oct(path.stat().st_mode)
            for entry in path.iterdir():
                if entry.name != "pipe":  # ours alone: the FIFO to the log, which is an unnamed pipe in runsv
                    found[f"{folder}/{entry.name}"] = oct(entry.stat().st_mode)
        return found

    same(scenario)


def test_supervise_may_be_a_link_to_a_directory_that_is_not_there_yet(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("log/run", LOGGER)
        elsewhere = lab.home.parent.parent
        (lab.home / "supervise").symlink_to(elsewhere / "tmpfs-main")
        (lab.home / "log/supervise").symlink_to(elsewhere / "tmpfs-log")
        lab.start()
        lab.until_stat("run")
        lab.until_stat("run", log=True)
        return oct((elsewhere / "tmpfs-main").stat().st_mode), oct((elsewhere / "tmpfs-log").stat().st_mode)

    assert same(scenario) == ("0o40700", "0o40700")


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ").strip()


def _time(lab: Lab) -> bytes:
    return (lab.home / "supervise/status").read_bytes()[:12]


def _inherited(pid: int) -> dict[str, Any]:
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    descriptors = {}
    for number in Path(f"/proc/{pid}/fd").iterdir():
        flags = int(Path(f"/proc/{pid}/fdinfo/{number.name}").read_text().split("flags:\t")[1].split()[0], 8)
        assert not flags & os.O_NONBLOCK
        way = {os.O_RDONLY: "read", os.O_WRONLY: "write", os.O_RDWR: "both"}[flags & os.O_ACCMODE]
        target = str(number.readlink())
        if number.stat().st_mode & 0o170000 == 0o010000:
            descriptors[number.name] = f"fifo, {way}"
        else:
            descriptors[number.name] = "/dev/null" if target == "/dev/null" else "file"
    return {
        "signals": [fields[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
        "descriptors": descriptors,
        "cwd": Path(f"/proc/{pid}/cwd").readlink().name,
        "umask": fields["Umask"],
    }
