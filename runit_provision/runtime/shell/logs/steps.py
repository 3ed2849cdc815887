"""Work on a log that may have to wait, as a generator that yields where C's svlogd sleeps or waits.

    Pause(...)         the disk refused; some seconds, then the same again, for ever
    Wait(descriptor)   a processor still runs, or a file is made safe; until the descriptor (a pidfd, an eventfd) is readable

It goes on from there when it is resumed. So whoever drives it decides what waits with it: svlogd everything, the pool only this log.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import TypeVar

    T = TypeVar("T")
    Steps = Generator["Pause | Wait", None, T]

PAUSE = 3.0
"""Seconds between two tries, as in C."""
LONGEST = 10 * 86400.0
"""Seconds that a logger sleeps at once: the kernel counts no more than 2^31 milliseconds, and `t720h` is more."""


class Pause:
    """Try again after PAUSE seconds; `warning` says why, and `number` is the errno."""

    __slots__ = ("number", "warning")

    def __init__(self, warning: bytes, number: int) -> None:
        self.warning = warning
        self.number = number


class Wait:
    """Go on when `descriptor` is readable."""

    __slots__ = ("descriptor",)

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
