"""Plan, check, apply, undo: the data on one side, the host on the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runit_provision.app.recall import answered, recall
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.app.unmet import assumed, hard_limits, missing_programs, to_lay, too_high
from runit_provision.errors import DataError, HostError, Problem, before_any_change, nearest
from runit_provision.inputs import Inputs
from runit_provision.model.answer import Demands
from runit_provision.model.plan import LoginStep, Plan
from runit_provision.model.tree import Realm

if TYPE_CHECKING:
    from runit_provision.app.desired import Desired
    from runit_provision.apply import Report
    from runit_provision.host import Machine
    from runit_provision.host.accounts import Accounts
    from runit_provision.model.host import Host
    from runit_provision.model.observed import Observed
    from runit_provision.model.tree import RenderedTree

Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and which is next."""


@dataclass(frozen=True, slots=True)
class Planned:
    """plan: what apply would do. runtime: the shipped runtime that the data names is to be laid first, under this prefix; or None.

    whole: with the plan done the host is as the data says; not when the plan leaves out services that something is to be done about.
    """

    plan: Plan
    runtime: str | None
    warnings: tuple[Problem, ...]
    whole: bool = True

    @property
    def empty(self) -> bool:
        """True when the host is as the data says."""
        return self.plan.empty and self.runtime is None


def plan(source: Source, target: Target) -> Planned:
    """Decide what apply would do; reads only. DataError and HostError with every problem."""
    with target.machine() as machine:
        if known := _recalled(source, target, machine):
            return known
        return decide(desire_on(source, machine, target, Inputs()), machine, target)


def apply(
    source: Source,
    target: Target,
    *,
    lock_timeout: float,
    service_timeout: float,
    announce: Callable[[Planned], None],
    undo_failure: bool = False,
    progress: Progress | None = None,
) -> Report:
    """Do what `announce` is told just before, and give what became of it.

    undo_failure: when any of it fails, take all of it back (but for the runtime, which harms nobody).
    lock_timeout: seconds to wait for another apply (then LockHeldError); service_timeout: seconds to wait for services.
    """
    from runit_provision import apply as execution
    from runit_provision.host import package

    with target.machine() as machine:
        known = _recalled(source, target, machine)
        if known and known.empty:
            announce(known)
            return execution.Report(problems=list(known.plan.problems))
        inputs = Inputs()
        desired = desire_on(source, machine, target, inputs)
        if not machine.library.begun:
            decide(desired, machine, target)  # what is refused now is refused before there is a library
        with machine.lock(timeout=lock_timeout, command="apply"):
            if (desired.host.logins or desired.host.groups) and machine.renew_if_changed():
                inputs = Inputs()  # another apply has made some since, or changed them
                desired = desire_on(source, machine, target, inputs)
            planned = decide(desired, machine, target)
            announce(planned)
            touched = planned.runtime is not None or bool(planned.plan.logins)
            if planned.plan.logins:
                execution.begin_logins(planned.plan, machine)
                _make_logins(planned.plan.logins, machine)
                inputs = Inputs()
                desired = desire_on(source, machine, target, inputs)
                try:
                    planned = decide(desired, machine, target)
                except HostError as error:
                    error.untouched = False
                    raise
            if planned.runtime is not None:
                package.install(prefix=Path(planned.runtime), root=target.root)
            answer = answered(source, target, machine, inputs, desired, planned.plan) if planned.whole else None
            manifest = replace(planned.plan.manifest, answer=answer)
            try:
                work = execution.apply_or_undo if undo_failure else execution.apply
                return work(replace(planned.plan, manifest=manifest), machine, progress=progress, timeout=service_timeout)
            except HostError as error:
                error.untouched &= not touched
                raise


def rollback(target: Target, *, lock_timeout: float, service_timeout: float, progress: Progress | None = None) -> Report:
    """Undo the last apply; HostError when there is none to undo."""
    from runit_provision import apply as execution

    with target.machine() as machine:
        if not machine.library.begun:
            execution.plan_rollback(machine)  # says that there is nothing to undo, and makes no library for that
        with machine.lock(timeout=lock_timeout, command="rollback"):
            return execution.rollback(machine, progress=progress, timeout=service_timeout)


def desire_on(source: Source, machine: Machine, target: Target, inputs: Inputs | None = None) -> Desired:
    """Go the pure part of the road for a host; DataError with every problem of the data, and of that host where there is one."""
    from runit_provision.app.desired import desire
    from runit_provision.app.obstacles import obstacles

    machine.nurse()
    return desire(source, machine.accounts, inputs, lambda host: obstacles(host, machine, target))


