"""What was replaced is kept: for a rollback until the next apply; what a hand had made or edited for a while, the newest for good."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faults import UNTOUCHED, interrupted
from support.homes import Home
from support.places import Place
from support.trees import Unit, grow

from runit_provision.host.kept import NEWEST, stamp

DAY = 86400


def names(number: int, *, days: int) -> list[str]:
    """Names of so many files that applies kept, all at once, so many days ago."""
    return [f"{stamp(int(time.time()) - days * DAY)}.000000007.4711.{at:04}" for at in range(number)]


def filled(store: Path, *some: list[str]) -> Path:
    store.mkdir(parents=True, exist_ok=True)
    for name in itertools.chain(*some):
        (store / name).write_text(name)
    return store


@pytest.mark.parametrize("young", [20, NEWEST + 20])
def test_what_a_hand_edited_stays_for_90_days_and_the_newest_of_it_for_good(tmp_path: Path, young: int) -> None:
    place = Place(tmp_path / "base")
    place.base.mkdir()
    tree = grow(place.base, [Unit("a")])
    assert place.apply(tree).ok
    old, lately = names(130, days=91), names(young, days=89)
    store = filled(place.library / "kept", old, lately, ["what somebody put there"])
    (store / f".runit-provision.{lately[0]}").write_text("half a copy of an apply that was killed")
    (place.base / "sv/a/run").write_text("by hand")
    report = place.apply(tree)
    stays = max(0, NEWEST - young - 1)
    left = {path.name for path in store.iterdir()}
    (new,) = left - {*old, *lately, "what somebody put there"}
    assert left == {*old[130 - stays :], *lately, "what somebody put there", new}
    assert (store / new).read_text() == "by hand"
    assert report.notes == [
        f"what {place.base}/sv/a/run was is kept as {store}/{new}",
        f"{130 - stays} things kept in {store} for more than 90 days went",
    ]


def test_in_a_home_it_is_the_same_and_what_the_user_links_there_leads_nowhere(home: Home) -> None:
    home.apply(home.tree(Unit("a")))
    old = names(NEWEST + 30, days=91)

    def play() -> None:
        store = filled(home.home / ".runit-provision", old[1:])
        (store / old[0]).symlink_to(home.outside / "shadow")
        (home.home / "sv/a/run").write_text("by hand")

    home.user_does(play)
    report = home.apply(home.tree(Unit("a")))
    assert report.ok
    assert report.notes[1:] == [f"31 things kept in {home.home}/.runit-provision for more than 90 days went"]
    assert len({path.name for path in (home.home / ".runit-provision").iterdir()} - {"lock"}) == NEWEST
    home.unharmed()


@pytest.fixture
def apart(tmp_path: Path) -> Iterator[Place]:
    """A place whose library lies on another filesystem, so that what is kept is copied."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        place = Place(Path(folder, "base"))
        place.library = tmp_path / "library"
        assert Path(folder).stat().st_dev != tmp_path.stat().st_dev
        yield place


def test_killed_after_any_change_what_was_copied_to_another_filesystem_is_kept_whole(apart: Place) -> None:
    for at in itertools.count():
        for folder in (apart.base, apart.library):
            shutil.rmtree(folder, ignore_errors=True)
        apart.base.mkdir()
        assert apart.apply(grow(apart.base, [Unit("a")])).ok
        (apart.base / "sv/a/run").write_text("by hand")
        status = interrupted(lambda: apart.apply(grow(apart.base, [Unit("a", run=b"new")])), at=at, late=True)
        assert apart.apply(grow(apart.base, [Unit("a", run=b"newer")])).ok
        assert "by hand" in apart.kept(), at
        assert len(list((apart.library / "kept").iterdir())) <= 2, at
        if status == UNTOUCHED:
            break
    assert at > 20
