r"""How a service says that it is ready: a newline on the descriptor that its `notification-fd` names; s6's protocol.

The descriptor leads to a FIFO, supervise/notify, a new one for each run, so that nobody who was started by an earlier one is heard. As
supervise/control it is held open by others too, and read byte by byte into the table of records: the word of a service is not lost by
its supervisor's death, and is not answered by SIGPIPE.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..loop import Loop
    from .files import Supervise

    class Hearer(Protocol):
        """Whose service it is."""

        def read_word(self, fd: int) -> str:
            """Take one byte from a FIFO so that it cannot be lost; empty when there is none."""

        def hear(self, byte: str) -> None:
            """Act on what was said."""


_BYTES = 64
"""At most in a turn: who writes without end must not keep others waiting."""


class Readiness:
    """The FIFO of the run that is there; `fd` is -1 when it has none."""

    __slots__ = ("_files", "_hearer", "_loop", "fd")

    def __init__(self, files: Supervise, loop: Loop, hearer: Hearer) -> None:
        self._files = files
        self._loop = loop
        self._hearer = hearer
        self.fd = -1

    def renew(self) -> None:
        """Have a FIFO for a new run; RefusedError when there is none to be had."""
        self.close()
        self._files.remove("notify")
        self.resume()

    def resume(self) -> None:
        """Listen to the run that is there; RefusedError when that cannot be."""
        self.fd = self._files.open_fifo("notify")
        self._loop.watch(self.fd, self._readable)

    def close(self) -> None:
        """Listen no more."""
        if self.fd >= 0:
            self._loop.forget(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _readable(self) -> None:
        for _ in range(_BYTES):
            byte = self._hearer.read_word(self.fd)
            if not byte:
                return
            self._hearer.hear(byte)
            if self.fd < 0:
                return
