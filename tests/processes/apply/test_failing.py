"""Services that do not come up: told one by one, taken back, or left alone when they gave up."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path

import pytest
from support import waiting
from support.beneath import Running, script
from support.command import Result, runit_provision
from support.trees import Unit, grow

from runit_provision.apply import calls

DATA = """\
runit:
  owner: {me}
  runtime: none
  service_directory: {base}/service
  definitions: {base}/sv
  log_directory: {base}/log
  services:
    good: {{command: [sleep, "{seconds}"], log: false}}
    other: {{command: "{other}", log: false}}
"""


def test_a_service_that_does_not_come_up_is_reported_and_the_rest_is_done(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "SETTLE", 0.5)
    broken = Unit("broken", run=b"#!/bin/sh\nexit 1\n")
    report = running.apply(grow(running.base, [broken, Unit("b", run=script())]), timeout=60)
    assert [str(problem).split("; ")[0] for problem in report.problems] in (
        [f"data.yaml:3:1: runit.services: {running.base}/sv/broken: broken: came up, but ended again at once"],
        [f"data.yaml:3:1: runit.services: {running.base}/sv/broken: broken: did not come up within 60 s"],
    )
    assert running.pid("b")


def test_with_rollback_on_failure_a_service_that_does_not_come_up_takes_the_whole_apply_back(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, seconds: int, other: str) -> Result:
        file = tmp_path / "data.yaml"
        file.write_text(DATA.format(me=pwd.getpwuid(os.geteuid()).pw_name, base=running.base, seconds=seconds, other=other))
        return runit_provision(*arguments, "--data", file, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    first = road("apply", seconds=1000, other="sleep 1000")
    assert (first.status, first.err) == (0, "")
    before, pid = running.listing(), running.pid("good")
    failed = road("apply", "--rollback-on-failure", "--timeout", "60", seconds=2000, other="false")
    assert failed.status == 1
    *problems, last = failed.err.splitlines()
    assert [problem.startswith(f"{tmp_path}/data.yaml:") for problem in problems] == [True], failed.err
    assert last == "1 problem; all was put back as it was"
    assert failed.out.splitlines()[-1].startswith("rolled back: 2 paths changed, ")
    assert running.listing() == before
    assert running.pid("good") not in (0, pid)
    assert running.pid("other")
    assert road("check", seconds=1000, other="sleep 1000").status == 0


@pytest.mark.shows("roads", "command line", "a service that fails")
def test_services_one_by_one_and_what_is_told_of_each(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, other: str = "sleep 1000", seconds: int = 1000) -> Result:
        file = tmp_path / "data.yaml"
        file.write_text(DATA.format(me=pwd.getpwuid(os.geteuid()).pw_name, base=running.base, seconds=seconds, other=other))
        data = ("--data", file) if arguments[0] != "restart" else ()
        return runit_provision(*arguments, *data, "--format", "json", env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    def states(other: str = "sleep 1000", seconds: int = 1000) -> dict[str, dict[str, object]]:
        return {row["service"]: row for row in json.loads(road("check", other=other, seconds=seconds).out)["states"]}

    assert road("apply", "--no-services").status == 0
    assert not (running.base / "sv/good").exists()
    assert json.loads(road("apply", "--service", "good").out)["services"] == [{"service": "good", "verb": "start"}]
    told = states()
    assert (told["good"]["state"], told["good"]["drift"], told["good"]["pid"]) == ("up", False, running.pid("good"))
    assert (told["other"]["state"], told["other"]["made"], told["other"]["reasons"][-1]) == ("not supervised", False, "start: new")  # type: ignore[index]
    failed = road("apply", "--service", "other", other="false")
    assert (failed.status, list(json.loads(failed.out)["failed"])) == (1, ["other"])
    assert failed.err.startswith(
        f"{tmp_path}/data.yaml:9:5: runit.services.other: {running.base}/sv/other: other: came up, but ended again"
    )
    assert failed.err.splitlines()[1:] == ["1 problem; the rest is done"]
    assert road("apply", "--service", "other").status == 0
    assert states()["other"]["state"] == "up", "what rested when it changed is up again when apply returns"

    changed = states(other="sleep 2000", seconds=2000)
    assert [changed[name]["reasons"] for name in ("good", "other")] == [["run: content changed", "restart: run changed"]] * 2
    pids = running.pid("good"), running.pid("other")
    assert json.loads(road("restart", "other").out)["services"] == [{"service": "other", "verb": "restart"}]
    assert (running.pid("good") == pids[0], running.pid("other") == pids[1]) == (True, False)
    unknown = road("restart", "otter")
    assert (unknown.status, "apply has made no service 'otter' here" in unknown.err) == (1, True)


def test_what_gave_up_is_started_by_no_apply_until_it_changes(running: Running, tmp_path: Path) -> None:
    def road(*arguments: str, command: str) -> Result:
        file = tmp_path / "data.yaml"
        me = pwd.getpwuid(os.geteuid()).pw_name
        file.write_text(DATA.format(me=me, base=running.base, seconds=1000, other=f'{command}", restart: never, stderr: "supervisor'))
        return runit_provision(*arguments, "--data", file, env={"RUNIT_PROVISION_LIB": str(tmp_path / "lib")})

    failed = road("apply", command="sh -c 'echo start >>told; exit 3'")
    waiting.until(lambda: (running.base / "sv/other/gave_up").exists() and running.is_down("other"))
    assert (failed.status, "other: came up, but" in failed.err) in ((1, True), (0, False))
    said = "= other  leave: it gave up: it ended more often than `restart` forgives; `sv up` starts it"
    for _ in range(2):
        checked = road("check", command="sh -c 'echo start >>told; exit 3'")
        assert (checked.status, checked.out.splitlines()[0]) == (0, said)
        assert road("apply", command="sh -c 'echo start >>told; exit 3'").status == 0
    assert running.told("other") == ["start"]
    assert road("verify", "--within", "0", command="sh -c 'echo start >>told; exit 3'").status == 2
    mended = road("apply", command="sleep 1000")
    assert (mended.status, mended.err) == (0, "")
    assert "start: run changed; it had given up" in mended.out
    assert running.pid("other")
