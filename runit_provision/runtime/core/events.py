"""What happens to a service."""

from __future__ import annotations


class Event:
    """Something that the shell saw."""

    __slots__: tuple[str, ...] | str = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(getattr(self, name)) for name in self.__slots__)})"


class Begin(Event):
    """The service is supervised from now on; or again, after its supervisor died."""

    __slots__ = ()


class Letter(Event):
    """A character was written to `supervise/control` or `log/supervise/control`."""

    __slots__ = ("letter", "part")

    def __init__(self, part: int, letter: str) -> None:
        self.part = part
        self.letter = letter


class StopWaits(Event):
    """Whether a letter of STOPS stands unread in `supervise/control`, behind the control script that runs."""

    __slots__ = ("waits",)

    def __init__(self, *, waits: bool) -> None:
        self.waits = waits


class Started(Event):
    """What Spawn asked for exists, as process `pid`; when: since when, in nanoseconds of Unix time, 0 for now."""

    __slots__ = ("part", "pid", "when")

    def __init__(self, part: int, pid: int, when: int = 0) -> None:
        self.part = part
        self.pid = pid
        self.when = when


class Ended(Event):
    """A process ended; status: as waitpid gives it, or UNKNOWN.

    finish: whether `./finish` is there; sweep: whether what it left behind is to be killed; most: `max-delay` in nanoseconds, or 0;
    unread: whether it is a log that may have left lines in its pipe.
    """

    __slots__ = ("finish", "most", "part", "status", "sweep", "unread")

    def __init__(
        self, part: int, status: int, *, finish: bool = False, sweep: bool = False, most: int = 0, unread: bool = False
    ) -> None:
        self.part = part
        self.status = status
        self.finish = finish
        self.sweep = sweep
        self.most = most
        self.unread = unread


class Notified(Event):
    """The main part's process said that it is ready."""

    __slots__ = ()


class LogWaits(Event):
    """The log cannot be written since `since` (Unix time in nanoseconds, 0: it can), because of `reason`; wire.pool."""

    __slots__ = ("reason", "since")

    def __init__(self, since: int, reason: int) -> None:
        self.since = since
        self.reason = reason


class ScriptEnded(Event):
    """`control/LETTER` exited; succeeded: with 0. A script that is not there counts as one that failed."""

    __slots__ = ("succeeded",)

    def __init__(self, *, succeeded: bool) -> None:
        self.succeeded = succeeded


class Due(Event):
    """The time of an Arm has come."""

    __slots__ = ("part",)

    def __init__(self, part: int) -> None:
        self.part = part


class Overdue(Event):
    """The process of a part that is to end since `since`, as Bound said it, has had the time that it may take."""

    __slots__ = ("part", "since")

    def __init__(self, part: int, since: int) -> None:
        self.part = part
        self.since = since


UNKNOWN = -1
"""A wait status that nobody could learn, since the process had no parent of ours any more."""
