"""runsv(8) on its own: one process for one service, with the keeper's work inside.

It works beneath any parent: C's runsvdir, s6, a shell. Killed, it leaves its service running, and the next runsv of the directory
adopts it by its record.
"""

from __future__ import annotations

import _signal
import os

from ...core.events import Letter
from ...core.part import MAIN
from ...wire import errors
from ..loop import Loop
from ..report import report_to_stderr
from ..service.files import RefusedError
from . import lone, parents
from .tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..service.supervised import Supervised
    from ..state import State

EXIT_FATAL = 111
_WAITING_SECONDS = 1.5
"""For who has the lock of a service that is known: longer than a killed supervisor takes to close it."""


class _Runsv:
    """The runsv of the service directory `path`, which it is in. status: the exit status, None as long as it goes on."""

    def __init__(self, path: str, state: State) -> None:
        self._path = path
        self._state = state
        self.report = report_to_stderr("runsv")
        self.loop = Loop(self.report)
        self.status: int | None = None
        self._tree = Tree(state, self.loop, self.report)
        own = parents.Own(state, self.loop, self._tree.received)
        self._tree.parent = own
        self.loop.on_signal(_signal.SIGCHLD, own.reap)
        self.loop.on_signal(_signal.SIGTERM, self._exit_all)
        self.loop.on_signal(_signal.SIGXFSZ, _nothing)  # what a file is too long for is an error of the call

    def recover(self) -> None:
        """Go on with what is written down, or begin."""
        tree = self._tree
        try:
            if not lone.runs(self._state):
                self._leave_to_tree()  # which may have had it since what is written down here
        except (RefusedError, OSError) as refusal:
            self._fail(refusal)
            return
        tree.recover()
        tree.gone = self._gone
        if not len(tree):
            self._begin()
        elif not tree.services():
            self.loop.after(_WAITING_SECONDS, self._look)

    def _begin(self) -> None:
        try:
            self._leave_to_tree()
            self._tree.add(".", self._path)
        except (RefusedError, OSError) as refusal:
            self._fail(refusal)

    def _leave_to_tree(self) -> None:
        """Refuse to begin while something of it runs, or begins, that a tree has started. RefusedError, OSError."""
        found = os.stat(".")
        if left_by := lone.tree_with(self._state, found.st_dev, found.st_ino):
            raise RefusedError(f"a process of it runs, or begins, that the runsvdir of {left_by} has started, which is to supervise it")

    def _fail(self, reason: Exception) -> None:
        words = errors.words(reason) if isinstance(reason, OSError) else str(reason)
        self.report(f"runsv {self._path}: fatal: {words}")
        self.status = EXIT_FATAL

    def _look(self) -> None:
        """End, as runsv does, when another one has locked what is known."""
        if not self._tree.services():
            self._tree.leave_to_others()
            if len(self._tree):
                self.loop.after(_WAITING_SECONDS, self._look)
            else:
                self.status = EXIT_FATAL

    def _gone(self, service: Supervised) -> None:
        if service.leaving:
            self.loop.soon(self._begin)  # it was the one of a directory that was here before
        else:
            self._end(service)

    def _end(self, _service: Supervised) -> None:
        self.status = 0

    def _exit_all(self) -> None:
        tree = self._tree
        tree.gone = self._end
        tree.taken = _exit
        if not tree.services():
            tree.give_up_waiting()
            if not len(tree):
                self.status = EXIT_FATAL
        for service in tree.services():
            _exit(service)


def _exit(service: Supervised) -> None:
    service.tell(Letter(MAIN, "x"))


def _nothing() -> None:
    pass


def supervise(path: str, state: State) -> int:
    """Supervise the service directory `path`; gives the exit status: 0 when it was told to exit, 111 when it cannot begin."""
    runsv = _Runsv(path, state)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())  # whoever started us may have blocked them
    if not state.try_lock():
        runsv.report(f"runsv {path}: fatal: unable to lock supervise/lock: temporary failure")
        return EXIT_FATAL
    state.prepare()
    runsv.recover()
    runsv.loop.run_soon()
    while runsv.status is None:
        runsv.loop.run_once()
    if runsv.status:
        return runsv.status
    try:
        state.remove()
    except OSError as error:
        runsv.report(f"runsv {path}: warning: unable to remove {state.path}: {errors.words(error)}")
    return 0


def enter(path: str) -> str:
    """Change to the service directory, and give its state's name: device and inode. OSError when it cannot be entered."""
    directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(directory)
        found = os.fstat(directory)
        return lone.name(found.st_dev, found.st_ino)
    finally:
        os.close(directory)
