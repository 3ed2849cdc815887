"""Options that several commands share, read into what the use cases take."""

from __future__ import annotations

import os
from pathlib import Path

import click

FILE = click.Path(path_type=Path)
"""A file that is read; that it is there is the reader's to say, with exit status 1: it is input, not usage."""


class HostPath(click.Path):
    """A path of the host, which an image's root goes in front of."""

    name = "path"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Path:  # noqa: ARG002
        return Path(os.path.abspath(str(value)))  # noqa: PTH100 - Path.resolve would follow links of this machine


root = click.option(
    "--root",
    type=click.Path(file_okay=False, exists=True, path_type=Path, resolve_path=True),
    default="/",
    metavar="DIR",
    help="An image that is being built: its files are written and its accounts are read, nothing runs there.",
)
prefix = click.option(
    "--prefix",
    type=HostPath(),
    default="/usr/local",
    show_default=True,
    metavar="DIR",
    help="Where the runtime lives: its tools in DIR/bin.",
)
