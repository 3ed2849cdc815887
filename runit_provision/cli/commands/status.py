"""`runit-provision status`"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from runit_provision.cli import DONE, FAILED, options
from runit_provision.cli.output import Format, Output, output_options

if TYPE_CHECKING:
    from runit_provision.app import living
    from runit_provision.app.target import Target


@click.command()
@options.target_options
@output_options
def command(*, target: Target, output: Output) -> int:
    """Show how the services fare that apply has made here."""
    from runit_provision.app import living
    from runit_provision.cli.tables import show_table

    services, problems = living.applied(target)
    if output.form is Format.JSON:
        output.json([_row(each, time.time()) for each in services])
    elif services:
        show_table(services, output, now=time.time())
    elif not problems:
        output.line(living.none(target))
    for problem in problems:
        output.complain(problem)
    return FAILED if problems else DONE


def _row(each: living.Living, now: float) -> dict[str, object]:
    return {
        "service": each.service.id,
        "directory": each.service.directory,
        "state": each.state,
        "want": ("up" if each.life.want_up else "down") if each.life.supervised else None,
        "pid": each.life.pid or None,
        "seconds": each.seconds(now),
        "log": each.log.running if each.service.logged else None,
        "one_shot": each.service.one_shot,
        "enabled": each.service.enabled,
    }
