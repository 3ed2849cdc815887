"""Where no directory tells that it changed, the clock does: runsvdir and sv look now and then, and nothing else is different."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import eventless, supervision
from support.supervision import Tree, is_alive, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

PROGRAM = eventless.__file__
SLEEPER = "exec sleep 1000"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    """A tree over `services` with a service `first`."""
    service(tmp_path / "services/first", SLEEPER)
    with tree(sys.executable, tmp_path / "services", tmp_path / "state", PROGRAM, str(runtime / "runsvdir")) as prepared:
        prepared.start()
        until(lambda: runs(tmp_path / "services/first"), what="the first runs")
        yield prepared


def runs(folder: Path) -> bool:
    return stat(folder) == "run" and is_alive(pid_of(folder))


@pytest.mark.covers("runsvdir", "a slow poll where there are no events")
def test_services_come_and_go(running: Tree, tmp_path: Path) -> None:
    second = service(tmp_path / "second", SLEEPER)
    (running.services / "second").symlink_to(second)
    until(lambda: runs(second), what="the second runs")
    (running.services / "second").unlink()
    until(lambda: stat(second) == "down", what="the second is down")
    assert runs(running.services / "first")


@pytest.mark.covers("sv", "waits where there are no events")
def test_who_waits_hears_of_it(runtime: Path, running: Tree) -> None:
    first = running.services / "first"
    stubborn = "trap 'sleep 0.5; exit' TERM; echo >>ready; while :; do sleep 0.02; done"
    supervision.script(first / "new", stubborn)
    (first / "new").rename(first / "run")  # which is being executed, so that nobody may write it
    before = pid_of(first)
    for word, result in (("restart", "run"), ("stop", "down"), ("start", "run")):
        done = subprocess.run(
            [sys.executable, PROGRAM, runtime / "sv", "-w", "60", word, first],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        assert (done.returncode, done.stderr, done.stdout.split(": ")[:2]) == (0, "", ["ok", result])
    assert pid_of(first) not in {0, before}
