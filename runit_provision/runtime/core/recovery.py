"""What a service is, after its supervisor died: its last intent, corrected by what became of its processes.

A process that lives is what the service does now, whatever the intent says. One that ended without the supervisor having acted on it
is an event that is still to come, and so is a letter that it had read. What was ordered and never happened is ordered again: a process,
a control script, a signal. So each happens once. (A signal may come twice if who sends it was killed within kill(2), where nobody can
tell whether it was sent. Once too often is right: who waits for the effect of a lost one would wait for ever.)
"""

from __future__ import annotations

from ..wire import beyond, keeper, records
from ..wire.status import DOWN, FINISH, RUN
from .part import LOG, MAIN, Part, Service


class Recovery:
    """A service, what is still to be told to it, and what is to be done again.

    ended: (part, wait status) of processes that ended; script_succeeded: how its control script ended; letters: (part, letter);
    spawn: parts whose process is to be asked for again, signal: (part, number); run_script: whether the control script is.
    """

    __slots__ = ("ended", "letters", "run_script", "script_succeeded", "service", "signal", "spawn")

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ended: list[tuple[int, int]] = []
        self.script_succeeded: bool | None = None
        self.letters: list[tuple[int, str]] = []
        self.spawn: list[int] = []
        self.signal: list[tuple[int, int]] = []
        self.run_script = False


def recover(intent: records.Intent, processes: tuple[records.Process, records.Process, records.Process]) -> Recovery:
    """Rebuild a service; processes: MAIN, LOG, SCRIPT, `life` being what was found out, not what was written."""
    log_want = intent.log.want if intent.log is not None else None
    service = Service(now=intent.main.since, want=intent.main.want, log_want=log_want)
    service.closing = intent.closing
    service.beyond = beyond.unpack(intent.beyond)
    recovery = Recovery(service)
    _recover_part(recovery, service.main, intent.main, processes[records.MAIN])
    if service.log is not None and intent.log is not None:
        _recover_part(recovery, service.log, intent.log, processes[records.LOG])
    if intent.script:
        _recover_script(recovery, intent, processes[records.SCRIPT])
    for part, letter in enumerate(intent.letters):
        if letter and (part != LOG or service.log is not None):
            recovery.letters.append((part, letter))
    return recovery


def intent_of(service: Service, *, started: tuple[int, int, int], letters: tuple[str, str, str] = ("", "", "")) -> records.Intent:
    """Give what is to be remembered of `service`.

    started: the `started` of MAIN, LOG and SCRIPT that it knows of; letters: what it has not been told yet.
    """
    return records.Intent(
        main=_intent_of_part(service.main, started[records.MAIN]),
        log=_intent_of_part(service.log, started[records.LOG]) if service.log is not None else None,
        script=service.script,
        then=service.then,
        scripted=started[records.SCRIPT],
        closing=service.closing,
        beyond=beyond.pack(service.beyond),
        letters=letters,
    )


def _intent_of_part(part: Part, started: int) -> records.PartIntent:
    return records.PartIntent(
        want=part.want,
        state=part.state,
        paused=part.paused,
        got_term=part.got_term,
        damped=part.damped,
        owed=part.owed,
        spawning=part.spawning,
        since=part.since,
        started=started,
        pid=part.pid,
        ended=part.ended,
        signalled=part.signalled,
        signals=part.signals,
    )


def _recover_part(recovery: Recovery, part: Part, intent: records.PartIntent, process: records.Process) -> None:
    part.state = intent.state
    part.since = intent.since
    part.paused = intent.paused
    part.got_term = intent.got_term
    part.damped = intent.damped
    part.owed = intent.owed
    part.ended = intent.ended
    # One that was acted upon may still be there for a moment, while its next parent has not taken leave of it.
    untold = process.started != intent.started or intent.pid != 0
    if process.life != records.NEVER and untold:
        _take(recovery.service, part, intent, process)
        if process.life == records.ENDED:
            recovery.ended.append((part.number, process.status))
        else:
            part.confirm(process.signals)
            recovery.signal += [(part.number, number) for number in part.signals]
    elif intent.spawning:
        part.spawning = True
        part.signals, part.signalled = intent.signals, 0
        recovery.spawn.append(part.number)
        recovery.signal += [(part.number, number) for number in part.signals]
    elif intent.state == RUN:
        # It is not known what became of it.
        part.state = DOWN
        part.owed = True


def _take(service: Service, part: Part, intent: records.PartIntent, process: records.Process) -> None:
    part.pid = process.pid
    if intent.spawning or process.started == intent.started:
        part.signals, part.signalled = intent.signals, intent.signalled
    part.state = FINISH if process.role in {keeper.FINISH, keeper.SWEEP} else RUN
    if process.started != intent.started and part.state == RUN:
        part.since = process.started
    if process.started != intent.started and not intent.spawning:
        part.damped = part.owed = part.paused = part.got_term = False
        if part.number == MAIN:
            service.beyond.ending_since, service.beyond.overdue = 0, False
        if part.state == FINISH and part.number == MAIN and intent.state == RUN:
            part.got_term = False


def _recover_script(recovery: Recovery, intent: records.Intent, process: records.Process) -> None:
    recovery.service.script = intent.script
    recovery.service.then = intent.then
    if process.started == intent.scripted or process.life == records.NEVER:
        recovery.run_script = True
    elif process.life == records.ENDED:
        recovery.script_succeeded = process.status == 0
