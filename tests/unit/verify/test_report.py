"""One report, three readers."""

from __future__ import annotations

from runit_provision.verify.expect import Finding
from runit_provision.verify.report import Report, junit, tap

FARES = 'not supervised; last log line: <a & "b"> #1'
REPORT = Report(
    (
        Finding("apprun1/worker", "exists"),
        Finding("apprun1/worker", "supervised", FARES),
        Finding("apprun1/worker", "up", FARES),
        Finding("sshd", "exists"),
    ),
    seconds=30.04,
    differences=("~ /etc/sv/sshd/run  content changed: runit.services.sshd",),
)


def test_people_read_a_row_for_each_service_that_is_not_as_it_should_be() -> None:
    assert list(REPORT.lines()) == [
        "service         should be       but",
        f"apprun1/worker  supervised, up  {FARES}",
        "2 services, 2 of 5 promises kept (30.0 s)",
    ]


def test_all_is_well() -> None:
    report = Report((Finding("sshd", "up"),), seconds=0.5)
    assert report.kept
    assert list(report.lines()) == ["1 service, 2 of 2 promises kept (0.5 s)"]
    assert tap(report) == "TAP version 13\n1..2\nok 1 - everything on disk is as the data says\nok 2 - sshd up\n"


def test_a_difference_on_disk_is_none_that_services_can_hide() -> None:
    report = Report((Finding("sshd", "up"),), seconds=0.5, differences=("- /etc/sv/old  no longer asked for",))
    assert not report.kept
    assert "not ok 1 - everything on disk is as the data says\n" in tap(report)
    assert 'message="1 difference"' in junit(report)


def test_a_harness_reads_tap() -> None:
    message = '  message: "not supervised; last log line: <a & \\"b\\"> #1"'
    assert tap(REPORT).splitlines() == [
        "TAP version 13",
        "1..5",
        "not ok 1 - everything on disk is as the data says",
        "  ---",
        '  message: "1 difference"',
        "  differences: |",
        "    ~ /etc/sv/sshd/run  content changed: runit.services.sshd",
        "  ...",
        "ok 2 - apprun1/worker exists",
        "not ok 3 - apprun1/worker supervised",
        "  ---",
        message,
        "  ...",
        "not ok 4 - apprun1/worker up",
        "  ---",
        message,
        "  ...",
        "ok 5 - sshd exists",
    ]
