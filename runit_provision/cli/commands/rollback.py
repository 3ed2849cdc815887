"""`runit-provision rollback`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Format, Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.target import Target


@click.command()
@click.option("--plan", "only_plan", is_flag=True, help="Show what it would do; writes nothing. Exit status 2 when there is something.")
@options.timeouts
@options.target_options
@output_options
def command(*, only_plan: bool, lock_timeout: float, timeout: float, target: Target, output: Output) -> int:
    """Undo the last apply. `--plan` is the dry run; nothing is asked here.

    With `--user`, only if that apply was about the user's tree alone.
    """
    from runit_provision.app import provision
    from runit_provision.cli.planning import resumable, show_difference, show_plan, show_report
    from runit_provision.cli.progress import progress

    def announce(planned: provision.Planned) -> None:
        if output.form is Format.TEXT:
            show_plan(planned, output, diff=False)

    if only_plan:
        return show_difference(provision.plan_rollback(target), output, diff=False, command="rollback")
    with resumable(output), progress() as tell:
        report = provision.rollback(target, lock_timeout=lock_timeout, service_timeout=timeout, announce=announce, progress=tell)
    return show_report(report, output)
