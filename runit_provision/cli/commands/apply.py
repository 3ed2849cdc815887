"""`runit-provision apply`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Format, Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.source import Source
    from runit_provision.app.target import Target


@click.command()
@click.option("--diff/--no-diff", default=False, show_default=True, help="Show what changes inside of files.")
@click.option("--rollback-on-failure", is_flag=True, help="When anything fails, put all back as it was before.")
@options.timeouts
@options.part_options
@options.source_options
@output_options
def command(
    *, diff: bool, rollback_on_failure: bool, lock_timeout: float, timeout: float, target: Target, source: Source, output: Output
) -> int:
    """Make the host as the data says. `plan` is the dry run; nothing is asked here."""
    from runit_provision.app import provision
    from runit_provision.cli.planning import resumable, show_plan, show_report
    from runit_provision.cli.progress import progress

    def announce(planned: provision.Planned) -> None:
        if output.form is Format.TEXT:
            show_plan(planned, output, diff=diff)

    with resumable(output), progress() as tell:
        report = provision.apply(
            source,
            target,
            lock_timeout=lock_timeout,
            service_timeout=timeout,
            announce=announce,
            undo_failure=rollback_on_failure,
            progress=tell,
        )
    return show_report(report, output)
