"""Services in a table: rich's with colours, plain columns without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runit_provision.cli.output import Output

if TYPE_CHECKING:
    from runit_provision.app.living import Living

_HEADS = ("service", "state", "pid", "for", "log", "")
_STYLES = {"up": "green", "down": "yellow", "finish": "yellow", "not supervised": "red"}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def show_table(services: Sequence[Living], output: Output, *, now: float, indent: str = "") -> None:
    """Print a row for each service as it was seen at `now`, Unix time in seconds."""
    rows = [_cells(each, now) for each in services]
    for line in _colored(rows) if output.color else _plain(rows):
        output.line(f"{indent}{line}")


def _cells(each: Living, now: float) -> tuple[str, ...]:
    log = ("up" if each.log.running else "down") if each.service.logged else "-"
    return (each.service.id, each.state, str(each.life.pid or "-"), _duration(each.seconds(now)), log, each.note)


def _duration(seconds: int) -> str:
    """Give seconds in the largest unit of which there are at least two."""
    return next((f"{seconds // size} {unit}" for size, unit in _UNITS if seconds >= 2 * size), f"{seconds} s")


def _plain(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    padded = (zip(row, widths, strict=True) for row in (_HEADS, *rows))
    return ["  ".join(cell.ljust(width) for cell, width in row).rstrip() for row in padded]


def _colored(rows: Sequence[tuple[str, ...]]) -> list[str]:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*_HEADS, box=None, pad_edge=False, header_style="dim")
    for service, state, *rest in rows:
        table.add_row(Text(service), Text(state, style=_STYLES[state]), *map(Text, rest))
    text = StringIO()
    Console(file=text, force_terminal=True, color_system="standard", width=10_000).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]
