"""How services fare at this moment, each looked at with the credentials of whose tree it is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runit_provision.app.target import Target
from runit_provision.errors import HostError, Problem
from runit_provision.host import Machine
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


def applied(target: Target) -> list[Living]:
    """Look at every service that apply has made here. HostError when there is none, or the host cannot be looked at."""
    with target.machine() as machine:
        services = [
            service
            for service in machine.library.manifest().services.values()
            if target.user is None or service.realm.account == target.user
        ]
        try:
            return look(machine, sorted(services, key=lambda service: service.id))
        except OSError as error:
            raise HostError(Problem(error.strerror or str(error), path=str(error.filename or ""))) from error


def look(machine: Machine, services: Iterable[ServiceTree]) -> list[Living]:
    """Look at each service, in order; reads only. HostError or OSError when a realm cannot be entered."""
    services = list(services)
    by_realm: dict[Realm, list[ServiceTree]] = {}
    for service in services:
        by_realm.setdefault(service.realm, []).append(service)
    errands = [
        (realm, [("lives", ([place for service in members for place in (service.directory, f"{service.directory}/log")],))])
        for realm, members in by_realm.items()
    ]
    found: dict[str, Living] = {}
    for members, answers in zip(by_realm.values(), machine.ask(errands), strict=True):
        if isinstance(answers, Exception):
            raise answers
        lives = iter(answers[0])
        for service in members:
            found[service.id] = Living(service, Life(*next(lives)), Life(*next(lives)))
    return [found[service.id] for service in services]
