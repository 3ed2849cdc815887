"""`runit-provision verify`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import DIFFERENT, DONE, options
from runit_provision.cli.output import Output, color_option

if TYPE_CHECKING:
    from runit_provision.app.source import Source
    from runit_provision.app.target import Target
    from runit_provision.app.verification import Verified


@click.command()
@click.option("--within", type=float, default=30.0, show_default=True, metavar="SECONDS", help="How long services may take to settle.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "tap"]),
    default="text",
    show_default=True,
    help="For people, programs, CI servers or test harnesses.",
)
@options.target_options
@options.source_options
@color_option
def command(*, within: float, form: str, target: Target, source: Source, output: Output) -> int:
    """Check, and whether services are supervised, up and logging as the data says. Exit status 2 when something is not so."""
    from runit_provision.app import verification

    verified = verification.verify(source, target, within=within)
    _show(verified, form, output)
    return DONE if verified.kept else DIFFERENT


def _show(verified: Verified, form: str, output: Output) -> None:
    from runit_provision.cli.planning import show_plan
    from runit_provision.verify import report as forms

    match form:
        case "json":
            output.json(_as_json(verified))
        case "junit":
            output.line(forms.junit(verified.report).rstrip())
        case "tap":
            output.line(forms.tap(verified.report).rstrip())
        case _:
            show_plan(verified.planned, output, diff=False)
            for line in verified.report.lines():
                output.line(line)


def _as_json(verified: Verified) -> dict[str, object]:
    findings = [
        {"service": finding.service, "promise": finding.promise, "kept": finding.kept, "fault": finding.fault or None}
        for finding in verified.report.findings
    ]
    return {"version": 1, "kept": verified.kept, "check": verified.planned.empty, "findings": findings}
