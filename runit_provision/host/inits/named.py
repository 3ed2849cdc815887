"""What inits share that know our runsvdir by a name, under which they start and stop it."""

from __future__ import annotations

from abc import ABC, abstractmethod

from runit_provision.host.inits import scripts
from runit_provision.host.inits.boot import Boot


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

    @abstractmethod
    def active(self, boot: Boot) -> bool:
        """True when it is started."""

    def _listen(self) -> None:  # noqa: B027 - nothing to do is what most do
        """Let init see what was laid or is gone; most look by themselves."""

    @abstractmethod
    def _start(self, boot: Boot) -> None:
        """Start it, and wait until that is done."""

    def _replace(self, boot: Boot) -> None:
        """End runsvdir, which init then starts anew."""
        scripts.replace(boot)

    @abstractmethod
    def _stop(self, boot: Boot) -> None:
        """Stop it, and wait until all services have ended."""
