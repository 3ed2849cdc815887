"""Users' directories, provisioned by root with their owners' credentials."""

from __future__ import annotations

import itertools
import stat
import subprocess
from pathlib import Path

from support import oracle, waiting
from support.beneath import end
from support.faults import interrupted
from support.homes import USER, Home
from support.trees import Unit, grow

from runit_provision.model.tree import Owner, Realm, RenderedTree


def test_what_lies_in_a_home_is_made_by_its_owner(home: Home) -> None:
    assert home.apply(home.tree()).ok
    assert (home.home / "sv/a/run").read_bytes() == Unit("a").run
    assert home.plan(home.tree()).empty
    home.unharmed()


def test_rollback_and_removal_work_in_a_home_too(home: Home) -> None:
    home.apply(home.tree())
    before = home.listing()
    home.apply(home.tree(Unit("a", run=b"other"), Unit("c")))
    assert home.rollback().ok
    assert home.listing() == before
    assert home.apply(home.tree(Unit("c"))).ok
    assert not (home.home / "sv/a").exists()
    home.unharmed()


def test_the_owner_of_a_log_directory_writes_its_config(home: Home) -> None:
    system = grow(home.base / "system", [Unit("a")])
    (home.base / "system").mkdir()
    place = f"{home.base}/system/sv/a/main"
    directory, run, *rest = (node for node in system.nodes if node.path.endswith(("/a", "/run")))
    made = [type(directory)(place, directory.entry, directory.realm, Owner(USER), directory.origin, "a")]
    made.append(type(run)(f"{place}/config", run.entry, Realm(USER, place), None, run.origin, "a"))
    assert rest
    nodes = [*(node for node in system.nodes if not node.live), *made, *(node for node in system.nodes if node.live)]
    tree = RenderedTree(tuple(nodes), system.services, system.scanned)
    assert home.apply(tree).ok
    assert Path(place, "config").owner() == USER
    assert home.plan(tree).empty


def test_modes_and_groups_are_those_of_the_account(home: Home) -> None:
    home.apply(home.tree(Unit("a", mode=0o700, secret=True)))
    seen = (home.home / "sv/a/run").stat()
    assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o700, home.user.pw_uid, home.user.pw_gid)


def test_a_users_service_is_started_restarted_and_taken_down_with_the_users_credentials(home: Home) -> None:
    program = oracle.program("runsvdir", package="runit")
    tree = home.tree(Unit("a"))
    report = home.apply(tree)
    assert report.notes == [f"no runsvdir looks after {home.home}/service yet: what is there starts when one does"]
    supervisor = subprocess.Popen([program, f"{home.home}/service"], user=USER, group=home.user.pw_gid, extra_groups=[])
    try:
        pid = home.home / "sv/a/supervise/pid"
        waiting.written(pid)
        before = pid.read_text()
        assert Path(f"/proc/{before.strip()}").stat().st_uid == home.user.pw_uid
        report = home.apply(home.tree(Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n"), Unit("b")))
        assert report.ok, report.problems
        assert [(call.service.id, call.verb.value) for call in report.calls] == [(f"{USER}/a", "restart"), (f"{USER}/b", "start")]
        assert pid.read_text() not in ("", before)
        report = home.apply(home.tree(Unit("b")))
        assert report.ok, report.problems
        assert not (home.home / "sv/a").exists()
        home.unharmed()
    finally:
        end(supervisor, home.home)


def test_a_restart_that_a_killed_apply_owes_is_not_forgotten_while_the_home_is_bad(home: Home) -> None:
    program = oracle.program("runsvdir", package="runit")
    home.apply(home.tree(Unit("a")))
    supervisor = subprocess.Popen([program, f"{home.home}/service"], user=USER, group=home.user.pw_gid, extra_groups=[])
    pid = home.home / "sv/a/supervise/pid"
    new = home.tree(Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n"))
    try:
        waiting.written(pid)
        before = pid.read_text()
        for at in itertools.count():
            interrupted(lambda: home.apply(new), at=at, late=True)
            with home.machine() as machine, machine.lock(timeout=waiting.DEADLINE):
                pass  # hands of one that was killed hold the lock until they are gone, and may end what they were asked for
            if (home.home / "sv/a/run").read_bytes().endswith(b"2000\n"):
                break
        assert pid.read_text() == before
        home.home.chmod(0o777)
        assert [problem.message for problem in home.apply(new).problems] == ["can be written by all"]
        home.home.chmod(0o755)
        assert pid.read_text() == before
        assert [call.verb.value for call in home.apply(new).calls] == ["restart"]
        assert pid.read_text() not in ("", before)
        assert home.plan(new).empty
    finally:
        end(supervisor, home.home)
