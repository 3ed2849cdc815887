"""Paths that may not be changed, and filesystems that take nothing: what is told, and what is left as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support import apart
from support.chattr import immutable
from support.homes import Home
from support.trees import Unit, grow, join

from runit_provision.apply import Report
from runit_provision.errors import HostError, ProvisionError
from runit_provision.model.tree import Effect


@pytest.mark.parametrize("name", ["sv/a/run", "sv/a", "sv/a/env", "service", ".runit-provision"])
def test_what_is_immutable_in_a_home_fails_alone_and_is_done_once_it_is_not(home: Home, name: str) -> None:
    system = home.base / "system"
    system.mkdir()
    files = {"env/ONE": (b"1\n", Effect.RESTART)}
    assert home.apply(join(grow(system, [Unit("x")]), home.tree(Unit("a", files=files)))).ok
    changed = home.tree(Unit("a", run=b"new", files={"env/ONE": (b"2\n", Effect.RESTART)}), Unit("b"))
    wanted = join(grow(system, [Unit("x", run=b"new")]), changed)
    with immutable(home.home / name):
        report = home.apply(wanted)
        assert not report.ok
        assert {problem.message for problem in report.problems} <= {"Operation not permitted", "Permission denied"}
        assert all(problem.path.startswith(str(home.home)) for problem in report.problems)
        assert (system / "sv/x/run").read_bytes() == b"new"
    home.unharmed()
    assert home.apply(wanted).ok
    assert home.plan(wanted).empty
    assert (home.home / "sv/a/run").read_bytes() == b"new"
    assert not [path for path in home.home.rglob(".runit-provision.*") if path.parent.name != ".runit-provision"]


@pytest.mark.parametrize("name", ["sv/x/run", "sv/x", "service"])
def test_what_is_immutable_in_the_systems_own_tree_is_told_and_done_once_it_is_not(home: Home, name: str) -> None:
    assert home.apply(grow(home.base, [Unit("x"), Unit("y")])).ok
    wanted = grow(home.base, [Unit("x", run=b"new"), Unit("y", run=b"new"), Unit("z")])
    with immutable(home.base / name):
        try:
            said = home.apply(wanted).problems
        except HostError as error:
            said = list(error.problems)
        assert [problem.message for problem in said] == ["Operation not permitted"] * len(said)
        assert said
    assert home.apply(wanted).ok
    assert home.plan(wanted).empty


def said(work: Callable[[], Report]) -> list[list[str]]:
    """Give path and message of each problem of `work`."""
    try:
        problems = work().problems
    except ProvisionError as error:
        problems = list(error.problems)
    return [[problem.path, problem.message] for problem in problems]


@pytest.mark.parametrize("options", ["size=4k", "size=8k", "nr_inodes=3", "ro"])
@pytest.mark.parametrize("place", ["library", "sv", "service", "home"])
def test_wherever_the_disk_takes_nothing_it_is_told_and_the_next_apply_completes(home: Home, place: str, options: str) -> None:
    for name in ("library", "sv", "service"):
        (home.base / name).mkdir(mode=0o755)
    tree = join(grow(home.base, [Unit("x", files={"large": (b"x" * 9000, Effect.NOTHING)})]), home.tree())
    owner = f"uid={home.user.pw_uid},gid={home.user.pw_gid}" if place == "home" else "uid=0,gid=0"
    mount = f"mount -t tmpfs -o {options},mode=755,{owner} none {home.base / place}"
    told = apart.told(lambda: said(lambda: home.apply(tree)), mounts=mount)
    if told:
        assert {message.removeprefix("cannot be written: ").removeprefix("cannot be made: ") for _, message in told} <= {
            "No space left on device",
            "Read-only file system",
            "cannot be opened for writing: Read-only file system",
        }
        assert [path for path, _ in told if not path.startswith(str(home.base / place))] == []
    if options == "ro" or place in ("library", "sv"):
        assert told
    if place != "home":
        home.unharmed()
    report = home.apply(tree)
    assert report.ok, report.problems
    assert home.plan(tree).empty
    home.unharmed()
