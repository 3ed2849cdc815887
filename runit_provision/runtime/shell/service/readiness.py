r"""How a service says that it is ready: a newline on the descriptor that its `notification-fd` names; s6's protocol.

The descriptor leads to a FIFO, supervise/notify, a new one for each run, so that nobody who was started by an earlier one is heard. As
supervise/control it is held open by others too, and read byte by byte into the table of records: the word of a service is not lost by
its supervisor's death, and is not answered by SIGPIPE. What else a service writes there is nobody's word: where s6 closes the FIFO, it
is dropped here, in large pieces and with a pause after each, so that who writes without end is not killed, nor costs much.
"""

from __future__ import annotations

import os

from ..loop import EPOLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from ..loop import Loop
    from .files import Supervise

    class Hearer(Protocol):
        """Whose service it is."""

        @property
        def expects_word(self) -> bool:
            """Whether the run has not said yet that it is ready."""

        def read_word(self, fd: int) -> str:
            """Take one byte from a FIFO so that it cannot be lost; empty when there is none."""

        def hear(self, byte: str) -> None:
            """Act on what was said."""


_BYTES = 64
"""At most in a turn: who writes without end must not keep others waiting."""
_WORDY = 4096
"""Bytes without a newline after which nobody would miss what is lost if we are killed before we have acted on it."""
_PIECE = 65536
"""Bytes that are dropped at a time: what a FIFO holds."""
_PAUSE_SECONDS = 0.1


class Readiness:
    """The FIFO of the run that is there; `fd` is -1 when it has none."""

    __slots__ = ("_files", "_heard", "_hearer", "_loop", "_runs", "fd")

    def __init__(self, files: Supervise, loop: Loop, hearer: Hearer) -> None:
        self._files = files
        self._loop = loop
        self._hearer = hearer
        self._heard = self._runs = 0
        self.fd = -1

    def renew(self) -> None:
        """Have a FIFO for a new run; RefusedError when there is none to be had."""
        self.close()
        self._files.remove("notify")
        self.resume()

    def resume(self) -> None:
        """Listen to the run that is there; RefusedError when that cannot be."""
        self.fd = self._files.open_fifo("notify")
        self._heard = 0
        self._runs += 1
        self._loop.watch(self.fd, self._readable)

    def close(self) -> None:
        """Listen no more."""
        if self.fd >= 0:
            self._loop.forget(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _readable(self) -> None:
        if not self._hearer.expects_word or self._heard >= _WORDY:
            self._drop()
            return
        for _ in range(_BYTES):
            byte = self._hearer.read_word(self.fd)
            if not byte:
                return
            self._heard += 1
            self._hearer.hear(byte)
            if self.fd < 0 or not self._hearer.expects_word:
                return

    def _drop(self) -> None:
        """Take a piece of what is nobody's word, unless there is one in it yet."""
        try:
            piece = os.read(self.fd, _PIECE)
        except BlockingIOError:
            return
        runs = self._runs
        self._loop.mind(self.fd, 0)
        self._loop.after(_PAUSE_SECONDS, lambda: self._go_on(runs))
        if b"\n" in piece and self._hearer.expects_word:
            self._hearer.hear("\n")

    def _go_on(self, runs: int) -> None:
        if self.fd >= 0 and runs == self._runs:
            self._loop.mind(self.fd, EPOLLIN)
