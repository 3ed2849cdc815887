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
* A service that has a `timeout-kill` is sent KILL when it still runs that long after it was told to end, and a finish that has a
  `timeout-finish` when it still runs that long after its start (runsv knows no such times). A control script that still runs then is
  killed too, and none follows. Where control/t has seen to a `t` (it exited 0) nothing need end. The time goes on over the supervisor's
  death, by a clock that nobody sets. A letter that stops has as long before, to wait for the control script that runs when it comes:
  then that is killed, none follows before the letter is acted upon, and what control/u was asked for is not started.
* Where it is asked for, what ./run or ./finish left behind is killed before anything else happens: meanwhile the service is in finish,
  until a process of ours has done that; one that is killed or fails is followed by another. How long a service rests before its next
  start when it keeps dying is backoff.py's matter.
* `exit` first waits for the main part to be down, then lets the log read to the end of its pipe, then leaves. A log that died with its
  pool comes again for that.

Two quirks of runsv are not kept: `k` does not make a service `down` that its signal has not ended yet (with a control/k that exits 0,
runsv starts a second copy), and letters take effect during the second's pause instead of after it.
"""

from __future__ import annotations

from ..wire.beyond import NO_SWEEP, THEN_DOWN, THEN_FINISH
from ..wire.status import DOWN, FINISH, RUN, WANT_DOWN, WANT_EXIT, WANT_UP
from . import backoff
from .actions import Action, Arm, Bound, CloseLog, EndScript, Exit, Publish, Script, Signal, Spawn
from .backoff import SECOND
from .events import UNKNOWN, Begin, Due, Ended, Event, Letter, LogWaits, Notified, Overdue, ScriptEnded, Started, StopWaits
from .part import LOG, MAIN, THEN_NOTHING, THEN_SIGNAL, THEN_START, THEN_STOP, Part, Service

SIGCONT, SIGKILL, SIGSTOP, SIGTERM = 18, 9, 19, 15
_SIGNALS = {"p": SIGSTOP, "c": SIGCONT, "k": SIGKILL, "h": 1, "a": 14, "i": 2, "q": 3, "1": 10, "2": 12}
"""Letters that stand for a signal; the numbers are those of Linux on x86, arm and riscv (signal(7))."""

STOPS = frozenset("dxtk")
"""Letters that end ./run."""


def step(service: Service, event: Event, now: int, steady: int) -> tuple[Action, ...]:
    """Move `service`, and say what is to be done.

    now: Unix time in nanoseconds; steady: nanoseconds of a clock that nobody sets, never 0.
    """
    actions: list[Action] = []
    if service.script and _waits(event):
        service.waiting += (event,)
        if isinstance(event, Letter) and event.letter in STOPS:
            _stop_waits(service, steady, actions)
        return tuple(actions)
    _handle(service, event, now, steady, actions)
    while service.waiting and not service.script:
        event, *left = service.waiting
        service.waiting = tuple(left)
        _handle(service, event, now, steady, actions)
    return tuple(actions)


def _waits(event: Event) -> bool:
    return isinstance(event, (Letter, Ended, Due)) and event.part == MAIN


def _handle(service: Service, event: Event, now: int, steady: int, actions: list[Action]) -> None:
    match event:
        case Begin():
            _begin(service, now, steady, actions)
        case Letter():
            _letter(service, service.part(event.part), event.letter, now, steady, actions)
        case Started():
            _started(service, service.part(event.part), event, now, steady, actions)
        case Ended():
            _ended(service, service.part(event.part), event, now, actions)
        case Notified():
            _notified(service, now, actions)
        case LogWaits():
            _log_waits(service, event.since, event.reason, actions)
        case ScriptEnded():
            _script_ended(service, event.succeeded, now, actions)
        case Due():
            service.part(event.part).damped = False
        case StopWaits(waits=True):
            _stop_waits(service, steady, actions)
        case StopWaits():
            _stop_comes(service)
        case Overdue():
            _overdue(service, service.part(event.part), event.since, actions)
        case _:
            raise ValueError(f"no event of a service: {event!r}")
    _settle(service, now, actions)


def _begin(service: Service, now: int, steady: int, actions: list[Action]) -> None:
    for part in (service.main, service.log):
        if part is None:
            continue
        if part.damped:
            rest = service.beyond.rest if part.number == MAIN else SECOND
            # However the clock was set meanwhile: no longer than it was to be.
            actions.append(Arm(part.number, min(rest, max(0, part.since + rest - now))))
    main = service.main
    if main.pid and not service.beyond.ending_since and (main.got_term or _is_in_finish(service)):
        # It began where nobody wrote down when, under another's supervisor for one.
        service.beyond.ending_since = steady
    _bound(service, actions)
    if service.stop_waits_since:
        actions.append(Bound(MAIN, RUN, 0, service.stop_waits_since))


def _is_in_finish(service: Service) -> bool:
    return service.main.state == FINISH and service.beyond.sweep == NO_SWEEP


def _bound(service: Service, actions: list[Action]) -> None:
    """Let the time of a process that is to end be over some time, also where its setting is new."""
    main, since = service.main, service.beyond.ending_since
    if main.pid and since:
        actions.append(Bound(MAIN, main.state, main.pid, since))


def _stop_waits(service: Service, steady: int, actions: list[Action]) -> None:
    # What is to end already has its time, and so has the script that was run for that.
    if service.script and not service.stop_waits_since and not service.beyond.ending_since:
        service.stop_waits_since = steady
        actions.append(Bound(MAIN, RUN, 0, steady))


def _stop_comes(service: Service) -> None:
    service.stop_waits_since, service.hurries = 0, False


def _log_waits(service: Service, since: int, reason: int, actions: list[Action]) -> None:
    if service.beyond.log_waits != since:
        service.beyond.log_waits, service.beyond.log_reason = since, reason
        actions.append(Publish(MAIN))


def _overdue(service: Service, part: Part, since: int, actions: list[Action]) -> None:
    if part.number == LOG:
        return
    if service.script and since and since == service.stop_waits_since:
        service.hurries = True
        actions.append(EndScript())
    if part.pid == 0 or since != service.beyond.ending_since:
        return
    service.beyond.overdue = True
    if not any(isinstance(event, Ended) and event.part == MAIN for event in service.waiting):
        _send(part, SIGKILL, actions)
    if service.script:
        actions.append(EndScript())


def _started(service: Service, part: Part, event: Started, now: int, steady: int, actions: list[Action]) -> None:
    if part.spawning or part.pid not in {0, event.pid}:
        if part.spawning and part.state == RUN:
            # Not since it was asked for, which may be long ago where no process was to be had. Its parent tells more than the clock,
            # which may have been set back.
            part.since = event.when if part.since <= event.when <= now else now
        part.spawning = False
        part.pid = event.pid
        actions.append(Publish(part.number))
        if part.number == MAIN:
            if service.beyond.ending_since or _is_in_finish(service):
                # Whoever waited for a process to be made was not waiting for it to end.
                service.beyond.ending_since = steady
            _bound(service, actions)


def _ended(service: Service, part: Part, event: Ended, now: int, actions: list[Action]) -> None:
    if not part.alive:
        return
    beyond = service.beyond
    unasked = part.want == WANT_UP and not part.got_term and not (part.number == MAIN and beyond.ending_since)
    part.pid = 0
    part.spawning = False
    part.got_term = False
    part.signals = ()
    if part.number == LOG:
        part.ended = event.status
        if unasked:
            count = backoff.counted(beyond.log_deaths, beyond.log_dying_since, since=part.since, now=now, most=0)
            beyond.log_deaths, beyond.log_dying_since = count
        _log_waits(service, 0, 0, actions)
        part.owed = part.owed or (event.unread and part.want == WANT_UP)
        _go_down(part, SECOND if now - part.since < SECOND else 0, now, actions)
        return
    beyond.ending_since, beyond.overdue = 0, False
    if has_failed_to_sweep(service, event.status):
        _sweep_again(part, event.status, actions)
        return
    follows, sweep = beyond.sweep or THEN_DOWN, event.sweep and beyond.sweep == NO_SWEEP
    beyond.sweep = NO_SWEEP
    if part.state == RUN:
        beyond.notifies, beyond.ready = False, 0
        part.ended = event.status
        if unasked:
            count = backoff.counted(beyond.deaths, beyond.dying_since, since=part.since, now=now, most=event.most)
            beyond.deaths, beyond.dying_since = count
        else:
            beyond.deaths = 0
        if event.finish:
            follows = THEN_FINISH
    # It counts from when the service is down.
    beyond.rest = backoff.rest(beyond, quick=now - part.since < SECOND, most=event.most)
    if sweep:
        beyond.sweep = follows
    if sweep or follows == THEN_FINISH:
        part.state = FINISH
        # Before ./finish can ask supervise/stat what was meant.
        actions.append(Publish(MAIN))
    else:
        _go_down(part, beyond.rest, now, actions)


def has_failed_to_sweep(service: Service, status: int) -> bool:
    """Whether the main part's process that ends with this wait status was to sweep, and has not; UNKNOWN is believed to be done."""
    return service.beyond.sweep != NO_SWEEP and status not in {0, UNKNOWN}


