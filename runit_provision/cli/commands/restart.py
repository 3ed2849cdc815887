"""`runit-provision restart`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.target import Target


@click.command()
@click.argument("services", metavar="ID...", nargs=-1, required=True)
@options.timeouts
@options.live_options
@output_options
def command(*, services: tuple[str, ...], lock_timeout: float, timeout: float, target: Target, output: Output) -> int:
    """End services that apply has made, and start them again; one whose `on_change` is a signal gets that. What is down stays down."""
    from runit_provision.app.restarting import restart
    from runit_provision.cli.planning import show_report

    return show_report(restart(target, services, lock_timeout=lock_timeout, service_timeout=timeout), output)
