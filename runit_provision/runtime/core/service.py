"""The life of one supervised service and its log; runsv(8).

    down --want up--> run --ended--> finish --ended--> down, or run again

A service is what it wants (up, down, exit), what it is (down, run, finish), and since when. It has a main part and, with `log/`, a
log part, which lives the same life without finish and without control scripts. Events come in: a letter on supervise/control, a
process's start and end, a due time. `step` answers with actions and touches nothing; what it changes, it changes on the service, in
this file only.

Rules that make it feel like runit:

* After a run shorter than a second one second passes before the next.
* A letter's signal is sent unless `control/LETTER` exits 0. Stopping asks control/t first, then sends CONT whatever that said, then
  runs control/d or control/x for its own sake. control/u runs before every start of ./run. While a script runs, what happens to the
  main part waits for it (`waiting`); the log goes on.
* A service that has a `timeout-kill` is sent KILL when it still runs that long after it was sent TERM (runsv knows no such time).
* `exit` first waits for the main part to be down, then lets the log read to the end of its pipe, then leaves.

Two quirks of runsv are not kept: `k` does not make a service `down` that its signal has not ended yet (with a control/k that exits 0,
runsv starts a second copy), and letters take effect during the second's pause instead of after it.
"""

from __future__ import annotations

from ..wire import status as wire
from ..wire.status import DOWN, FINISH, RUN, WANT_DOWN, WANT_EXIT, WANT_UP
from .actions import Action, Arm, Bound, CloseLog, Exit, Publish, Script, Signal, Spawn
from .events import UNKNOWN, Begin, Due, Ended, Event, Letter, Overdue, ScriptEnded, Started

MAIN = 0
LOG = 1

SECOND = 1_000_000_000

SIGCONT, SIGKILL, SIGSTOP, SIGTERM = 18, 9, 19, 15
_SIGNALS = {"p": SIGSTOP, "c": SIGCONT, "k": SIGKILL, "h": 1, "a": 14, "i": 2, "q": 3, "1": 10, "2": 12}
"""Letters that stand for a signal; the numbers are those of Linux on x86, arm and riscv (signal(7))."""

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
        *(
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
        ),
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
        """Give what supervise/status says."""
        return wire.Status(
            since_ns=self.since, pid=self.pid, state=self.state, want=self.want, paused=self.paused, got_term=self.got_term
        )


class Service:
    """A service; `script` is the letter of the control script that runs, or empty, and `then` what follows it."""

    __slots__ = ("closing", "log", "main", "script", "then", "waiting")

    def __init__(self, *, now: int, want: int = WANT_UP, log_want: int | None = None) -> None:
        self.main = Part(MAIN, now=now, want=want)
        self.log = None if log_want is None else Part(LOG, now=now, want=log_want)
        self.script = ""
        self.then = THEN_NOTHING
        self.closing = False
        self.waiting: list[Event] = []

    def part(self, number: int) -> Part:
        """Give the part MAIN or LOG; ValueError when there is none."""
        if number == MAIN:
            return self.main
        if number == LOG and self.log is not None:
            return self.log
        raise ValueError(f"a service has no part {number}")


def step(service: Service, event: Event, now: int) -> tuple[Action, ...]:
    """Move `service`, and say what is to be done; `now`: Unix time in nanoseconds."""
    if service.script and _waits(event):
        service.waiting.append(event)
        return ()
    actions: list[Action] = []
    _handle(service, event, now, actions)
    while service.waiting and not service.script:
        _handle(service, service.waiting.pop(0), now, actions)
    return tuple(actions)


def _waits(event: Event) -> bool:
    return isinstance(event, (Letter, Ended, Due)) and event.part == MAIN


def _handle(service: Service, event: Event, now: int, actions: list[Action]) -> None:
    match event:
        case Begin():
            _begin(service, now, actions)
        case Letter():
            _letter(service, service.part(event.part), event.letter, now, actions)
        case Started():
            _started(service.part(event.part), event.pid, actions)
        case Ended():
            _ended(service.part(event.part), event, now, actions)
        case ScriptEnded():
            _script_ended(service, event.succeeded, now, actions)
        case Due():
            service.part(event.part).damped = False
        case Overdue():
            _overdue(service.part(event.part), event.pid, actions)
        case _:
            raise ValueError(f"no event of a service: {event!r}")
    _settle(service, now, actions)


def _begin(service: Service, now: int, actions: list[Action]) -> None:
    for part in (service.main, service.log):
        if part is None:
            continue
        if part.damped:
            actions.append(Arm(part.number, min(SECOND, max(0, part.since + SECOND - now))))
        if _is_ending(part):
            # The time begins again: nobody knows how much of it is over.
            actions.append(Bound(part.number, part.pid))


def _is_ending(part: Part) -> bool:
    return part.number == MAIN and part.state == RUN and part.pid != 0 and part.got_term


def _overdue(part: Part, pid: int, actions: list[Action]) -> None:
    if part.pid == pid and _is_ending(part):
        _send(part, SIGKILL, actions)


def _publish(part: Part, actions: list[Action]) -> None:
    # Between Spawn and Started a status would name no process; Started publishes.
    if not part.spawning:
        actions.append(Publish(part.number))


def _started(part: Part, pid: int, actions: list[Action]) -> None:
    if part.spawning or part.pid not in {0, pid}:
        part.spawning = False
        part.pid = pid
        actions.append(Publish(part.number))