def _sweep_again(part: Part, status: int, actions: list[Action]) -> None:
    """What was to be killed may be there still; one that fails by itself is not to keep us busy."""
    part.damped = status != SIGKILL
    if part.damped:
        actions.append(Arm(part.number, SECOND))


def _go_down(part: Part, rest: int, now: int, actions: list[Action]) -> None:
    part.state = DOWN
    part.damped = rest > 0
    part.since = now
    actions.append(Publish(part.number))
    if part.damped:
        actions.append(Arm(part.number, rest))


def _end_rest(service: Service, part: Part, now: int, actions: list[Action]) -> bool:
    """Whoever asks for a start need not wait longer than in runsv; whether there is another thing to tell."""
    beyond = service.beyond
    deaths = beyond.deaths if part.number == MAIN else beyond.log_deaths
    if part.state != DOWN or deaths == 0:
        return False
    if part.number == LOG:
        beyond.log_deaths = 0
        return True
    beyond.deaths = 0
    if part.damped and beyond.rest > SECOND:
        beyond.rest = SECOND
        left = min(SECOND, max(0, part.since + SECOND - now))
        part.damped = left > 0
        if part.damped:
            actions.append(Arm(MAIN, left))
    return True


def _notified(service: Service, now: int, actions: list[Action]) -> None:
    main, beyond = service.main, service.beyond
    if main.state == RUN and main.alive and beyond.notifies and not beyond.ready:
        beyond.ready = now
        actions.append(Publish(main.number))


