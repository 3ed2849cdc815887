"""What a service's life asks of its shell. Each says itself, for tests and for people who trace."""

from __future__ import annotations


class Action:
    """Two actions are equal when they ask for the same."""

    __slots__: tuple[str, ...] | str = ()

    def _values(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in self.__slots__)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Action) and self._values() == other._values()

    def __hash__(self) -> int:
        return hash((type(self), self._values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self._values()))})"


class Spawn(Action):
    """Start `./run` or `./finish` of a part; role: RUN or FINISH; arguments: what follows the program's name.

    While a sweep is due, FINISH is the process that kills what is left behind.
    """

    __slots__ = ("arguments", "part", "role")
    __match_args__ = ("part", "role", "arguments")

    def __init__(self, part: int, role: int, arguments: tuple[str, ...] = ()) -> None:
        self.part = part
        self.role = role
        self.arguments = arguments


class Script(Action):
    """Run `control/LETTER` if it is there and executable, and answer with ScriptEnded; always the last of its actions."""

    __slots__ = ("letter",)
    __match_args__ = ("letter",)

    def __init__(self, letter: str) -> None:
        self.letter = letter


class EndScript(Action):
    """Kill the control script that runs: it has had its time."""

    __slots__ = ()


class Signal(Action):
    """Send a signal to the process of a part."""

    __slots__ = ("number", "part")
    __match_args__ = ("part", "number")

    def __init__(self, part: int, number: int) -> None:
        self.part = part
        self.number = number


class Arm(Action):
    """Answer with Due(part) after `delay` nanoseconds."""

    __slots__ = ("delay", "part")
    __match_args__ = ("part", "delay")

    def __init__(self, part: int, delay: int) -> None:
        self.part = part
        self.delay = delay


class Bound(Action):
    """The process `pid` of a part is to end: answer with Overdue when the time is over that its role, RUN or FINISH, has.

    pid: 0 where a letter waits for that, behind a control script; since: when that began, in nanoseconds of the clock that nobody sets.
    """

    __slots__ = ("part", "pid", "role", "since")
    __match_args__ = ("part", "role", "pid", "since")

    def __init__(self, part: int, role: int, pid: int, since: int) -> None:
        self.part = part
        self.role = role
        self.pid = pid
        self.since = since


class Publish(Action):
    """Write `supervise/status`, `stat` and `pid` of a part, and its record."""

    __slots__ = ("part",)
    __match_args__ = ("part",)

    def __init__(self, part: int) -> None:
        self.part = part


class CloseLog(Action):
    """Nothing more will be written: let the logger read to the end of its pipe."""

    __slots__ = ()


class Exit(Action):
    """The service is gone and its log is complete: nothing is left to supervise."""

    __slots__ = ()
