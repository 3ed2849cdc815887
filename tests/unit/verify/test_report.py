"""One report, three readers."""

from __future__ import annotations

from xml.etree import ElementTree

from runit_provision.verify.expect import Finding
from runit_provision.verify.report import Report, junit, tap

FARES = 'not supervised, last log line: <a & "b"> #1'
REPORT = Report(
    (
        Finding("apprun1/worker", "exists"),
        Finding("apprun1/worker", "supervised", FARES),
        Finding("apprun1/worker", "up", FARES),
        Finding("sshd", "exists"),
    ),
    seconds=30.04,
)


def test_people_read_a_line_for_each_service_that_is_not_as_it_should_be() -> None:
    assert list(REPORT.lines()) == [
        f"apprun1/worker: promised supervised, up: {FARES}",
        "2 services, 2 of 4 promises kept (30.0 s)",
    ]


def test_all_is_well() -> None:
    report = Report((Finding("sshd", "up"),), seconds=0.5)
    assert report.kept
    assert list(report.lines()) == ["1 service, 1 of 1 promises kept (0.5 s)"]


def test_a_ci_server_reads_junit() -> None:
    suite = ElementTree.fromstring(junit(REPORT))
    assert (suite.tag, suite.get("tests"), suite.get("failures")) == ("testsuite", "4", "2")
    cases = [(case.get("classname"), case.get("name"), [failure.get("message") for failure in case]) for case in suite]
    assert cases == [
        ("apprun1/worker", "exists", []),
        ("apprun1/worker", "supervised", [FARES]),
        ("apprun1/worker", "up", [FARES]),
        ("sshd", "exists", []),
    ]


def test_a_harness_reads_tap() -> None:
    message = '  message: "not supervised, last log line: <a & \\"b\\"> #1"'
    assert tap(REPORT).splitlines() == [
        "TAP version 13",
        "1..4",
        "ok 1 - apprun1/worker exists",
        "not ok 2 - apprun1/worker supervised",
        "  ---",
        message,
        "  ...",
        "not ok 3 - apprun1/worker up",
        "  ---",
        message,
        "  ...",
        "ok 4 - sshd exists",
    ]
