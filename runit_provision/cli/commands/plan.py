"""`runit-provision plan`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.source import Source
    from runit_provision.app.target import Target


@click.command()
@click.option("--diff/--no-diff", default=True, show_default=True, help="Show what changes inside of files.")
@options.part_options
@options.source_options
@output_options
def command(*, diff: bool, target: Target, source: Source, output: Output) -> int:
    """Show what apply would do and why; writes nothing. Exit status 2 when there is something to do."""
    from runit_provision.app import provision
    from runit_provision.cli.planning import show_difference

    return show_difference(provision.plan(source, target), output, diff=diff)
