"""One apply, from the intent to the memory of it.

    write the intent down
    make everything of the system's beside its place, durable    what fails here leaves the host as it was
    take down what goes or moves; remove links, also those that are to lead elsewhere, then the rest
    rename it into place; make and rename what is each account's; then the live links     nothing can start before it is whole
    note how the services are; restart what must
    remember

Killed anywhere, the next apply finds the intent: it knows what of the host is its own work, and which services are owed something.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from runit_provision.apply import calls, journal, paths
from runit_provision.apply.logins import homes_to_remove, remove_homes, staying
from runit_provision.apply.report import Outcome, Report
from runit_provision.apply.teller import Progress, Teller
from runit_provision.errors import HostError, Problem, before_any_change, while_journalled
from runit_provision.host import Machine, kept
from runit_provision.model.observed import Journal, Manifest, Record
from runit_provision.model.plan import Change, Plan, ServiceStep, Verb
from runit_provision.model.tree import Realm, RenderedTree, ServiceTree
from runit_provision.plan import undo

TIMEOUT = 30.0
"""Seconds to wait for services, each time that some are started or stopped together."""


def apply(plan: Plan, machine: Machine, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Report:
    """Do `plan`, within `machine.lock()`. HostError, with the host as it was, when it cannot be prepared.

    What fails later is in the report, and the rest is done. timeout: seconds, see TIMEOUT.
    """
    library = machine.library
    if plan.empty and not plan.resumes:
        if plan.manifest != plan.remembered:
            library.remember(plan.manifest)
        return Report(problems=list(plan.problems), failed={name: list(why) for name, why in plan.barred.items()})
    with while_journalled():
        began, outcome = _carry_out(plan, machine, progress, timeout)
        _conclude(machine, began, outcome)
    return outcome.report


def _carry_out(plan: Plan, machine: Machine, progress: Progress | None, timeout: float) -> tuple[Journal, Outcome]:
    earlier = machine.library.journal()
    if earlier:
        machine.library.remember(plan.remembered)  # the journal that tells what the killed one had made is about to be replaced
    began = _begin(replace(plan, logins=()), machine, "apply", earlier)  # those were made, or could not be
    return began, _perform(plan, machine, began, progress, timeout, fresh=earlier is None)


def _conclude(machine: Machine, began: Journal, outcome: Outcome) -> None:
    """Remember what was done: it is now the last apply, unless nothing could be done; then the one before still is."""
    library, last = machine.library, machine.library.last()
    done = outcome.report.paths or outcome.report.calls or outcome.plan.resumes or began.logins
    if done:
        _forget(machine, last, began, outcome)
        library.finish(_remembered(outcome))
    else:
        _forget(machine, began, last)
        library.abandon(_remembered(outcome))


def apply_or_undo(
    plan: Plan, machine: Machine, *, begun: bool = False, progress: Progress | None = None, timeout: float = TIMEOUT
) -> Report:
    """Do `plan` as `apply` does, and take all of it back when any of it fails; the report then has `undone`.

    What can be rolled back afterwards is what could be before. begun: accounts were made for it already.
    """
    if plan.problems and not begun:
        with before_any_change():
            raise HostError(*plan.problems)
    if plan.empty and not plan.resumes:
        return apply(plan, machine)
    try:
        if plan.problems:
            raise HostError(*plan.problems)
        began, outcome = _carry_out(plan, machine, progress, timeout)
        if outcome.report.ok:
            _conclude(machine, began, outcome)
            return outcome.report
        machine.library.remember(_remembered(outcome))
        report, whole = outcome.report, True
    except HostError as error:
        if error.untouched:
            raise
        report, whole = Report(problems=list(error.problems)), False
    try:
        report.undone = rollback(machine, progress=progress, timeout=timeout, whole=whole)
    except HostError as error:
        report.undone = Report(problems=list(error.problems))
    return report


def plan_rollback(machine: Machine, *, user: str | None = None) -> tuple[Plan, tuple[str, ...]]:
    """Give what a rollback would do, and what it could not; reads only. HostError when there is nothing to roll back.

    user: the account whose tree alone may be touched: HostError when the last apply was about more.
    """
    plan, undone = _plan_rollback(machine, user, whole=False)
    return plan, (*_lost(plan, machine), *staying(undone, machine))


def _lost(plan: Plan, machine: Machine) -> list[str]:
    return [f"{machine.here(path)} cannot come back: a hand took it away before it was kept" for path in plan.lost]


@before_any_change()
def _plan_rollback(machine: Machine, user: str | None, *, whole: bool) -> tuple[Plan, Journal]:
    found = machine.library.journal()
    if found is None or found.command == "rollback":
        whole = True
        found = machine.library.undone() or machine.library.last()
    if found is None:
        raise HostError(Problem("there is no apply to roll back", path=machine.library.path))
    _refuse_more(found, user)
    observed = machine.observe(RenderedTree((), (), ()), journal=found)
    plan = undo(found, machine.library.before(found), observed, whole=whole)
    return replace(plan, logins=homes_to_remove(found, machine)), found


def _refuse_more(undone: Journal, user: str | None) -> None:
    """Refuse to undo a part of what was done at once: what belongs together would be of two times."""
    if user is None:
        return
    changed = [(intent.realm, intent.path) for intent in undone.intents]
    changed += [(call.service.realm, call.service.directory) for call in undone.calls]
    changed += [(Realm(None, "/"), login.name) for login in undone.logins]
    others = list(dict.fromkeys(what for realm, what in changed if realm.account != user))
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        hint = "`rollback` without `--user` undoes the whole of it"
        raise HostError(Problem(f"the last apply was not about the tree of {user} alone: {others[0]}{more}", hint=hint))


@while_journalled()
def rollback(
    machine: Machine,
    *,
    user: str | None = None,
    progress: Progress | None = None,
    timeout: float = TIMEOUT,
    whole: bool = False,
    announce: Callable[[Plan], None] | None = None,
) -> Report:
    """Undo the last apply, or the one that was killed, within `machine.lock()`; HostError when there is none.

    user: see plan_rollback. announce: is told what will be done, just before.
    whole: the one whose journal is there was not killed: all that it was to do was tried.
    """
    library = machine.library
    plan, undone = _plan_rollback(machine, user, whole=whole)
    if (killed := library.journal()) and killed.id == undone.id:
        library.set_aside()
    last = library.last()
    if announce:
        announce(plan)
    began = _begin(replace(plan, logins=()), machine, "rollback", None)
    outcome = _perform(plan, machine, began, progress, timeout, fresh=False)
    outcome.report.notes += _lost(plan, machine)
    if plan.empty:
        outcome.report.notes.append("nothing is left to be undone of the last apply")
    _forget(machine, undone, None)
    _forget(machine, began, None)
    remove_homes(plan.logins, undone, machine, outcome.report)
    outcome.report.notes += staying(undone, machine)
    library.finish_rollback(_remembered(outcome), last if last and last.id != undone.id else None)
    return outcome.report


@before_any_change()
def _begin(plan: Plan, machine: Machine, command: str, earlier: Journal | None) -> Journal:
    began = journal.describe(plan, command=command, earlier=earlier)
    machine.library.begin(began, plan.remembered if earlier is None else machine.library.before(earlier))
    return began


def _perform(plan: Plan, machine: Machine, began: Journal, progress: Progress | None, timeout: float, *, fresh: bool) -> Outcome:
    places = journal.staging(plan)
    ending = {step.service.id for step in plan.stops}
    lifted = [step for step in plan.links if step.change is Change.REPLACE and step.service in ending]
    outcome = Outcome(
        plan,
        Report(problems=list(plan.problems), failed={name: list(why) for name, why in plan.barred.items()}),
        {intent.path: intent for intent in began.intents},
        places,
        tell=Teller(progress, len(plan.steps) + len(lifted) + len(places) + len(plan.calls)),
    )
    paths.sweep(machine, plan.leftovers, outcome)
    # what lies together is made together: no directory is entered twice
    writes = sorted(plan.writes, key=lambda step: step.path.split("/"))
    first, *others = list(paths.waves([*writes, *plan.links])) or [[]]
    own = [step for step in first if step.realm.account is None]
    theirs = [step for step in first if step.realm.account is not None]
    try:
        with before_any_change():
            paths.prepare(machine, own, outcome)
    except HostError:
        if fresh:
            machine.library.abandon()
        raise
    calls.take_down(machine, plan.stops, outcome, timeout=timeout)
    paths.remove(machine, plan.unlinks, outcome)
    again = {step.path: step for step in paths.lift(machine, lifted, outcome)}
    calls.dismiss(machine, plan.stops, outcome, timeout=timeout)
    paths.remove(machine, plan.removals, outcome)
    paths.put(machine, [step for step in own if not step.live], outcome)
    for wave in (*others, theirs):
        paths.make(machine, [again.get(step.path, step) for step in wave], outcome)
    paths.put(machine, [again.get(step.path, step) for step in own if step.live], outcome)
    _call(plan, machine, began, outcome, timeout)
    return outcome


def _call(plan: Plan, machine: Machine, began: Journal, outcome: Outcome, timeout: float) -> None:
    """Do what services need, those whose files all are as planned."""
    asked = [step for step in plan.calls if step.verb is not Verb.LEAVE]
    wanted = [step for step in asked if not outcome.is_broken(step.service.id)]
    for step in asked:
        if outcome.is_broken(step.service.id):
            outcome.owe(step)
    outcome.report.calls += [step for step in plan.stops if step.service.id not in outcome.held]
    if not wanted:
        return
    machine.library.note_lives(calls.lives(machine, [step.service for step in wanted]))
    numbers = {(call.verb, call.service.id): number for number, call in enumerate(began.calls)}

    def told(group: list[ServiceStep]) -> None:
        machine.library.note_done([numbers[step.verb.value, step.service.id] for step in group])
        outcome.tell.did(*(step.service.id for step in group))

    calls.call(machine, wanted, outcome, timeout=timeout, told=told)


def _remembered(outcome: Outcome) -> Manifest:
    """Give what is remembered: the plan's manifest, but for what was not done, which stays as it was known before."""
    plan = outcome.plan
    records: dict[str, Record] = dict(plan.manifest.records)
    services: dict[str, ServiceTree] = dict(plan.manifest.services)
    for path in outcome.failed:
        known = plan.remembered.records.get(path)
        if known:
            records[path] = known
        else:
            records.pop(path, None)
    services |= {name: plan.remembered.services[name] for name in outcome.held if name in plan.remembered.services}
    whole = outcome.report.ok and not outcome.failed and not outcome.held
    still = (each for each in plan.remembered.owed if each.service in outcome.held)  # it was to go, and stays
    owed = tuple(dict.fromkeys((*plan.manifest.owed, *still, *outcome.owed)))
    return Manifest(records, services, plan.manifest.answer if whole else None, owed)


def _forget(machine: Machine, past: Journal | None, present: Journal | None, outcome: Outcome | None = None) -> None:
    """Throw away what `past` kept, but for what a hand had made or edited, and what `present` still refers to.

    outcome: of `present`, which was carried out: what is too old in the stores that it added to goes as well, and is told.
    """
    used = {intent.kept for intent in present.intents if intent.kept} if present else set()
    names: dict[Realm, list[str]] = {}
    for intent in past.intents if past else ():
        if intent.kept and not intent.edited and intent.kept not in used:
            names.setdefault(intent.realm, []).append(intent.kept)
    since = ""
    if present and outcome:
        since = min((kept.stamp(int(time.time()) - kept.LASTING * 86400), *used))
        for intent in present.intents:
            if intent.kept:
                names.setdefault(intent.realm, [])
    paths.discard(machine, names, since, outcome)
