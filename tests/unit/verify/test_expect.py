"""What is expected of a service follows from the data alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from runit_provision.model.tree import Ensure, OnChange, Origin, Realm, ServiceTree
from runit_provision.runtime.wire import status as wire
from runit_provision.runtime.wire.status import Status
from runit_provision.verify.expect import Finding, checked, findings
from runit_provision.verify.life import Life, Process, Supervised

NOW = 1_790_000_010


def status(state: int, *, want: int = wire.WANT_UP, ago: int = 10) -> Status:
    return Status(since_ns=(NOW - ago) * 1_000_000_000, pid=4711 if state else 0, state=state, want=want)


UP = Process(Supervised.YES, status(wire.RUN))
UP_JUST_NOW = Process(Supervised.YES, status(wire.RUN, ago=1))
FAILED = Process(Supervised.YES, status(wire.DOWN, ago=1))
DOWN = Process(Supervised.YES, status(wire.DOWN, want=wire.WANT_DOWN))
NOBODY = Process(Supervised.NO)


def service(name: str = "apprun1/worker", **changes: Any) -> ServiceTree:
    tree = ServiceTree(
        id=name,
        realm=Realm("apprun1", "/home/apprun1"),
        directory=f"/home/apprun1/runit/{name}",
        link=f"/home/apprun1/service/{name}",
        logged=False,
        log_directory=None,
        ensure=Ensure.RUNNING,
        enabled=True,
        one_shot=False,
        on_change=OnChange.RESTART,
        origin=Origin("runit.users.apprun1.services.worker"),
    )
    return replace(tree, **changes)


def life(main: Process, **changes: Any) -> Life:
    return replace(Life(now=NOW, exists=True, enabled=True, main=main), **changes)


def broken(tree: ServiceTree, seen: Life) -> list[str]:
    return [finding.promise for finding in findings([tree], {tree.id: seen}) if not finding.kept]


def test_a_service_that_is_as_it_should_be() -> None:
    tree = service(logged=True)
    assert findings([tree], {tree.id: life(UP, log=UP)}) == tuple(
        Finding("apprun1/worker", promise) for promise in ("exists", "enabled", "supervised", "up", "logging")
    )


@pytest.mark.parametrize(
    ("changes", "seen", "promises"),
    [
        ({}, life(FAILED), ["up"]),
        ({}, life(UP_JUST_NOW), ["up"]),
        ({}, life(DOWN), ["up"]),
        ({}, life(NOBODY), ["supervised", "up"]),
        ({}, life(NOBODY, exists=False), ["exists", "enabled", "supervised", "up"]),
        ({}, life(UP, enabled=False), ["enabled"]),
        ({"enabled": False}, life(UP), ["not enabled"]),
        ({"logged": True}, life(UP), ["logging"]),
        ({"logged": True}, life(UP, log=DOWN), ["logging"]),
        ({"ensure": Ensure.STOPPED}, life(DOWN), []),
        ({"ensure": Ensure.STOPPED}, life(UP), ["down"]),
        ({"ensure": Ensure.STOPPED}, life(FAILED), ["down"]),
        ({"ensure": Ensure.ANY, "enabled": False}, life(DOWN, enabled=False), []),
        ({"ensure": Ensure.ANY, "enabled": False}, life(UP, enabled=False), []),
        ({"ensure": Ensure.ABSENT, "link": None}, life(NOBODY, exists=False), []),
        ({"ensure": Ensure.ABSENT, "link": None}, life(UP), ["absent"]),
        ({"one_shot": True}, life(DOWN), []),
        ({"one_shot": True}, life(UP_JUST_NOW), []),
        ({"one_shot": True}, life(FAILED), ["up, or done"]),
        ({"one_shot": True}, life(DOWN, failed=True), ["up, or done"]),
        ({"one_shot": True}, life(UP_JUST_NOW, failed=True), []),
    ],
)
def test_what_is_not_so(changes: dict[str, Any], seen: Life, promises: list[str]) -> None:
    assert broken(service(**changes), seen) == promises


@pytest.mark.parametrize("tree", ["apprun1/cluster", "runsvdir-apprun1"])
def test_nobody_supervises_what_lies_in_a_stopped_tree(tree: str) -> None:
    outer, inner = service(tree, ensure=Ensure.STOPPED), service("apprun1/cluster/a")
    seen = {outer.id: life(DOWN), inner.id: life(NOBODY)}
    assert all(finding.kept for finding in findings([outer, inner], seen))


def test_nobody_supervises_what_the_current_run_level_lacks() -> None:
    assert broken(service(link=None, ensure=Ensure.ANY, logged=True), life(NOBODY)) == []


def test_a_fault_says_how_the_service_fares() -> None:
    tree = service()
    (fault,) = (finding for finding in findings([tree], {tree.id: life(FAILED, lines=("out of \x1b[2Jmemory",))}) if not finding.kept)
    assert fault == Finding("apprun1/worker", "up", r"want up, down for 1 s; last log line: out of \x1b[2Jmemory")


@pytest.mark.parametrize(
    ("changes", "seen", "promises"),
    [
        ({}, life(UP, check=0), []),
        ({}, life(UP, check=1), ["healthy"]),
        ({}, life(UP_JUST_NOW, check=0), ["up", "healthy"]),
        ({}, life(DOWN), ["up", "healthy"]),
        ({"ensure": Ensure.STOPPED}, life(DOWN), []),
        ({"one_shot": True}, life(DOWN), []),
        ({"link": None}, life(NOBODY), []),
    ],
)
def test_a_check_has_to_pass_where_the_service_has_to_be_up(changes: dict[str, Any], seen: Life, promises: list[str]) -> None:
    tree = service(**changes)
    assert [finding.promise for finding in findings([tree], {tree.id: seen}, checked={tree.id}) if not finding.kept] == promises


def test_what_a_tree_holds_is_judged_by_itself() -> None:
    outer, inner, plain = service("runsvdir-apprun1", scans="/home/apprun1/service"), service(), service("apprun1/other")
    paths = {f"{outer.directory}/check", f"{inner.directory}/check"}
    assert checked([outer, inner, plain], paths) == {inner.id}


@pytest.mark.parametrize(
    ("changes", "seen", "is_final"),
    [
        ({}, life(FAILED), False),
        ({}, life(UP_JUST_NOW), False),
        ({}, life(NOBODY), False),
        ({}, life(DOWN), True),
        ({}, life(DOWN, gave_up=True), True),
        ({}, life(Process(Supervised.YES, status(wire.DOWN, want=wire.WANT_DOWN, ago=1))), False),
        ({}, life(Process(Supervised.YES, status(wire.FINISH, want=wire.WANT_DOWN))), False),
        ({}, life(Process(Supervised.DENIED)), True),
        ({}, life(NOBODY, exists=False), True),
        ({"enabled": False}, life(UP), True),
        ({"ensure": Ensure.STOPPED}, life(UP), True),
        ({"ensure": Ensure.STOPPED}, life(UP_JUST_NOW), False),
        ({"ensure": Ensure.STOPPED}, life(Process(Supervised.YES, status(wire.RUN, want=wire.WANT_DOWN))), False),
        ({"ensure": Ensure.ABSENT, "link": None}, life(NOBODY), True),
        ({"ensure": Ensure.ABSENT, "link": None}, life(UP, exists=False), False),
        ({"logged": True}, life(UP), True),
        ({"logged": True}, life(UP, log=DOWN), False),
    ],
)
def test_what_no_time_will_mend(changes: dict[str, Any], seen: Life, is_final: bool) -> None:
    tree = service(**changes)
    faults = [finding for finding in findings([tree], {tree.id: seen}) if not finding.kept]
    assert [fault.final for fault in faults] == [is_final] * len(faults)
    assert faults


def test_where_nothing_supervises_nothing_is_waited_for() -> None:
    missing, gone = service(), service("old", ensure=Ensure.ABSENT, link=None)
    seen = {missing.id: life(NOBODY), gone.id: life(NOBODY, exists=False)}
    faults = [each for each in findings([missing, gone], seen, deserted=True) if not each.kept]
    assert faults == [
        Finding(missing.id, promise, "not supervised; no runsvdir runs on this host", final=True) for promise in ("supervised", "up")
    ]


def test_a_service_that_has_not_said_that_it_is_ready_is_not_up_yet() -> None:
    (finding,) = (each for each in findings([service()], {"apprun1/worker": life(UP, ready=False)}) if not each.kept)
    assert (finding.promise, finding.fault, finding.final) == ("up", "want up, up (pid 4711) for 10 s, not ready yet", False)
