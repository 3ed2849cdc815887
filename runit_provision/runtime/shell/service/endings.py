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


def line(now: int, since: int, status: int) -> bytes:
    """Say that a run that began at `since` ended `now` (Unix time in nanoseconds) with a wait status."""
    return f"{tai.text(now)} ran {max(0, now - since) / 1e9:.3f} {detail.ending(status)}\n".encode()


def add(files: Supervise, text: bytes) -> None:
    """Add a line to the tally; RefusedError or OSError when that cannot be."""
    try:
        known = files.read("deaths", _MOST)
    except FileNotFoundError:
        known = b""
    lines = [*known.splitlines(keepends=True), text]
    files.replace("deaths", b"".join(lines[-KEPT:]))
