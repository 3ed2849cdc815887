"""One apply, from the intent to the memory of it.

    write the intent down
    make everything of the system's beside its place, durable    what fails here leaves the host as it was
    take down what goes; remove links, then the rest
    rename it into place; make and rename what is each account's; then the live links     nothing can start before it is whole
    note how the services are; restart what must
    remember

Killed anywhere, the next apply finds the intent: it knows what of the host is its own work, and which services are owed something.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from runit_provision.apply import calls, journal, paths
from runit_provision.apply.report import Outcome, Report
from runit_provision.errors import HostError, Problem, ProvisionError, before_any_change, printable
from runit_provision.host import Machine
from runit_provision.model.observed import Journal, Manifest, Record
from runit_provision.model.plan import Change, Plan, ServiceStep, Verb
from runit_provision.model.tree import Realm, RenderedTree, ServiceTree
from runit_provision.plan import undo

TIMEOUT = 30.0
"""Seconds to wait for services, each time that some are started or stopped together."""
Progress = Callable[[int, int, str], None]
"""Is told how many steps are done, of how many, and the last one."""


def apply(plan: Plan, machine: Machine, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Report:
    """Do `plan`, within `machine.lock()`. HostError, with the host as it was, when it cannot be prepared.

    What fails later is in the report, and the rest is done. timeout: seconds, see TIMEOUT.
    """
    library = machine.library
    if plan.empty and not plan.resumes:
        if plan.manifest != plan.remembered:
            library.remember(plan.manifest)
        return Report(problems=list(plan.problems), failed={name: list(why) for name, why in plan.barred.items()})
    earlier = library.journal()
    if earlier:
        library.remember(plan.remembered)  # the journal that tells what the killed one had made is about to be replaced
    began = _begin(plan, machine, "apply", earlier)
    outcome = _perform(plan, machine, began, progress, timeout, fresh=earlier is None)
    _forget(machine, library.last(), began)
    library.finish(_remembered(plan, outcome))
    return outcome.report


def begin_logins(plan: Plan, machine: Machine) -> None:
    """Write down which accounts, groups and homes are about to be made, before any is; `apply` completes what this begins."""
    earlier = machine.library.journal()
    if earlier:
        machine.library.remember(plan.remembered)
    only = replace(plan, stops=(), unlinks=(), removals=(), writes=(), links=(), calls=(), manifest=plan.remembered)
    _begin(only, machine, "apply", earlier)


def apply_or_undo(plan: Plan, machine: Machine, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Report:
    """Do `plan` as `apply` does, and take all of it back when any of it fails; the report then has `undone`."""
    if plan.problems:
        with before_any_change():
            raise HostError(*plan.problems)
    try:
        report = apply(plan, machine, progress=progress, timeout=timeout)
    except HostError as error:
        if error.untouched:
            raise
        report = Report(problems=list(error.problems))
    if not report.ok:
        try:
            report.undone = rollback(machine, progress=progress, timeout=timeout)
        except HostError as error:
            report.undone = Report(problems=list(error.problems))
    return report


def plan_rollback(machine: Machine) -> Plan:
    """Give what a rollback would do; reads only. HostError when there is nothing to roll back."""
    return _plan_rollback(machine)[0]


@before_any_change()
def _plan_rollback(machine: Machine) -> tuple[Plan, Journal]:
    found = machine.library.journal()
    whole = found is None or found.command == "rollback"
    if whole:
        found = machine.library.last()
    if found is None:
        raise HostError(Problem("there is no apply to roll back", path=machine.library.path))
    observed = machine.observe(RenderedTree((), (), ()), journal=found)
    return undo(found, machine.library.before(found), observed, whole=whole), found


def rollback(machine: Machine, *, progress: Progress | None = None, timeout: float = TIMEOUT) -> Report:
    """Undo the last apply, or the one that was killed, within `machine.lock()`; HostError when there is none."""
    plan, undone = _plan_rollback(machine)
    if (killed := machine.library.journal()) and killed.id == undone.id:
        _forget(machine, machine.library.last(), killed)
        machine.library.promote()
    began = _begin(plan, machine, "rollback", None)
    outcome = _perform(plan, machine, began, progress, timeout, fresh=False)
    outcome.report.notes += [f"{path} cannot come back: a hand took it away before it was kept" for path in plan.lost]
    _forget(machine, undone, None)
    _forget(machine, began, None)
    _undo_logins(undone, machine, outcome.report)
    machine.library.finish(_remembered(plan, outcome), undone=True)
    return outcome.report


def _undo_logins(undone: Journal, machine: Machine, report: Report) -> None:
    """Take away homes that are as empty as they were made; tell of what stays, since what is an account's may lie anywhere."""
    for change, kind, name, reason, _ in reversed(undone.logins):
        if change == Change.REPLACE.value:
            report.notes.append(f"the account {name} stays as the last apply changed it: {reason}")
        elif kind == "home":
            try:
                held = machine.hand(Realm(None, "/")).call("remove_directory", name, False)
            except (OSError, ProvisionError) as error:
                report.problems += paths.problems(error)
                continue
            if held:
                report.notes.append(f"the home {name}, which the last apply made, stays: it holds {', '.join(held)}")
        else:
            tool = "userdel" if kind == "account" else "groupdel"
            report.notes.append(f"the {kind} {name}, which the last apply made, stays; `{tool} {name}` takes it away")


