"""Services that do not end when they are told to: said, waited for, or killed where the data say so."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support import waiting
from support.beneath import Running, script
from support.trees import Unit, grow

from runit_provision.apply import Report, calls
from runit_provision.model.tree import OnChange, RenderedTree
from runit_provision.runtime.wire import status

STUBBORN = b"#!/bin/sh\ntrap '' TERM\necho start >last_finish\nwhile :; do sleep 0.2; done\n"
"""It tells of its start in a file that goes with the service."""


def lines(report: Report) -> list[str]:
    return [str(problem) for problem in report.problems]


def stubborn(running: Running, *others: Unit, **more: object) -> RenderedTree:
    tree = grow(running.base, [Unit("stubborn", run=STUBBORN, **more), *others])  # type: ignore[arg-type]
    assert running.apply(tree).ok
    waiting.until((running.base / "sv/stubborn/last_finish").exists)
    return tree


def test_a_service_that_will_not_stop_is_reported_and_keeps_its_link_and_directory(running: Running) -> None:
    stubborn(running, Unit("a"), stop_seconds=1)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, [Unit("b", run=script())]))
    stays = (
        running.pid("stubborn") == pid,
        (running.base / "sv/stubborn/run").exists(),
        (running.base / "service/stubborn").is_symlink(),
    )
    os.kill(pid, signal.SIGKILL)
    where = f"runit.services: {running.base}/sv/stubborn: stubborn"
    hint = "let the data say `ensure: absent` and `stop: {kill: true}` of it, or end it by hand: `sv kill"
    assert lines(report) == [f"{where}: did not go down within 1 s, and stays; {hint} {running.base}/service/stubborn`"]
    assert stays == (True, True, True)
    assert not (running.base / "sv/a").exists()
    assert running.pid("b")
    assert running.apply(grow(running.base, [Unit("b", run=script())])).ok
    assert not (running.base / "sv/stubborn").exists()


def test_a_service_that_will_not_stop_is_waited_for_aloud_and_wanted_up_again_after_a_rollback(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "TICK", 0.4)
    stubborn(running, stop_seconds=1)
    pid = running.pid("stubborn")
    told: list[str] = []
    assert not running.apply(grow(running.base, [Unit("b")]), progress=lambda _, __, what: told.append(what)).ok
    assert [what for what in told if what.startswith("waits for stubborn")] == [
        "waits for stubborn, 1 s at most",
        "waits for stubborn, 0 s at most",
    ]
    assert running.rollback().ok
    seen = status.unpack((running.base / "sv/stubborn/supervise/status").read_bytes())
    assert (seen.pid, seen.want) == (pid, status.WANT_UP)
    (running.base / "sv/stubborn/supervise/control").write_bytes(b"dk")
    waiting.until(lambda: running.is_down("stubborn"))


def test_a_service_that_will_not_stop_is_killed_when_the_data_says_so(running: Running) -> None:
    stubborn(running, stop_seconds=1, kill=True)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, []))
    assert (lines(report), report.notes) == ([], ["stubborn did not end within 1 s, and was killed"])
    assert not Path(f"/proc/{pid}").exists()
    assert not (running.base / "sv/stubborn").exists()


def test_a_service_that_will_not_end_for_a_restart_is_killed_when_the_data_says_so(running: Running) -> None:
    stubborn(running, stop_seconds=1, kill=True)
    pid = running.pid("stubborn")
    report = running.apply(grow(running.base, [Unit("stubborn", run=script("new"), stop_seconds=1, kill=True)]))
    assert (lines(report), report.notes) == ([], ["stubborn did not end within 1 s, and was killed"])
    assert running.pid("stubborn") not in (0, pid)


def test_what_takes_its_time_after_term_is_told_and_is_no_failure(running: Running) -> None:
    def slow(text: str) -> Unit:
        return Unit("slow", run=STUBBORN + text.encode(), on_change=OnChange.TERM)

    running.apply(grow(running.base, [slow("")]))
    waiting.until((running.base / "sv/slow/last_finish").exists)
    report = running.apply(grow(running.base, [slow("# new\n")]), timeout=1)
    with (running.base / "sv/slow/supervise/control").open("wb") as control:
        control.write(b"dk")  # for good: the next run would not heed the end of the tree either
    said = "slow goes on 1 s after TERM: what is new runs once it has ended"
    assert (report.problems, report.notes) == ([], [said])
