"""Check, and then whether all that should live does."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runit_provision.app import provision
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import ProvisionError

if TYPE_CHECKING:
    from runit_provision.verify.report import Report


@dataclass(frozen=True, slots=True)
class Verified:
    """planned: what apply would do. report: that, and the promises that were held against the running services."""

    planned: provision.Planned
    report: Report

    @property
    def kept(self) -> bool:
        """True when files and services are as the data says."""
        return self.report.kept


def verify(source: Source, target: Target, *, within: float) -> Verified:
    """Hold this host and its services against the data; reads only. within: seconds that services are given to settle.

    Raises DataError or HostError with every problem.
    """
    from runit_provision.verify.run import verify as hold

    with target.machine() as machine:
        desired = provision.desire_on(source, machine, target)
        planned = provision.decide(desired, machine, target)
        report = hold(desired.tree, accounts=machine.accounts, user=target.user, within=within)
        return Verified(planned, replace(report, differences=tuple(_differences(planned))))


def refused(error: ProvisionError) -> Report:
    """Give the report of what could not be verified at all, because of `error`."""
    from runit_provision.verify.report import Report

    return Report((), 0.0, refused=tuple(map(str, error.problems)))


def _differences(planned: provision.Planned) -> list[str]:
    """Give what apply would do, and what keeps it from being done, as a plan shows it; nothing when all is so."""
    from runit_provision.plan import describe

    problems = [str(problem) for problem in planned.plan.problems]
    runtime = [] if planned.runtime is None else [f"+ {planned.runtime}/bin: the shipped runtime is to be installed"]
    *steps, _ = describe(planned.plan)
    return [*problems, *runtime, *(step for step in steps if not step.startswith("="))]