@before_any_change()
def _begin(plan: Plan, machine: Machine, command: str, earlier: Journal | None) -> Journal:
    began = journal.describe(plan, command=command, earlier=earlier)
    machine.library.begin(began, plan.remembered if earlier is None else machine.library.before(earlier))
    return began


def _perform(plan: Plan, machine: Machine, began: Journal, progress: Progress | None, timeout: float, *, fresh: bool) -> Outcome:
    outcome = Outcome(
        plan,
        Report(problems=list(plan.problems), failed={name: list(why) for name, why in plan.barred.items()}),
        {intent.path: intent for intent in began.intents},
        journal.staging(plan),
    )
    tell = _Teller(progress, len(plan.steps) + len(plan.calls))
    paths.sweep(machine, plan.leftovers, outcome)
    first, *others = list(paths.waves([*plan.writes, *plan.links])) or [[]]
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
    paths.remove(machine, plan.unlinks, outcome, tell.path)
    calls.dismiss(machine, plan.stops, outcome, timeout=timeout)
    paths.remove(machine, plan.removals, outcome, tell.path)
    paths.put(machine, [step for step in own if not step.live], outcome, tell.path)
    for wave in (*others, theirs):
        paths.make(machine, wave, outcome, tell.path)
    paths.put(machine, [step for step in own if step.live], outcome, tell.path)
    _call(plan, machine, began, outcome, tell, timeout)
    return outcome


def _call(plan: Plan, machine: Machine, began: Journal, outcome: Outcome, tell: _Teller, timeout: float) -> None:
    """Do what services need, those whose files all are as planned."""
    wanted = [step for step in plan.calls if not outcome.is_broken(step.service.id) and step.verb is not Verb.LEAVE]
    outcome.report.calls += [step for step in plan.stops if step.service.id not in outcome.held]
    if not wanted:
        return
    machine.library.note_lives(calls.lives(machine, [step.service for step in wanted]))
    numbers = {(call.verb, call.service.id): number for number, call in enumerate(began.calls)}

    def told(group: list[ServiceStep]) -> None:
        machine.library.note_done([numbers[step.verb.value, step.service.id] for step in group])
        for step in group:
            tell.path(step.service.id)

    calls.call(machine, wanted, outcome, timeout=timeout, told=told)


def _remembered(plan: Plan, outcome: Outcome) -> Manifest:
    """Give what is remembered: the plan's manifest, but for what was not done, which stays as it was known before."""
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
    return Manifest(records, services, plan.manifest.answer if whole else None, plan.manifest.owed)


def _forget(machine: Machine, past: Journal | None, present: Journal | None) -> None:
    """Throw away what `past` kept, but for what a hand had made or edited, and what `present` still refers to."""
    used = {intent.kept for intent in present.intents} if present else set()
    names: dict[Realm, list[str]] = {}
    for intent in past.intents if past else ():
        if intent.kept and not intent.edited and intent.kept not in used:
            names.setdefault(intent.realm, []).append(intent.kept)
    paths.discard(machine, names)


class _Teller:
    """Counts steps for a person who watches."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress = progress
        self._total = total
        self._done = 0

    def path(self, what: str) -> None:
        self._done += 1
        if self._progress:
            self._progress(self._done, self._total, printable(what))
