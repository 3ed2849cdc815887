"""Check, and then whether all that should live does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runit_provision.app import provision
from runit_provision.app.desired import desire
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import HostError, Problem

if TYPE_CHECKING:
    from runit_provision.verify.report import Report


@dataclass(frozen=True, slots=True)
class Verified:
    """planned: what apply would do. report: the promises that were held against the running services."""

    planned: provision.Planned
    report: Report

    @property
    def kept(self) -> bool:
        """True when files and services are as the data says."""
        return self.planned.empty and self.report.kept


def verify(source: Source, target: Target, *, within: float) -> Verified:
    """Hold host and services against the data; reads only. within: seconds that services are given to settle.

    Raises DataError or HostError with every problem; HostError for an image, in which nothing lives.
    """
    from runit_provision.verify.run import verify as hold

    with target.machine() as machine:
        if not machine.alive:
            raise HostError(Problem("an image has no running services", path=str(target.root), hint="`check` compares its files"))
        desired = desire(source, machine.accounts)
        planned = provision.decide(desired, machine, target)
        return Verified(planned, hold(desired.tree, accounts=machine.accounts, user=target.user, within=within))
