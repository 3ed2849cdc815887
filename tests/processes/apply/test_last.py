"""What can be rolled back: the last apply that did something and was not taken back, whatever was tried since."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import chattr, faults
from support.homes import USER, Home
from support.places import Place
from support.trees import Unit, grow, join

from runit_provision import apply, plan
from runit_provision.apply import Report
from runit_provision.errors import HostError
from runit_provision.model.tree import RenderedTree


def tree(place: Place, *texts: str) -> RenderedTree:
    return grow(place.base, [Unit(name, run=text.encode()) for name, text in zip("abc", texts, strict=False)])


def all_or_nothing(place: Place, wanted: RenderedTree) -> Report:
    with place.machine() as machine, machine.lock():
        return apply.apply_or_undo(plan.decide(wanted, machine.observe(wanted)), machine)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Where `a` was made, then changed."""
    place = Place(tmp_path / "base")
    place.base.mkdir()
    assert place.apply(tree(place, "one")).ok
    assert place.apply(tree(place, "two")).ok
    return place


def rolled_back(place: Place) -> bool:
    return place.rollback().ok and (place.base / "sv/a/run").read_text() == "one" and place.plan(tree(place, "one")).empty


def test_an_apply_that_was_taken_back_leaves_the_one_before_to_be_rolled_back(place: Place) -> None:
    before = place.listing()
    with chattr.immutable(place.base / "sv/a/run"):
        report = all_or_nothing(place, tree(place, "three", "more"))
        assert (report.ok, report.undone and report.undone.ok) == (False, True)
        assert place.listing() == before
    assert rolled_back(place)
    with pytest.raises(HostError, match="there is no apply to roll back"):
        place.rollback()


def test_an_apply_that_could_do_nothing_leaves_the_one_before_to_be_rolled_back(place: Place) -> None:
    with chattr.immutable(place.base / "sv/a/run"):
        for _ in range(2):
            report = place.apply(tree(place, "three"))
            assert (report.paths, len(report.problems)) == ([], 1)
    assert {path.name for path in place.library.iterdir()} == {"manifest.json", "last", "lock", "kept"} | {
        path.name for path in place.library.glob("before.*")
    }
    assert len(list(place.library.glob("before.*"))) == 1
    assert rolled_back(place)


def test_an_apply_that_was_killed_and_rolled_back_leaves_the_one_before_to_be_rolled_back(place: Place) -> None:
    before = place.listing()
    for at in range(5, 40, 5):
        faults.interrupted(lambda: place.apply(tree(place, "three", "more")), at=at)
        if (place.library / "journal").exists():
            assert place.rollback().ok
        assert place.listing() == before
    assert rolled_back(place)


def test_a_rollback_that_finds_all_as_it_was_says_so(place: Place) -> None:
    (place.base / "sv/a/run").write_text("one")
    assert place.rollback().notes == ["nothing is left to be undone of the last apply"]


def test_what_was_made_for_a_step_that_fails_goes_and_the_problem_names_place_and_key(place: Place) -> None:
    before = set(place.listing())
    run = place.base / "sv/a/run"
    with chattr.immutable(run):
        problem = place.apply(tree(place, "three")).problems[0]
    assert set(place.listing()) == before
    hint = "is it immutable (lsattr), or on a filesystem that knows no owners?"
    assert str(problem) == f"data.yaml:3:1: runit.services: {run}: Operation not permitted; {hint}"


def test_of_one_users_tree_alone_only_an_apply_of_that_alone_is_rolled_back(home: Home) -> None:
    mine, ours = home.tree(Unit("a")), grow(home.base, [Unit("b")])
    assert home.apply(mine).ok
    assert home.apply(join(mine, ours)).ok
    before = home.everything()
    with home.machine() as machine:
        with pytest.raises(HostError) as refused:
            apply.plan_rollback(machine, user=USER)
        assert str(refused.value) == (
            f"the last apply was not about the tree of {USER} alone: {home.base}/sv and 4 more; `rollback` without `--user` undoes the "
            "whole of it"
        )
        assert home.everything() == before
        assert apply.rollback(machine).ok
    assert home.apply(home.tree(Unit("a", run=b"two"))).ok
    with home.machine() as machine, machine.lock():
        with pytest.raises(HostError, match="not about the tree of daemon alone"):
            apply.rollback(machine, user="daemon")
        assert apply.rollback(machine, user=USER).ok
    assert (home.home / "sv/a/run").read_bytes() == Unit("a").run
