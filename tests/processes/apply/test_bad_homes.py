"""Homes that are not as they have to be: each fails alone, says why, and loses nothing."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support.homes import Home
from support.trees import Unit, grow, join

from runit_provision import apply, plan
from runit_provision.errors import HostError
from runit_provision.model.tree import RenderedTree


def link_home(home: Home) -> None:
    home.home.rmdir()
    home.home.symlink_to(home.outside)


def open_home(home: Home) -> None:
    home.home.chmod(0o777)


def take_home(home: Home) -> None:
    os.chown(home.home, 0, 0)


def lose_home(home: Home) -> None:
    home.home.rmdir()


@pytest.mark.shows("refused", "a home that is a symlink or world-writable", "seen")
@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (link_home, "is no directory: a symbolic link is not followed; give the directory itself; it has to be nobody's"),
        (open_home, "can be written by all"),
        (take_home, "belongs to uid 0, not to 65534"),
        (lose_home, "does not exist, and files of nobody are to lie in it; make it, owned by nobody, or correct the path"),
    ],
)
def test_a_home_that_is_not_as_it_has_to_be_fails_alone_and_all_else_is_done(
    home: Home, deed: Callable[[Home], None], message: str
) -> None:
    deed(home)
    system = home.base / "system"
    system.mkdir()
    report = home.apply(join(grow(system, [Unit("x")]), home.tree()))
    assert [str(problem) for problem in report.problems] == [f"data.yaml:3:1: runit.services: {home.home}: {message}"]
    assert (system / "service/x").exists()
    assert home.state() == home.before


@pytest.mark.parametrize("name", ["sv", "service", "sv/a", "sv/a/env"])
def test_a_link_in_the_place_of_a_directory_is_not_followed(home: Home, name: str) -> None:
    path = home.home / name

    def play() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(home.outside / Path(name).name)

    home.user_does(play)
    (problem,) = home.apply(home.tree()).problems
    assert str(problem).split("; ")[0] == f"data.yaml:3:1: runit.services: {path}: a symbolic link is in the place of a directory"
    home.unharmed()


def test_a_home_that_turned_bad_loses_nothing_and_is_as_the_data_says_once_it_is_mended(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    before = join(grow(system, [Unit("x")]), home.tree(Unit("a"), Unit("b")))
    after = join(grow(system, [Unit("x", run=b"new")]), home.tree(Unit("a", run=b"new")))
    assert home.apply(before).ok
    home.home.chmod(0o777)
    report = home.apply(after)
    assert [problem.path for problem in report.problems] == [str(home.home)]
    assert [step.path for step in report.paths] == [f"{system}/sv/x/run"]
    home.home.chmod(0o755)
    assert (home.home / "sv/a/run").read_bytes() == Unit("a").run
    report = home.apply(after)
    assert report.ok
    assert [(step.change.value, step.path.removeprefix(f"{home.home}/")) for step in report.paths] == [
        ("-", "service/b"),
        ("-", "sv/b/run"),
        ("-", "sv/b"),
        ("~", "sv/a/run"),
    ]
    assert home.plan(after).empty
    home.unharmed()


def test_a_home_that_its_owner_shut_is_told_by_the_path_that_he_cannot_reach(home: Home) -> None:
    home.home.chmod(0)
    (problem,) = home.plan(home.tree()).problems
    assert str(problem) == f"data.yaml:3:1: runit.services: {home.home}/service: Permission denied; its owner has to let himself in"


def test_a_home_that_its_owner_cannot_write_fails_alone_and_says_so(home: Home) -> None:
    (home.base / "system").mkdir()
    home.home.chmod(0o555)
    wanted = join(grow(home.base / "system", [Unit("x")]), home.tree())
    assert [str(problem) for problem in home.apply(wanted).problems] == [f"{home.home}/.runit-provision: Permission denied"]
    assert ((home.base / "system/service/x").is_symlink(), list(home.home.iterdir())) == (True, [])
    home.home.chmod(0o755)
    assert home.apply(wanted).ok


def test_all_or_nothing_is_nothing_when_a_home_is_bad(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    home.home.chmod(0o777)
    tree = join(grow(system, [Unit("x")]), home.tree())
    with home.machine() as machine, machine.lock(), pytest.raises(HostError, match="can be written by all") as caught:
        apply.apply_or_undo(plan.decide(tree, machine.observe(tree)), machine)
    assert caught.value.untouched
    assert list(system.iterdir()) == []


def test_rollback_passes_a_home_that_turned_bad_by_and_says_so(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    home.apply(join(grow(system, [Unit("x")]), home.tree(Unit("a"))))
    home.apply(join(grow(system, [Unit("x", run=b"new")]), home.tree(Unit("a", run=b"new"))))
    home.home.chmod(0o777)
    report = home.rollback()
    assert [problem.path for problem in report.problems] == [str(home.home)]
    home.home.chmod(0o755)
    assert (system / "sv/x/run").read_bytes() == Unit("x").run
    assert (home.home / "sv/a/run").read_bytes() == b"new"
    assert home.plan(join(grow(system, [Unit("x")]), home.tree(Unit("a", run=b"new")))).empty


def test_a_home_that_went_with_its_account_is_forgotten(home: Home) -> None:
    home.apply(home.tree())
    shutil.rmtree(home.home)
    nothing = RenderedTree((), (), ())
    assert home.plan(nothing).empty
    report = home.apply(nothing)
    assert (report.ok, report.paths) == (True, [])
    assert json.loads((home.library / "manifest.json").read_text())["records"] == {}
