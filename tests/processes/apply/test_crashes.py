"""An apply that is killed, or whose disk fails, at any single change that it makes; then an apply again.

A run takes every third change, from one that a seed gives (FAULT_SEED repeats it); HARNESS=all takes every one.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.draws import draws
from support.faults import UNTOUCHED, interrupted
from support.places import Place
from support.trees import Unit, grow

from runit_provision.apply import Report
from runit_provision.model.tree import Effect, RenderedTree

pytestmark = draws
SEED = int(os.environ.get("FAULT_SEED", time.time_ns() % 10**6))
STEP = 1 if os.environ.get("HARNESS") == "all" else 3


@pytest.fixture
def base(memory: Path) -> Path:
    return memory / "base"


def first(base: Path) -> RenderedTree:
    return grow(base, [Unit("a", files={"env/ONE": (b"1\n", Effect.RESTART)}), Unit("b"), Unit("c", log=b"#!/bin/sh\nlog\n")])


def second(base: Path) -> RenderedTree:
    changed = Unit("a", run=b"#!/bin/sh\nexec new\n", mode=0o700, files={"env/TWO": (b"2\n", Effect.RESTART)})
    return grow(base, [changed, Unit("c"), Unit("d", log=b"#!/bin/sh\nlog\n", enabled=False)])


def prepared(base: Path) -> Place:
    """A place where the first tree was applied, and a person then did this and that."""
    shutil.rmtree(base, ignore_errors=True)
    base.mkdir()
    place = Place(base)
    place.apply(first(base))
    (base / "sv/b/notes").write_text("a person's own")
    (base / "sv/a/env/ONE").write_text("edited")
    return place


def every_fault(
    base: Path,
    work: Callable[[Place], object],
    *,
    begin: Callable[[Place], object] = id,
    error: int | None = None,
    late: bool = False,
) -> Iterator[Place]:
    """Do `work`, after `begin`, with a fault at one of its changes, then at a later one, up to the last; give the place each time."""
    for at in itertools.count(SEED % STEP, STEP):
        place = prepared(base)
        begin(place)
        print(f"seed {SEED}: change {at}")
        status = interrupted(lambda place=place: work(place), at=at, error=error, late=late)  # type: ignore[misc]
        if status == UNTOUCHED:
            assert at > 40
            return
        yield place


def apply_second(place: Place) -> Report:
    return place.apply(second(place.base))


def undisturbed(base: Path) -> dict[str, str]:
    place = prepared(base)
    assert apply_second(place).ok
    return place.listing()


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_change_the_next_apply_ends_as_if_nothing_had_happened(base: Path, late: bool) -> None:
    wanted = undisturbed(base)
    for place in every_fault(base, apply_second, late=late):
        assert apply_second(place).ok
        assert place.listing() == wanted
        assert place.plan(second(base)).empty
        assert "edited" in place.kept()


def test_what_a_hand_edits_after_a_kill_is_kept_as_well(base: Path) -> None:
    third = grow(base, [Unit("a", run=b"third"), Unit("c")])
    for place in every_fault(base, apply_second):
        (base / "sv/a/run").write_text("by hand")
        assert place.apply(third).ok
        assert (base / "sv/a/run").read_text() == "third"
        assert {"by hand", "edited"} <= place.kept()
        place.rollback()
        assert (base / "sv/a/run").read_bytes() in (Unit("a").run, b"by hand")


def test_what_a_hand_edits_in_a_directory_that_a_killed_apply_made_goes_with_it_and_is_kept(base: Path) -> None:
    run = base / "sv/d/run"
    edited = 0
    for place in every_fault(base, apply_second, late=True):
        if run.exists():
            run.write_text("by hand")
            edited += 1
        assert place.apply(grow(base, [Unit("c")])).ok
        assert not (base / "sv/d").exists()
        assert not edited or "by hand" in place.kept()
    assert edited > 10 // STEP


@pytest.mark.parametrize("resumed", [True, False], ids=["another apply", "rollback at once"])
def test_what_a_hand_takes_away_after_a_kill_comes_back_or_is_told(base: Path, resumed: bool) -> None:
    third = grow(base, [Unit("a", run=b"third"), Unit("c")])
    run = base / "sv/a/run"
    seen = set()
    for place in every_fault(base, apply_second):
        if not (place.library / "journal").exists():
            continue
        run.unlink(missing_ok=True)
        if resumed:
            assert place.apply(third).ok
        report = place.rollback()
        assert report.ok, report.problems
        told = f"{run} cannot come back: a hand took it away before it was kept" in report.notes
        assert (run.exists(), told) in ((True, False), (False, True)) if resumed else not (run.exists() and told)
        assert not run.exists() or run.read_bytes() == Unit("a").run
        seen.add(told)
    assert seen == {True, False}


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_change_a_rollback_gives_back_what_was(base: Path, late: bool) -> None:
    before = prepared(base).listing()
    for place in every_fault(base, apply_second, late=late):
        if place.listing() != before:
            place.rollback()
        assert place.listing() == before


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("whole", [False, True], ids=["of a killed apply", "of a whole apply"])
def test_a_rollback_killed_at_any_change_is_completed_by_the_next(base: Path, late: bool, whole: bool) -> None:
    before = prepared(base).listing()

    def begin(place: Place) -> None:
        if whole:
            apply_second(place)
        else:
            interrupted(lambda: apply_second(place), at=50)

    for place in every_fault(base, Place.rollback, begin=begin, late=late):
        if place.listing() != before:
            place.rollback()
        assert place.listing() == before


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE], ids=lambda error: errno.errorcode[error])
def test_whatever_call_fails_the_next_apply_completes(base: Path, error: int) -> None:
    wanted = undisturbed(base)
    for place in every_fault(base, apply_second, error=error):
        assert apply_second(place).ok
        assert place.listing() == wanted
        assert place.plan(second(base)).empty


def test_what_two_killed_applies_had_made_goes_when_the_third_does_not_want_it(base: Path) -> None:
    for at in (25, 30, 35, 40, 45):
        place = prepared(base)
        interrupted(lambda place=place: apply_second(place), at=at, late=True)  # type: ignore[misc]
        interrupted(lambda place=place: place.apply(grow(base, [Unit("c"), Unit("d", run=b"third")])), at=9, late=True)  # type: ignore[misc]
        last = grow(base, [Unit("c")])
        assert place.apply(last).ok
        assert set(place.listing()) - {"sv/b", "sv/b/notes"} == {str(Path(node.path).relative_to(base)) for node in last.nodes}
