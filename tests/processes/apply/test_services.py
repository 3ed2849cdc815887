"""Plans carried out beneath a runsvdir that runs: what is started, restarted, signalled, taken down, and what is not."""

from __future__ import annotations

import fcntl
import os
import signal
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from support import waiting
from support.beneath import Running, script
from support.supervision import GONE
from support.trees import Unit, grow

from runit_provision.apply import calls
from runit_provision.host import processes
from runit_provision.model.plan import Verb
from runit_provision.model.tree import Effect, Ensure, OnChange


def test_a_new_service_is_up_when_apply_returns(running: Running) -> None:
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.ok, report.problems
    assert [call.verb for call in report.calls] == [Verb.START]
    assert running.pid("a")


def test_only_the_service_whose_run_changed_is_restarted(running: Running) -> None:
    files = {"finish": (b"#!/bin/sh\n", Effect.NOTHING)}
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script(), files=files)]))
    pids = running.pid("a"), running.pid("b")
    files = {"finish": (b"#!/bin/sh\n:\n", Effect.NOTHING)}
    report = running.apply(grow(running.base, [Unit("a", run=script("new")), Unit("b", run=script(), files=files)]))
    assert report.ok, report.problems
    assert [(call.service.id, call.verb, call.reason) for call in report.calls] == [("a", Verb.RESTART, "run changed")]
    assert running.pid("a") not in (0, pids[0])
    assert running.pid("b") == pids[1]


def test_a_log_that_comes_or_goes_is_there_or_gone_when_apply_returns(running: Running) -> None:
    """A runsv(8) that runs looks for no log, and goes on to start one that is gone: nobody would read what the service writes."""
    run, log = b"#!/bin/sh\necho begun\nexec sleep 1000\n", b"#!/bin/sh\nexec cat >>../lines\n"
    lines = running.base / "sv/a/lines"
    other = Unit("b", run=script())
    running.apply(grow(running.base, [Unit("a", run=run), other]))
    steady = running.pid("b")
    assert running.apply(grow(running.base, [Unit("a", run=run, log=log), other])).ok
    waiting.until(lambda: lines.exists() and lines.read_text() == "begun\n", what="the first line")
    gone = running.apply(grow(running.base, [Unit("a", run=run), other]))
    assert gone.ok, gone.problems
    assert [(call.service.id, call.verb) for call in gone.calls] == [("a", Verb.RENEW)]
    assert not (running.base / "sv/a/log").exists()
    assert lines.read_text() == "begun\n"
    assert running.rollback().ok
    waiting.until(lambda: lines.read_text() == "begun\nbegun\n", what="a line more")
    assert running.pid("b") == steady


def test_what_cannot_be_told_is_reported_and_done_by_the_next_apply(running: Running) -> None:
    """A supervisor that is stopped reads no letters; once its fifo is full, none can be sent."""
    one, two = (grow(running.base, [Unit("a", run=script(text)), Unit("b", run=script())]) for text in ("one", "two"))
    assert running.apply(one).ok
    waiting.until(lambda: running.told("a"))
    control = running.base / "sv/a/supervise/control"
    readers = [pid for pid in _readers(control) if pid != os.getpid()]
    for pid in readers:
        os.kill(pid, signal.SIGSTOP)
    full = os.open(control, os.O_WRONLY | os.O_NONBLOCK)
    try:
        with suppress(BlockingIOError):
            while True:
                os.write(full, b"." * 4096)
        with suppress(BlockingIOError):
            while True:
                os.write(full, b".")
        report = running.apply(two)
        hint = "its supervisor reads no more letters: is it stopped?"
        assert [str(problem) for problem in report.problems] == [f"{control}: Resource temporarily unavailable; {hint}"]
        assert report.failed.keys() == {"a"}
        gone = running.apply(grow(running.base, [Unit("b", run=script())]))
        assert not gone.ok
        assert (running.base / "sv/a/run").read_bytes() == script("two"), "what runs keeps its directory"
    finally:
        for pid in readers:
            os.kill(pid, signal.SIGCONT)
        waiting.until(lambda: not any(fcntl.ioctl(full, termios.FIONREAD, bytes(4))), what="the supervisor reads letters again")
        os.close(full)
    (running.base / "sv/a/told").write_text("")
    assert running.apply(two).ok
    waiting.until(lambda: running.told("a") == ["start"], what="the restart that was owed")


def _readers(fifo: Path) -> list[int]:
    """The processes that hold a fifo open."""
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        with suppress(*GONE, PermissionError):
            if any(entry.readlink() == fifo for entry in folder.iterdir()):
                found.append(int(folder.parent.name))
    return found


