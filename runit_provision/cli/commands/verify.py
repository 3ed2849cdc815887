"""`runit-provision verify`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runit_provision.cli import DIFFERENT, DONE, options
from runit_provision.cli.output import Output, color_option
from runit_provision.errors import ProvisionError

if TYPE_CHECKING:
    from runit_provision.app.source import Source
    from runit_provision.app.target import Target
    from runit_provision.app.verification import Verified
    from runit_provision.verify.report import Report


@click.command()
@click.option(
    "--within",
    type=options.Seconds(),
    default=30.0,
    show_default=True,
    help="How long services may take to settle.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "junit", "tap"]),
    default="text",
    show_default=True,
    help="For people, programs, CI servers or test harnesses.",
)
@click.option(
    "--output",
    "file",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write the format there, and here what people read.",
)
@options.live_options
@options.source_options
@color_option
def command(*, within: float, form: str, file: Path | None, target: Target, source: Source, output: Output) -> int:
    """Check, and whether services are supervised, up, healthy and logging as the data says. Exit status 2 when something is not so.

    Healthy is what passes its `check`. It waits until all services have settled, --within at most; not for those that gave up, or are
    told to be down.
    """
    from runit_provision.app import verification

    if file and not file.absolute().parent.is_dir():
        raise click.BadParameter(f"{str(file.parent)!r} is no directory.", param_hint="'--output'")
    try:
        verified = verification.verify(source, target, within=within)
    except ProvisionError as error:
        # Who reads the report, and not what is said here, is to see that nothing was verified.
        report = verification.refused(error)
        if file:
            file.write_text(_written(report, form), encoding="utf-8")
        elif form != "text":
            output.line(_written(report, form).rstrip("\n"))
        raise
    if file:
        file.write_text(_written(verified.report, form), encoding="utf-8")
    if file or form == "text":
        _show(verified, output)
    else:
        output.line(_written(verified.report, form).rstrip("\n"))
    return DONE if verified.kept else DIFFERENT


def _show(verified: Verified, output: Output) -> None:
    from runit_provision.cli.planning import show_plan

    show_plan(verified.planned, output, diff=False)
    for problem in verified.planned.plan.problems:
        output.complain(problem)
    for line in verified.report.lines():
        output.line(line)


def _written(report: Report, form: str) -> str:
    from runit_provision.verify import report as forms

    match form:
        case "json":
            return json.dumps(_as_json(report), indent=2, ensure_ascii=False) + "\n"
        case "junit":
            return forms.junit(report)
        case "tap":
            return forms.tap(report)
        case _:
            return "".join(f"{line}\n" for line in (*report.refused, *report.differences, *report.lines()))


def _as_json(report: Report) -> dict[str, object]:
    findings = [
        {
            "service": finding.service,
            "promise": finding.promise,
            "kept": finding.kept,
            "fault": finding.fault or None,
            "final": finding.final,
        }
        for finding in report.findings
    ]
    return {
        "version": 1,
        "kept": report.kept,
        "check": not report.refused and not report.differences,
        "problems": report.refused,
        "differences": report.differences,
        "findings": findings,
    }
