"""A rotated file is made safe while the next one is written: fsync, mode 0744, and only then the name `.s`, which says that it is.

C's svlogd does so before it renames the file, and reads nothing meanwhile. Until then the file is called `.u` here, as a `current` is
that a crash left behind.
"""

from __future__ import annotations

import _thread
import posix
import time

from ..wire import errors
from .log_steps import PAUSE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STACK = 256 * 1024
"""Bytes of the thread's stack."""


class Sync:
    """Makes one file at a time safe, in a thread of its own; say: takes svlogd's messages."""

    def __init__(self, say: Callable[[bytes], None]) -> None:
        self._say = say
        self._busy = _thread.allocate_lock()

    def finish(self, descriptor: int, name: bytes, rename: Callable[[], None] | None) -> None:
        """Make a file safe, rename and close it, soon; waits for the one before. name: the log's."""
        self._busy.acquire()
        _thread.stack_size(STACK)
        try:
            _thread.start_new_thread(self._finish, (descriptor, name, rename))
        except RuntimeError:  # no memory for a thread
            self._finish(descriptor, name, rename)

    def wait(self) -> None:
        """Wait until nothing is under way."""
        with self._busy:
            pass

    def _finish(self, descriptor: int, name: bytes, rename: Callable[[], None] | None) -> None:
        self._insist(b"fsync current logfile", name, lambda: posix.fsync(descriptor))
        self._insist(b"set mode of current", name, lambda: posix.fchmod(descriptor, 0o744))
        if rename is not None:
            self._insist(b"rename current", name, rename)
        posix.close(descriptor)
        self._busy.release()

    def _insist(self, what: bytes, name: bytes, call: Callable[[], None]) -> None:
        while True:
            try:
                return call()
            except OSError as error:
                self._say(b"pausing: unable to " + what + b": " + name + b": " + errors.text(error.errno or 0))
                time.sleep(PAUSE)
