"""`runit-provision check`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.source import Source
    from runit_provision.app.target import Target


@click.command()
@options.part_options
@options.source_options
@output_options
def command(*, target: Target, source: Source, output: Output) -> int:
    """Is the host as the data says? Read-only. Exit status 0 when it is, 2 when it is not."""
    from runit_provision.app import provision
    from runit_provision.cli.planning import show_difference

    return show_difference(provision.plan(source, target), output, diff=False)
