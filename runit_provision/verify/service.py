"""A service as a test asks about it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from difflib import get_close_matches

from runit_provision.errors import HostError, Problem
from runit_provision.verify.life import Life, Supervised, describe, printable
from runit_provision.verify.looking import Place
from runit_provision.verify.target import Target

_POLL = 0.2
_NAMED = 8
_STEADY = 2
"""Seconds: a run that ended within the first is restarted after one second of rest, and ages are whole seconds."""


class Services:
    """The services of one host, by name or path."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asked: dict[str, Service] = {}

    def __call__(self, name: str) -> Service:
        """Give the service `name`; HostError when that is no name, or the host cannot be asked."""
        service = self._asked[name] = Service(self._target, name, self._target.find(name))
        return service

    def recall(self) -> str:
        """Say how the services fared when they were last looked at, a line each, and forget them."""
        asked = [str(service) for service in self._asked.values()]
        self._asked.clear()
        return "\n".join(asked)

    def __repr__(self) -> str:
        return "runit_service"


class Service:
    """One service of a host. Every property looks anew; its representation says what the last look saw."""

    def __init__(self, target: Target, name: str, place: Place) -> None:
        self.name = name
        self.directory = place.directory
        self._target = target
        self._place = place
        self._seen: Life | None = None
        self._beside: tuple[str, ...] = ()

    @property
    def exists(self) -> bool:
        """True when there is a service directory with a `run`."""
        return self.look().exists

    @property
    def is_supervised(self) -> bool:
        """True when a supervisor reads supervise/ok; a status file that outlived its supervisor does not count."""
        return self._life().main.supervised is Supervised.YES

    @property
    def is_running(self) -> bool:
        """True when `run` runs at this moment. A service that fails again and again does, most times: see `comes_up`."""
        return self._life().main.up

    @property
    def is_healthy(self) -> bool:
        """True when it is up and its `check`, where it has one, passes at this moment, as for `sv check`; that is run."""
        life = self._life(check=True)
        return life.main.up and life.check == 0

    @property
    def is_enabled(self) -> bool:
        """True when it starts with its supervisor: it exists and has no `down`."""
        life = self.look()
        return life.exists and life.enabled

    @property
    def is_logging(self) -> bool:
        """True when it has a log service that runs."""
        log = self._life().log
        return log is not None and log.up

    @property
    def want(self) -> str | None:
        """`up` or `down`, as its supervisor was told last; None when nobody supervises it."""
        return self._life().want

    @property
    def pid(self) -> int | None:
        """The process id; None when it is down."""
        return self._life().pid

    @property
    def uptime(self) -> int:
        """Whole seconds since `run` was started; 0 when it is not up."""
        life = self._life()
        return (life.since or 0) if life.main.up else 0

    @property
    def log(self) -> tuple[str, ...]:
        """The last 20 lines of its log, oldest first."""
        return self.look(lines=20).lines

    def comes_up(self, *, within: float = 10.0) -> bool:
        """True when it is up, and stays so for more than a second, within `within` seconds."""
        return self._becomes(is_steady, within)

    def goes_down(self, *, within: float = 10.0) -> bool:
        """True when it is supervised, wanted down and down within `within` seconds."""
        return self._becomes(lambda life: life.want == "down" and life.pid is None, within)

    def __str__(self) -> str:
        beside = f"; beside it there are {', '.join(map(printable, self._beside))}" if self._beside else ""
        return f"{self.name}: {describe(self._seen) if self._seen else 'not looked at'}{beside}"

    def __repr__(self) -> str:
        return f"<{self}>"

    def _becomes(self, so: Callable[[Life], bool], within: float) -> bool:
        end = time.monotonic() + within
        while not so(self._life()):
            if time.monotonic() > end:
                return False
            time.sleep(_POLL)
        return True

    def _life(self, *, check: bool = False) -> Life:
        life = self.look(check=check)
        if life.main.supervised is Supervised.DENIED:
            hint = "connect as root (--sudo) or as the service's owner"
            raise HostError(Problem("its supervise directory is not open to this connection", path=self.directory, hint=hint))
        return life

    def look(self, *, lines: int = 1, check: bool = False) -> Life:
        """Look at it once, and at the last `lines` lines of its log; check: run its `check` too, if it is up."""
        (self._seen,) = self._target.look({self.name: self._place}, lines=lines, checked=(self.name,) if check else ()).values()
        self._beside = () if self._seen.exists else self._neighbours()
        return self._seen

    def _neighbours(self) -> tuple[str, ...]:
        """Give the services next to which this one would be, those first whose names are like its own."""
        folder, name = os.path.split(self.directory)
        names = self._target.names(folder, account=self._place.account or "")
        alike = get_close_matches(name, names, _NAMED, cutoff=0.6)
        return tuple([*alike, *(each for each in names if each not in alike)][:_NAMED])


def is_steady(life: Life) -> bool:
    """True when it is up, and has been for more than a second."""
    return life.main.up and (life.since or 0) >= _STEADY
