"""Services taken down, started, restarted and signalled, those that others require first, with bounded waits woken by events."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from runit_provision.apply.paths import problems
from runit_provision.apply.report import Outcome
from runit_provision.apply.teller import TICK
from runit_provision.errors import Problem, ProvisionError
from runit_provision.host import Machine, processes
from runit_provision.host.letters import Wish, is_over, reached
from runit_provision.model.observed import Life
from runit_provision.model.plan import ServiceStep, Verb
from runit_provision.model.tree import OnChange, Realm, ServiceTree
from runit_provision.plan.services import level

SETTLE = 1.0
"""Seconds that a started service has to stay up before it counts as up: runsv itself waits so long before it starts one again."""

_LETTERS = {
    Verb.RESTART: "tcu",
    Verb.RENEW: "x",
    Verb.HUP: "h",
    Verb.TERM: "t",
    Verb.LOG_HUP: "h",
    Verb.LOG_RESTART: "tcu",
    Verb.STOP: "d",
}
_ENDING = (Verb.STOP, Verb.RESTART, Verb.RENEW)
"""What the end of the process that runs belongs to."""
_LASTING = (Verb.START, Verb.RESTART, Verb.RENEW, Verb.TERM, Verb.HUP)
"""What a service has to be up after; one that knows no HUP dies of it, and is started again."""
_AFTER_KILL = 10.0
"""Seconds that a killed service has to be gone, and a restarted one to be up again."""
_FAILURES = {
    Verb.START: "did not come up",
    Verb.RESTART: "did not start again",
    Verb.RENEW: "did not start again",
    Verb.TERM: "did not start again",
    Verb.LOG_RESTART: "its log service did not start again",
    Verb.STOP: "did not go down",
}
Settled = list[tuple[ServiceStep, Life]]


def take_down(machine: Machine, stops: Sequence[ServiceStep], outcome: Outcome, *, timeout: float) -> None:
    """Take services down that go; one that does not end is held: it keeps its paths, and says so."""
    held: list[ServiceTree] = []
    for group in groups(stops, backwards=True):
        around = {step.service.id: inner for step in group if (inner := _holds(step.service, held))}
        goes = [step for step in group if step.service.id not in around]
        missed = _do(machine, goes, set(), outcome, timeout, hopeful=False)[1]
        failed = [(step, f"did not go down within {_patience(step, timeout):g} s, and stays", _ending(step)) for step, _ in missed]
        failed += [(step, f"stays, since {around[step.service.id]} in it does", "") for step in group if step.service.id in around]
        _report(outcome, failed)
        held += [step.service for step in group if step.service.id in around] + [step.service for step, _ in missed]
    outcome.held.update(service.id for service in held)


def dismiss(machine: Machine, stops: Sequence[ServiceStep], outcome: Outcome, *, timeout: float) -> None:
    """End the supervisors of services whose links are gone."""
    wishes: dict[Realm, list[tuple[ServiceStep, Wish]]] = {}
    for call in stops:
        if call.service.link in outcome.failed:
            outcome.held.add(call.service.id)  # runsvdir would start another supervisor at once
        if call.service.id in outcome.held:
            continue
        _tell(machine, call, call.service.directory, "x", outcome)
        wishes.setdefault(call.service.realm, []).append((call, (call.service.directory, "unsupervised", 0, 0)))
    for call, _ in _await(machine, wishes, outcome, timeout)[1]:
        outcome.held.add(call.service.id)
        _report(outcome, [(call, f"its supervisor is still there after {timeout:g} s", "")])


def call(
    machine: Machine, calls: Sequence[ServiceStep], outcome: Outcome, *, timeout: float, told: Callable[[list[ServiceStep]], None]
) -> None:
    """Do what each service needs; report those that did not come up, the rest is done. told: is told what was answered."""
    unscanned: set[str] = set()
    stopped = len(outcome.report.calls)
    started: Settled = []
    for group in groups([step for step in calls if step.verb is not Verb.LEAVE]):
        came, failed = _do(machine, group, unscanned, outcome, timeout, hopeful=bool(outcome.report.calls[stopped:]))
        started += [(step, life) for step, life in came if step.verb in _LASTING and not step.service.one_shot]
        outcome.report.calls += [step for step, _ in came]
        _report(outcome, [(step, _failure(step, life, _patience(step, timeout)), _ending(step)) for step, life in failed])
        told(list(group))
    for directory in sorted(unscanned):
        outcome.report.notes.append(f"no runsvdir looks after {directory} yet: what is there starts when one does")
    _settle(machine, started, outcome)


def lives(machine: Machine, services: Sequence[ServiceTree]) -> dict[str, tuple[Life, Life]]:
    """Give how services and their log services are now; what cannot be looked at is not among them."""
    found: dict[str, tuple[Life, Life]] = {}
    if not machine.alive:
        return found
    sorted_services: dict[Realm, list[ServiceTree]] = {}
    for service in services:
        sorted_services.setdefault(service.realm, []).append(service)
    errands = [
        (realm, [("lives", ([place for service in mine for place in (service.directory, f"{service.directory}/log")],))])
        for realm, mine in sorted_services.items()
    ]
    for mine, answers in zip(sorted_services.values(), machine.ask(errands), strict=True):
        if not isinstance(answers, Exception):
            seen = iter(answers[0])
            found |= {service.id: (Life(*next(seen)), Life(*next(seen))) for service in mine}
    return found


def groups(calls: Sequence[ServiceStep], *, backwards: bool = False) -> Iterator[list[ServiceStep]]:
    """Split calls so that no service stands in one group with one that it requires, or that runs the tree it lies in."""
    group: list[ServiceStep] = []
    here: set[str] = set()
    needs: set[str] = set()
    places = {step.service.directory for step in calls}
    deep = None
    for step in calls:
        service = step.service
        before, deep = deep, level(service, places)
        if before not in (None, deep) or ((service.id in needs) if backwards else not here.isdisjoint(service.requires)):
            yield group
            group, here, needs = [], set(), set()
        group.append(step)
        here.add(service.id)
        needs.update(service.requires)
    if group:
        yield group


def _do(
    machine: Machine, group: Sequence[ServiceStep], unscanned: set[str], outcome: Outcome, timeout: float, *, hopeful: bool
) -> tuple[Settled, Settled]:
    """Send every letter of a group, then wait for all; give those that came to what was asked, and those that did not.

    unscanned: directories that no runsvdir looks after; no time is spent on what lies there. hopeful: one may have just been started.
    """
    seen = _seen(machine, group, outcome)
    scanned = _scanned(machine, [step for step, life in seen if not life.supervised and not hopeful])
    renewable = _scanned(machine, [step for step, _ in seen if step.verb is Verb.RENEW], surely=True)
    wishes: dict[Realm, list[tuple[ServiceStep, Wish]]] = {}
    done: Settled = []
    untold: Settled = []
    for step, life in seen:
        realm, place = step.service.realm, _place(step)
        found = _home(step) in renewable if step.verb is Verb.RENEW else life.supervised or hopeful or _home(step) in scanned
        if not found:
            unscanned.add(_home(step))
            continue
        if step.verb is Verb.START or (step.verb is Verb.STOP and not life.supervised):
            _begin(machine, step, life, outcome, timeout)
        elif not _tell(machine, step, place, _letters(step), outcome):
            untold.append((step, life))
            continue
        wish = _wish(step, place, life)
        if wish is None:
            done.append((step, life))
        else:
            wishes.setdefault(realm, []).append((step, wish))
    came, missed = _await_or_kill(machine, wishes, outcome, timeout)
    asked = {id(step): wish for mine in wishes.values() for step, wish in mine}
    failed = [(step, life) for step, life in untold if step.verb is Verb.STOP]  # it runs, and keeps its paths
    scanned = _scanned(machine, [step for step, life in missed if step.verb is Verb.START and not life.supervised])
    for step, life in missed:
        if step.verb is Verb.START and not life.supervised and _home(step) not in scanned:
            unscanned.add(_home(step))
        elif step.verb is Verb.TERM and life.pid and life.pid == asked[id(step)][2]:
            outcome.report.notes.append(f"{step.service.id} goes on {timeout:g} s after TERM: what is new runs once it has ended")
            done.append((step, life))
        else:
            failed.append((step, life))
    return done + came, failed


def _letters(step: ServiceStep) -> str:
    """Give what asks for the verb. A runsvdir that is not to go on after HUP is told so first: at TERM it would leave its services."""
    scanning = step.service.scans and step.service.on_change is OnChange.HUP
    return "oh" if step.verb is Verb.STOP and scanning else _LETTERS[step.verb]


def _wish(step: ServiceStep, place: str, life: Life) -> Wish | None:
    match step.verb:
        case Verb.START:
            return (place, "supervised" if step.service.one_shot else "running", life.pid, life.since)
        case Verb.RESTART | Verb.RENEW | Verb.TERM | Verb.LOG_RESTART:
            return (place, "renewed", life.pid, life.since)
        case Verb.STOP:
            return (place, "down", 0, 0)
        case _:
            return None


def _begin(machine: Machine, step: ServiceStep, life: Life, outcome: Outcome, timeout: float) -> None:
    """Start what does not start by itself: a service that is down, or has `down`; stop a new one that is to be stopped."""
    place = step.service.directory
    if step.verb is Verb.START and step.service.enabled and not life.supervised:
        return
    if not life.supervised:
        _await(machine, {step.service.realm: [(step, (place, "supervised", 0, 0))]}, outcome, timeout)
    _tell(machine, step, place, "d" if step.verb is Verb.STOP else "u", outcome)


def _home(step: ServiceStep) -> str:
    """Give the directory in which a runsvdir is to find the service."""
    return os.path.dirname(step.service.link or step.service.directory)


def _place(step: ServiceStep) -> str:
    """Give the directory whose `supervise/` a step is about."""
    of_log = step.verb in (Verb.LOG_HUP, Verb.LOG_RESTART)
    return f"{step.service.directory}/log" if of_log else step.service.directory


def _scanned(machine: Machine, steps: Sequence[ServiceStep], *, surely: bool = False) -> set[str]:
    """Give those of the steps' directories that a runsvdir looks after: its command line names it, or something in it is supervised.

    A hint only: it spares the wait for services that nobody is there to start. surely: what is supervised may have outlived its
    runsvdir, and is no sign.
    """
    homes: dict[Realm, list[str]] = {}
    for realm, home in dict.fromkeys((step.service.realm, _home(step)) for step in steps):
        homes.setdefault(realm, []).append(home)
    pids = processes.by_account() if homes else {}
    named = processes.named_by_runsvdirs({pid for uid in (0, os.geteuid()) for pid in pids.get(uid, ())})
    found: set[str] = set()
    errands = [(realm, [("looked_into", (mine, pids.get(machine.uid(realm), ()), surely))]) for realm, mine in homes.items()]
    for mine, answers in zip(homes.values(), machine.ask(errands), strict=True):
        if not isinstance(answers, Exception):
            seen = zip(mine, answers[0], strict=True)
            found.update(home for home, (scanned, place) in seen if scanned or not named.isdisjoint((home, place)))
    return found


def _seen(machine: Machine, group: Sequence[ServiceStep], outcome: Outcome) -> Settled:
    """Give the services as they are now; those that cannot be looked at are not among them, and are owed what they were to get."""
    places: dict[Realm, list[str]] = {}
    for step in group:
        places.setdefault(step.service.realm, []).append(_place(step))
    found: dict[str, Life] = {}
    errands = [(realm, [("lives", (mine,))]) for realm, mine in places.items()]
    for mine, answers in zip(places.values(), machine.ask(errands), strict=True):
        if isinstance(answers, OSError | ProvisionError):
            outcome.report.add(*problems(answers))
        else:
            found |= {place: Life(*life) for place, life in zip(mine, answers[0], strict=True)}
    for step in group:
        if _place(step) not in found:
            outcome.owe(step)
    return [(step, found[_place(step)]) for step in group if _place(step) in found]


def _tell(machine: Machine, step: ServiceStep, place: str, letters: str, outcome: Outcome) -> bool:
    """Send letters, if there is anybody to send them to; False, with the problem told and the step owed, when they cannot be sent."""
    try:
        machine.hand(step.service.realm).call("send", place, letters)
    except (OSError, ProvisionError) as error:
        told = problems(error)
        outcome.report.add(*told)
        outcome.report.blame(step.service.id, *told)
        outcome.owe(step)
        return False
    return True


def _await(
    machine: Machine, wishes: dict[Realm, list[tuple[ServiceStep, Wish]]], outcome: Outcome, timeout: float
) -> tuple[Settled, Settled]:
    """Wait for all wishes, `timeout` seconds together; give what was fulfilled and what was not."""
    end = time.monotonic() + timeout
    came: Settled = []
    failed: Settled = []
    for realm, mine in wishes.items():
        try:
            lives = _waited(machine, realm, mine, end, outcome)
        except (OSError, ProvisionError) as error:
            outcome.report.add(*problems(error))
            continue
        for (step, wish), life in zip(mine, lives, strict=True):
            (came if reached(wish, tuple(life)) else failed).append((step, Life(*life)))
    return came, failed


def _waited(machine: Machine, realm: Realm, mine: Sequence[tuple[ServiceStep, Wish]], end: float, outcome: Outcome) -> list[list[Any]]:
    """Give how the services of a realm are once all is as wished, or at `end` (monotonic); who watches is told what takes long."""
    wishes = [wish for _, wish in mine]
    while True:
        rest = max(0.0, end - time.monotonic())
        some = min(rest, TICK) if outcome.tell.watched else rest
        lives: list[list[Any]] = machine.hand(realm).call("wait", wishes, some, patience=some + 30)
        late = [step.service.id for (step, wish), life in zip(mine, lives, strict=True) if not is_over(wish, tuple(life))]
        if not late or some == rest:
            return lives
        outcome.tell.waits(late, rest - some)


def _patience(step: ServiceStep, timeout: float) -> float:
    """Give the seconds that a service may take to do as it is asked."""
    own = step.service.stop_seconds
    if own is None or step.verb not in _ENDING:
        return timeout
    return max(timeout, float(own)) if step.verb is Verb.RENEW else float(own)  # C's runsvdir takes seconds to start a supervisor again


def _await_or_kill(
    machine: Machine, wishes: dict[Realm, list[tuple[ServiceStep, Wish]]], outcome: Outcome, timeout: float
) -> tuple[Settled, Settled]:
    """Wait for each wish in its own time; what has not ended in it, and may be killed, is, and then has a little more."""
    began = time.monotonic()
    due = {step.service.id: _patience(step, timeout) for mine in wishes.values() for step, _ in mine}
    again = {step.service.id for mine in wishes.values() for step, _ in mine if step.service.kill and step.verb in _ENDING}
    came: Settled = []
    failed: Settled = []
    while wishes:
        seconds = min(due[step.service.id] for mine in wishes.values() for step, _ in mine)
        done, missed = _await(machine, wishes, outcome, began + seconds - time.monotonic())
        came += done
        asked = {step.service.id: wish for mine in wishes.values() for step, wish in mine}
        wishes = {}
        for step, life in missed:
            name, wish = step.service.id, asked[step.service.id]
            if is_over(wish, (*life,)) or (due[name] <= seconds and name not in again):
                failed.append((step, life))
                continue
            if due[name] <= seconds:
                again.discard(name)
                due[name] = seconds + _AFTER_KILL
                if life.pid and (step.verb is Verb.STOP or life.pid == wish[2]):
                    _tell(machine, step, wish[0], "k", outcome)
                    outcome.report.notes.append(f"{name} did not end within {seconds:g} s, and was killed")
            wishes.setdefault(step.service.realm, []).append((step, wish))
    return came, failed


def _settle(machine: Machine, started: Settled, outcome: Outcome) -> None:
    """Look again after a moment: a service that ended at once did not come up."""
    ended = _ended(machine, started, outcome)
    # Of a service that keeps dying, the letter that asks for the restart may have met the process that already ran what is new; and
    # one that a signal ended rests for a second before it runs again.
    again = [step for step, life in ended if step.verb is not Verb.START and life.want_up]
    wishes: dict[Realm, list[tuple[ServiceStep, Wish]]] = {}
    for step in again:
        wishes.setdefault(step.service.realm, []).append((step, (step.service.directory, "running", 0, 0)))
    came, missed = _await(machine, wishes, outcome, _AFTER_KILL)
    failed = [*(step for step, _ in ended if step not in again), *(step for step, _ in missed)]
    failed += [step for step, _ in _ended(machine, came, outcome)]
    _report(outcome, [(step, "came up, but ended again at once", "") for step in failed])


def _ended(machine: Machine, started: Settled, outcome: Outcome) -> Settled:
    """Give those of the services that end within SETTLE."""
    wishes: dict[Realm, list[tuple[ServiceStep, Wish]]] = {}
    for step, life in started:
        wish = (step.service.directory, "ended", life.pid, life.since)
        wishes.setdefault(step.service.realm, []).append((step, wish))
    return _await(machine, wishes, outcome, SETTLE)[0] if wishes else []


def _failure(step: ServiceStep, life: Life, seconds: float) -> str:
    if life.gave_up:
        return "came up, but gave up: it ended more often than `restart` forgives"
    what = "runs, but did not say that it is ready" if life.running and not life.ready else _FAILURES[step.verb]
    return f"{what} within {seconds:g} s"


def _ending(step: ServiceStep) -> str:
    """Say what helps against a service that does not end."""
    service = step.service
    if step.verb is not Verb.STOP or service.kill:
        return ""
    said = "`stop: {kill: true}`" if service.origin.mark else "`ensure: absent` and `stop: {kill: true}` of it"
    return f"let the data say {said}, or end it by hand: `sv kill {service.link or service.directory}`"


def _holds(service: ServiceTree, held: Sequence[ServiceTree]) -> str:
    """Name one of the `held` services that lies in `service`, or in the tree that it runs."""
    places = tuple(f"{place}/" for place in (service.directory, service.scans) if place)
    return next((inner.id for inner in held if inner.directory.startswith(places) or (inner.link or "").startswith(places)), "")


def _report(outcome: Outcome, failures: Sequence[tuple[ServiceStep, str, str]]) -> None:
    """Note what did not come to what was asked of it, each with what is to be said of it and a hint."""
    for step, message, hint in failures:
        problem = _problem(step, message, hint)
        outcome.report.problems.append(problem)
        outcome.report.blame(step.service.id, problem)


def _problem(step: ServiceStep, message: str, hint: str = "") -> Problem:
    service = step.service
    hint = hint or (f"see its log in {service.log_directory}" if service.log_directory else "see what runsvdir wrote")
    return Problem(f"{service.id}: {message}", mark=service.origin.mark, key=service.origin.key, path=service.directory, hint=hint)
