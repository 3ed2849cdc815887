"""How many descriptors a pool may have open, which is what limits how many logs it keeps.

For each log it waits at a FIFO and holds a lock. The log's directory and `current` are open too while there is room, and opened again
when they are needed: where there is little, what was longest not used is closed. Beyond that some are kept for what must not fail,
which is over soon: to rotate, to start a processor, to let a service's last words be read. A log that would take them has to wait.

The lowest free number is given (open(2)), so that a new descriptor tells how many there are.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_SPARE_MAX = 128
_SPARE_SHARE = 8


class Room:
    """hard: so many descriptors the process may have; make: lets all writers close what they can, soon; it is called in any thread."""

    def __init__(self, hard: int, make: Callable[[], None]) -> None:
        spare = min(_SPARE_MAX, hard // _SPARE_SHARE)
        self.most = hard - spare
        self._end = hard - spare // 2
        self.make = make

    def is_little(self, *descriptors: int) -> bool:
        """Whether so many are open that some are to be closed, as these show, which were opened just now."""
        return max(descriptors) >= self.most

    def has(self, *descriptors: int) -> bool:
        """Whether there is room for the log that these belong to, which were opened just now."""
        return max(descriptors) < self._end
