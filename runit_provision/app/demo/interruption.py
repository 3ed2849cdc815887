"""SIGINT, SIGTERM and SIGHUP end what is going on, not what has to be whole: an exception where it is allowed, else when it is.

A handler that raises can do so between any two instructions: between the making of a directory and the noting of its name as well.
So it raises only outside of `held()`.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """A signal asked for the end; `number` is which."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.number = number


class Interruptions:
    """The three signals, while this is installed.

    A signal raises from where it came at most once in all: what cleans up after that is not interrupted again. `check` raises
    whenever one has come. In what python runs unasked, a finalizer or a weak reference's callback (each import ends with one), an
    exception is dropped: then the next `check` raises, or the next signal.
    """

    def __init__(self) -> None:
        self._pending: signal.Signals | None = None
        self._holders = 0
        self._raised = False

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the signals until the block ends; an ignored one (nohup) stays ignored.

        Raises Interrupted at the end when one has come, whatever error that led to.
        """
        before = {number: signal.getsignal(number) for number in _SIGNALS}
        tell_dropped = sys.unraisablehook

        def dropped(what: sys.UnraisableHookArgs) -> None:
            if isinstance(what.exc_value, Interrupted):
                self._raised = False
            else:
                tell_dropped(what)

        sys.unraisablehook = dropped
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:
                signal.signal(number, self._come)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            sys.unraisablehook = tell_dropped
            self.check()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the block be whole; a signal that came meanwhile raises Interrupted at its end."""
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
        self.check()

    def quiet(self) -> None:
        """From now on signals are only noted."""
        self._raised = True

    def check(self) -> None:
        """Raise Interrupted when a signal has come."""
        if self._pending is not None and not self._holders:
            self._raised = True
            raise Interrupted(self._pending)

    def _come(self, number: int, _: FrameType | None) -> None:
        self._pending = self._pending or signal.Signals(number)
        if not self._raised:
            self.check()
