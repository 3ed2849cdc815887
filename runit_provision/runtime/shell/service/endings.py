"""The tally of a service's last ends, beside what runit's clients read.

supervise/deaths     the last 32 ends of ./run, one a line, oldest first:
                     `@4000000065a0c4d31f2e8a44 ran 12.043 exited 1` or `... signal 9`, or `... unknown`
"""

from __future__ import annotations

from ...wire import detail, tai

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .files import Supervise

KEPT = 32
_MOST = 64 * KEPT
_NEAR = 1_000_000
"""Nanoseconds: to so much a line tells when its run began. The next one begins a second later at the earliest."""


def add(files: Supervise, now: int, since: int, status: int) -> None:
    """Tell that a run that began at `since` ended `now` (Unix time in nanoseconds) with a wait status.

    Unless the last line is about this run: who wrote it was killed before the end was acted upon. RefusedError or OSError when the
    tally cannot be written.
    """
    try:
        known = files.read("deaths", _MOST)
    except FileNotFoundError:
        known = b""
    lines = known.splitlines(keepends=True)
    if not lines or abs(_began(lines[-1]) - since) > _NEAR:
        text = f"{tai.text(now)} ran {max(0, now - since) / 1e9:.3f} {detail.ending(status)}\n"
        files.replace("deaths", b"".join([*lines, text.encode()][-KEPT:]))


def _began(line: bytes) -> int:
    """Give when the run that a line is about began, in nanoseconds of Unix time; 0 where it does not tell."""
    try:
        label, _ran, seconds, _how = line.split(b" ", 3)
        return tai.read(label) - int(seconds.replace(b".", b"")) * 1_000_000
    except ValueError:
        return 0
