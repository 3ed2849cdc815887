"""The stderr of a tree whose runsvdir was given a log: a FIFO in the state directory, read by whoever supervises.

A pipe of the supervisor's own would break at its death, and the next write of every service with it. So stderr of supervisor, keeper
and holder is open for reading too: it breaks only when all of them are dead. What the keeper starts, which may be of another account,
has it for writing only, and opened anew (keeper/children.py).
"""

from __future__ import annotations

import os

from ..report import write_to_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..loop import Loop
    from ..state import State

NAME = "stderr"
DOT_SECONDS = 900.0
"""Between two dots, so that old messages leave the title; runsvdir(8)."""


def redirect(state: State) -> int:
    """Let stderr of this process, and of what it will start, lead to the log; give a descriptor to read it from."""
    if state.directory < 0:
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(writer, True)
    else:
        try:
            os.mkfifo(NAME, 0o600, dir_fd=state.directory)
        except FileExistsError:
            pass
        writer = os.open(NAME, os.O_RDWR | os.O_CLOEXEC, dir_fd=state.directory)
        reader = open_reader(state)
    os.dup2(writer, 2)
    os.close(writer)
    return reader


def open_reader(state: State) -> int:
    """Give a descriptor to read the log from; -1 when this tree has none."""
    if state.directory < 0:
        return -1
    try:
        return os.open(NAME, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=state.directory)
    except FileNotFoundError:
        return -1


def leads_to_log(state: State) -> bool:
    """Whether stderr of this process is the tree's log."""
    try:
        log = os.stat(NAME, dir_fd=state.directory)
        return os.path.samestat(log, os.fstat(2))
    except OSError:
        return False


def follow(reader: int, loop: Loop, show: Callable[[bytes], None], *, dots: bool) -> None:
    """Call `show` with what comes, and, with `dots`, with a dot now and every 15 minutes."""

    def readable() -> None:
        try:
            text = os.read(reader, 65536)
        except BlockingIOError:
            return
        if text:
            show(text)
        else:
            # EOF again and again, while no writer is left.
            loop.forget(reader)

    def dot() -> None:
        show(b".")
        loop.after(DOT_SECONDS, dot)

    loop.watch(reader, readable)
    if dots:
        dot()


def pass_on(text: bytes) -> None:
    """Show what services still write to a log that this runsvdir was not given."""
    write_to_stderr(text)
