"""`verify` as CI servers and test harnesses use it: what it writes is read by programs that nobody here wrote."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from junitparser import JUnitXml
from support import oracle
from support.command import PROGRAM, Result, runit_provision
from support.supervision import tree

ME = pwd.getpwuid(os.geteuid()).pw_name
DATA = """\
runit:
  owner: OWNER
  runtime: none
  prefix: PREFIX
  service_directory: PLACE/service
  definitions: PLACE/sv
  log_directory: PLACE/log
  services:
    steady:
      command: [sleep, "1000"]
    hopeless:
      run: |
        #!/bin/sh
        exec 2>&1
        echo "out of memory"
        exit 7
      restart: {at_most: 1, within: 30s}
"""
Road = Callable[..., Result]


@pytest.fixture
def road(runtime: Path, tmp_path: Path) -> Iterator[Road]:
    """The command on a host of two services, of which one has given up when it is asked to verify with the default time."""
    data = tmp_path / "data.yaml"
    words = {"OWNER": ME, "PREFIX": str(runtime.parent), "PLACE": str(tmp_path)}
    text = DATA
    for word, value in words.items():
        text = text.replace(word, value)
    data.write_text(text)
    environment = {"RUNIT_PROVISION_LIB": str(tmp_path / "lib")}

    def run(command: str, *arguments: object) -> Result:
        return runit_provision(command, "--data", data, *arguments, env=environment, cwd=tmp_path)

    (tmp_path / "service").mkdir()
    with tree(runtime / "runsvdir", tmp_path / "service", tmp_path / "state") as running:
        running.start()
        applied = run("apply")
        assert applied.out.splitlines()[-1].startswith("19 paths changed, "), applied
        assert "hopeless: came up, but " in applied.err, applied
        assert "1 problem; the rest is done" in applied.err, applied
        yield run


def test_what_gave_up_is_not_waited_for_and_stands_in_a_table_with_the_reason(road: Road) -> None:
    done = road("verify", "--within", "100000")  # the command has 120 seconds
    assert (done.status, done.err) == (2, "")
    head, row, summary = done.out.splitlines()[-3:]
    assert head.split() == ["service", "should", "be", "but"]
    assert row.startswith("hopeless  up         want down, gave up, down for ")
    assert " s, exited 7 twice in 60 s; last log line: " in row
    assert summary.startswith("2 services, 10 of 11 promises kept (")


@pytest.mark.shows("roads", "CI", "a service that fails", "drift")
def test_a_ci_server_reads_junit(road: Road, tmp_path: Path) -> None:
    (tmp_path / "sv/steady/run").write_text("#!/bin/sh\n# a hand\n")
    done = road("verify", "--format", "junit", "--output", "report.xml")
    assert done.status == 2
    assert done.out.splitlines()[-1].startswith("2 services, 9 of 11 promises kept (")
    check, services = JUnitXml.fromfile(str(tmp_path / "report.xml"))
    assert (check.name, check.tests, check.failures) == ("runit-provision check", 1, 1)
    (difference,) = [case.result[0] for case in check]
    assert difference.message == "2 differences"  # the file, and the restart that its mending brings
    assert difference.text.startswith(f"~ {tmp_path}/sv/steady/run  ")
    assert (services.name, services.tests, services.failures, services.errors) == ("runit-provision services", 10, 1, 0)
    failed = [(case.classname, case.name, case.result[0].message) for case in services if case.result]
    assert [(owner, name) for owner, name, _ in failed] == [("hopeless", "up")]
    assert "last log line: " in failed[0][2]


def test_a_harness_reads_tap(road: Road, tmp_path: Path) -> None:
    prove = oracle.program("prove", package="perl")
    said = tmp_path / "verify.tap"
    said.write_text(road("verify", "--format", "tap").out)
    done = subprocess.run([prove, "--exec", "cat", str(said)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Failed 1/11 subtests" in done.stdout + done.stderr
    assert "Parse errors" not in done.stdout


@pytest.mark.shows("roads", "CI", "bad data")
def test_whoever_reads_the_report_alone_sees_that_the_data_were_refused(tmp_path: Path) -> None:
    prove = oracle.program("prove", package="perl")
    (tmp_path / "data.yaml").write_text("runit:\n  services:\n    web: {comand: [x]}\n")
    words = ("verify", "--data", "data.yaml", "--output", "report", "--format")
    done = runit_provision(*words, "junit", cwd=tmp_path)
    assert (done.status, done.out, done.err.splitlines()[-1]) == (1, "", "2 problems; nothing was changed")
    check, services = JUnitXml.fromfile(str(tmp_path / "report"))
    (refused,) = [case.result[0] for case in check]
    assert (refused.message, services.tests) == ("2 problems", 0)
    assert "data.yaml:3:11: runit.services.web.comand: unknown key; did you mean `command`?" in refused.text
    assert runit_provision(*words, "tap", cwd=tmp_path).status == 1
    done_reading = subprocess.run([prove, "--exec", "cat", str(tmp_path / "report")], capture_output=True, text=True, check=False)
    assert "Failed 1/1 subtests" in done_reading.stdout + done_reading.stderr
    assert "Parse errors" not in done_reading.stdout


def test_programs_read_json(road: Road) -> None:
    found = json.loads(road("verify", "--format", "json").out)
    assert (found["version"], found["kept"], found["check"], found["differences"]) == (1, False, True, [])
    (fault,) = [finding for finding in found["findings"] if not finding["kept"]]
    assert (fault["service"], fault["promise"], fault["final"]) == ("hopeless", "up", True)


def test_where_no_report_can_be_written_nothing_is_waited_for(road: Road) -> None:
    done = road("verify", "--output", "nowhere/report.xml", "--format", "junit")
    assert (done.status, done.out) == (64, "")
    assert "'nowhere' is no directory" in done.err


def test_an_image_has_no_services_to_ask(road: Road, tmp_path: Path) -> None:
    done = road("verify", "--root", tmp_path)
    assert done.status == 64
    assert "No such option" in done.err


def test_a_host_where_nothing_supervises_is_not_waited_for(tmp_path: Path) -> None:
    oracle.root("makes a pid namespace")
    data = tmp_path / "data.yaml"
    services = "  services: {idle: {command: [sleep, '1000'], log: false}}\n"
    data.write_text(
        DATA.partition("  services:")[0].replace("OWNER", ME).replace("PLACE", str(tmp_path)).replace("PREFIX", "/none") + services
    )
    apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", PROGRAM]
    environment = {**os.environ, "RUNIT_PROVISION_LIB": str(tmp_path / "lib")}
    subprocess.run([*apart, "apply", "--data", data], env=environment, capture_output=True, timeout=120, check=False)
    done = subprocess.run(
        [*apart, "verify", "--data", data, "--within", "100000"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    _, row, summary = done.stdout.splitlines()[-3:]
    assert row == "idle     supervised, up  not supervised; no runsvdir runs on this host"
    assert summary.startswith("1 service, 3 of 5 promises kept (")
