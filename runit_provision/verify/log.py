"""A service's log as a test asks about it."""

from __future__ import annotations

import re
import time

from runit_provision.verify.service import Service

_POLL = 0.2
_LAST = 1000


class Log:
    """What svlogd or rsvlog keeps of one service. Every property looks anew."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @property
    def is_running(self) -> bool:
        """True when the service has a log service that runs."""
        return self._service.is_logging

    @property
    def lines(self) -> tuple[str, ...]:
        """Its last 1,000 lines, 64 KiB at most, oldest first."""
        return self._service.look(lines=_LAST).lines

    def has(self, pattern: str, *, within: float = 0.0) -> bool:
        """True when the regular expression is found in one of the lines, now or within `within` seconds."""
        end = time.monotonic() + within
        while not any(re.search(pattern, line) for line in self.lines):
            if time.monotonic() >= end:
                return False
            time.sleep(_POLL)
        return True

    def __repr__(self) -> str:
        return f"<log of {self._service}>"
