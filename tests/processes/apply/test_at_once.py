"""Faults and other applies beneath a runsvdir that runs: no service is lost, doubled, or started half made."""

from __future__ import annotations

import errno
import itertools
import os
from functools import partial
from pathlib import Path

import pytest
from support import apart, waiting
from support.beneath import Running, script
from support.faults import UNTOUCHED, interrupted
from support.supervision import GONE
from support.trees import Unit, grow

from runit_provision.errors import HostError
from runit_provision.model.tree import Effect

ALL = os.environ.get("HARNESS") == "all"


def struck(running: Running, at: int, error: int | None) -> int:
    """Change what was applied, with a fault at change `at`; hold what comes of it against what it has to be, and take it back."""
    one = grow(running.base, [Unit("a", run=script("one")), Unit("b", run=script())])
    two = grow(running.base, [Unit("a", run=script("two")), Unit("b", run=script()), Unit("c", run=script())])
    assert running.apply(one).ok
    waiting.until(lambda: running.told("a") and running.told("b"))
    steady = running.pid("b")
    (running.base / "sv/a/told").write_text("")
    status = interrupted(lambda: running.apply(two), at=at, error=error)
    report = running.apply(two)
    assert report.ok, report.problems
    waiting.until(lambda: running.told("a"), what=f"a restart after a fault at {at}")
    assert running.told("a") == ["start"]
    assert running.pid("c")
    assert running.pid("b") == steady
    (running.base / "sv/c/told").unlink(missing_ok=True)
    assert running.apply(one).ok
    waiting.until(lambda: len(running.told("a")) == 2)
    return status


@pytest.mark.parametrize("error", [None, errno.ENOSPC], ids=["killed", "disk full"])
def test_struck_at_many_changes_no_service_is_lost_and_none_restarted_twice(several: list[Running], error: int | None) -> None:
    numbers = itertools.count(1, 1 if ALL else 5 if error is None else 9)
    statuses: list[int] = []
    while UNTOUCHED not in statuses:
        works = [partial(struck, place, next(numbers), error) for place in several]
        statuses = [apart.given(beside, deadline=200) for beside in [apart.begun(work) for work in works]]


def test_applies_and_rollbacks_at_once_follow_each_other_beneath_a_runsvdir(running: Running) -> None:
    """Neither leaves anything half made for runsvdir to start, nor a service that nobody knows of."""
    one, two = (
        grow(running.base, [Unit(name, run=whole(text), files={"z": (b"z", Effect.NOTHING)}) for name in names])
        for text, names in (("one", "abc"), ("two", "bcd"))
    )
    running.apply(one)

    def apply() -> None:
        for number in range(4):
            assert running.apply((two, one)[number % 2], lock_timeout=100).ok

    def take_back() -> None:
        for _ in range(4):
            try:
                assert running.rollback(lock_timeout=100).ok
            except HostError as error:
                assert "no apply to roll back" in str(error)

    pids = []
    for work in (apply, take_back):
        pids.append(os.fork())
        if pids[-1] == 0:
            status = 1
            try:
                work()
                status = 0
            finally:
                os._exit(status)
    assert [waiting.ended(pid, deadline=200) for pid in pids] == [0, 0]
    report = running.apply(two)
    assert report.ok, report.problems
    assert running.plan(two).empty
    assert not (running.base / "half").exists()
    assert {path.name for path in (running.base / "sv").iterdir()} == set("bcd")

    def asleep() -> set[int]:
        alive = {int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and _is_in(path, running.base / "sv")}
        return {pid for pid in alive if _words(pid)[:1] == ["sleep"]}

    # A pid is told before its process is in its directory, and is what it is for.
    waiting.until(lambda: all(running.pid(name) in asleep() for name in "bcd"), what="all services up")
    assert asleep() == {running.pid(name) for name in "bcd"}, "each runs once"


def whole(text: str) -> bytes:
    """A run script that tells when it is started before its directory is whole."""
    return f"#!/bin/sh\n# {text}\n[ -s z ] || echo half >>../../half\nexec sleep 1000\n".encode()


def _is_in(process: Path, folder: Path) -> bool:
    try:
        return (process / "cwd").readlink().is_relative_to(folder)
    except (*GONE, PermissionError):
        return False


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except GONE:
        return []