def _letter(service: Service, part: Part, letter: str, now: int, steady: int, actions: list[Action]) -> None:
    if part.number == MAIN and letter in STOPS:
        _stop_comes(service)
    match letter:
        case "u" | "o" | "d" if service.closing and part.number == MAIN:
            pass  # its log reads to the end already, and would be there for no other run
        case "u" | "o":
            part.want = WANT_UP if letter == "u" else WANT_DOWN
            part.owed = part.owed or part.state == DOWN
            _end_rest(service, part, now, actions)
            actions.append(Publish(part.number))
        case "d" | "x":
            if letter == "x" and part.number == LOG:
                return
            part.want = WANT_DOWN if letter == "d" else WANT_EXIT
            part.owed = False
            actions.append(Publish(part.number))
            if part.state == RUN:
                _stop(service, part, now, steady, actions)
        case "t":
            if part.state == RUN:
                _stop(service, part, now, steady, actions)
            if _end_rest(service, part, now, actions):
                actions.append(Publish(part.number))
        case _ if letter in _SIGNALS:
            _ask(service, part, letter, THEN_SIGNAL, now, actions)
        case _:
            pass


def _ask(service: Service, part: Part, letter: str, then: int, now: int, actions: list[Action]) -> None:
    """Run control/LETTER, where there can be one, before what follows."""
    if part.number == MAIN and not service.hurries and (part.state == RUN or then == THEN_START):
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
        if not service.hurries:
            _spawn_run(service, part, now, actions)
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
        actions.append(Publish(part.number))


def _send(part: Part, number: int, actions: list[Action]) -> None:
    part.signals += (number,)
    actions.append(Signal(part.number, number))


def _stop(service: Service, part: Part, now: int, steady: int, actions: list[Action]) -> None:
    if part.number == MAIN:
        service.beyond.ending_since = service.beyond.ending_since or steady
        _bound(service, actions)
    _ask(service, part, "t", THEN_STOP, now, actions)


def _terminate(service: Service, part: Part, handled: bool, now: int, actions: list[Action]) -> None:
    if part.number == MAIN and service.beyond.overdue:
        return  # KILL was sent, and no other script is to hang
    if not handled:
        _send(part, SIGTERM, actions)
        part.got_term = True
        actions.append(Publish(part.number))
    elif part.want == WANT_UP and not part.got_term:
        service.beyond.ending_since = 0
        actions.append(Publish(part.number))
    if part.want != WANT_UP:
        _send(part, SIGCONT, actions)
        if part.number == MAIN:
            _ask(service, part, "x" if part.want == WANT_EXIT else "d", THEN_NOTHING, now, actions)


def _settle(service: Service, now: int, actions: list[Action]) -> None:
    """Bring what is nearer to what is wanted, as far as nothing has to be waited for."""
    main, log = service.main, service.log
    if log is not None and _may_start(log) and (log.owed or not _is_over(main)):
        _spawn_run(service, log, now, actions)
    if service.script:
        return
    if _is_over(main):
        _leave(service, actions)
    elif main.state == FINISH and not main.alive and not main.damped:
        _spawn(main, FINISH, actions)
    elif _may_start(main) and not service.hurries:
        _ask(service, main, "u", THEN_START, now, actions)


def _is_over(main: Part) -> bool:
    return main.want == WANT_EXIT and main.state == DOWN and not main.alive


def _may_start(part: Part) -> bool:
    return part.state == DOWN and not part.alive and not part.damped and (part.want == WANT_UP or part.owed)


def _leave(service: Service, actions: list[Action]) -> None:
    log = service.log
    if log is None or not (log.alive or log.owed):
        actions.append(Exit())
    elif log.pid and not service.closing:  # one that is being started needs its pipe
        log.want = WANT_EXIT
        service.closing = True
        actions.append(Publish(log.number))
        actions.append(CloseLog())


def expect_notification(service: Service) -> None:
    """The process that Spawn asked for gets a descriptor to say on that it is ready."""
    service.beyond.notifies = True


def _spawn_run(service: Service, part: Part, now: int, actions: list[Action]) -> None:
    if part.number == MAIN:
        service.beyond.notifies, service.beyond.ready = False, 0
        service.beyond.ending_since, service.beyond.overdue = 0, False
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
