"""Writing down what runs, for who comes after us: what cannot be written now is told once, and written later.

Meanwhile services live on as they are to: only a death of ours, until it is written, makes somebody go by what was true before.
"""

from __future__ import annotations

import errno
import os

from ...wire import errors
from ..report import Trouble

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop

_AGAIN_SECONDS = 1.0


class Notes:
    """What is written in a table of records."""

    def __init__(self, table: int, loop: Loop, report: Callable[[str], None]) -> None:
        self._table = table
        self._loop = loop
        self._report = report
        self._trouble = Trouble(report)
        self._due: set[Callable[[], None]] = set()
        self._waits = False  # until what is due is tried again

    def write(self, content: bytes, at: int, again: Callable[[], None]) -> bool:
        """Write `content` at an offset; False when that cannot be now: `again` is called to try it once more."""
        try:
            if os.pwrite(self._table, content, at) != len(content):
                raise OSError(errno.ENOSPC, "not all of it")
        except OSError as error:
            self._put_off(errors.words(error), again)
            return False
        if not self._due and self._trouble.over():
            self._report("runsv: info: what runs is written down again")
        return True

    def _put_off(self, reason: str, again: Callable[[], None]) -> None:
        self._trouble.tell(f"runsv: warning: unable to write down what runs, trying again: {reason}")
        self._due.add(again)
        if not self._waits:
            self._waits = True
            self._loop.after(_AGAIN_SECONDS, self._try_again)

    def _try_again(self) -> None:
        self._waits = False
        # One after the other: what is due still is not written down.
        for again in list(self._due):
            self._due.discard(again)
            self._loop.guarded(again)
