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


def supervise(path: str, state: State) -> int:
    """Supervise the service directory `path`; gives the exit status: 0 when it was told to exit, 111 when it cannot begin."""
    report = report_to_stderr("runsv")
    loop = Loop(report)
    tree = Tree(state, loop, report)
    own = parents.Own(state, loop, tree.received)
    tree.parent = own
    ended: list[int] = []

    def begin() -> None:
        found = os.stat(".")
        try:
            if left_by := lone.tree_with(state, found.st_dev, found.st_ino):
                raise RefusedError(f"a process of it runs that the runsvdir of {left_by} has started, which is to supervise it")
            tree.add(".", path)
        except RefusedError as refusal:
            report(f"runsv {path}: fatal: {refusal}")
            ended.append(EXIT_FATAL)

    def end(_service: Supervised) -> None:
        ended.append(0)

    def gone(service: Supervised) -> None:
        if service.leaving:
            loop.soon(begin)  # it was the one of a directory that was here before
        else:
            end(service)

    def exit_all() -> None:
        tree.gone = end
        for service in tree.services():
            service.tell(Letter(MAIN, "x"))

    loop.on_signal(_signal.SIGCHLD, own.reap)
    loop.on_signal(_signal.SIGTERM, exit_all)
    loop.on_signal(_signal.SIGXFSZ, _nothing)  # what a file is too long for is an error of the call
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())  # whoever started us may have blocked them
    if not state.try_lock():
        report(f"runsv {path}: fatal: unable to lock supervise/lock: temporary failure")
        return EXIT_FATAL
    state.prepare()
    tree.recover()
    tree.gone = gone
    if not len(tree):
        begin()
    loop.run_soon()
    while not ended:
        loop.run_once()
    if ended[0]:
        return ended[0]
    try:
        state.remove()
    except OSError as error:
        report(f"runsv {path}: warning: unable to remove {state.path}: {errors.words(error)}")
    return 0


def _nothing() -> None:
    pass


def enter(path: str) -> str:
    """Change to the service directory, and give its state's name: device and inode. OSError when it cannot be entered."""
    directory = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fchdir(directory)
        found = os.fstat(directory)
        return lone.name(found.st_dev, found.st_ino)
    finally:
        os.close(directory)
