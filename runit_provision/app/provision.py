"""Plan, check, apply, undo: the data on one side, the host on the other."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runit_provision.app.logins import coming, decide_logins, make_logins
from runit_provision.app.recall import answered, recall
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.app.unmet import assumed, hard_limits, missing_programs, to_lay, too_high
from runit_provision.errors import DataError, HostError, Problem, before_any_change, nearest
from runit_provision.inputs import Inputs
from runit_provision.model.answer import Demands
from runit_provision.model.plan import Plan

if TYPE_CHECKING:
    from runit_provision.app.desired import Desired
    from runit_provision.apply import Progress, Report
    from runit_provision.host import Machine
    from runit_provision.model.host import Host
    from runit_provision.model.observed import Observed
    from runit_provision.model.plan import LoginStep
    from runit_provision.model.tree import RenderedTree


@dataclass(frozen=True, slots=True)
class Planned:
    """plan: what apply would do. runtime: the shipped runtime that the data names is to be laid first, under this prefix; or None.

    whole: with the plan done the host is as the data says; not when the plan leaves out services that something is to be done about.
    notes: what a person should know. root: "/", or the image that it is about, whose own names the plan's paths are.
    """

    plan: Plan
    runtime: str | None
    warnings: tuple[Problem, ...]
    whole: bool = True
    notes: tuple[str, ...] = ()
    root: Path = Path("/")

    @property
    def empty(self) -> bool:
        """True when the host is as the data says."""
        return self.plan.empty and self.runtime is None


def plan(source: Source, target: Target) -> Planned:
    """Decide what apply would do; reads only. DataError and HostError with every problem."""
    with target.machine() as machine:
        if known := _recalled(source, target, machine):
            return known
        holder = machine.library.holder()
        planned = decide(desire_on(source, machine, target, Inputs()), machine, target)
        return _beside(holder or machine.library.holder(), planned, machine)


def _beside(holder: str, planned: Planned, machine: Machine) -> Planned:
    """Give a plan that was made beside `holder`, which is at work here, if anybody is: what that has begun it also ends."""
    if not holder:
        return planned
    said = f"held by {holder}: what that has not done yet is seen here as a difference, or as left behind"
    warning = machine.placed(Problem(said, path=f"{machine.library.path}/lock", hint="look again when it is done"))
    return replace(planned, plan=replace(planned.plan, resumes=False), warnings=(*planned.warnings, warning))


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

    with target.machine() as machine:
        known = _recalled(source, target, machine)
        if known and known.empty and not machine.library.half_written:
            announce(known)
            return execution.Report(problems=list(known.plan.problems))
        inputs = Inputs()
        desired = desire_on(source, machine, target, inputs)
        # what is refused now is refused before there is a library
        planned = None if machine.library.begun else decide(desired, machine, target)
        with machine.lock(timeout=lock_timeout, command="apply"):
            if (desired.host.logins or desired.host.groups) and machine.renew_if_changed():
                inputs = Inputs()  # another apply has made some since, or changed them
                desired = desire_on(source, machine, target, inputs)
                planned = None
            if planned is None or not _still_so(planned.plan, machine):
                planned = decide(desired, machine, target)
            announce(planned)
            if undo_failure and planned.plan.problems:
                with before_any_change():
                    raise HostError(*planned.plan.problems)
            made: tuple[LoginStep, ...] = ()
            if planned.plan.logins:
                failed = make_logins(planned.plan, machine, progress)
                made = tuple(step for step in planned.plan.logins if step not in failed)
                inputs = Inputs()
                with _after(made):
                    desired = desire_on(source, machine, target, inputs)
                    planned = decide(desired, machine, target, failed)
            if planned.runtime is not None:
                from runit_provision.host import package

                package.install(prefix=Path(planned.runtime), root=target.root)
            answer = answered(source, target, machine, inputs, desired, planned.plan) if planned.whole else None
            decided = replace(planned.plan, manifest=replace(planned.plan.manifest, answer=answer))
            work = partial(execution.apply_or_undo, begun=bool(made)) if undo_failure else execution.apply
            with _after(made, runtime=planned.runtime):
                report = work(decided, machine, progress=progress, timeout=service_timeout)
            report.logins += made
            report.place(machine.placed)
            return report


def _still_so(plan: Plan, machine: Machine) -> bool:
    """Whether a host is as it was before there was a lock: nobody began anything, and what holds the library is not to be made."""
    library = machine.library
    return library.fresh and not any(library.path.startswith(f"{step.path}/") for step in plan.writes)


@contextmanager
def _after(made: tuple[LoginStep, ...], runtime: str | None = None) -> Iterator[None]:
    """Let a HostError from here tell what was made before, and not that nothing was changed."""
    try:
        yield
    except (DataError, HostError) as error:
        if not made and runtime is None:
            raise
        failed = HostError(*error.problems)
        failed.begun = bool(made) or (isinstance(error, HostError) and error.begun)
        names = ", ".join(f"{step.kind} {step.name}" for step in made)
        failed.warnings = (*error.warnings, *([Problem(f"what was made before this stays: {names}")] if made else []))
        raise failed from error


def plan_rollback(target: Target) -> Planned:
    """Decide what a rollback would do; reads only. HostError when there is nothing to undo."""
    from runit_provision import apply as execution

    with target.machine() as machine:
        machine.nurse()
        holder = machine.library.holder()
        plan, notes = execution.plan_rollback(machine, user=target.user)
        planned = Planned(plan, None, (), notes=notes, root=target.root)
        return _beside(holder or machine.library.holder(), planned, machine)


def rollback(
    target: Target,
    *,
    lock_timeout: float,
    service_timeout: float,
    announce: Callable[[Planned], None] = lambda _: None,
    progress: Progress | None = None,
) -> Report:
    """Undo the last apply, as `announce` is told just before; HostError when there is none to undo."""
    from runit_provision import apply as execution

    with target.machine() as machine:
        if not machine.library.begun:
            execution.plan_rollback(machine, user=target.user)  # says that there is nothing to undo, and makes no library for that
        with machine.lock(timeout=lock_timeout, command="rollback"):
            report = execution.rollback(
                machine,
                user=target.user,
                progress=progress,
                timeout=service_timeout,
                announce=lambda plan: announce(Planned(plan, None, (), root=target.root)),
            )
            report.place(machine.placed)
            return report


def desire_on(source: Source, machine: Machine, target: Target, inputs: Inputs | None = None) -> Desired:
    """Go the pure part of the road for a host; DataError with every problem of the data, and of that host where there is one."""
    from runit_provision.app.desired import desire
    from runit_provision.app.obstacles import obstacles

    machine.nurse()
    return desire(source, machine.accounts, inputs, lambda host: obstacles(host, machine, target))


@before_any_change()
def decide(desired: Desired, machine: Machine, target: Target, failed: Mapping[LoginStep, Problem] | None = None) -> Planned:
    """Compare what is desired with what is; reads only.

    failed: accounts, groups and homes were made, but for these, each with what was wrong: what needs them is left as it is.
    """
    from runit_provision import plan
    from runit_provision.app.demands import ceilings, demands

    _refuse_stranger(desired.host, machine, target.user)
    logins = decide_logins(desired.host, machine) if target.user is None else ()
    unmade = plan.Unmade.of(logins if failed is not None else (), failed or {})
    tree = unmade.without(desired.tree)
    try:
        observed = unmade.around(tree, machine.observe(tree, user=target.user, coming=coming(logins)))
        decided = plan.decide(tree, observed)
    except HostError as error:
        high = too_high(tuple(ceilings(desired.host)), hard_limits({}, alone=False)) if target.root == Path("/") else ()
        raise HostError(*error.problems, *high) from error
    warnings = (*desired.warnings, *map(machine.placed, (*_forgotten(observed), *_unlinked(observed.plain))))
    _refuse_unknown(target.services, {service.id for service in tree.services} | observed.manifest.services.keys())
    part = _part(decided, tree, observed, target.services)
    told = tuple(dict.fromkeys(map(machine.placed, (*unmade.problems, *part.problems))))
    barred = {service: tuple(map(machine.placed, problems)) for service, problems in part.barred.items()}
    done = replace(part, logins=logins, problems=told, barred=barred)
    return replace(_planned(done, demands(desired.host, target), warnings, target), whole=part is decided)


def _part(whole: Plan, tree: RenderedTree, observed: Observed, services: frozenset[str] | None) -> Plan:
    """Give the part of a plan that is about `services`; the whole where that does no more, or an apply that was killed is completed."""
    from runit_provision import plan

    killed = observed.journal and (observed.journal.intents or observed.journal.calls)  # of accounts alone, it is this one that goes on
    if services is None or killed or (not whole.problems and plan.is_about(whole, tree, services)):
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


def _forgotten(observed: Observed) -> Iterator[Problem]:
    for realm in sorted(observed.abandoned, key=lambda realm: realm.base):
        yield Problem(f"is forgotten, with all that was made in it: there is no account {realm.account} any more", path=realm.base)
    for path, why in observed.lost.items():
        yield Problem(f"is forgotten, with all that was made in it: it {why}", path=path)


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
        return Planned(plan, runtime, (*warnings, *assumed(demands.ceilings), *missing), root=target.root)
    if high := tuple(too_high(demands.ceilings, hard_limits(plan.lives, alone=target.user is not None))):
        raise DataError(*high, *plan.problems, *missing)
    return Planned(replace(plan, problems=(*plan.problems, *missing)), runtime, warnings)
