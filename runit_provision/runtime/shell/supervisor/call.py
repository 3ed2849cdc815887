"""How runsvdir was called, what its title shows of that, and who takes its place when it dies."""

from __future__ import annotations

import os

from .. import installation
from ..report import report_to_stderr
from ..title import Title, name_process
from . import parents, stderr
from .supervisor import StandIn

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from ..loop import Loop
    from ..state import State


class Call:
    """How runsvdir was called; path: the directory, absolute; shown: as it was named; log: the rolling log's argument, if any.

    library: a descriptor of the folder of this version, -1 without one. A keeper that is forked when that is removed still shows it.
    """

    def __init__(self, path: str, shown: str, new_session: bool, log: str | None) -> None:
        self.path = path
        self.new_session = new_session
        self.shown = shown
        self.library = installation.open_library()
        self._log = log
        options = ["-P"] if new_session else []
        self._arguments = [os.fsencode(argument) for argument in ("runsvdir", *options, shown)]
        self._title: Title | None = None

    def words(self) -> tuple[str, str, bool, str | None]:
        """Give what another version makes the same of."""
        return self.path, self.shown, self.new_session, self._log

    def arguments(self) -> list[bytes]:
        """Give what follows the program's name."""
        return [*self._arguments[1:], *([os.fsencode(self._log)] if self._log else [])]

    def stand_in(self, state: State, sock: _socket.socket, children: dict[tuple[int, int], int]) -> int:
        """Supervise in the place of a runsvdir until the next one comes; gives the exit status.

        `sock` leads to the keeper, whose fork this process is; children: the keeper's, by slot and key.
        """
        try:
            state.renew()  # the supervisor before may have had to, and the keeper, whose fork this is, does not know of it
        except OSError:
            pass
        greeting = parents.greet(sock, state, _nobody)
        if greeting is None:
            return 1
        reader = self.take_over_title(state)
        standing = StandIn(self, state, report=report_to_stderr("runsvdir"))
        if reader >= 0:
            self.follow(reader, standing.loop)
        standing.begin(sock, children | greeting[0])
        return standing.run()

    def take_title(self, state: State, report: Callable[[str], None]) -> int:
        """Show the call, and lead stderr to the log in it; give what to read it from, or -1."""
        self._title = Title()
        if self._log and self._title.show_with_log([*self._arguments, os.fsencode(self._log)]):
            return stderr.redirect(state)
        if self._log is not None:
            report(f"runsvdir {self.shown}: warning: log must have at least seven characters.")
            report(f"runsvdir {self.shown}: warning: log service disabled.")
            self._log = None
        self._title.show(self._arguments)
        return stderr.open_reader(state)

    def take_over_title(self, state: State) -> int:
        """Show the call in a fork of the keeper, and the log if it has one."""
        self._title = Title()
        name_process(b"runsvdir")
        if self._log and stderr.leads_to_log(state):
            self._title.show_with_log([*self._arguments, os.fsencode(self._log)])
        else:
            self._log = None
            self._title.show(self._arguments)
        return stderr.open_reader(state)

    def follow(self, reader: int, loop: Loop) -> None:
        """Show what comes from `reader`: in the title, or, when this call has no log in it, on stderr."""
        if self._log and self._title is not None:
            stderr.follow(reader, loop, self._title.roll, dots=True)
        else:
            stderr.follow(reader, loop, stderr.pass_on, dots=False)


def _nobody(_pid: int) -> None:
    """A stand-in is asked for by the keeper: nobody else is there."""
