"""What a service here has beyond runit's: readiness, back-off, a bounded end, the sweep after it; part of its record (records.py)."""

from __future__ import annotations

import struct

SIZE = 39
_PACKED = struct.Struct("<BBqqqqBI")
_SECOND = 1_000_000_000

NO_SWEEP = 0
THEN_DOWN = 1
THEN_FINISH = 2
"""What a sweep of left processes is followed by."""

_NOTIFIES = 4
_LOG_WAITS = 8
_ENDS = 16
_OVERDUE = 32
DEATHS_MAX = 255


class Beyond:
    """notifies: its process was given a descriptor to say on that it is ready, and `ready`: when it did, 0 for not yet.

    deaths: how often it ended quickly and unasked in a row; dying_since: when the first of these runs began; log_deaths,
    log_dying_since: the same of its log; rest: how long it pauses before its next start, in nanoseconds; sweep: NO_SWEEP, THEN_DOWN or
    THEN_FINISH; log_waits: since when its log cannot be written, and log_reason: why, as wire.pool says it. ending_since: since when
    its process is to end, in nanoseconds of the clock that nobody sets (CLOCK_MONOTONIC, which sleeps with the host, as services do),
    and overdue: whether it has had its time. Other times in nanoseconds of Unix time; 0 for never.
    """

    __slots__ = (
        "deaths",
        "dying_since",
        "ending_since",
        "log_deaths",
        "log_dying_since",
        "log_reason",
        "log_waits",
        "notifies",
        "overdue",
        "ready",
        "rest",
        "sweep",
    )

    def __init__(self) -> None:
        self.notifies = False
        self.ready = 0
        self.deaths = 0
        self.dying_since = 0
        self.log_deaths = 0
        self.log_dying_since = 0
        self.rest = 0
        self.sweep = NO_SWEEP
        self.log_waits = 0
        self.log_reason = 0
        self.ending_since = 0
        self.overdue = False


def pack(beyond: Beyond) -> bytes:
    """Give the SIZE bytes of `beyond`: of a log that waits only that it does, since its pool knows the rest.

    Since when it dies has room for whole seconds.
    """
    flags = beyond.sweep | (_NOTIFIES if beyond.notifies else 0) | (_LOG_WAITS if beyond.log_waits else 0)
    flags |= (_ENDS if beyond.ending_since else 0) | (_OVERDUE if beyond.overdue else 0)
    times = (beyond.ready, beyond.dying_since, beyond.rest, beyond.ending_since)
    return _PACKED.pack(flags, beyond.deaths, *times, beyond.log_deaths, beyond.log_dying_since // _SECOND & 0xFFFFFFFF)


def unpack(data: bytes) -> Beyond:
    """Read what begins with SIZE bytes."""
    beyond = Beyond()
    flags, beyond.deaths, *times, beyond.log_deaths, log_dying_since = _PACKED.unpack_from(data)
    beyond.ready, beyond.dying_since, beyond.rest, beyond.ending_since = times
    beyond.log_dying_since = log_dying_since * _SECOND
    beyond.notifies = bool(flags & _NOTIFIES)
    beyond.overdue = bool(flags & _OVERDUE)
    beyond.sweep = flags & (THEN_DOWN | THEN_FINISH)
    return beyond
