"""runsv(8) on run, finish, down and once, in C's runsv, in ours on its own, and in our runsvdir."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from support.waiting import until
from support.worlds import TRACER, Lab, Same, length_class

STAMPED = "date +%s.%N >>starts"


@pytest.mark.covers("runsv", "status, stat and pid")
def test_a_service_is_started_and_its_status_says_so(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRACER, "run")
        return lab.seen(), lab.trace()

    assert same(scenario) == ((True, 0, "u", 0, 1, "run", True), ["run"])


@pytest.mark.covers("runsv", "finish and its two arguments", "one second before the next start")
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


@pytest.mark.covers("runsv", "finish and its two arguments")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGUSR1])
def test_finish_gets_minus_one_and_the_signal(same: Same, number: int) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.run(f"ulimit -c 0\n{TRACER}", "run")
        lab.kill(number)
        lab.until_line("run", times=2)
        return lab.trace()

    assert same(scenario) == ["run", f"finish -1 {number}", "run"]


@pytest.mark.covers("runsv", "run that is missing or not executable")
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
        lab.script("run", f"{STAMPED}\nsleep 1.2\ndate +%s.%N >>ends")
        lab.start()
        starts, ends = lab.home / "starts", lab.home / "ends"

        def rests() -> list[float]:
            if not ends.exists():
                return []
            return [
                float(start) - float(end) for start, end in zip(starts.read_text().split()[1:], ends.read_text().split(), strict=False)
            ]

        # A crowded machine is late; who waits for a second is so each time.
        until(lambda: any(length_class(rest) == "at once" for rest in rests()), what="a start that follows at once")

    same(scenario)


@pytest.mark.covers("runsv", "down")
@pytest.mark.covers("runsv", "u")
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


@pytest.mark.covers("runsv", "d")
def test_d_sends_term_runs_finish_and_stays_down(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("finish", 'echo "finish $1 $2 $(cat supervise/stat)" >>trace')
        lab.run(TRACER, "run")
        lab.letters("d")
        lab.until_stat("down")
        return lab.seen(), lab.trace()

    seen, trace = same(scenario)
    assert seen == (False, 0, "d", 0, 0, "down", True)
    assert trace == ["run", "finish -1 15 finish, want down"]


@pytest.mark.covers("runsv", "o")
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


@pytest.mark.covers("runsv", "o")
def test_o_on_a_running_service_lets_it_run_and_not_again(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRACER, "run")
        lab.letters("o")
        lab.until_stat("run, want down")
        lab.kill(signal.SIGKILL)
        lab.until_stat("down")
        return lab.seen(), lab.trace()

    assert same(scenario)[1] == ["run"]


@pytest.mark.covers("runsv", "want")
def test_in_finish_letters_change_the_want_only(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "echo run >>trace\nexit 0")
        lab.script("finish", "echo finish >>trace\nexec sleep 1000")
        lab.start()
        lab.until_stat("finish")
        lab.until_line("finish")
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


@pytest.mark.covers("runsv", "status, stat and pid")
def test_the_time_moves_with_run_and_down_not_with_finish_pause_or_want(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("finish", "exec sleep 1000")
        lab.run(TRACER)
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


def _time(lab: Lab) -> bytes:
    return (lab.home / "supervise/status").read_bytes()[:12]
