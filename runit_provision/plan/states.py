"""How each service stands: what the data want of it, how it is, and what is not so; for programs that ask about one service."""

from __future__ import annotations

from typing import Any

from runit_provision.model.observed import Life
from runit_provision.model.plan import Plan, Verb
from runit_provision.model.tree import Ensure, ServiceTree

_NEVER = (Life(), Life())


def state(life: Life) -> str:
    """One word: up, finish, down, or not supervised."""
    if not life.supervised:
        return "not supervised"
    return "up" if life.running else "finish" if life.pid else "down"


def states(plan: Plan) -> list[dict[str, Any]]:
    """Give every service that the data know, or that is to go, in the order of their names."""
    asked = {call.service.id: call.service for call in (*plan.stops, *plan.calls)}
    services = {**asked, **plan.remembered.services, **plan.manifest.services}
    reasons: dict[str, list[str]] = {}
    for step in plan.steps:
        reasons.setdefault(step.service, []).append(f"{_within(step.path, services.get(step.service))}: {step.reason}")
    for call in (*plan.stops, *plan.calls):
        if call.verb is not Verb.LEAVE:
            reasons.setdefault(call.service.id, []).append(f"{call.verb.value}: {call.reason}")
    left = {call.service.id: call.reason for call in plan.calls if call.verb is Verb.LEAVE}
    return [_row(services[name], plan, reasons.get(name, []), left.get(name)) for name in sorted(services)]


def _row(service: ServiceTree, plan: Plan, reasons: list[str], left: str | None) -> dict[str, Any]:
    life, log = plan.lives.get(service.id, _NEVER)
    ensure = service.ensure if service.id in plan.manifest.services else Ensure.ABSENT
    return {
        "service": service.id,
        "key": service.origin.key,
        "ensure": ensure.value,
        "gone": service.id in plan.gone,
        "made": service.id in plan.remembered.services,
        "state": state(life),
        "want": ("up" if life.want_up else "down") if life.supervised else None,
        "pid": life.pid or None,
        "since": life.since / 1e9 if life.since else None,
        "log": state(log) if service.logged else None,
        "log_directory": service.log_directory,
        "gave_up": life.gave_up,
        "drift": bool(reasons),
        "reasons": reasons,
        "left": left,
        "problems": [str(problem) for problem in plan.barred.get(service.id, ())],
    }


def _within(path: str, service: ServiceTree | None) -> str:
    """Give a path as seen from the service directory."""
    return path.removeprefix(f"{service.directory}/") if service else path
