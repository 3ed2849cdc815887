"""runsvdir as pid 1 of a container, for which nobody can stand in.

What managers stop containers with ends all services in order. And $RUNSVDIR_MAIN may name the service that the container is about: when
that is down for good, since its finish, a person or a run level took it down, or its directory is gone, all others end too, and the
container with its exit status: that of run, or 128 and the number of the signal that killed it.
"""

from __future__ import annotations

import _signal
import os

from ...wire.status import DOWN, WANT_UP
from .runsvdir import Runsvdir

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..service.supervised import Supervised
    from ..state import State
    from .call import Call

SECONDS = 8.0
"""For all services to be gone before KILL: less than what a container's manager waits before it kills all, usually ten seconds."""
STOPS = (_signal.SIGTERM, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGPWR, _signal.SIGRTMIN + 3, _signal.SIGRTMIN + 4)
"""docker stop, Ctrl-C, images of daemons that end gracefully by QUIT, lxc-stop, podman's for an init, machinectl poweroff."""
UNKNOWN = 1
"""The container's exit status when nobody knows how its main service ended."""


class Container(Runsvdir):
    """Runsvdir without a next one."""

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        super().__init__(call, state, report=report)
        self._name = os.fsencode(os.environ.get("RUNSVDIR_MAIN", ""))
        self._main: Supervised | None = None
        for number in STOPS:
            self.loop.on_signal(number, self.stop)

    def run(self) -> int:
        """Go on until there is an exit status."""
        if self._name and not os.path.isdir(os.path.join(os.fsencode(self.call.path), self._name)):
            self.report(f"warning: the main service is not there yet: {os.fsdecode(self._name)}")
        return super().run()

    def _turned(self) -> None:
        super()._turned()
        if self._name and not self.ending:
            self._look_at_main()

    def _look_at_main(self) -> None:
        if self._main is None:
            self._main = next((service for service in self.tree.services() if service.identity.name == self._name), None)
        elif self._main.closed or _is_over(self._main):
            self.stop()

    def stop(self) -> None:
        self._ended = 0
        self.end(SECONDS)

    def _finish(self) -> None:
        if self._main is not None and self._main.last_end is not None:
            self._ended = _exit_status(self._main.last_end)
        super()._finish()


def _is_over(service: Supervised) -> bool:
    main = service.service.main
    return service.last_end is not None and main.state == DOWN and not (main.alive or main.owed or main.want == WANT_UP)


def _exit_status(status: int) -> int:
    """Give what a shell makes of a wait status, of which -1 is unknown."""
    if status < 0:
        return UNKNOWN
    return 128 + (status & 127) if status & 127 else status >> 8
