r"""`supervise/detail`: what the 20 bytes of `supervise/status` have no room for; only services that have such a thing have the file.

    of 4711                                 the pid that this is about, 0 for none: of another pid's status it tells nothing
    ready @4000000065a0c4d31f2e8a44         it said so then on its `notification-fd`; `ready no`: it has not said so yet
    kill @4000000065a0c4d91f2e8a44          when `timeout-kill` or `timeout-finish` ends its process
    start @4000000065a0c4f71f2e8a44         when it is started again, after a pause longer than runsv's second (`max-delay`)
    deaths 5 @4000000065a0c4951f2e8a44 exited 1     how often in a row it ended quickly, since when, and how the last time
    log @4000000065a0c4951f2e8a44 28        since when its log cannot be written, and why: as wire.pool says in WAITS

A line to each, in this order; a reader passes over lines that it does not know. Of a log `log/supervise/detail` tells the deaths only.

On a full disk it is a symbolic link to what else it would hold, as far as that fits, of the log first: for a link an inode is enough.
"""

from __future__ import annotations

from . import tai

_UNKNOWN = -1

SIZE_MAX = 512
"""Bytes; nobody need read more."""

_LINK_MAX = 59
"""Bytes of a symbolic link that takes no block of an ext4."""


class Detail:
    """What the file says; pid: 0 for none; times in nanoseconds of Unix time, 0 for none; ended: as `ending` says it.

    log_waits: since when; log_reason: the errno that it gets, or one of pool's numbers, SILENT to PROCESSOR_FAILS.
    """

    __slots__ = ("deaths", "dying_since", "ended", "kill_at", "log_reason", "log_waits", "notifies", "pid", "ready", "starts_at")

    def __init__(
        self,
        *,
        pid: int = 0,
        notifies: bool = False,
        ready: int = 0,
        kill_at: int = 0,
        starts_at: int = 0,
        deaths: int = 0,
        dying_since: int = 0,
        ended: str = "",
        log_waits: int = 0,
        log_reason: int = 0,
    ) -> None:
        self.pid = pid
        self.notifies = notifies
        self.ready = ready
        self.kill_at = kill_at
        self.starts_at = starts_at
        self.deaths = deaths
        self.dying_since = dying_since
        self.ended = ended
        self.log_waits = log_waits
        self.log_reason = log_reason


def pack(detail: Detail) -> bytes:
    """Give the file's content; nothing when there is nothing to be told."""
    lines = []
    if detail.notifies:
        lines.append(f"ready {tai.text(detail.ready) if detail.ready else 'no'}\n")
    if detail.kill_at:
        lines.append(f"kill {tai.text(detail.kill_at)}\n")
    if detail.starts_at:
        lines.append(f"start {tai.text(detail.starts_at)}\n")
    if detail.deaths:
        lines.append(f"deaths {detail.deaths} {tai.text(detail.dying_since)} {detail.ended}\n")
    if detail.log_waits:
        lines.append(f"log {tai.text(detail.log_waits)} {detail.log_reason}\n")
    return "".join((f"of {detail.pid}\n", *lines)).encode() if lines else b""


def brief(text: bytes) -> bytes:
    """Give of what `pack` gave as much as the inode of a link has room for."""
    head, *lines = text.splitlines(keepends=True)
    chosen = head
    for line in sorted(lines, key=lambda line: not line.startswith(b"log ")):
        if len(chosen) + len(line) <= _LINK_MAX:
            chosen += line
    return chosen


def unpack(data: bytes, pid: int) -> Detail:
    """Read the file's content as far as it is about the process `pid`; what cannot be read says nothing."""
    detail = Detail(pid=pid)
    lines = [line.split() for line in data.splitlines()]
    if lines[:1] != [[b"of", b"%d" % pid]]:
        return detail
    for words in lines[1:]:
        try:
            _read(detail, words)
        except ValueError:
            continue
    return detail


def _read(detail: Detail, words: list[bytes]) -> None:
    match words:
        case [b"ready", when]:
            detail.ready = 0 if when == b"no" else tai.read(when)
            detail.notifies = True
        case [b"kill", when]:
            detail.kill_at = tai.read(when)
        case [b"start", when]:
            detail.starts_at = tai.read(when)
        case [b"deaths", count, since, (b"exited" | b"signal") as how, number]:
            # The file may be a user's, and root may be the one who prints it.
            detail.deaths, detail.dying_since, detail.ended = int(count), tai.read(since), f"{how.decode()} {int(number)}"
        case [b"deaths", count, since, b"unknown"]:
            detail.deaths, detail.dying_since, detail.ended = int(count), tai.read(since), "unknown"
        case [b"log", since, reason]:
            detail.log_reason, detail.log_waits = int(reason), tai.read(since)


def ending(status: int) -> str:
    """Say how a process ended by its wait status, -1 where nobody knows: `exited 1`, `signal 9` or `unknown`."""
    if status == _UNKNOWN:
        return "unknown"
    return f"signal {status & 127}" if status & 127 else f"exited {status >> 8}"
