"""Plan, check, apply, undo: the data on one side, the host on the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runit_provision.app.ceilings import too_high
from runit_provision.app.desired import Desired, desire
from runit_provision.app.source import Source
from runit_provision.app.target import Target
from runit_provision.errors import HostError, Problem, before_any_change
from runit_provision.host.rooted import folder_on_host, on_root
from runit_provision.model.host import Runtime, RuntimeKind
from runit_provision.model.plan import Plan
from runit_provision.model.tree import Realm

if TYPE_CHECKING:
    from runit_provision.apply import Report
    from runit_provision.host import Machine

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CALLED = ("runsvdir", "runsv", "sv", "svlogd", "chpst")
"""The tools that rendered scripts call, or that must be there for them to be called."""
Progress = Callable[[int, int, str], None]
"""Told how many steps are done, of how many, and which is next."""


@dataclass(frozen=True, slots=True)
class Planned:
    """plan: what apply would do. runtime: the shipped runtime that the data names is to be laid first, under this prefix; or None."""

    plan: Plan
    runtime: str | None
    warnings: tuple[Problem, ...]

    @property
    def empty(self) -> bool:
        """True when the host is as the data says."""
        return self.plan.empty and self.runtime is None


def plan(source: Source, target: Target) -> Planned:
    """Decide what apply would do; reads only. DataError and HostError with every problem."""
    with target.machine() as machine:
        return decide(desire(source, machine.accounts), machine, target)


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
        desired = desire(source, machine.accounts)
        if not machine.library.begun:
            decide(desired, machine, target)  # what is refused now is refused before there is a library
        with machine.lock(timeout=lock_timeout, command="apply"):
            planned = decide(desired, machine, target)
            announce(planned)
            if planned.runtime is not None:
                package.install(prefix=Path(planned.runtime), root=target.root)
            try:
                work = execution.apply_or_undo if undo_failure else execution.apply
                return work(planned.plan, machine, progress=progress, timeout=service_timeout)
            except HostError as error:
                error.untouched &= planned.runtime is None
                raise


def rollback(target: Target, *, lock_timeout: float, service_timeout: float, progress: Progress | None = None) -> Report:
    """Undo the last apply; HostError when there is none to undo."""
    from runit_provision import apply as execution

    with target.machine() as machine:
        if not machine.library.begun:
            execution.plan_rollback(machine)  # says that there is nothing to undo, and makes no library for that
        with machine.lock(timeout=lock_timeout, command="rollback"):
            return execution.rollback(machine, progress=progress, timeout=service_timeout)


@before_any_change()
def decide(desired: Desired, machine: Machine, target: Target) -> Planned:
    """Compare what is desired with what is; reads only."""
    from runit_provision import plan

    observed = machine.observe(desired.tree, user=target.user)
    decided = plan.decide(desired.tree, observed)
    high = tuple(too_high(desired.host, observed.lives)) if observed.alive else ()
    forgotten = tuple(_forgotten(observed.abandoned))
    runtime = desired.host.runtime
    lays = runtime.kind is RuntimeKind.SHIPPED and runtime.said and target.user is None
    missing = tuple(_missing_tools(runtime, target.root)) if desired.tree.services and not lays else ()
    prefix = runtime.prefix if lays and not _is_laid(runtime, target.root) else None
    return Planned(decided, prefix, (*desired.warnings, *missing, *high, *forgotten))


def _forgotten(realms: Iterable[Realm]) -> Iterator[Problem]:
    for realm in sorted(realms, key=lambda realm: realm.base):
        yield Problem(f"is forgotten, with all that was made in it: there is no account {realm.account} any more", path=realm.base)


def _is_laid(runtime: Runtime, root: Path) -> bool:
    from runit_provision.host import package

    return package.is_installed(prefix=Path(runtime.prefix), root=root)


def _missing_tools(runtime: Runtime, root: Path) -> Iterator[Problem]:
    """Say which tools the scripts would not find."""
    match runtime.kind:
        case RuntimeKind.SHIPPED:
            folders, hint = f"{runtime.prefix}/bin", f"`runit-provision runtime install {on_root(root)}--prefix {runtime.prefix}`"
        case RuntimeKind.PACKAGE | RuntimeKind.PACKAGE_FILE:
            folders, hint = _SYSTEM_PATH, "install the distribution's runit"
        case RuntimeKind.NONE:
            return
    path = ":".join(str(folder_on_host(root, folder)) for folder in folders.split(":"))
    called = [*_CALLED, "rsvlog"] if runtime.kind is RuntimeKind.SHIPPED else _CALLED
    missing = [name for name in called if not shutil.which(name, path=path)]
    if missing:
        yield Problem(f"{', '.join(missing)} not found, which the services' scripts call", path=folders, hint=hint)
