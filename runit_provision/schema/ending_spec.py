"""The keys of a service's end: how it is stopped, what follows, and whether it comes again."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from runit_provision.schema.base import Spec
from runit_provision.schema.fields import Address, Count, Flag, Signal, Span, Text, refuse, shown
from runit_provision.schema.file_spec import ScriptValue
from runit_provision.schema.json_kinds import SCRIPT, SIGNALS, SPAN, Forms


class MailSpec(Spec):
    """Mail when the service has ended, by the system's `mail`, which may take 30 seconds."""

    on_failure: Address | None = None
    """Address that is told when it ended though it was to be up, a one-shot when it failed; and, always, when it gave up (`restart`).
    Example: admins@example.com"""
    on_stop: Address | None = None
    """Address that is told when it was stopped on purpose. Example: auditing@example.com"""
    interval: Span = 300
    """Seconds after a mail of a failure in which others are counted and not mailed; the next mail says how many. 0 mails each.
    Example: 1h"""


class RestartSpec(Spec):
    """How often a service may end by itself before it stays down."""

    at_most: Count = 3
    """Ends in a row that are forgiven; 0 restarts never. Example: 3"""
    within: Span = 30
    """An end counts when it comes within so many seconds of the one before. Example: 30s"""
    forget: Span = 300
    """So many seconds without an end forget those that were counted. Example: 5m"""
    back_off: Span = 0
    """Most seconds that `finish` waits before a start: 1, 2, 4 and so on with each end that counts; 0 waits no longer than runit does.
    `max_delay` does the same for what is restarted always. Example: 1m"""


def _restart(value: Any) -> Any:
    if value == "never":
        return {"at_most": 0}
    if value == "always":
        return None
    if isinstance(value, str):
        raise refuse(f"has to be `never`, `always` or a hash, not {shown(value)}")
    return value


_RESTART = Forms("Restart", "How often a service may end by itself before it stays down.", {"enum": ["always", "never"]})
RestartValue = Annotated[Annotated[RestartSpec, _RESTART] | None, BeforeValidator(_restart)]


class StopSpec(Spec):
    """How the service is told to end, and what becomes of it when it does not."""

    signal: Signal = "term"
    """The signal in place of TERM: hup, alarm, interrupt, quit, 1, 2, term or kill. Example: quit"""
    seconds: Annotated[Span, Field(ge=1)] = 30
    """How long it may take. Example: 2m"""
    kill: Flag = False
    """It is killed then, whoever stopped it: by the shipped runtime, which a file `timeout-kill` tells; under another one, or where
    another signal or an own `control.t` takes the place of TERM, by control/t. Default: apply reports it, and leaves it as it is.
    Example: true"""


def _stop(value: Any) -> Any:
    """A lone word is the signal, a lone number the seconds."""
    if isinstance(value, str) and value in SIGNALS:
        return {"signal": value}
    if isinstance(value, str) and not value[:1].isdigit():
        raise refuse(f"has to be a signal ({', '.join(SIGNALS)}), a number of seconds or a hash, not {shown(value)}")
    return {"seconds": value} if isinstance(value, int | str) and not isinstance(value, bool) else value


_STOP = Forms("Stop", "How a service is told to end: a signal, or seconds, or a hash.", SPAN.reference, {"enum": [*SIGNALS]})
StopValue = Annotated[StopSpec, BeforeValidator(_stop), _STOP]


class FinishSpec(Spec):
    """What happens when the service has ended."""

    run: ScriptValue | None = None
    """The whole of `finish`; its arguments are the exit code (-1 when killed) and the low byte of the wait status. Its standard error
    is the supervisor's, unless it says `exec 2>&1`.
    Example: "#!/bin/sh\\nrm -f /run/worker.pid\\n" """
    lines: Text = ""
    """Shell lines that clean up; what they write to standard error goes where the service's goes. They see `env` as `before` does.
    Example: rm -f /run/worker.pid"""
    mail: MailSpec | None = None
    """Who is told. Example: {on_failure: admins@example.com}"""
    seconds: Annotated[Span, Field(ge=1)] | None = None
    """How long all of it may take; then it is killed with all that it has started. A whole script is killed alone, and only by the
    shipped runtime. Default: as long as it takes. Example: 1m"""


def _finish(value: Any) -> Any:
    """A lone text is the whole script."""
    return {"run": value} if isinstance(value, str) else value


FinishValue = Annotated[
    FinishSpec,
    BeforeValidator(_finish),
    Forms("Finish", "What happens when a service has ended: a whole script, or its parts.", SCRIPT.reference),
]
