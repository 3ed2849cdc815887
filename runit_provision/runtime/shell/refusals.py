"""Signals to services that the kernel does not let us send: their process has another user's uid by now, as sudo has.

As with C's runsv such a signal counts as sent: sent again it would fail again, and what waits for it would wait for ever.
"""

from __future__ import annotations

import errno
import os

from ..wire import errors, records
from .report import write_to_stderr


class Refusals:
    """Tells them, once for each process; table: descriptor of the records, which know the names of services."""

    def __init__(self, table: int) -> None:
        self._table = table
        self._told: dict[tuple[int, int], int] = {}

    def tell(self, slot: int, key: int, to: records.Process, number: int) -> None:
        """Say that the process of a key did not get a signal; nothing of a pool, which is no service's."""
        if key == records.POOL or self._told.get((slot, key)) == to.started:
            return
        self._told[slot, key] = to.started
        content = os.pread(self._table, records.SIZE, records.offset(slot))
        service = records.unpack_identity(content) if len(content) == records.SIZE else None
        name = b"%d" % slot if service is None else service.name
        reason = errors.text(errno.EPERM)
        write_to_stderr(b"runsv %s: warning: unable to send signal %d to process %d: %s\n" % (name, number, to.pid, reason))
