"""What a service is, after its supervisor died: its last intent, corrected by what became of its processes.

A process that lives is what the service does now, whatever the intent says. One that ended without the supervisor having acted on it
is an event that is still to come. What was ordered and never happened is ordered again.
"""

from __future__ import annotations

from ..wire import keeper, records
from ..wire.status import DOWN, FINISH, RUN
from .service import MAIN, Part, Service


class Recovery:
    """A service, and what is still to be told to it: (part, wait status) of processes that ended, and how its control script ended."""

    __slots__ = ("ended", "script_succeeded", "service")

    def __init__(self, service: Service) -> None:
        self.service = service
        self.ended: list[tuple[int, int]] = []
        self.script_succeeded: bool | None = None


def recover(intent: records.Intent, processes: tuple[records.Process, records.Process, records.Process]) -> Recovery:
    """Rebuild a service; processes: MAIN, LOG, SCRIPT, `life` being what was found out, not what was written."""
    log_want = intent.log.want if intent.log is not None else None
    service = Service(now=intent.main.since, want=intent.main.want, log_want=log_want)
    service.closing = intent.closing
    recovery = Recovery(service)
    _recover_part(recovery, service.main, intent.main, processes[records.MAIN])
    if service.log is not None and intent.log is not None:
        _recover_part(recovery, service.log, intent.log, processes[records.LOG])
    if intent.script:
        _recover_script(recovery, intent, processes[records.SCRIPT])
    return recovery


def intent_of(service: Service, *, started: tuple[int, int, int]) -> records.Intent:
    """Give what is to be remembered of `service`; started: the `started` of MAIN, LOG and SCRIPT that it knows of."""
    return records.Intent(
        main=_intent_of_part(service.main, started[records.MAIN]),
        log=_intent_of_part(service.log, started[records.LOG]) if service.log is not None else None,
        script=service.script,
        then=service.then,
        scripted=started[records.SCRIPT],
        closing=service.closing,
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
    )


def _recover_part(recovery: Recovery, part: Part, intent: records.PartIntent, process: records.Process) -> None:
    part.state = intent.state
    part.since = intent.since
    part.paused = intent.paused
    part.got_term = intent.got_term
    part.damped = intent.damped
    part.owed = intent.owed
    part.ended = intent.ended
    untold = process.started != intent.started or intent.pid != 0
    if process.life == records.LIVE or (process.life == records.ENDED and untold):
        _take(part, intent, process)
        if process.life == records.ENDED:
            recovery.ended.append((part.number, process.status))
    elif intent.state == RUN:
        # Ordered, and nobody came to do it.
        part.state = DOWN
        part.owed = True


def _take(part: Part, intent: records.PartIntent, process: records.Process) -> None:
    part.pid = process.pid
    part.state = FINISH if process.role == keeper.FINISH else RUN
    if process.started != intent.started:
        part.damped = part.owed = part.paused = part.got_term = False
        if part.state == RUN:
            part.since = process.started
        elif part.number == MAIN and intent.state == RUN:
            part.got_term = False


def _recover_script(recovery: Recovery, intent: records.Intent, process: records.Process) -> None:
    recovery.service.script = intent.script
    recovery.service.then = intent.then
    if process.started == intent.scripted or process.life == records.NEVER:
        recovery.script_succeeded = False
    elif process.life == records.ENDED:
        recovery.script_succeeded = process.status == 0
