"""How the demo is shown: with colours and a table of rich's on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runit_provision.cli.output import Output
from runit_provision.cli.planning import show_steps

if TYPE_CHECKING:
    from runit_provision.app.demo.narrator import Row

_HEADS = ("service", "state", "pid", "for", "log", "")
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

    def table(self, rows: Sequence[Row]) -> None:
        cells = [_cells(row) for row in rows]
        if self._output.color:
            return self._rich_table(cells)
        widths = [max(len(cell) for cell in column) for column in zip(_HEADS, *cells, strict=True)]
        for row in (_HEADS, *cells):
            self._output.line("    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        return None

    def _rich_table(self, cells: list[tuple[str, ...]]) -> None:
        from io import StringIO

        from rich.console import Console
        from rich.table import Table

        table = Table(*_HEADS, box=None, pad_edge=False, header_style="dim")
        styles = {"up": "green", "down": "yellow", "finish": "yellow"}
        for service, state, *rest in cells:
            table.add_row(service, f"[{styles.get(state, 'red')}]{state}[/]", *rest)
        text = StringIO()
        Console(file=text, force_terminal=True, width=100).print(table)
        for line in text.getvalue().splitlines():
            self._output.line(f"    {line}")


def _cells(row: Row) -> tuple[str, ...]:
    return (row.service, row.state, str(row.pid or "-"), f"{row.seconds} s", "yes" if row.logged else "no", row.note)
