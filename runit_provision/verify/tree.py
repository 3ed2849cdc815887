"""A tree of services as a test asks about it: what one runsvdir looks after."""

from __future__ import annotations

import shlex
import time

from runit_provision.verify.life import describe
from runit_provision.verify.service import Services, is_steady
from runit_provision.verify.target import Target

_POLL = 0.2


class Tree:
    """The services of the host (user "") or of one of its users. Every property looks anew."""

    def __init__(self, target: Target, services: Services, user: str) -> None:
        self.user = user
        self.directory = target.tree(user)
        self._target = target
        self._services = services

    @property
    def services(self) -> tuple[str, ...]:
        """The names of its services, sorted, as `runit_service` takes them."""
        listed = self._target.names(self.directory, account=self.user)
        return tuple(f"{self.user}/{name}" if self.user else name for name in listed)

    @property
    def is_scanned(self) -> bool:
        """True when a runsvdir runs that was started with its directory."""
        return self._target.is_scanned(self.directory)

    @property
    def faults(self) -> tuple[str, ...]:
        """What is not up of what starts with the tree (has no `down`), a line each with how it fares."""
        found = []
        for name in self.services:
            service = self._services(name)
            life = service.look()
            if life.enabled and not is_steady(life):
                found.append(f"{name}: {describe(life)}")
        return tuple(found)

    def comes_up(self, *, within: float = 30.0) -> bool:
        """True when all that starts with the tree is up, and stays so for more than a second, within `within` seconds.

        A tree without services is up when it is scanned.
        """
        end = time.monotonic() + within
        while self.faults or not (self.services or self.is_scanned):
            if time.monotonic() > end:
                return False
            time.sleep(_POLL)
        return True

    def __repr__(self) -> str:
        number = len(self.services)
        idle = "" if number or self.is_scanned else ", and no runsvdir scans it"
        said = "; ".join(self.faults) or f"{number} service{'s' * (number != 1)}{idle}"
        return f"<tree {shlex.quote(self.directory)}: {said}>"
