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
@options.root
@options.source_options
@output_options
def command(*, out: Path | None, root: Path, source: Source, output: Output) -> None:
    """Show the tree that the data means: every path with its mode and digest, or the files themselves.

    Nothing of it is applied, so an account or group that this machine lacks is a warning, and its home taken to be in /home.
    """
    from runit_provision.app import rendering
    from runit_provision.app.desired import desire
    from runit_provision.host import accounts

    desired = desire(source, accounts.read(root), strangers=True)
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
