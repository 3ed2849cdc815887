"""What happens when a service has ended: its `finish`; runsv(8)."""

from __future__ import annotations

from dataclasses import dataclass

from runit_provision.model.run import Script


@dataclass(frozen=True, slots=True)
class Restarts:
    """How often a service may end by itself before it stays down.

    An end within `interval` seconds of the one before counts; more than `count` that count in a row, and the service stays down;
    `forget` seconds without an end forget all of them. A count of 0 restarts never.
    back_off: most seconds that each that counts doubles the wait to, from 1 on; 0 does not wait.
    """

    count: int
    interval: int
    forget: int
    back_off: int = 0


@dataclass(frozen=True, slots=True)
class Mail:
    """Who is told: of an end that nobody asked for, and of one that somebody did. None tells nobody.

    interval: seconds in which one failure is told and the others are only counted; that the service stays down is told at once.
    """

    on_failure: str | None = None
    on_stop: str | None = None
    interval: int = 0


@dataclass(frozen=True, slots=True)
class TreeEnd:
    """A runsvdir was stopped on purpose: nothing that it supervised may live on. `patience` in seconds, then KILL.

    directory: what the runsvdir scans; account: who may touch it, None for the tree's own owner.
    """

    directory: str
    account: str | None
    patience: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Another service, found at `directory`, is told of an end: `verb` is a word of sv.

    account: who tells it, None for the one who runs the script.
    """

    id: str
    directory: str
    verb: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """A finish of parts, in this order: clean-up (shell lines), the inner tree's end, the count of restarts, mail, notices, the rest.

    seconds: how long all of it may take, then it is killed with all that it has started; None is as long as it takes.
    once: the service runs once; that it has succeeded is noted for those that require it, and notices are for that alone.
    """

    lines: str = ""
    tree: TreeEnd | None = None
    mail: Mail | None = None
    restarts: Restarts | None = None
    notices: tuple[Notice, ...] = ()
    seconds: int | None = None
    once: bool = False

    @property
    def asks_why(self) -> bool:
        """Whether it has to know if somebody asked for the end."""
        return self.restarts is not None or (self.mail is not None and (self.once or self.mail.on_failure is not None))


Ending = Script | Finish
