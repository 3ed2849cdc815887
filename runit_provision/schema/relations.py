"""What only all services together can show: two in one place, and circles of services that wait for each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runit_provision.errors import Problem
from runit_provision.model.host import Host
from runit_provision.model.logging import Logger
from runit_provision.model.service import Service
from runit_provision.model.tree import Ensure
from runit_provision.schema.problems import Problems


def check_relations(host: Host, problems: Problems) -> None:
    """Note every place that two services claim, and every circle."""
    services = list(host.services())
    _claims(((service.directory, service) for service in services), "service directory", problems)
    _claims(((service.link, service) for service in services), "link", problems)
    logs = ((service.log.directory, service) for service in services if isinstance(service.log, Logger))
    _claims(logs, "log directory", problems)
    _circles({service.id: service for service in services if service.requirements}, problems)
    absent = {service.id for service in services if service.ensure is Ensure.ABSENT}
    for service in services:
        _absent(absent, service, problems)


def _claims(claims: Iterable[tuple[str, Service]], what: str, problems: Problems) -> None:
    owners: dict[str, Service] = {}
    for path, service in claims:
        first = owners.setdefault(path, service)
        if first is not service:
            message = f"has the same {what} as {first.origin.key}: {path}"
            problems.note(Problem(message, mark=service.origin.mark, key=service.origin.key, hint="each needs its own"))


def _absent(absent: set[str], service: Service, problems: Problems) -> None:
    if service.requirements and service.ensure is not Ensure.ABSENT:
        for name in service.requirements.ids:
            if name in absent:
                origin = service.origin_of("requires")
                problems.note(Problem(f"requires {name}, which is to be absent", mark=origin.mark, key=origin.key))


def _circles(services: dict[str, Service], problems: Problems) -> None:
    """Walk each chain of requirements; a service met again on its own chain closes a circle, which is told once."""
    done: set[str] = set()
    for start in services:
        chain: list[str] = []
        stack: list[tuple[str, Iterator[str]]] = [(start, iter(_required(services, start)))]
        while stack:
            name, rest = stack[-1]
            if not chain or chain[-1] != name:
                chain.append(name)
            following = next((other for other in rest if other not in done), None)
            if following is None:
                done.add(name)
                chain.pop()
                stack.pop()
            elif following in chain:
                circle = " -> ".join([*chain[chain.index(following) :], following])
                origin = services[name].origin_of("requires")
                problems.note(Problem(f"a circle of services that wait for each other: {circle}", mark=origin.mark, key=origin.key))
            else:
                stack.append((following, iter(_required(services, following))))


def _required(services: dict[str, Service], name: str) -> tuple[str, ...]:
    service = services.get(name)
    return service.requirements.ids if service and service.requirements else ()
