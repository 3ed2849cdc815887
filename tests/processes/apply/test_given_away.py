"""Directories of the system's that are given away once something was made in them: forgotten, told, and nobody else is held up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.faults import interrupted
from support.homes import Home
from support.trees import Unit, grow, join

from runit_provision.errors import HostError
from runit_provision.model.tree import RenderedTree


@pytest.fixture
def given(home: Home) -> Path:
    """A directory of root's, which a test gives away."""
    place = home.base / "given"
    place.mkdir()
    (home.base / "system").mkdir()
    return place


def give_away(home: Home, place: Path) -> str:
    os.chown(place, home.user.pw_uid, -1)
    return f"belongs to uid {home.user.pw_uid}, who could swap what lies in it"


def system(home: Home, text: bytes = b"one") -> RenderedTree:
    return grow(home.base / "system", [Unit("x", run=text)])


def test_what_was_made_there_is_forgotten_and_all_else_goes_on(home: Home, given: Path) -> None:
    both = join(system(home), grow(given, [Unit("y")]))
    assert home.apply(both).ok
    why = give_away(home, given)
    with pytest.raises(HostError, match=why):
        home.plan(both)
    with home.machine() as machine:
        assert machine.observe(system(home)).lost == {str(given): why}
    assert home.apply(system(home, b"two")).ok
    assert (home.base / "system/sv/x/run").read_bytes() == b"two"
    assert home.plan(system(home, b"two")).empty
    assert (given / "sv/y/run").exists()
    with home.machine() as machine:
        assert machine.observe(system(home, b"two")).lost == {}


def test_a_rollback_puts_back_all_else_and_says_so(home: Home, given: Path) -> None:
    assert home.apply(system(home)).ok
    assert home.apply(join(system(home, b"two"), grow(given, [Unit("y")]))).ok
    why = give_away(home, given)
    assert [str(problem) for problem in home.rollback().problems] == [f"{given}: what lies in it cannot be put back: {why}"]
    assert (home.base / "system/sv/x/run").read_bytes() == b"one"
    assert (given / "sv/y/run").exists()


def test_what_a_killed_apply_left_there_keeps_nobody_from_going_on(home: Home, given: Path) -> None:
    assert home.apply(system(home)).ok
    wanted = join(grow(given, [Unit("y")]), system(home, b"two"))
    for at in range(60):
        interrupted(lambda: home.apply(wanted), at=at, late=True)
        if any(given.iterdir()):
            break
    give_away(home, given)
    assert home.apply(system(home, b"two")).ok
    assert home.plan(system(home, b"two")).empty
