"""What only all services together can show: two in one place, and circles of services that wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runit_provision.errors import Problem
from runit_provision.model.ending import Finish
from runit_provision.model.health import Probes, Services, Settled
from runit_provision.model.host import TREE_SERVICE, Host
from runit_provision.model.logging import Logger
from runit_provision.model.service import Service
from runit_provision.model.tree import Ensure
from runit_provision.schema.problems import Problems

Edges = dict[str, list[tuple[str, str]]]
"""The ids that each service leads to, with the key of the data that says so."""


def check_relations(host: Host, problems: Problems) -> None:
    """Note every place that two services claim, and every circle."""
    services = list(host.services())
    _claims(services, problems)
    _namesakes(host, problems)
    known = {service.id: service for service in services}
    _circles(known, _awaited(host), "wait for each other", problems)
    _circles(known, _told(host), "restart each other", problems)
    _levels(host, problems)
    absent = {service.id for service in services if service.ensure is Ensure.ABSENT}
    for service in services:
        _absent(absent, service, problems)


def _claims(services: Iterable[Service], problems: Problems) -> None:
    """Note all that a service has in common with the first one that has it."""
    owners: dict[tuple[str, str], Service] = {}
    for service in services:
        shared: dict[str, list[tuple[str, str]]] = {}
        for place in _places(service):
            first = owners.setdefault(place, service)
            if first is not service:
                shared.setdefault(first.origin.key, []).append(place)
        for key, places in shared.items():
            *others, last = (what for what, _ in places)
            what = f"{', '.join(others)} and {last}" if others else last
            message = f"has the same {what} as {key}: {places[0][1]}"
            problems.note(Problem(message, mark=service.origin.mark, key=service.origin.key, hint="each needs its own"))


def _places(service: Service) -> Iterator[tuple[str, str]]:
    yield "service directory", service.directory
    yield "link", service.link
    if isinstance(service.log, Logger):
        yield "log directory", service.log.directory


def _namesakes(host: Host, problems: Problems) -> None:
    """Note each tree of the host's whose services would go by the same ids as those of a user."""
    users = {user.name for user in host.users}
    for service in host.tree.services:
        if service.children and service.name in users:
            message = f"the user {service.name} has that name too: the services of both would be {service.name}/NAME"
            problems.note(Problem(message, mark=service.origin.mark, key=service.origin.key, hint="choose another name"))


def _absent(absent: set[str], service: Service, problems: Problems) -> None:
    if service.requirements and service.ensure is not Ensure.ABSENT:
        for name in service.requirements.ids:
            if name in absent:
                origin = service.origin_of("requires")
                problems.note(Problem(f"requires {name}, which is to be absent", mark=origin.mark, key=origin.key))


def _levels(host: Host, problems: Problems) -> None:
    """Note what a service of a run level waits for that is in another."""
    if host.levels is None:
        return
    names = {service.name for service in host.tree.services}
    for service in host.tree.services:
        for name in service.requirements.ids if service.requirements else ():
            without = sorted({*host.levels.of(service.name)} - {*host.levels.of(name)}) if name in names else []
            if without:
                origin = service.origin_of("requires")
                message = f"requires {name}, which is not in the run level {', '.join(without)}"
                problems.note(Problem(message, mark=origin.mark, key=origin.key, hint="name it there as well"))


def _awaited(host: Host) -> Edges:
    """Give what each service waits for: those that it requires, those that its check asks, and for a tree all that is in it."""
    inner = {f"{TREE_SERVICE}{user.name}": user.tree.services for user in host.users}
    edges: Edges = {}
    for service in host.services():
        found = [(peer.id, "requires") for peer in service.requirements.peers] if service.requirements else []
        for probe in service.check.all if isinstance(service.check, Probes) else ():
            if isinstance(probe, Services):
                found += [(peer.id, "check") for peer in probe.peers]
            elif isinstance(probe, Settled):
                members = inner.get(service.id, service.children)
                found += [(child.id, "services") for child in members if child.ensure is not Ensure.ABSENT]
        edges[service.id] = found
    return edges


def _told(host: Host) -> Edges:
    """Give what each service tells of its end."""
    return {
        service.id: [(notice.id, "notifies") for notice in service.ending.notices] if isinstance(service.ending, Finish) else []
        for service in host.services()
    }


def _circles(services: dict[str, Service], edges: Edges, what: str, problems: Problems) -> None:
    """Walk each chain; a service met again on its own chain closes a circle, which is told once."""
    done: set[str] = set()
    for start in edges:
        chain: list[str] = []
        stack: list[tuple[str, Iterator[tuple[str, str]]]] = [(start, iter(edges[start]))] if start not in done else []
        while stack:
            name, rest = stack[-1]
            if not chain or chain[-1] != name:
                chain.append(name)
            following, key = next(((other, key) for other, key in rest if other not in done), ("", ""))
            if not following:
                done.add(name)
                chain.pop()
                stack.pop()
            elif following in chain:
                circle = " -> ".join([*chain[chain.index(following) :], following])
                origin = services[name].origin_of(key)
                problems.note(Problem(f"a circle of services that {what}: {circle}", mark=origin.mark, key=origin.key))
            else:
                stack.append((following, iter(edges.get(following, ()))))
