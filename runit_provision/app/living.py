"""How services fare at this moment, each looked at with the credentials of whose tree it is in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from runit_provision.host import Machine
from runit_provision.model.observed import Life
from runit_provision.model.tree import Realm, ServiceTree


class Living(NamedTuple):
    """A service, how it fares, and how its log service does."""

    service: ServiceTree
    life: Life
    log: Life


def look(machine: Machine, services: Iterable[ServiceTree]) -> list[Living]:
    """Look at each service, in order; reads only. HostError or OSError when a realm cannot be entered."""
    services = list(services)
    found: dict[str, Living] = {}
    by_realm: dict[Realm, list[ServiceTree]] = {}
    for service in services:
        by_realm.setdefault(service.realm, []).append(service)
    for realm, members in by_realm.items():
        places = [place for service in members for place in (service.directory, f"{service.directory}/log")]
        lives = iter(machine.hand(realm).call("lives", places))
        for service in members:
            found[service.id] = Living(service, Life(*next(lives)), Life(*next(lives)))
    return [found[service.id] for service in services]
