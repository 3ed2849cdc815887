"""Threads of a logger. With one that a mistake of ours or a lack of memory ends, the logger ends, and another takes its place.

Else its logs, and then the services that write to them, would wait for what is no more. What a pool had read is in its journal.
"""

from __future__ import annotations

import _thread
import posix

from ..report import encoded, write_to_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

STACK = 256 * 1024
"""Bytes of a thread's stack; nothing here recurses."""


def start(work: Callable[..., None], *arguments: object) -> None:
    """Let a thread call `work` with `arguments`.

    Raises: RuntimeError, when there is no memory for it, or no room for processes.
    """
    _thread.stack_size(STACK)
    _thread.start_new_thread(_run, (work, arguments))


def _run(work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    try:
        work(*arguments)
    except BaseException as error:
        write_to_stderr(encoded(f"svlogd: fatal: internal error: {type(error).__name__}: {error}\n"))
        posix._exit(111)
