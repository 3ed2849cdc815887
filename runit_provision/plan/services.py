"""What each service needs once its files have changed: as little as possible, and why."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from runit_provision.model.observed import Journal, Life, Observed, Owed, fares
from runit_provision.model.plan import OF_LOG, Change, PathStep, ServiceStep, Verb
from runit_provision.model.tree import Effect, Ensure, OnChange, ServiceTree

_ON_CHANGE = {OnChange.RESTART: Verb.RESTART, OnChange.HUP: Verb.HUP, OnChange.TERM: Verb.TERM}
_NEVER = (Life(), Life())
GONE, ABSENT = "no longer in the data", "is to be absent"
"""Why a service goes."""


def stops(gone: Sequence[ServiceTree], moved: Mapping[str, ServiceTree], observed: Observed) -> tuple[ServiceStep, ...]:
    """Take down what goes, those that require others and those that lie in others first; moved: as they were, by where they go."""
    why = {service: ABSENT if service.ensure is Ensure.ABSENT else GONE for service in gone}
    why |= {service: f"moves to {place}" for place, service in moved.items()}
    return tuple(
        ServiceStep(Verb.STOP, service, why[service])
        for service in reversed(outer_first(why))
        if fares(observed.lives, service)[0].supervised
    )


def calls(
    services: Iterable[ServiceTree], steps: Iterable[PathStep], observed: Observed, ended: Collection[str] = ()
) -> tuple[ServiceStep, ...]:
    """Give what happens to each service, in the order of `services` (required ones first). ended: ids of those stopped before."""
    touched: dict[str, list[PathStep]] = {}
    for step in steps:
        touched.setdefault(step.service, []).append(step)
    owed = _owed(observed)
    found: list[ServiceStep] = []
    for service in outer_first(services):
        life, log = _NEVER if service.id in ended else observed.lives.get(service.id, _NEVER)
        asked = dict(_asks(service, touched.get(service.id, []), life, log))
        asked = {**{verb: why for verb, why in owed.get(service.id, ()) if _still(service, verb, life, log)}, **asked}
        found += [ServiceStep(verb, service, reason) for verb, reason in asked.items()]
    return tuple(found)


def outer_first(services: Iterable[ServiceTree]) -> list[ServiceTree]:
    """Put what runs other trees before what runs in them (the host's services, then the users'; parents, then children).

    Otherwise the order stays.
    """
    found = list(services)
    places = {service.directory for service in found}
    return sorted(found, key=lambda service: level(service, places))


def level(service: ServiceTree, places: Collection[str]) -> tuple[bool, int]:
    """Tell how deep in others a service lies; `places`: the directories of all services."""
    parts = service.directory.split("/")
    above = sum("/".join(parts[:end]) in places for end in range(2, len(parts)))
    return (service.realm.account is not None, above)


def _asks(service: ServiceTree, steps: Sequence[PathStep], life: Life, log: Life) -> Iterator[tuple[Verb, str]]:
    """Give each verb that `service` needs, with its reason."""
    if service.ensure is Ensure.ABSENT:
        return
    new = service.link is not None and any(step.change is not Change.REMOVE and step.live for step in steps)
    if service.ensure is Ensure.STOPPED:
        if life.supervised and (life.want_up or life.pid):
            yield Verb.STOP, "is to be stopped"
        elif new and service.enabled:
            yield Verb.STOP, "new, and is to be stopped"
    elif not life.supervised:
        if new and (service.enabled or service.ensure is Ensure.RUNNING):
            yield Verb.START, "new"
    elif service.ensure is Ensure.RUNNING and not life.want_up and not service.one_shot:
        yield _again(service, life, _changed(service, steps, Effect.RESTART))
    elif why := _of_its_log(service, steps, life, log):
        yield from _renewed(service, life, _changed(service, steps, Effect.RESTART), why)
    else:
        yield from _on_change(service, life, _changed(service, steps, Effect.RESTART))
    if log.supervised and service.logged:
        if why := _changed(service, steps, Effect.LOG_RESTART):
            yield Verb.LOG_RESTART, why
        elif why := _changed(service, steps, Effect.LOG_HUP):
            yield Verb.LOG_HUP, why


def _of_its_log(service: ServiceTree, steps: Iterable[PathStep], life: Life, log: Life) -> str:
    """Say what the supervisor of a service that runs cannot know of its log: runsv(8) looks for one when it starts, and never again."""
    change = next((step.change for step in steps if step.path == f"{service.directory}/log/run"), None)
    if not (life.pid or life.want_up):
        return ""
    if change is Change.CREATE and not log.supervised:
        return "its log is new"
    return "its log goes" if change is Change.REMOVE else ""


def _renewed(service: ServiceTree, life: Life, changed: str, why: str) -> Iterator[tuple[Verb, str]]:
    """Give what a service gets whose log comes or goes; one that runsvdir would not start again by itself, or not as it is, waits."""
    if service.on_change is OnChange.RESTART and service.enabled and not service.one_shot:
        yield Verb.RENEW, f"{changed}; {why}" if changed else why
        return
    asked = dict(_on_change(service, life, changed))
    waits = f"{asked.pop(Verb.LEAVE)}; " if Verb.LEAVE in asked else ""
    yield from asked.items()
    yield Verb.LEAVE, f"{waits}{why}, which its supervisor sees when it starts next (`sv exit` ends it)"


def _again(service: ServiceTree, life: Life, why: str) -> tuple[Verb, str]:
    """Start what is down; what gave up itself only when what it runs has changed, or every apply would start it in vain.

    What takes its time to go down, or was to run once, still runs: to be up is not enough when that is what there was before. What gave
    up may still be at its finish.
    """
    if life.pid and not life.gave_up:
        return (Verb.RESTART, why) if why and service.on_change is OnChange.RESTART else (Verb.START, "is not to stay up")
    if not life.gave_up:
        return Verb.START, "is down"
    if why:
        return Verb.START, f"{why}; it had given up"
    return Verb.LEAVE, "it gave up: it ended more often than `restart` forgives; `sv up` starts it"


def _on_change(service: ServiceTree, life: Life, why: str) -> Iterator[tuple[Verb, str]]:
    """Give what a service gets that runs what has changed, or that is a one-shot and has run it.

    One that rests between two runs is asked as well: by then it may run what there was before, and what is asked for is waited for.
    """
    if not why or not (life.pid or life.want_up or (service.one_shot and service.ensure is Ensure.RUNNING)):
        return
    if service.one_shot and service.on_change is OnChange.RESTART:
        yield Verb.START, f"{why}; runs once more"  # a run that goes on is not cut short: another follows it
    elif service.on_change in _ON_CHANGE and (life.pid or life.want_up):
        yield _ON_CHANGE[service.on_change], why
    else:
        yield Verb.LEAVE, f"{why}; takes effect when it starts next (on_change is {service.on_change.value})"


def _changed(service: ServiceTree, steps: Iterable[PathStep], effect: Effect) -> str:
    """Name the paths that ask for `effect`, as seen from the service directory."""
    names = sorted(step.path.removeprefix(service.directory + "/") for step in steps if step.effect is effect and _differs(step))
    if not names:
        return ""
    shown = ", ".join(names[:3])
    return f"{shown} changed" if len(names) <= 3 else f"{shown} and {len(names) - 3} more changed"


def _differs(step: PathStep) -> bool:
    """Whether what runs is another thing then: a mode or an owner alone asks no process to start again."""
    if step.before is None or step.after is None:
        return True
    return step.before._replace(mode=0, uid=0, gid=0) != step.after._replace(mode=0, uid=0, gid=0)


def left_owing(observed: Observed) -> tuple[Owed, ...]:
    """Give all that applies which were killed, or could not reach them, still owe services, whether these can be looked at or not."""
    journal = observed.journal
    if journal is None:
        return observed.manifest.owed
    found = list(observed.manifest.owed)
    for index, call in enumerate(journal.calls):
        verb = Verb(call.verb)
        if index in journal.done or verb in (Verb.LEAVE, Verb.STOP):
            continue
        was = journal.lives.get(call.service.id, _NEVER) if journal.lives is not None else None
        if was is not None or call.service.realm in observed.refused or _begun(journal, call.service.id, observed):
            found.append(Owed(call.verb, call.service.id, was and was[verb in OF_LOG]))
    return tuple(dict.fromkeys(found))


def _owed(observed: Observed) -> dict[str, list[tuple[Verb, str]]]:
    """Give what earlier applies still owe each service."""
    owed: dict[str, list[tuple[Verb, str]]] = {}
    for value, name, was in left_owing(observed):
        verb = Verb(value)
        now = observed.lives.get(name, _NEVER)[verb in OF_LOG]
        if was is None or (now.pid, now.since) == (was.pid, was.since):  # else it was started after its files had their new content
            owed.setdefault(name, []).append((verb, "an earlier apply did not get to it"))
    return owed


def _begun(journal: Journal, service: str, observed: Observed) -> bool:
    """Tell whether the killed apply changed anything of `service`."""
    return any(
        observed.paths.get(intent.path) != intent.before
        for intent in journal.intents
        if intent.service == service and intent.effect is not Effect.NOTHING
    )


def _still(service: ServiceTree, verb: Verb, life: Life, log: Life) -> bool:
    """Tell whether what was owed makes sense to the service as it is now."""
    match verb:
        case Verb.START:
            return service.ensure is Ensure.RUNNING and (service.one_shot or not life.running)
        case Verb.LOG_HUP | Verb.LOG_RESTART:
            return log.supervised
        case Verb.RESTART | Verb.RENEW | Verb.TERM | Verb.HUP:
            return bool(life.pid or life.want_up)
        case _:
            return False
