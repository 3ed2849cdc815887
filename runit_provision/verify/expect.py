"""What the data promises of each service, held against how it lives. No I/O."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from runit_provision.model.host import TREE_SERVICE
from runit_provision.model.tree import Ensure, ServiceTree
from runit_provision.verify.life import Life, Supervised, describe

STEADY = 2
"""Seconds that a service has to be up: a run that ends within the first is restarted after one second of rest."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One promise of one service. fault: what is not so, or "" when it is kept; final: no time will mend that."""

    service: str
    promise: str
    fault: str = ""
    final: bool = False

    @property
    def kept(self) -> bool:
        """True when it is as the data says."""
        return not self.fault


def path(service: ServiceTree) -> str:
    """Give the directory through which its supervisor sees the service."""
    return service.link or service.directory


def checked(services: Iterable[ServiceTree], paths: Container[str]) -> frozenset[str]:
    """Give the ids of those that have a `check` among the `paths`, but of no tree: each service in it is judged by itself."""
    return frozenset(service.id for service in services if service.scans is None and f"{service.directory}/check" in paths)


def findings(
    services: Iterable[ServiceTree], lives: Mapping[str, Life], *, checked: Container[str] = (), deserted: bool = False
) -> tuple[Finding, ...]:
    """Judge all `services` by `lives`, one look at each by its id.

    checked: the ids of those whose `check` has to pass. deserted: nothing runs on the host that supervises any service.
    """
    known = {service.id: service for service in services}
    found = (
        _of(service, lives[service.id], checked=service.id in checked, asleep=_asleep(service, known)) for service in known.values()
    )
    judged = tuple(finding for each in found for finding in each)
    return tuple(map(_deserted, judged)) if deserted else judged


def _deserted(finding: Finding) -> Finding:
    """Say of what only a supervisor could mend that there is none."""
    if finding.kept or finding.promise == "absent":
        return finding
    return replace(finding, fault=f"{finding.fault}; no runsvdir runs on this host", final=True)


def _asleep(service: ServiceTree, known: Mapping[str, ServiceTree]) -> bool:
    """True when nobody supervises it: the current run level lacks it, or it lies in a tree that is not meant to run."""
    names = service.id.split("/")
    above = ("/".join(names[:depth]) for depth in range(1, len(names)))
    trees = (known.get(name) or known.get(f"{TREE_SERVICE}{name}") for name in above)
    return service.link is None or any(tree is not None and tree.ensure is not Ensure.RUNNING for tree in trees)


def _of(service: ServiceTree, life: Life, *, checked: bool, asleep: bool) -> Iterator[Finding]:
    if service.ensure is Ensure.ABSENT:
        yield _judge(service, life, "absent", not life.exists and life.main.supervised is Supervised.NO, final=life.exists)
        return
    yield _judge(service, life, "exists", life.exists, final=True)
    enabled = life.exists and life.enabled is service.enabled
    yield _judge(service, life, "enabled" if service.enabled else "not enabled", enabled, final=True)
    if asleep:
        return
    unseen = not life.exists or life.main.supervised is Supervised.DENIED
    yield _judge(service, life, "supervised", life.main.supervised is Supervised.YES, final=unseen)
    match service.ensure:
        case Ensure.RUNNING if service.one_shot:
            done = life.want == "down" and not life.failed
            yield _judge(service, life, "up, or done", life.main.up or done, final=unseen or (life.failed and _settled(life)))
        case Ensure.RUNNING:
            stays_down = life.want == "down" and life.pid is None and _settled(life)
            up = life.want == "up" and life.main.up and life.ready and _settled(life)
            yield _judge(service, life, "up", up, final=unseen or stays_down)
            if checked:
                yield _judge(service, life, "healthy", up and life.check == 0, final=unseen or stays_down)
        case Ensure.STOPPED:
            stays_up = life.want == "up" and _settled(life)
            yield _judge(service, life, "down", life.want == "down" and life.pid is None, final=unseen or stays_up)
        case Ensure.ANY:
            pass
        case _:
            assert_never(service.ensure)
    if service.logged:
        yield _judge(service, life, "logging", life.log is not None and life.log.up, final=unseen or life.log is None)


def _settled(life: Life) -> bool:
    """True when it has been as it is for a while: neither between two runs, nor about to be told otherwise."""
    return life.since is not None and life.since >= STEADY


def _judge(service: ServiceTree, life: Life, promise: str, kept: bool, *, final: bool) -> Finding:
    return Finding(service.id, promise) if kept else Finding(service.id, promise, describe(life), final)
