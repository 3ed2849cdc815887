"""runsv(8) on what is written to supervise/control, and on control/, in C's runsv, in ours on its own, and in our runsvdir."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until
from support.worlds import KINDS, TRACER, TRAPS, Lab, Same


def test_a_service_that_ignores_term_is_shown_as_got_term(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRAPS, "ready")
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


@pytest.mark.covers("runsv", "{letter}")
@pytest.mark.parametrize(
    ("letter", "name"),
    [("h", "HUP"), ("a", "ALRM"), ("i", "INT"), ("q", "QUIT"), ("1", "USR1"), ("2", "USR2"), ("t", "TERM"), ("c", "CONT")],
)
def test_a_letter_sends_its_signal(same: Same, letter: str, name: str) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRAPS, "ready")
        lab.letters(letter)
        lab.until_line(f"got {name}")
        lab.until_stat("run, got TERM" if letter == "t" else "run")
        return lab.seen(), lab.trace()

    assert same(scenario)[1] == ["ready", f"got {name}"]


@pytest.mark.covers("runsv", "k")
def test_k_kills_and_it_starts_again(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("finish", 'echo "finish $1 $2" >>trace')
        lab.run(TRACER, "run")
        lab.letters("k")
        lab.until_traced("run", "finish -1 9", "run")
        lab.until_stat("run")
        return lab.seen(), lab.trace()

    same(scenario)


@pytest.mark.covers("runsv", "paused")
@pytest.mark.covers("runsv", "p", "c")
def test_p_pauses_and_c_continues(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRACER)
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


@pytest.mark.covers("runsv", "unknown letters")
def test_letters_that_mean_nothing_change_nothing(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run(TRACER)
        pid = lab.pid()
        lab.letters("zZ\n 09e!u")
        lab.letters("p")
        lab.until_stat("run, paused")
        return lab.pid() == pid, lab.seen()

    assert same(scenario)[0]


@pytest.mark.covers("runsv", "control/{letter}")
@pytest.mark.parametrize("letter", list("tduxk12haiqcpo"))
@pytest.mark.parametrize("code", [0, 1])
def test_control_scripts(same: Same, letter: str, code: int) -> None:
    """Every script of control/ leaves a trace, and exits 0 (handled) or 1 (send the signal all the same)."""

    def scenario(lab: Lab) -> Any:
        for one in "tduxk12haiqcpo":
            lab.script(f"control/{one}", f'echo "control {one}" >>trace\nexit {code}')
        lab.run(TRAPS, "ready")
        lab.letters(letter)
        # A second letter, whose trace shows that the first was done with. Not the same one: two signals that wait are one.
        if letter not in "xk":
            second, name = ("a", "ALRM") if letter == "h" else ("h", "HUP")
            lab.letters(second)
            lab.until_line(f"control {second}")
            if code and letter != "p":
                lab.until_line(f"got {name}")
        elif letter == "x":
            lab.until_line("control x")
        elif code:
            lab.until_line("ready", times=2)
            lab.until_stat("run")
        else:
            lab.until_line("control k")
        expected = {"t": "TERM", "1": "USR1", "2": "USR2", "h": "HUP", "a": "ALRM", "i": "INT", "q": "QUIT", "c": "CONT"}
        expected |= {"d": "CONT", "x": "CONT"}
        if letter in expected and (code or letter in "dx"):
            lab.until_line(f"got {expected[letter]}")
        # The shell reports signals in an order of its own, and late.
        return sorted(lab.trace()), supervise_words(lab)

    same(scenario)


def test_a_control_script_is_told_how_it_is(same: Same) -> None:
    """Before the very first start, and of a process that was asked for just now."""

    def scenario(lab: Lab) -> Any:
        for one in "utd":
            told = f'echo "{one}: $(cat supervise/stat)"'
            lab.script(f"control/{one}", f'{told} "$([ "$(cat supervise/pid)" ] && echo with its pid)" >>trace')
        lab.script("run", "exec sleep 1000")
        (lab.home / "down").touch()
        lab.start()
        lab.letters("od")
        lab.until_line("d: run, want down with its pid")
        return lab.trace()

    assert same(scenario)[0] == "u: down "


def test_the_first_control_script_of_all_is_told_how_it_is(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("control/u", 'echo "u: $(cat supervise/stat)" >>trace')
        lab.run("exec sleep 1000")
        return lab.trace()

    assert same(scenario) == ["u: down"]


def test_control_scripts_block_no_signals(runtime: Path, tmp_path: Path) -> None:
    """Those of C have TERM and CHLD blocked, and so has what they start: `kill` does not end it."""
    blocked = {}
    for kind in KINDS:
        lab = Lab(kind, runtime, tmp_path / kind.replace(" ", "-"))
        try:
            lab.script("control/h", "echo $(grep SigBlk /proc/$$/status) >>trace")
            lab.run("exec sleep 1000")
            lab.letters("h")
            blocked[kind] = until(lab.trace, what="it has told")[0]
        finally:
            lab.end()
    none = f"SigBlk: {0:016x}"
    assert blocked == {"C runsv": f"SigBlk: {1 << 14 | 1 << 16:016x}", "our runsv": none, "our runsvdir": none}


def supervise_words(lab: Lab) -> Any:
    if lab.kind == "C runsv" or lab.pid():
        return lab.seen()[1:4] if lab.pid() else None
    return None


@pytest.mark.covers("runsv", "signal TERM", "exit 0")
def test_term_to_the_supervisor_is_x(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("finish", 'echo "finish $1 $2 $(cat supervise/stat)" >>trace')
        lab.run(TRACER, "run")
        lab.signal_supervisor(signal.SIGTERM)
        return lab.exit_status(), lab.trace()[:2]

    assert same(scenario) == (0, ["run", "finish -1 15 finish, want exit"])


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
