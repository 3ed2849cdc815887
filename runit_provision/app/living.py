"""How services fare at this moment, each looked at with the credentials of whose tree it is in."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from runit_provision.app.target import Target
from runit_provision.errors import HostError, Problem, ProvisionError
from runit_provision.host import Machine, library
from runit_provision.model.observed import Life
from runit_provision.model.tree import Realm, ServiceTree
from runit_provision.plan.states import state


class Living(NamedTuple):
    """A service, how it fares, and how its log service does."""

    service: ServiceTree
    life: Life
    log: Life

    @property
    def state(self) -> str:
        """One word: up, finish, down, or not supervised."""
        return state(self.life)

    @property
    def note(self) -> str:
        """Why it is not simply up; or nothing."""
        if self.service.one_shot:
            return "one-shot"
        if not self.service.enabled:
            return "down at boot"
        if self.state == "down" and not self.life.want_up:
            return "gave up" if self.life.gave_up else "wanted down"
        return "wanted up" if self.state == "down" else ""

    def seconds(self, now: float) -> int:
        """Give for how long it has been so; `now` is Unix time."""
        return max(0, int(now - self.life.since / 1e9)) if self.life.supervised else 0


def applied(target: Target) -> tuple[list[Living], list[Problem]]:
    """Look at every service that apply has made here; give them, and what keeps the others from being looked at; reads only.

    HostError when what was made is not known.
    """
    with target.machine() as machine:
        services = [
            service
            for service in machine.library.manifest().services.values()
            if target.user is None or service.realm.account == target.user
        ]
        found, refused = _look(machine, sorted(services, key=lambda service: service.id))
        return found, [problem for realm, error in refused.items() for problem in _problems(realm, error)]


def none(target: Target) -> str:
    """Say that apply has made nothing that could be shown; to another than root also where that stands which root has made."""
    with target.machine() as machine:
        if target.root != Path("/") or not library.roots_is_another(machine.library.path):
            return "no services; `apply` has made none here"
    tree = Path(os.environ.get("SVDIR") or Path.home() / "service")
    yours = f", and `sv status {tree}/*` how yours fare" if tree.is_dir() else ""
    return f"no services that you have applied; root's `status` shows those that root has{yours}"


def look(machine: Machine, services: Iterable[ServiceTree]) -> list[Living]:
    """Look at each service, in order; reads only. HostError when a realm cannot be entered."""
    found, refused = _look(machine, services)
    if refused:
        raise HostError(*(problem for realm, error in refused.items() for problem in _problems(realm, error)))
    return found


def _look(machine: Machine, services: Iterable[ServiceTree]) -> tuple[list[Living], dict[Realm, OSError | ProvisionError]]:
    services = list(services)
    by_realm: dict[Realm, list[ServiceTree]] = {}
    for service in services:
        by_realm.setdefault(service.realm, []).append(service)
    # `lives` takes what it may not enter for not supervised; that the base itself can be entered is asked first.
    errands = [
        (realm, [("devices", ([realm.base],)), ("lives", ([place for service in members for place in _places(service)],))])
        for realm, members in by_realm.items()
    ]
    found: dict[str, Living] = {}
    refused: dict[Realm, OSError | ProvisionError] = {}
    for (realm, members), answers in zip(by_realm.items(), machine.ask(errands), strict=True):
        if isinstance(answers, Exception):
            refused[realm] = answers
            continue
        lives = iter(answers[1])
        for service in members:
            found[service.id] = Living(service, Life(*next(lives)), Life(*next(lives)))
    return [found[service.id] for service in services if service.id in found], refused


def _places(service: ServiceTree) -> tuple[str, str]:
    return service.directory, f"{service.directory}/log"


def _problems(realm: Realm, error: OSError | ProvisionError) -> Sequence[Problem]:
    if isinstance(error, ProvisionError):
        return error.problems
    hint = f"no service of {realm.account} could be looked at" if realm.account else ""
    return (Problem(error.strerror or str(error), path=str(error.filename or realm.base), hint=hint),)