def test_where_no_runsvdir_would_start_a_supervisor_again_none_is_ended(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    running.apply(grow(running.base, [Unit("a", run=script())]))
    pid = running.pid("a")
    monkeypatch.setattr(processes, "is_runsvdir", lambda _: False)
    report = running.apply(grow(running.base, [Unit("a", run=script(), log=b"#!/bin/sh\nexec cat\n")]))
    assert (report.ok, report.calls) == (True, [])
    assert report.notes == [f"no runsvdir looks after {running.base}/service yet: what is there starts when one does"]
    assert running.pid("a") == pid


@pytest.mark.shows("data", "service", "on_change")
@pytest.mark.parametrize(("on_change", "told"), [(OnChange.HUP, ["start", "hup"]), (OnChange.WAIT, ["start"])])
def test_on_change_says_what_a_running_service_gets(running: Running, on_change: OnChange, told: list[str]) -> None:
    running.apply(grow(running.base, [Unit("a", run=script(), on_change=on_change)]))
    waiting.until(lambda: running.told("a") == ["start"])
    report = running.apply(grow(running.base, [Unit("a", run=script("new"), on_change=on_change)]))
    assert report.ok
    waiting.until(lambda: running.told("a") == told, what=f"{told}")


@pytest.mark.parametrize("on_change", [OnChange.HUP, OnChange.TERM])
def test_what_ends_at_its_signal_is_up_again_when_apply_returns(
    running: Running, on_change: OnChange, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "SETTLE", 1.0)
    running.apply(grow(running.base, [Unit("a", on_change=on_change)]))
    before = running.pid("a")
    report = running.apply(grow(running.base, [Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n", on_change=on_change)]))
    assert (report.problems, report.notes) == ([], [])
    assert running.pid("a") not in (0, before)


def test_what_rests_after_it_ended_too_soon_is_up_when_apply_returns(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=b"#!/bin/sh\nexit 1\n")]))
    waiting.until(lambda: running.pid("a") == 0)
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.problems == []
    assert running.pid("a")


def test_a_service_that_goes_is_down_before_its_directory_goes(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script(), log=b"#!/bin/sh\nexec cat\n")]))
    pid = running.pid("b")
    waiting.until(lambda: running.told("b"))
    (running.base / "sv/b/told").unlink()
    report = running.apply(grow(running.base, [Unit("a", run=script())]))
    assert report.ok, report.problems
    assert not Path(f"/proc/{pid}").exists()
    assert not (running.base / "sv/b").exists(), report.notes
    assert running.plan(grow(running.base, [Unit("a", run=script())])).empty


def test_a_service_that_is_to_be_stopped_is_stopped_and_started_again(running: Running) -> None:
    up, down = Unit("a", run=script()), Unit("a", run=script(), ensure=Ensure.STOPPED, enabled=False)
    running.apply(grow(running.base, [up]))
    pid = running.pid("a")
    assert running.apply(grow(running.base, [down])).ok
    assert not Path(f"/proc/{pid}").exists()
    assert running.plan(grow(running.base, [down])).empty
    assert running.apply(grow(running.base, [up])).ok
    assert running.pid("a")


def test_rollback_restores_what_ran(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script()), Unit("b", run=script())]))
    running.apply(grow(running.base, [Unit("a", run=script("new")), Unit("c", run=script())]))
    pids = running.pid("a"), running.pid("c")
    report = running.rollback()
    assert report.ok, report.problems
    assert running.pid("a") not in (0, pids[0])
    assert running.pid("b")
    assert not Path(f"/proc/{pids[1]}").exists()


def test_rollback_starts_what_an_apply_had_stopped_and_stops_what_it_had_started(running: Running) -> None:
    up, down = (Unit("a", run=script(), ensure=ensure, enabled=ensure is Ensure.RUNNING) for ensure in (Ensure.RUNNING, Ensure.STOPPED))
    running.apply(grow(running.base, [up]))
    running.apply(grow(running.base, [down]))
    assert running.pid("a") == 0
    assert running.rollback().ok
    assert running.pid("a")
    assert running.apply(grow(running.base, [down])).ok
    assert running.apply(grow(running.base, [up])).ok
    assert running.pid("a")
    assert running.rollback().ok
    assert running.pid("a") == 0
    assert (running.base / "sv/a/down").exists()


def test_a_change_of_mode_alone_restarts_nothing(running: Running) -> None:
    running.apply(grow(running.base, [Unit("a", run=script())]))
    pid = running.pid("a")
    report = running.apply(grow(running.base, [Unit("a", run=script(), mode=0o700)]))
    assert (report.ok, report.calls, running.pid("a")) == (True, [], pid)
