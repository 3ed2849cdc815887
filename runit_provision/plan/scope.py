"""What is decided about, and what is left as it is: another account's realms, and those with which something is wrong."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import chain

from runit_provision.errors import Problem
from runit_provision.model.observed import Manifest, Observed
from runit_provision.model.plan import Plan, Verb
from runit_provision.model.tree import Realm, RenderedTree, ServiceTree


@dataclass(frozen=True, slots=True)
class Scope:
    """user: the account whose realms alone are decided about, or None. refused: realms, and services, that are left as they are.

    abandoned: realms that are forgotten.
    """

    user: str | None
    refused: Collection[Realm]
    services: frozenset[str]
    abandoned: Collection[Realm]

    def holds(self, realm: Realm, service: str) -> bool:
        """Whether it is decided about what belongs to `service` (or to none) and lies in `realm`."""
        return (
            (self.user is None or realm.account == self.user)
            and realm not in self.refused
            and realm not in self.abandoned
            and service not in self.services
        )

    @property
    def everything(self) -> bool:
        """Whether nothing is left as it is."""
        return self.user is None and not (self.refused or self.services or self.abandoned)

    def of(self, manifest: Manifest) -> Manifest:
        """Give the part of what is remembered that it is decided about."""
        if self.everything:
            return manifest
        return Manifest(
            {path: record for path, record in manifest.records.items() if self.holds(record.realm, record.service)},
            {name: service for name, service in manifest.services.items() if self.holds(service.realm, name)},
            owed=tuple(each for each in manifest.owed if self._knows(each.service, manifest)),
        )

    def _knows(self, service: str, manifest: Manifest) -> bool:
        return service in manifest.services and self.holds(manifest.services[service].realm, service)

    def join(self, old: Manifest, new: Manifest) -> Manifest:
        """Give `new` with what is remembered of all that it was not decided about."""
        if self.everything:
            return new
        mine = self.of(old)
        return Manifest(
            {
                **{
                    path: record
                    for path, record in old.records.items()
                    if path not in mine.records and record.realm not in self.abandoned
                },
                **new.records,
            },
            {
                **{
                    name: service
                    for name, service in old.services.items()
                    if name not in mine.services and service.realm not in self.abandoned
                },
                **new.services,
            },
            owed=(*(each for each in old.owed if each not in mine.owed and self._stays(each.service, old)), *new.owed),
        )

    def _stays(self, service: str, old: Manifest) -> bool:
        return service in old.services and old.services[service].realm not in self.abandoned


def around(tree: RenderedTree, observed: Observed, refused: Collection[Realm], only: Collection[str] | None = None) -> Scope:
    """Give what is decided about when the realms `refused` are left alone; only: see `decide`."""
    left = _left(tree, observed, refused)
    if only is not None:
        there = {service.id for service in tree.services}
        left |= there.union(observed.manifest.services if only else ()).difference(only)
    return Scope(observed.user, refused, left, observed.abandoned)


def is_about(plan: Plan, tree: RenderedTree, only: Collection[str]) -> bool:
    """Whether a plan of everything does nothing that one of `only` these services would not do as well."""
    asked = (step.service.id for step in chain(plan.stops, plan.calls) if step.verb is not Verb.LEAVE)
    touched = {"", *(step.service for step in plan.steps), *asked}
    return touched.issubset({"", *only}) if only else touched.isdisjoint(service.id for service in tree.services)


def barriers(tree: RenderedTree, observed: Observed, refused: Mapping[Realm, tuple[Problem, ...]]) -> dict[str, tuple[Problem, ...]]:
    """Give for each service that is left as it is, since something is wrong with a realm, what that is."""
    left = _left(tree, observed, refused)
    services = {service.id: service for service in (*observed.manifest.services.values(), *tree.services) if service.id in left}
    every = tuple(problem for problems in refused.values() for problem in problems)
    return {
        name: observed.barred.get(name) or refused.get(service.realm) or _within(service, refused) or every
        for name, service in services.items()
    }


def _within(service: ServiceTree, refused: Mapping[Realm, tuple[Problem, ...]]) -> tuple[Problem, ...]:
    """Give the problems of the realms that a service runs a tree in, or lies in."""
    places = (f"{service.scans or service.directory}/", f"{service.directory}/")
    return tuple(
        problem
        for realm, problems in refused.items()
        if any(place.startswith(f"{realm.base.rstrip('/')}/") for place in places)
        for problem in problems
    )


def _left(tree: RenderedTree, observed: Observed, refused: Collection[Realm]) -> frozenset[str]:
    """Give the services that are barred, or have to do with `refused` realms: have a path there, run a tree there, or lie in such."""
    if not refused and not observed.barred:
        return frozenset()
    services: list[ServiceTree] = [*observed.manifest.services.values(), *tree.services]
    left = {node.service for node in tree.nodes if node.realm in refused}
    left |= {record.service for record in observed.manifest.records.values() if record.realm in refused}
    left |= observed.barred.keys()
    bases = tuple(f"{realm.base.rstrip('/')}/" for realm in refused)
    left |= {service.id for service in services if service.realm in refused or (service.scans or "").startswith(bases)}
    above = tuple(f"{service.directory}/" for service in services if service.id in left)
    return frozenset({service.id for service in services if service.directory.startswith(above)} | left) - {""}
