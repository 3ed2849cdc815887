"""Accounts, groups and homes that the data manage: what is to be done, done, and what follows when some of it cannot be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from runit_provision.errors import HostError, Problem
from runit_provision.model.account import Coming, KnownAccounts
from runit_provision.model.plan import LoginStep, Plan
from runit_provision.model.tree import SYSTEM

if TYPE_CHECKING:
    from runit_provision.apply import Progress
    from runit_provision.host import Machine
    from runit_provision.host.accounts import Accounts
    from runit_provision.model.host import Host


def decide_logins(host: Host, machine: Machine) -> tuple[LoginStep, ...]:
    """Decide what is to be done to accounts; reads only. HostError with everything that is known to be in the way."""
    if not host.logins and not host.groups:
        return ()
    from runit_provision import plan
    from runit_provision.host import logins

    steps = plan.decide_logins(host.logins, host.groups, _known(host, machine))
    if lacking := tuple(logins.lacking(steps, root=machine.root)):
        raise HostError(*lacking)
    return steps


def _known(host: Host, machine: Machine) -> KnownAccounts:
    from runit_provision.host.logins import find_home

    accounts = machine.accounts
    logins = {login.name: accounts.login(login.name) for login in host.logins}
    names = {name for login in host.logins for name in (login.group, *login.groups)} | {group.name for group in host.groups}
    groups = {name: accounts.number(name) for name in sorted(names)}
    new = [login for login in host.logins if logins[login.name] is None]
    given = {group.gid for group in host.groups if groups[group.name] is None}
    given |= {login.gid for login in host.logins if groups[login.group] is None}
    homeless = [login.home for login in host.logins if not (known := logins[login.name]) or not known.has_home]
    return KnownAccounts(
        logins=logins,
        groups=groups,
        uids={login.uid: name for login in new if login.uid is not None and (name := accounts.whose_uid(login.uid))},
        gids={gid: name for gid in given if gid is not None and (name := accounts.whose_gid(gid))},
        homes={home: find_home(home, machine.hand(SYSTEM)) for home in homeless},
    )


def coming(steps: Iterable[LoginStep]) -> Coming:
    """Give what `steps` make."""
    return Coming(
        {step.login.name: step.login for step in steps if step.login}, {step.group.name: step.group for step in steps if step.group}
    )


def make_logins(plan: Plan, machine: Machine, progress: Progress | None) -> dict[LoginStep, Problem]:
    """Make what `plan` has of accounts, the journal first; give the steps that could not be done, each with what is wrong."""
    from runit_provision import apply
    from runit_provision.host.logins import perform

    def asked_anew() -> Accounts:
        machine.renew()
        return machine.accounts

    resumes = machine.library.journal() is not None
    apply.begin_logins(plan, machine)
    tell = apply.Teller(progress, len(plan.logins))

    def told(step: LoginStep) -> None:
        tell.did(f"{step.kind} {step.name}")

    hand = machine.hand(SYSTEM)
    failed = perform(plan.logins, root=machine.root, hand=hand, accounts=asked_anew, told=told, held=machine.library.held)
    apply.settle_logins(failed, machine, resumes=resumes)
    machine.renew()
    return failed
