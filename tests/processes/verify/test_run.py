"""Verify, against services that really run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import testinfra  # type: ignore[import-untyped]
from support import oracle, waiting

from runit_provision.host import accounts
from runit_provision.model.tree import Ensure, File, Node, OnChange, Origin, Realm, RenderedTree, ServiceTree
from runit_provision.verify.report import Report
from runit_provision.verify.run import verify

from .conftest import named

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


def run(*services: ServiceTree, within: float = 30.0, check: Path | None = None) -> Report:
    nodes = [Node(str(check), File(b"", 0o755), REALM, None, Origin("runit"))] if check else []
    return verify(RenderedTree(tuple(nodes), services, ()), accounts=accounts.read(), within=within)


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


def test_a_check_has_to_pass_as_it_has_to_for_sv(alone: Path) -> None:
    directory = alone / "steady"
    program = alone / ".own" / "is-of-use"  # on the PATH of the service alone
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ntest -e of-use\n")
    (directory / "run").write_text(f"#!/bin/sh\nPATH={program.parent}:$PATH exec sleep 1000\n")
    asked = named(testinfra.get_host("local://"))(str(directory))
    sv = oracle.program("sv", package="runit")
    path = f"{program.parent}:{os.environ['PATH']}"
    waiting.until(lambda: asked.is_supervised, what="runsv")
    for command in ("down", "up"):  # its restart may be content with the process before
        subprocess.run([sv, "-w", "60", command, str(directory)], check=True, capture_output=True)
    (directory / "check").write_text("#!/bin/sh\nexec is-of-use\n")
    for script in (program, directory / "check"):
        script.chmod(0o755)

    def passes() -> tuple[bool, bool, bool]:
        by_sv = subprocess.run([sv, "-w", "1", "check", str(directory)], capture_output=True, check=False, env={"PATH": path})
        return by_sv.returncode == 0, asked.is_healthy, run(promised(directory), within=3, check=directory / "check").kept

    assert passes() == (False, False, False)
    assert str(asked).endswith(", its check exited 1")
    _, row, summary = run(promised(directory), within=0, check=directory / "check").lines()
    assert " ".join(row.split()).startswith("steady healthy want up, up (pid ")
    assert summary.startswith("1 service, 5 of 6 promises kept (")
    (directory / "of-use").touch()
    assert passes() == (True, True, True)


def test_a_host_without_services_keeps_its_promises() -> None:
    assert run().kept
