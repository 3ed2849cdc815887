"""The way back: from a journal to the plan that makes everything what it was before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runit_provision.errors import Problem
from runit_provision.model.observed import Call, Intent, Journal, Kind, Manifest, Observed, Seen, fares
from runit_provision.model.plan import Change, Found, PathStep, Plan, ServiceStep, Verb
from runit_provision.model.tree import RenderedTree
from runit_provision.plan.scope import around

_AGAIN = (Verb.RESTART, Verb.RENEW, Verb.HUP, Verb.TERM, Verb.LOG_HUP, Verb.LOG_RESTART)


def undo(journal: Journal, before: Manifest, observed: Observed, *, whole: bool = True) -> Plan:
    """Give the plan that undoes `journal`: contents, modes, owners, links, and whether services ran.

    before: what was remembered when that apply began. whole: it was completed; what a hand has changed since is replaced, kept and
    told, as in an apply. Of one that was killed nobody knows whether it had come to what a hand has changed since: that stays.
    """
    scope = around(RenderedTree((), (), ()), observed, observed.refused)
    beyond = tuple(f"{path}/" for path in observed.lost)
    held = [intent for intent in journal.intents if scope.holds(intent.realm, intent.service) and not intent.path.startswith(beyond)]
    left = (Problem(f"what lies in it cannot be put back: {why}", path=path) for path, why in observed.lost.items())
    lost = {intent.path for intent in held if _is_lost(intent, observed)}
    new = {intent.path for intent in held if intent.before is None and observed.paths.get(intent.path) == intent.after}
    steps = []
    for intent in held:
        ours = whole or (not intent.live and intent.path.rpartition("/")[0] in new)  # it came with a directory that is as it was made
        asked = intent._replace(before=None, kept="") if intent.path in lost else intent
        if step := _back(asked, observed.paths.get(intent.path), whole=ours and intent.path not in lost):
            steps.append(step)
    comes = sorted((step for step in steps if step.change is not Change.REMOVE), key=lambda step: step.path)
    # A directory stays that a killed apply made and a person used since: what was purged in it comes back there.
    needed = {above for step in comes for above in _above(step.path)}
    steps = [step for step in steps if step.change is not Change.REMOVE or step.path not in needed]
    goes = sorted((step for step in steps if step.change is Change.REMOVE), key=lambda step: step.path, reverse=True)
    ran = [call for call in journal.calls if scope.holds(call.service.realm, call.service.id)]
    stops, calls = _services(ran, {step.path for step in goes}, {step.service for step in steps}, observed)
    return Plan(
        stops=stops if observed.alive else (),
        unlinks=tuple(step for step in goes if step.live),
        removals=tuple(step for step in goes if not step.live),
        writes=tuple(step for step in comes if not step.live),
        links=tuple(step for step in comes if step.live),
        calls=calls if observed.alive else (),
        leftovers=observed.leftovers,
        unchanged=len(held) - len(steps),
        manifest=scope.join(observed.manifest, scope.of(before)),
        remembered=observed.manifest,
        lives=observed.lives,
        resumes=True,
        lost=tuple(sorted(lost)),
        problems=(*(problem for problems in observed.refused.values() for problem in problems), *left),
    )


def _above(path: str) -> Iterator[str]:
    while path := path.rpartition("/")[0]:
        yield path


def _is_lost(intent: Intent, observed: Observed) -> bool:
    """Whether what was there before is nowhere: a hand took it away before it was kept."""
    kept = intent.kept if intent.before else ""
    return bool(kept) and kept not in observed.kept and observed.paths.get(intent.path) != intent.before


def _back(intent: Intent, now: Seen | None, *, whole: bool) -> PathStep | None:
    taken = now is None and intent.before is not None and (intent.before.kind is Kind.DIRECTORY or (intent.live and bool(intent.kept)))
    known = taken or now in (intent.after, intent.found)
    if now == intent.before or not (whole or known):
        return None
    change = Change.REMOVE if intent.before is None else Change.REPLACE if now else Change.CREATE
    ours = now in (None, intent.after, intent.found) or now.kind is Kind.DIRECTORY
    return PathStep(
        change=change,
        path=intent.path,
        realm=intent.realm,
        before=now,
        after=intent.before,
        reason="as it was before the last apply" if intent.before else "was not there before the last apply",
        origin=intent.origin,
        found=Found.NOTHING if now is None else Found.OURS if ours else Found.EDITED,
        kept=intent.kept if intent.before else "",
        service=intent.service,
        effect=intent.effect,
        live=intent.live,
    )


def _services(
    ran: Sequence[Call], gone: set[str], touched: set[str], observed: Observed
) -> tuple[tuple[ServiceStep, ...], tuple[ServiceStep, ...]]:
    """Give what is to be taken down, and what is to be done once all paths are back."""
    stops: list[ServiceStep] = []
    calls: list[ServiceStep] = []
    ended: set[str] = set()
    for call in reversed(ran):
        verb, service = Verb(call.verb), call.service
        life = fares(observed.lives, service)[0]
        if verb is Verb.START and life.supervised:
            step = ServiceStep(Verb.STOP, service, "did not run before the last apply")
            if service.link in gone or service.directory in gone:
                stops.append(step)
                ended.add(service.id)
            elif not call.life.want_up:
                calls.append(step)
        elif verb is Verb.STOP and call.life.want_up and (service.id in ended or not life.want_up):
            calls.append(ServiceStep(Verb.START, service, "ran before the last apply"))  # or runs, and is still to go down
        elif verb in _AGAIN and service.id in touched and life.supervised:
            calls.append(ServiceStep(verb, service, "runs what it ran before the last apply"))
    return tuple(stops), tuple(reversed(calls))
