"""Accounts, groups and homes in the journal: begun before any is made, and what a rollback does about them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from runit_provision.apply import journal, paths
from runit_provision.apply.report import Report
from runit_provision.errors import ProvisionError, before_any_change
from runit_provision.host import Machine
from runit_provision.host.skeleton import skeleton
from runit_provision.model.observed import Journal, LoginIntent
from runit_provision.model.plan import Change, LoginStep, Plan
from runit_provision.model.tree import SYSTEM, Origin, Realm


@before_any_change()
def begin_logins(plan: Plan, machine: Machine) -> None:
    """Write down which accounts, groups and homes are about to be made, before any is; `apply` completes what this begins."""
    library = machine.library
    earlier = library.journal()
    if earlier:
        library.remember(plan.remembered)
    only = replace(plan, stops=(), unlinks=(), removals=(), writes=(), links=(), calls=(), manifest=plan.remembered)
    homes = any(step.login and step.login.skeleton for step in plan.logins if step.kind == "home")
    copies = tuple((copy.path, copy.words) for copy in skeleton(machine.root)) if homes else ()
    began = journal.describe(only, command="apply", earlier=earlier, copies=copies)
    library.begin(began, plan.remembered if earlier is None else library.before(earlier))


def settle_logins(failed: Collection[LoginStep], machine: Machine, *, resumes: bool) -> None:
    """Take what could not be made out of the journal; when nothing was, no apply has begun, unless this one `resumes` another."""
    library = machine.library
    began = library.journal()
    if not failed or began is None:
        return
    left = {(step.change.value, step.kind, step.name) for step in failed}
    made = tuple(each for each in began.logins if (each.change, each.kind, each.name) not in left)
    if made or resumes:
        library.begin(replace(began, logins=made), library.before(began))
    else:
        library.abandon()


def homes_to_remove(undone: Journal, machine: Machine) -> tuple[LoginStep, ...]:
    """Give a step for each home that was made and is there, the last one first."""
    made = [each.name for each in reversed(undone.logins) if each.kind == "home"]
    return tuple(
        LoginStep(Change.REMOVE, "home", name, "was made by the last apply; stays if it holds anything else then", Origin(""))
        for name, there in zip(made, machine.hand(SYSTEM).call("exists", made), strict=True)
        if there
    )


def staying(undone: Journal, machine: Machine) -> Iterator[str]:
    """Tell of the accounts and groups that stay, since what is theirs may lie anywhere; what was never made is not told of."""
    where = "" if machine.alive else f"--root {machine.root} "
    for each in reversed(undone.logins):
        known = machine.accounts.number(each.name) is not None if each.kind == "group" else each.name in machine.accounts
        if each.kind == "home" or not known:
            continue
        if each.change == Change.REPLACE.value:
            yield f"the account {each.name} stays as the last apply changed it: {each.reason}"
        else:
            tool = "userdel" if each.kind == "account" else "groupdel"
            yield f"the {each.kind} {each.name}, which the last apply made, stays; `{tool} {where}{each.name}` takes it away"


def remove_homes(steps: Iterable[LoginStep], undone: Journal, machine: Machine, report: Report) -> None:
    """Take away homes that are as they were made."""
    made = {each.name: each for each in undone.logins}
    for step in steps:
        try:
            held = _remove_home(made[step.name], machine)
        except (OSError, ProvisionError) as error:
            report.add(*paths.problems(error))
            continue
        if held:
            report.notes.append(f"the home {machine.here(step.name)}, which the last apply made, stays: it holds {', '.join(held)}")
        else:
            report.logins.append(step)


def _remove_home(made: LoginIntent, machine: Machine) -> list[str]:
    """Empty a home with its account's own hands, then remove it; give names of what keeps it."""
    try:
        held: list[str] = machine.hand(Realm(made.account, made.name)).call("strip", made.copies)
    except (OSError, ProvisionError):
        held = []  # nobody can look into it any more: only if it is empty it goes
    return held or machine.hand(SYSTEM).call("remove_directory", made.name, False)