def _ended(part: Part, event: Ended, now: int, actions: list[Action]) -> None:
    if not part.alive:
        return
    part.pid = 0
    part.spawning = False
    part.got_term = False
    part.signals = ()
    if part.state == RUN and event.finish and part.number == MAIN:
        part.state = FINISH
        part.ended = event.status
        # Before ./finish can ask supervise/stat what was meant.
        actions.append(Publish(part.number))
        return
    part.state = DOWN
    part.damped = now - part.since < SECOND
    part.since = now
    actions.append(Publish(part.number))
    if part.damped:
        actions.append(Arm(part.number, SECOND))


def _letter(service: Service, part: Part, letter: str, now: int, actions: list[Action]) -> None:
    match letter:
        case "u" | "o" if service.closing and part.number == MAIN:
            pass
        case "u" | "o":
            part.want = WANT_UP if letter == "u" else WANT_DOWN
            part.owed = part.owed or part.state == DOWN
            _publish(part, actions)
        case "d" | "x":
            if letter == "x" and part.number == LOG:
                return
            part.want = WANT_DOWN if letter == "d" else WANT_EXIT
            part.owed = False
            _publish(part, actions)
            if part.state == RUN:
                _stop(service, part, now, actions)
        case "t":
            if part.state == RUN:
                _stop(service, part, now, actions)
        case _ if letter in _SIGNALS:
            _ask(service, part, letter, THEN_SIGNAL, now, actions)
        case _:
            pass


def _ask(service: Service, part: Part, letter: str, then: int, now: int, actions: list[Action]) -> None:
    """Run control/LETTER, where there can be one, before what follows."""
    if part.number == MAIN and (part.state == RUN or then == THEN_START):
        service.script = letter
        service.then = then
        actions.append(Script(letter))
    else:
        _follow(service, part, letter, then, False, now, actions)


def _script_ended(service: Service, succeeded: bool, now: int, actions: list[Action]) -> None:
    letter, then = service.script, service.then
    service.script, service.then = "", THEN_NOTHING
    if letter:
        _follow(service, service.main, letter, then, succeeded, now, actions)


def _follow(service: Service, part: Part, letter: str, then: int, handled: bool, now: int, actions: list[Action]) -> None:
    if then == THEN_START:
        _spawn_run(part, now, actions)
    elif then == THEN_STOP:
        _terminate(service, part, handled, now, actions)
    elif then == THEN_SIGNAL:
        _signal(part, letter, handled, actions)
    elif then != THEN_NOTHING:
        raise ValueError(f"nothing is numbered {then} that follows a control script")


def _signal(part: Part, letter: str, handled: bool, actions: list[Action]) -> None:
    if part.state == RUN and not handled:
        _send(part, _SIGNALS[letter], actions)
    if letter in "pc":
        part.paused = letter == "p"
        _publish(part, actions)


def _send(part: Part, number: int, actions: list[Action]) -> None:
    part.signals += (number,)
    actions.append(Signal(part.number, number))


def _stop(service: Service, part: Part, now: int, actions: list[Action]) -> None:
    _ask(service, part, "t", THEN_STOP, now, actions)


def _terminate(service: Service, part: Part, handled: bool, now: int, actions: list[Action]) -> None:
    if not handled:
        _send(part, SIGTERM, actions)
        part.got_term = True
        _publish(part, actions)
        if _is_ending(part):
            actions.append(Bound(part.number, part.pid))
    if part.want != WANT_UP:
        _send(part, SIGCONT, actions)
        if part.number == MAIN:
            _ask(service, part, "x" if part.want == WANT_EXIT else "d", THEN_NOTHING, now, actions)


def _settle(service: Service, now: int, actions: list[Action]) -> None:
    """Bring what is nearer to what is wanted, as far as nothing has to be waited for."""
    main, log = service.main, service.log
    if log is not None and _may_start(log) and not _is_over(main):
        _spawn_run(log, now, actions)
    if service.script:
        return
    if _is_over(main):
        _leave(service, actions)
    elif main.state == FINISH and not main.alive:
        _spawn(main, FINISH, actions)
    elif _may_start(main):
        _ask(service, main, "u", THEN_START, now, actions)


def _is_over(main: Part) -> bool:
    return main.want == WANT_EXIT and main.state == DOWN and not main.alive


def _may_start(part: Part) -> bool:
    return part.state == DOWN and not part.alive and not part.damped and (part.want == WANT_UP or part.owed)


def _leave(service: Service, actions: list[Action]) -> None:
    log = service.log
    if log is None or not log.alive:
        actions.append(Exit())
    elif not service.closing:
        log.want = WANT_EXIT
        service.closing = True
        _publish(log, actions)
        actions.append(CloseLog())


def _spawn_run(part: Part, now: int, actions: list[Action]) -> None:
    part.since = now
    _spawn(part, RUN, actions)


def _spawn(part: Part, role: int, actions: list[Action]) -> None:
    part.state = role
    part.spawning = True
    part.owed = False
    part.paused = False
    part.got_term = False
    part.signals = ()
    part.signalled = 0
    actions.append(Spawn(part.number, role, arguments_of(part)))


def arguments_of(part: Part) -> tuple[str, ...]:
    """Give what ./finish is called with, exit code or -1 and the low byte of the wait status; nothing for ./run."""
    if part.state != FINISH:
        return ()
    if part.ended == UNKNOWN:
        return ("-1", "0")
    code = -1 if part.ended & 127 else part.ended >> 8
    return (str(code), str(part.ended & 255))
