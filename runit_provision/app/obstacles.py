"""What a host has against data that are wrong by themselves already: told in the same run, or there would be two rounds of mending."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from runit_provision.app.demands import ceilings, demands
from runit_provision.app.logins import decide_logins
from runit_provision.app.target import Target
from runit_provision.app.unmet import hard_limits, missing_programs, too_high
from runit_provision.errors import HostError, Problem
from runit_provision.host import Machine
from runit_provision.model.account import Coming
from runit_provision.model.host import Host
from runit_provision.model.observed import Life


def obstacles(host: Host, machine: Machine, target: Target) -> Iterator[Problem]:
    """Give what is known of them from what could be read of the data: homes, limits, programs. Reads only."""
    return map(machine.placed, _obstacles(host, machine, target))


def _obstacles(host: Host, machine: Machine, target: Target) -> Iterator[Problem]:
    from runit_provision import plan
    from runit_provision.render import outline

    lives: Mapping[str, tuple[Life, Life]] = {}
    try:
        if target.user is None:
            decide_logins(host, machine)
    except HostError as error:
        yield from error.problems
    try:
        tree = outline(host, machine.accounts)
        made = Coming({login.name: login for login in host.logins}, {group.name: group for group in host.groups})
        observed = machine.observe(tree, user=target.user, coming=made)
        lives = observed.lives
        yield from plan.decide(tree, observed).problems
    except HostError as error:
        yield from error.problems
    if target.root == Path("/"):
        yield from too_high(tuple(ceilings(host)), hard_limits(lives, alone=target.user is not None))
        yield from missing_programs(demands(host, target), target.root)
