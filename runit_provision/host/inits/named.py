"""What inits share that know our runsvdir by a name, under which they start and stop it."""

from __future__ import annotations

import os
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

from runit_provision.errors import HostError, Problem
from runit_provision.host.inits.boot import Boot

SEEN_SECONDS = 15
"""For init to see what is new or gone: C runsvdir looks every five seconds, others rest one before they start anything again."""


class Named(ABC):
    """Starts, replaces and stops what is known by a name."""

    __slots__ = ()

    def started(self, boot: Boot, *, fresh: bool) -> list[str]:
        """Make a running init act on what was laid; a runsvdir that runs already is replaced, its services are not."""
        self._listen()
        if fresh or not self.active(boot):
            self._start(boot)
            return [f"started {self.known_as}"]
        self._replace(boot)
        return [f"replaced the runsvdir of {self.known_as}; its services go on"]

    def before_unlink(self, boot: Boot) -> list[str]:
        """Stop it, and with it all services, in order."""
        if not self.active(boot):
            return []
        self._stop(boot)
        return [f"stopped {self.known_as} and its services"]

    def after_unlink(self, boot: Boot) -> list[str]:  # noqa: ARG002 - the name stands for the directory
        """Let init forget it."""
        self._listen()
        return []

    @property
    @abstractmethod
    def known_as(self) -> str:
        """The name."""

    def active(self, boot: Boot) -> bool:
        """True when it is started."""
        return self._main(boot) != 0

    @abstractmethod
    def _main(self, boot: Boot) -> int:
        """Give the pid of the runsvdir that init has started, 0 where none runs."""

    def _listen(self) -> None:  # noqa: B027 - nothing to do is what most do
        """Let init see what was laid or is gone; most look by themselves."""

    @abstractmethod
    def _start(self, boot: Boot) -> None:
        """Start it, and wait until that is done."""

    def _replace(self, boot: Boot) -> None:
        """End runsvdir, and wait until init has started the next one."""
        before = self._main(boot)
        with suppress(ProcessLookupError):
            if before:
                os.kill(before, signal.SIGTERM)
        if not comes(lambda: self._main(boot) not in {0, before}):
            raise HostError(Problem(f"not started again within {SEEN_SECONDS} seconds", path=self.known_as))

    @abstractmethod
    def _stop(self, boot: Boot) -> None:
        """Stop it, and wait until all services have ended."""


def comes(asked: Callable[[], bool]) -> bool:
    """Whether it holds within the time that the slowest init takes to look."""
    deadline = time.monotonic() + SEEN_SECONDS
    while not (found := asked()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found
