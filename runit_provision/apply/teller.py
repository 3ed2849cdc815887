"""How far an apply is, for a person who watches."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from runit_provision.errors import printable

Progress = Callable[[int, int, str], None]
"""Is told how many steps are done, of how many, and the last one, or what is waited for."""
TICK = 1.0
"""Seconds after which a person who waits is told so again."""


class Teller:
    """Counts steps. What is made beside its place and then renamed into it is two of them, since each of both takes its time."""

    def __init__(self, progress: Progress | None = None, total: int = 0) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    @property
    def watched(self) -> bool:
        """Whether anybody is told at all: what is long is only then cut into pieces."""
        return self._progress is not None

    def did(self, *names: str) -> None:
        """Count what was done, each by its path or id."""
        self._done += len(names)
        if names:
            self.does(names[-1])

    def does(self, what: str) -> None:
        """Say what takes its time now."""
        if self._progress:
            self._progress(self._done, self._total, printable(what))

    def waits(self, names: Iterable[str], seconds: float) -> None:
        """Say whom is waited for, and how long still."""
        first, *others = names
        more = f" and {len(others)} more" if others else ""
        self.does(f"waits for {first}{more}, {seconds:.0f} s at most")