@before_any_change()
def decide(desired: Desired, machine: Machine, target: Target) -> Planned:
    """Compare what is desired with what is; reads only."""
    from runit_provision import plan
    from runit_provision.app.demands import ceilings, demands

    _refuse_stranger(desired.host, machine, target.user)
    logins = _logins(desired.host, machine) if target.user is None else ()
    coming = {step.login.name: step.login for step in logins if step.login}
    try:
        observed = machine.observe(desired.tree, user=target.user, coming=coming)
        decided = plan.decide(desired.tree, observed)
    except HostError as error:
        high = too_high(tuple(ceilings(desired.host)), hard_limits({}, alone=False)) if target.root == Path("/") else ()
        raise HostError(*error.problems, *high) from error
    warnings = (*desired.warnings, *_forgotten(observed.abandoned), *_unlinked(observed.plain))
    _refuse_unknown(target.services, {service.id for service in desired.tree.services} | observed.manifest.services.keys())
    part = _part(decided, desired.tree, observed, target.services)
    return replace(_planned(replace(part, logins=logins), demands(desired.host, target), warnings, target), whole=part is decided)


def _part(whole: Plan, tree: RenderedTree, observed: Observed, services: frozenset[str] | None) -> Plan:
    """Give the part of a plan that is about `services`; the whole where that does no more, or an apply that was killed is completed."""
    from runit_provision import plan

    if services is None or observed.journal is not None or (not whole.problems and plan.is_about(whole, tree, services)):
        return whole
    return plan.decide(tree, observed, only=services)


def _refuse_unknown(services: frozenset[str] | None, known: Collection[str]) -> None:
    """Refuse a service that is neither in the data nor was made here: nothing to do would be no answer."""
    unknown = sorted((services or frozenset()).difference(known))
    if unknown:
        raise DataError(*(Problem(f"there is no service {name!r} in the data", hint=_nearest(name, known)) for name in unknown))


def _nearest(name: str, known: Iterable[str]) -> str:
    return nearest(name, known, f"those that there are: {', '.join(sorted(known))}")


def _refuse_stranger(host: Host, machine: Machine, name: str | None) -> None:
    """Refuse a user of whom neither the data nor an earlier apply knows: nothing to do would be no answer."""
    known = {host.tree.account.name, *(user.tree.account.name for user in host.users)}
    if name is None or name in known:
        return
    if name not in {service.realm.account for service in machine.library.manifest().services.values()}:
        raise DataError(Problem(f"there is no user {name!r} in the data", hint=_nearest(name, known)))


def _logins(host: Host, machine: Machine) -> tuple[LoginStep, ...]:
    """Decide what is to be done to accounts."""
    if not host.logins and not host.groups:
        return ()
    from runit_provision.plan import decide_logins

    known = {login.name: machine.accounts.login(login.name) for login in host.logins}
    names = {name for login in host.logins for name in (login.group, *login.groups)} | {group.name for group in host.groups}
    return decide_logins(host.logins, host.groups, known, {name: machine.accounts.number(name) for name in sorted(names)})


def _make_logins(steps: tuple[LoginStep, ...], machine: Machine) -> None:
    from runit_provision.host.logins import perform

    def asked_anew() -> Accounts:
        machine.renew()
        return machine.accounts

    perform(steps, root=machine.root, hand=machine.hand(Realm(None, "/")), accounts=asked_anew, held=machine.library.held)
    machine.renew()


def _forgotten(realms: Iterable[Realm]) -> Iterator[Problem]:
    for realm in sorted(realms, key=lambda realm: realm.base):
        yield Problem(f"is forgotten, with all that was made in it: there is no account {realm.account} any more", path=realm.base)


def _unlinked(paths: Iterable[str]) -> Iterator[Problem]:
    for path in paths:
        hint = "`purge` takes links away; make it one, or move it by hand"
        yield Problem("is a directory that the data does not know, and stays", path=path, hint=hint)


@before_any_change()
def _recalled(source: Source, target: Target, machine: Machine) -> Planned | None:
    found = recall(source, target, machine)
    if found is None:
        return None
    plan, answer = found
    if not plan.manifest.services.keys() >= (target.services or frozenset()):
        return None  # a service that was never made here: the data may have it, as absent, or not know it
    return _planned(plan, answer.demands, answer.warnings, target)


def _planned(plan: Plan, demands: Demands, warnings: tuple[Problem, ...], target: Target) -> Planned:
    runtime = to_lay(demands, target.root)
    missing = tuple(missing_programs(demands, target.root))
    if target.root != Path("/"):  # what an image lacks may come with a later step of its build
        return Planned(plan, runtime, (*warnings, *assumed(demands.ceilings), *missing))
    if high := tuple(too_high(demands.ceilings, hard_limits(plan.lives, alone=target.user is not None))):
        raise DataError(*high, *plan.problems, *missing)
    return Planned(replace(plan, problems=(*plan.problems, *missing)), runtime, warnings)
