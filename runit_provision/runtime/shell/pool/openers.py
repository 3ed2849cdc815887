"""Threads of the pool that find out where a log is: whatever they look at may be on a filesystem that does not answer.

One does all jobs, one after the other, for at a boot there are thousands. When none was begun for a while, all openers hang: then there
are twice as many, again and again while jobs wait. So of any number of logs that hang a few times that while is all that others wait.
"""

from __future__ import annotations

import _thread
import time

from ..logs import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .watch import Watch

PATIENCE = 2.0
"""Seconds."""


class Openers:
    """What is to be opened; work: called by an opener, with its turn and what was added. All else is the main thread's."""

    def __init__(self, watch: Watch, work: Callable[..., None]) -> None:
        self._watch = watch
        self._work = work
        self._lock = _thread.allocate_lock()
        self._jobs: list[tuple[bytes, tuple[object, ...]]] = []
        self._count = 0
        self._begun = 0.0

    def add(self, name: bytes, *arguments: object) -> None:
        """Let an opener work on what is called `name`. Raises RuntimeError when there is none, and none can be had."""
        with self._lock:
            if not self._count:
                self._start()
            self._jobs.append((name, arguments))

    def timeout(self) -> float:
        """Give how long the main thread may wait before it looks, in seconds, -1 for ever."""
        with self._lock:
            return max(0.0, self._begun + PATIENCE - time.monotonic()) if self._jobs else -1

    def look(self) -> None:
        """Give company to those that do not come back, while jobs wait."""
        with self._lock:
            now = time.monotonic()
            if not self._jobs or now < self._begun + PATIENCE:
                return
            self._begun = now
            try:
                for _ in range(min(self._count, len(self._jobs))):
                    self._start()
            except RuntimeError:
                pass  # later: there may be room for a thread by then

    def _start(self) -> None:
        threads.start(self._run)
        self._count += 1
        self._begun = time.monotonic()

    def _run(self) -> None:
        turn = self._watch.turn()
        while True:
            with self._lock:
                if not self._jobs:
                    self._count -= 1
                    turn.leave()
                    return
                name, arguments = self._jobs.pop(0)
                self._begun = time.monotonic()
            turn.begin(name)
            self._work(turn, *arguments)
            turn.end()
