"""Verify: look at every service of a tree until all live as the data says, or the time is up."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Container, Iterable
from functools import partial

from runit_provision.errors import HostError, Problem
from runit_provision.host import processes
from runit_provision.host.accounts import Accounts
from runit_provision.model.account import Account
from runit_provision.model.tree import RenderedTree, ServiceTree
from runit_provision.verify import expect, looking
from runit_provision.verify.life import Life
from runit_provision.verify.looking import Place
from runit_provision.verify.report import Report

WITHIN = 30.0
"""Seconds that services are given to settle."""
_POLL = 0.5
_PATIENCE = 60.0
_ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


def verify(tree: RenderedTree, *, accounts: Accounts, user: str | None = None, within: float = WITHIN) -> Report:
    """Hold every service of `tree` against how it lives on this host, as the account in whose hands it lies.

    user: only the services of this account. within: seconds until which all have to be as they should; what already is, is not asked
    for again before the others are too, and what no time will mend (a service that gave up, a host without any runsvdir) is not waited
    for. HostError when the host cannot be asked.
    """
    services = [service for service in tree.services if user is None or service.realm.account == user]
    checked = expect.checked(services, {node.path for node in tree.nodes if node.path.endswith("/check")})
    began = time.monotonic()
    lives: dict[str, Life] = {}
    unsettled = services
    supervised = began
    while True:
        lives |= _look(unsettled, accounts, lines=0, checked=checked)
        if processes.somebody_supervises():
            supervised = time.monotonic()
        # Init may be about to start one again.
        deserted = time.monotonic() - supervised >= expect.STEADY
        faults = [finding for finding in expect.findings(services, lives, checked=checked, deserted=deserted) if not finding.kept]
        waited_for = {finding.service for finding in faults if not finding.final}
        if (not waited_for and len(unsettled) == len(services)) or time.monotonic() - began >= within:
            failing = {finding.service for finding in faults}
            lives |= _look([service for service in services if service.id in failing], accounts, lines=1, checked=checked)
            break
        unsettled = [service for service in services if service.id in waited_for] or services
        if waited_for:
            time.sleep(_POLL)
    return Report(expect.findings(services, lives, checked=checked, deserted=deserted), time.monotonic() - began)


def _look(services: Iterable[ServiceTree], accounts: Accounts, *, lines: int, checked: Container[str]) -> dict[str, Life]:
    places = {service.id: Place.of(service) for service in services}
    return looking.look(places, partial(_ask, accounts), lines=lines, checked=checked)


def _environment(accounts: Accounts, login: Account | None) -> dict[str, str]:
    """Give what a look has, and the checks that it runs: of an account that root becomes what `sv check` gives too."""
    if login is None:
        return _ENVIRONMENT | {"HOME": os.environ.get("HOME", "/")}
    known = accounts.login(login.name)
    shell = known.shell if known else login.shell
    return _ENVIRONMENT | {"HOME": login.home, "USER": login.name, "LOGNAME": login.name, "SHELL": shell}


def _ask(accounts: Accounts, command: str, account: str | None) -> str:
    """Run a shell as `account`, away from this terminal; a user may stop or kill it, and then it is not waited for for ever."""
    login = accounts[account] if account and os.geteuid() == 0 else None
    who = f"as {account}" if account else "as the caller"
    try:
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE,
            check=False,
            cwd="/",
            start_new_session=True,
            env=_environment(accounts, login),
            user=login.uid if login else None,
            group=login.gid if login else None,
            extra_groups=accounts.groups(login.name) if login else None,
        )
    except subprocess.TimeoutExpired as error:
        problem = f"a look at services {who} took more than {_PATIENCE:.0f} s"
        raise HostError(Problem(problem, hint="a stopped process or a hanging filesystem of that account")) from error
    if done.returncode != 0:
        problem = f"a look at services {who} failed with {done.returncode}"
        raise HostError(Problem(problem, hint=done.stderr.decode(errors="replace").strip()))
    return done.stdout.decode("ascii", errors="replace")
