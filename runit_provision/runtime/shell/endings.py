"""How services end: the time that one may take, and the tally of the last ends, both beside what runit's clients read.

timeout-kill         in the service directory: milliseconds from TERM to KILL, 0 for never (s6-supervise's file)
supervise/deaths     the last 32 ends of ./run, one a line, oldest first:
                     `@4000000065a0c4d31f2e8a44 ran 12.043 exited 1` or `... signal 9`, or `... unknown`
"""

from __future__ import annotations

import os

from ..wire import tai

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .files import Supervise

KEPT = 32
_MOST = 64 * KEPT
_UNKNOWN = -1


def milliseconds(directory: int) -> int:
    """Give what timeout-kill says, 0 for never; ValueError when it says no number."""
    try:
        fd = os.open("timeout-kill", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise ValueError(f"unable to open timeout-kill: {error.strerror}") from None
    try:
        text = os.read(fd, 32).strip()
    except OSError as error:
        raise ValueError(f"unable to read timeout-kill: {error.strerror}") from None
    finally:
        os.close(fd)
    if not text.isdigit() or len(text) > 10:
        raise ValueError("timeout-kill is no number of milliseconds")
    return int(text)


def line(now: int, since: int, status: int) -> bytes:
    """Say that a run that began at `since` ended `now` (Unix time in nanoseconds) with a wait status."""
    how = "unknown" if status == _UNKNOWN else f"signal {status & 127}" if status & 127 else f"exited {status >> 8}"
    return f"{tai.text(now)} ran {max(0, now - since) / 1e9:.3f} {how}\n".encode()


def add(files: Supervise, text: bytes) -> None:
    """Add a line to the tally; RefusedError or OSError when that cannot be."""
    try:
        known = files.read("deaths", _MOST)
    except FileNotFoundError:
        known = b""
    lines = [*known.splitlines(keepends=True), text]
    files.replace("deaths", b"".join(lines[-KEPT:]))
