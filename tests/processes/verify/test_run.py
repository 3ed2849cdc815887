"""Verify, against services that really run."""

from __future__ import annotations

from pathlib import Path

from runit_provision.host import accounts
from runit_provision.model.tree import Ensure, OnChange, Origin, Realm, RenderedTree, ServiceTree
from runit_provision.verify.report import Report
from runit_provision.verify.run import verify

REALM = Realm(None, "/")


def promised(directory: Path, *, ensure: Ensure = Ensure.RUNNING, enabled: bool = True) -> ServiceTree:
    return ServiceTree(
        id=directory.name,
        realm=REALM,
        directory=str(directory),
        link=str(directory),
        logged=False,
        log_directory=None,
        ensure=ensure,
        enabled=enabled,
        one_shot=False,
        on_change=OnChange.RESTART,
        origin=Origin(f"runit.services.{directory.name}"),
    )


def run(*services: ServiceTree, within: float = 30.0) -> Report:
    return verify(RenderedTree((), services, ()), accounts=accounts.read(), within=within)


def test_services_are_given_time_to_settle(alone: Path) -> None:
    report = run(promised(alone / "steady"))
    assert report.kept, list(report.lines())


def test_what_never_comes_is_reported_with_what_is_there_instead(alone: Path) -> None:
    assert run(promised(alone / "steady")).kept
    report = run(promised(alone / "steady", ensure=Ensure.STOPPED), promised(alone / "ghost"), within=0.1)
    head, steady, ghost, summary = (" ".join(line.split()) for line in report.lines())
    assert head == "service should be but"
    assert steady.startswith("steady down want up, up (pid ")
    assert ghost == "ghost exists, enabled, supervised, up there is no run"
    assert summary.startswith("2 services, 4 of 9 promises kept (")


def test_a_host_without_services_keeps_its_promises() -> None:
    assert run().kept
