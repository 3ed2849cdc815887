"""What a service is: a main part and maybe a log part, and what it does just now. What happens to it is service.py's matter."""

from __future__ import annotations

from ..wire import status as wire
from ..wire.beyond import Beyond
from ..wire.status import DOWN, RUN, WANT_UP
from .events import Ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .events import Event

MAIN = 0
LOG = 1

# What follows a control script.
THEN_NOTHING = 0
THEN_START = 1
THEN_STOP = 2
THEN_SIGNAL = 3


class Part:
    """The main service or its log.

    pid: 0 for none, or not told yet; since: Unix time in nanoseconds of the last start of run or the last going down; damped: in the
    pause after a short run; owed: one start was asked for by `o` and has not happened; spawning: Spawn was given and not answered;
    signals: asked for and not confirmed; signalled: how many the process has got before them.
    """

    __slots__ = (
        "damped",
        "ended",
        "got_term",
        "number",
        "owed",
        "paused",
        "pid",
        "signalled",
        "signals",
        "since",
        "spawning",
        "state",
        "want",
    )

    def __init__(self, number: int, *, now: int, want: int = WANT_UP) -> None:
        self.number = number
        self.want = want
        self.state = DOWN
        self.since = now
        self.pid = 0
        self.ended = 0
        self.paused = False
        self.got_term = False
        self.damped = False
        self.owed = False
        self.spawning = False
        self.signals: tuple[int, ...] = ()
        self.signalled = 0

    def confirm(self, count: int) -> None:
        """Take note that the process has got `count` signals since it was started."""
        self.signals = self.signals[max(0, count - self.signalled) :]
        self.signalled = max(count, self.signalled)

    @property
    def alive(self) -> bool:
        """Whether a process exists or was asked for."""
        return self.pid != 0 or self.spawning

    def status(self) -> wire.Status:
        """Give what supervise/status says; a run that has no process yet is down."""
        state = DOWN if self.spawning and self.state == RUN else self.state
        return wire.Status(since_ns=self.since, pid=self.pid, state=state, want=self.want, paused=self.paused, got_term=self.got_term)


class Service:
    """A service; `script` is the letter of the control script that runs, or empty, and `then` what follows it.

    stop_waits_since: since when a letter that stops waits behind control scripts, in nanoseconds of the clock that nobody sets, 0 for
    none; hurries: it has waited as long as it may, so no script follows, and nothing is started, before it is acted upon. Neither is
    written down: the next supervisor finds the letter where it is.
    """

    __slots__ = ("beyond", "closing", "hurries", "log", "main", "script", "stop_waits_since", "then", "waiting")

    def __init__(self, *, now: int, want: int = WANT_UP, log_want: int | None = None) -> None:
        self.main = Part(MAIN, now=now, want=want)
        self.log = None if log_want is None else Part(LOG, now=now, want=log_want)
        self.script = ""
        self.then = THEN_NOTHING
        self.closing = False
        self.beyond = Beyond()
        self.waiting: tuple[Event, ...] = ()
        self.stop_waits_since = 0
        self.hurries = False

    def part(self, number: int) -> Part:
        """Give the part MAIN or LOG; ValueError when there is none."""
        if number == MAIN:
            return self.main
        if number == LOG and self.log is not None:
            return self.log
        raise ValueError(f"a service has no part {number}")

    def has_heard_of_end(self, number: int) -> bool:
        """Whether the end of a part's process is to be acted upon as soon as the control script that runs is over."""
        return any(isinstance(event, Ended) and event.part == number for event in self.waiting)
