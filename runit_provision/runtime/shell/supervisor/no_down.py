"""Which services have no file `down`: written down for `sv status` of many, which then need not look for it, nor whether log/ is there.

What is written down is when the directory last changed. Who finds it unchanged knows that nothing was put into it since: that sets its
st_ctime, which nobody can set to what it was. This holds of a change that is older than any clock is coarse, so a directory is looked
at when its service has been there for some time, and supervise/ in it for as long. It is looked at once: where it has changed since,
sv looks for `down` itself.
"""

from __future__ import annotations

import os
import stat
import time

from ...wire import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..loop import Loop
    from ..service.supervised import Supervised

_REST_SECONDS = 1.5
_COARSE_NS = 1_000_000_000
"""No filesystem's clock is coarser that can hold a service: it has FIFOs."""
_AT_A_TIME = 16
_PAUSE_SECONDS = 0.01
"""Between so many: nobody waits for this."""


class NoDown:
    """The services that are to be looked at: those that have rested since they were taken up, and the younger ones."""

    def __init__(self, loop: Loop, table: int) -> None:
        self._loop = loop
        self._table = table
        self._rested: list[Supervised] = []
        self._young: list[Supervised] = []
        self._waits = False

    def look_later(self, service: Supervised) -> None:
        """Look at a service that is being taken up when it has rested."""
        self._young.append(service)
        if not self._waits:
            self._waits = True
            self._loop.after(_REST_SECONDS, self._look)

    def _look(self) -> None:
        for _ in range(min(_AT_A_TIME, len(self._rested))):
            self._note(self._rested.pop())
        if self._rested:
            self._loop.after(_PAUSE_SECONDS, self._look)
            return
        self._rested, self._young = self._young, []
        self._waits = bool(self._rested)
        if self._waits:
            self._loop.after(_REST_SECONDS, self._look)

    def _note(self, service: Supervised) -> None:
        if service.closed or not service.home.is_open:
            return
        changed = _changed(service.home.fd)
        has_plain_log = False
        if service.log_files is not None and changed:
            try:
                has_plain_log = stat.S_ISDIR(os.stat("log", dir_fd=service.home.fd, follow_symlinks=False).st_mode)
            except OSError:
                return
        noted = records.pack_no_down(changed, has_plain_log=has_plain_log)
        try:
            os.pwrite(self._table, noted, records.offset(service.slot) + records.NO_DOWN_AT)
        except OSError:
            pass  # each is asked, as long as this is not known


def _changed(directory: int) -> int:
    """Give when an open directory without `down` changed, its st_ctime in nanoseconds; 0 where that is not known."""
    try:
        found = os.fstat(directory)
        os.stat("down", dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        if found.st_ctime_ns < time.time_ns() - _COARSE_NS:
            return found.st_ctime_ns
    except OSError:
        pass
    return 0
