"""What is printed, and how: text for people, with colours on a terminal, or JSON for programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import Enum
from functools import wraps
from typing import Any

import click

from runit_provision.errors import HostError, Problem


class Format(Enum):
    """For people or for programs."""

    TEXT = "text"
    JSON = "json"


class Output:
    """Standard output. A reader that goes away (`| head`), or a full disk, ends the printing, never the work."""

    def __init__(self, *, form: Format, color: bool) -> None:
        self.form = form
        self.color = color
        self._lost: OSError | None = None

    def line(self, text: str = "", **style: Any) -> None:
        """Print a line; `style` is click.style's."""
        try:
            click.echo(click.style(text, **style) if style else text, color=self.color)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            self._lost = None if isinstance(error, BrokenPipeError) else error

    def finish(self) -> None:
        """Raise HostError when something could not be printed, though somebody was to read it."""
        if self._lost:
            raise HostError(Problem(str(self._lost.strerror), path="standard output"))

    def warn(self, problem: object) -> None:
        """Print a line on standard error."""
        click.echo(f"warning: {problem}", err=True)

    def complain(self, problem: object) -> None:
        """Print what went wrong, a line on standard error."""
        click.echo(str(problem), err=True)

    def json(self, value: Any) -> None:
        """Print one JSON value; ValueError for a number that JSON does not have."""
        import json

        self.line(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def color_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that is for people alone `--color`; it gets `output`, an Output."""

    @_color
    @wraps(command)
    def run(*, color: str, **options: Any) -> Any:
        output = Output(form=Format.TEXT, color=_is_colored(color))
        status = command(output=output, **options)
        output.finish()
        return status

    return run


def output_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--format` and `--color`; it gets `output`, an Output."""

    @click.option(
        "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True, help="For people or programs."
    )
    @_color
    @wraps(command)
    def run(*, form: str, color: str, **options: Any) -> Any:
        output = Output(form=Format(form), color=_is_colored(color))
        status = command(output=output, **options)
        output.finish()
        return status

    return run


_color = click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)


def _is_colored(color: str) -> bool:
    return color == "always" or (color == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
