"""How far long work is, on standard error, when a person is looking and it takes more than a moment."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

_PATIENCE = 1.0
"""Seconds before anything is shown."""
_PACE = 0.1
"""Seconds between two showings."""


@contextmanager
def progress() -> Iterator[Callable[[int, int, str], None] | None]:
    """Give what shows how many steps are done, of how many, and what is done or waited for; None when nobody is looking."""
    if not sys.stderr.isatty():
        yield None
        return
    due = time.monotonic() + _PATIENCE
    bar: Progress | None = None

    def show(done: int, total: int, what: str) -> None:
        nonlocal due, bar
        if (now := time.monotonic()) < due:
            return
        due = now + _PACE
        if bar is None:
            bar = _bar()
            bar.add_task(what, completed=done, total=total)
            bar.start()
        bar.update(bar.task_ids[0], completed=done, total=total, description=what, refresh=True)

    try:
        yield show
    finally:
        if bar is not None:
            bar.stop()


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TimeElapsedColumn
    from rich.text import Text

    class What(ProgressColumn):
        """A path as it is: markup in it means nothing, and its end says more than its beginning."""

        def render(self, task: Task) -> Text:
            return Text(task.description[-60:], no_wrap=True, overflow="ellipsis")

    # No thread draws it: processes are forked meanwhile.
    columns = (MofNCompleteColumn(), BarColumn(bar_width=24), TimeElapsedColumn(), What())
    return Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
