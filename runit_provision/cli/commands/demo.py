"""`runit-provision demo`"""

from __future__ import annotations

import click

from runit_provision.cli import DONE, end_by
from runit_provision.cli.output import Output, color_option


@click.command()
@click.option("--keep", is_flag=True, help="Leave all running at the end, and say how to look around.")
@color_option
def command(*, keep: bool, output: Output) -> int:
    """Provision the shipped examples below a temporary directory, supervise them, show what happens, and leave nothing.

    Needs neither root nor a network. Ctrl-C at any point cleans up all the same.
    """
    from runit_provision.app.demo.interruption import Interrupted
    from runit_provision.app.demo.performance import perform
    from runit_provision.cli.telling import Teller

    try:
        perform(Teller(output), keep=keep)
    except Interrupted as interrupted:
        return end_by(interrupted.number)
    return DONE
