"""Services that apply has made, ended and started again, each with the hands of whose tree it is in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runit_provision.app.living import look
from runit_provision.app.target import Target
from runit_provision.errors import HostError, Problem
from runit_provision.model.observed import Life
from runit_provision.model.plan import Plan, ServiceStep, Verb
from runit_provision.model.tree import OnChange, ServiceTree

if TYPE_CHECKING:
    from runit_provision.apply import Report

_VERBS = {OnChange.HUP: Verb.HUP, OnChange.TERM: Verb.TERM}


def restart(target: Target, names: Sequence[str], *, lock_timeout: float, service_timeout: float) -> Report:
    """Restart services by their ids, or send them the signal that their `on_change` says; what does not run stays down.

    A one-shot runs once more. HostError when apply has made none of a name, or one cannot be looked at.
    lock_timeout: seconds to wait for an apply (then LockHeldError); service_timeout: seconds to wait for services.
    """
    from runit_provision.apply import calls
    from runit_provision.apply.report import Outcome, Report

    with target.machine() as machine:
        known = machine.library.manifest().services
        unknown = [name for name in names if name not in known or target.user not in (None, known[name].realm.account)]
        if unknown:
            hint = "`status` shows those that there are"
            raise HostError(*(Problem(f"apply has made no service {name!r} here", hint=hint) for name in unknown))
        with machine.lock(timeout=lock_timeout, command="restart"):
            services = [service for name, service in known.items() if name in names]
            steps = [step for each in look(machine, services) if (step := _step(each.service, each.life))]
            outcome = Outcome(Plan(), Report(), {})
            calls.call(machine, steps, outcome, timeout=service_timeout, told=lambda _: None)
            return outcome.report


def _step(service: ServiceTree, life: Life) -> ServiceStep | None:
    if service.one_shot:
        return ServiceStep(Verb.START, service, "asked for")
    return ServiceStep(_VERBS.get(service.on_change, Verb.RESTART), service, "asked for") if life.pid or life.want_up else None
