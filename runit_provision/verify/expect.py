"""What the data promises of each service, held against how it lives. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from runit_provision.model.tree import Ensure, ServiceTree
from runit_provision.verify.life import Life, Process, Supervised, describe

STEADY = 2
"""Seconds that a service has to be up: a run that ends within the first is restarted after one second of rest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise of one service. fault: what is not so, or "" when it is kept."""

    service: str
    promise: str
    fault: str = ""

    @property
    def kept(self) -> bool:
        """True when it is as the data says."""
        return not self.fault


def path(service: ServiceTree) -> str:
    """Give the directory through which its supervisor sees the service."""
    return service.link or service.directory


def findings(services: Iterable[ServiceTree], lives: Mapping[str, Life]) -> tuple[Finding, ...]:
    """Judge all `services` by `lives`, one look at each by its id."""
    known = {service.id: service for service in services}
    return tuple(finding for service in known.values() for finding in _of(service, lives[service.id], asleep=_asleep(service, known)))


def _asleep(service: ServiceTree, known: Mapping[str, ServiceTree]) -> bool:
    """True when it lies in the tree of a service that is not meant to run, so that nobody supervises it."""
    names = service.id.split("/")
    above = (known.get("/".join(names[:depth])) for depth in range(1, len(names)))
    return any(parent is not None and parent.ensure is not Ensure.RUNNING for parent in above)


def _of(service: ServiceTree, life: Life, *, asleep: bool) -> Iterator[Finding]:
    if service.ensure is Ensure.ABSENT:
        yield _judge(service, life, "absent", not life.exists and life.main.supervised is Supervised.NO)
        return
    yield _judge(service, life, "exists", life.exists)
    yield _judge(service, life, "enabled" if service.enabled else "not enabled", life.exists and life.enabled is service.enabled)
    if asleep:
        return
    yield _judge(service, life, "supervised", life.main.supervised is Supervised.YES)
    match service.ensure:
        case Ensure.RUNNING if service.one_shot:
            yield _judge(service, life, "up, or done", life.main.up or life.want == "down")
        case Ensure.RUNNING:
            yield _judge(service, life, "up", life.want == "up" and _steady(life.main, life.since))
        case Ensure.STOPPED:
            yield _judge(service, life, "down", life.want == "down" and life.pid is None)
        case Ensure.ANY:
            pass
        case _:
            assert_never(service.ensure)
    if service.logged:
        yield _judge(service, life, "logging", life.log is not None and life.log.up)


def _steady(process: Process, since: int | None) -> bool:
    return process.up and since is not None and since >= STEADY


def _judge(service: ServiceTree, life: Life, promise: str, kept: bool) -> Finding:
    return Finding(service.id, promise, "" if kept else describe(life))
