"""`runit-provision rollback`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.target import Target


@click.command()
@options.timeouts
@options.target_options
@output_options
def command(*, lock_timeout: float, timeout: float, target: Target, output: Output) -> int:
    """Undo the last apply."""
    from runit_provision.app import provision
    from runit_provision.cli.planning import show_report
    from runit_provision.cli.progress import progress

    with progress() as tell:
        report = provision.rollback(target, lock_timeout=lock_timeout, service_timeout=timeout, progress=tell)
    return show_report(report, output)
