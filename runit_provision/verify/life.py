"""What a service directory tells of itself at one moment, and how a person would say it. No I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from runit_provision.runtime.wire import status as wire
from runit_provision.runtime.wire.status import Status

_LINE = 160
_LATE = 60
_KEPT = 32
_KILLED = 137
_TIMES = {1: "once", 2: "twice", 3: "three times", 4: "four times", 5: "five times"}


class Supervised(Enum):
    """Whether somebody reads supervise/ok; DENIED when whoever asks may not look."""

    YES = "yes"
    NO = "no"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Process:
    """A service's own process, or its logger's. status: None unless it is supervised and has written one."""

    supervised: Supervised
    status: Status | None = None

    @property
    def up(self) -> bool:
        """True when `run` runs; a service in `finish` is not up."""
        return self.status is not None and self.status.state == wire.RUN and self.status.pid != 0


@dataclass(frozen=True, slots=True)
class End:
    """One of the last ends of `run`. at: Unix time in seconds; how: `exited 1`, `signal 9`, or `unknown`."""

    at: float
    how: str


@dataclass(frozen=True, slots=True)
class Life:
    """One look at a service directory.

    now: the host's Unix time in seconds; exists: it has a `run`; enabled: it has no `down`; log: None when it has no log service;
    gave_up: its `finish` left word that it ended too often; failed: that a one-shot did not succeed. ready: it is not one that has
    still to say that it is ready. check: the exit status of its `check`; None when that was not run. lines, ends: the last lines of its
    log and its last ends, oldest first, as far as they were asked for; logged: the Unix time in seconds of the last line, where it is
    known.
    """

    now: int
    exists: bool
    enabled: bool
    main: Process
    log: Process | None = None
    lines: tuple[str, ...] = ()
    logged: int | None = None
    gave_up: bool = False
    failed: bool = False
    ready: bool = True
    check: int | None = None
    ends: tuple[End, ...] = ()

    @property
    def pid(self) -> int | None:
        """The process id of `run` or `finish`; None when neither runs."""
        return (self.main.status.pid or None) if self.main.status else None

    @property
    def since(self) -> int | None:
        """For how many seconds it has been up, or down; None when nobody supervises it."""
        if self.main.status is None:
            return None
        return max(0, self.now - self.main.status.since_ns // 1_000_000_000)

    @property
    def want(self) -> str | None:
        """`up` or `down`, as its supervisor was told last; None when nobody supervises it."""
        if self.main.status is None:
            return None
        return "up" if self.main.status.want == wire.WANT_UP else "down"


def describe(life: Life) -> str:
    """Say in one line how a service fares: `want up, down for 3 s, exited 1 five times in 60 s; last log line: out of memory`."""
    words = [_fares(life), *_ends(life)]
    if life.exists and not life.enabled:
        words.append("not enabled at boot")
    if life.check:
        words.append("its check did not end in 10 s" if life.check == _KILLED else f"its check exited {life.check}")
    if life.failed:
        words.append("its last run failed")
    if life.log is not None and not life.log.up:
        words.append("its logger is down" if life.log.supervised is Supervised.YES else "its logger is not supervised")
    return ", ".join(words) + _last_line(life)


def _last_line(life: Life) -> str:
    if not life.lines:
        return ""
    age = life.now - life.logged if life.logged is not None else 0
    return f"; last log line{f', {age} s ago' if age > _LATE else ''}: {printable(life.lines[-1])}"


def _ends(life: Life) -> Iterator[str]:
    """Say how often and how it ended of late: before now, or before it gave up."""
    if not life.ends:
        return
    until = life.ends[-1].at if life.gave_up else life.now
    recent = Counter(end.how for end in life.ends if until - end.at <= _LATE)
    if recent:
        before = " at least" if recent.total() == _KEPT else ","  # no number right after a status
        told = [f"{how} {_TIMES[number]}" if number in _TIMES else f"{how}{before} {number} times" for how, number in recent.items()]
        yield f"{' and '.join(told)} in {_LATE} s"


def printable(line: str) -> str:
    """Give a service's own words without what would move a terminal's cursor, and not more than a screen's line or two of them."""
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in line)
    return shown if len(shown) <= _LINE else shown[:_LINE] + "..."


def _fares(life: Life) -> str:
    if not life.exists:
        return "there is no run"
    if life.main.supervised is Supervised.DENIED:
        return "its supervise directory may only be read by root and its owner"
    if life.main.supervised is Supervised.NO:
        return "not supervised"
    status = life.main.status
    if status is None:
        return "supervised, without a status yet"
    gave_up = "gave up, " if life.gave_up and not status.pid else ""
    state = {wire.RUN: f"up (pid {status.pid})", wire.FINISH: f"in finish (pid {status.pid})"}.get(status.state, "down")
    extra = (", paused" if status.paused else "") + (", got TERM" if status.got_term else "")
    extra += "" if life.ready else ", not ready yet"
    return f"want {life.want}, {gave_up}{state} for {life.since} s{extra}"
