"""`runit-provision render`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from runit_provision.cli import options
from runit_provision.cli.output import Format, Output, output_options

if TYPE_CHECKING:
    from runit_provision.app.source import Source


@click.command()
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Write the files there: a new folder, or an empty one.")
@click.option("--strict-accounts", is_flag=True, help="Refuse accounts and groups that this machine lacks, as apply does.")
@options.root
@options.source_options
@output_options
def command(*, out: Path | None, strict_accounts: bool, root: Path, source: Source, output: Output) -> None:
    """Show the tree that the data means: every path with its mode and digest, or the files themselves.

    An account or group that this machine lacks is a warning, and its home taken to be in /home: the data may be another host's.
    """
    from runit_provision.app import rendering
    from runit_provision.app.desired import desire
    from runit_provision.host import accounts

    desired = desire(source, accounts.read(root), strangers=not strict_accounts)
    for warning in desired.warnings:
        output.warn(warning)
    if out is not None:
        number = rendering.write(desired.tree, out)
        return output.line(f"{number} paths written below {out}")
    if output.form is Format.JSON:
        return output.json(rendering.listing(desired.tree))
    for line in rendering.lines(desired.tree):
        output.line(line)
    return None
