"""runsv(8) on log/, in C's runsv, in ours on its own, and in our runsvdir."""

from __future__ import annotations

import signal
from typing import Any

import pytest
from support.supervision import is_alive
from support.waiting import until
from support.worlds import LOGGER, Lab, Same


@pytest.mark.covers("runsv", "exit while the log drains")
@pytest.mark.covers("runsv", "x", "exit 0")
def test_x_with_a_log_lets_the_log_read_to_its_end(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("log/run", "cat >>../logged\nsleep 0.3\necho drained >>../logged")
        lab.run("trap 'echo last; exit 0' TERM\necho first\necho ready >>trace\nwhile :; do sleep 0.02; done", "ready")
        lab.letters("x")
        status = lab.exit_status()
        return status, (lab.home / "logged").read_text()

    assert same(scenario) == (0, "first\nlast\ndrained\n")


@pytest.mark.covers("runsv", "letters to log/")
@pytest.mark.covers("runsv", "d", "u", "x", "p")
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


@pytest.mark.covers("runsv", "log/ with the stdout pipe")
def test_a_log_that_dies_is_started_again_and_nothing_written_meanwhile_is_lost(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "trap 'echo more; echo said >>trace' USR1\necho ready >>trace\nwhile :; do sleep 0.02; done")
        lab.script("log/run", LOGGER)
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run", log=True)
        logger = lab.pid(log=True)
        lab.kill(signal.SIGKILL, log=True)
        # Whoever is killed while it waits for input still takes what comes before it is gone.
        until(lambda: not is_alive(logger), what="the logger is gone")
        lab.letters("1")
        lab.until_line("said")
        logged = lab.home / "logged"
        assert until(lambda: logged.exists() and logged.read_text(), what=f"{lab.kind}: the line is logged") == "more\n"
        return lab.seen()[1:4]

    same(scenario)


def test_log_down_keeps_the_log_down_and_what_is_written_waits(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("log/run", LOGGER)
        (lab.home / "log/down").touch()
        lab.run("echo one\necho run >>trace\nexec sleep 1000", "run")
        down = lab.seen(log=True)
        lab.letters("u", log=True)
        logged = lab.home / "logged"
        until(lambda: logged.exists() and logged.read_text() == "one\n", what="what waited is logged")
        return down, lab.seen()

    assert same(scenario)[0] == (False, 0, "d", 0, 0, "down", True)
