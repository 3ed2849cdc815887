"""What goes because the data says that nothing else is to be in a tree: services that it does not know, and their directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runit_provision.model.observed import Kind, Observed, Seen, Stray
from runit_provision.model.plan import Change, Found, PathStep, ServiceStep, Verb
from runit_provision.model.tree import Realm, RenderedTree

_REASON = "not in the data, and nothing else is to be here"


def purged(tree: RenderedTree, observed: Observed, made: Iterable[str]) -> tuple[list[PathStep], list[PathStep]]:
    """Give the links that go, and what lies in their service directories, children first.

    made: the paths that are the data's, or were made here: what leads to one of those is only a second link, and goes alone.
    """
    ours = set(made)
    unlinks: list[PathStep] = []
    removals: dict[str, PathStep] = {}
    for stray in _held(observed):
        unlinks.append(_step(stray, stray.service.id, stray.seen, live=True))
        if ours.isdisjoint(stray.paths):
            removals |= {step.path: step for step in _within(stray, drops=tree.drops_logs)}
    return unlinks, sorted(removals.values(), key=lambda step: step.path, reverse=True)


def _held(observed: Observed) -> Iterator[Stray]:
    return (stray for stray in observed.strays if stray.service.realm not in observed.refused)


def _within(stray: Stray, *, drops: frozenset[Realm]) -> Iterator[PathStep]:
    """Give what lies in the directory; a log directory, with all above it, stays unless logs go too."""
    dropped = stray.service.realm in drops
    kept = () if dropped else stray.logs
    for path, seen in stray.paths.items():
        if any(path == log or path.startswith(f"{log}/") for log in kept):
            continue
        yield _step(stray, path, seen, logs=path in stray.logs)


def _step(stray: Stray, path: str, seen: Seen, *, live: bool = False, logs: bool = False) -> PathStep:
    return PathStep(
        change=Change.REMOVE,
        path=path,
        realm=stray.service.realm,
        before=seen,
        after=None,
        reason=f"{_REASON}, with its logs" if logs else _REASON,
        origin=stray.service.origin,
        found=Found.OURS if seen.kind is Kind.DIRECTORY else Found.FOREIGN,
        service=stray.service.id,
        live=live,
        logs=logs,
    )


def stopped(observed: Observed, removals: Iterable[PathStep]) -> tuple[ServiceStep, ...]:
    """Give the services that are taken down: those whose directories go."""
    gone = {step.service for step in removals}
    return tuple(
        ServiceStep(Verb.STOP, stray.service, _REASON)
        for stray in _held(observed)
        if stray.service.id in gone and observed.lives[stray.service.id][0].supervised
    )
