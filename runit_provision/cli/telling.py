"""How the demo is shown: with colours on a terminal, plain lines anywhere else."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from runit_provision.cli.output import Output
from runit_provision.cli.planning import show_steps
from runit_provision.cli.tables import show_table

if TYPE_CHECKING:
    from runit_provision.app.living import Living

_DIFF = {"+": "green", "-": "red", "@": "cyan"}


class Teller:
    """A narrator on standard output."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._chapters = 0

    def chapter(self, title: str) -> None:
        self._chapters += 1
        self._output.line()
        self._output.line(f"{self._chapters}. {title}", bold=True)
        self._output.line()

    def say(self, text: str) -> None:
        self._output.line(f"  {text}")

    def command(self, line: str) -> None:
        self._output.line(f"  $ {line}", fg="cyan")

    def lines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self._output.line(f"    {line}")

    def diff(self, lines: Sequence[str]) -> None:
        for line in lines:
            color = _DIFF.get(line[:1])
            self._output.line(f"    {line}", **({"fg": color} if color else {}))

    def plan(self, lines: Sequence[str]) -> None:
        show_steps(lines, self._output, indent="    ")

    def table(self, services: Sequence[Living]) -> None:
        show_table(services, self._output, now=time.time(), indent="    ")
