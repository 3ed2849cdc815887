"""What goes because the data says that nothing else is to be in a tree: services that it does not know, and their directories."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from runit_provision.model.observed import Intent, Kind, Life, Observed, Seen, Stray
from runit_provision.model.plan import Change, Found, PathStep, ServiceStep, Verb
from runit_provision.model.tree import Origin, Realm, RenderedTree, ServiceTree

_REASON = "not in the data, and nothing else is to be here"
_NEVER = (Life(), Life())


def purged(tree: RenderedTree, observed: Observed, made: Iterable[str]) -> tuple[list[PathStep], list[PathStep]]:
    """Give the links that go, and what lies in their service directories, children first.

    made: the paths that are the data's, or were made here: what leads to one of those is only a second link, and goes alone.
    """
    ours = set(made)
    unlinks: list[PathStep] = []
    removals: dict[str, PathStep] = {step.path: step for step in _begun(tree, observed) if step.path not in ours}
    for stray in _held(observed):
        unlinks.append(_step(stray, stray.service.id, stray.seen, live=True))
        if ours.isdisjoint(stray.paths):
            removals |= {step.path: step for step in _within(stray, drops=tree.drops_logs)}
    return unlinks, sorted(removals.values(), key=lambda step: step.path, reverse=True)


def _held(observed: Observed) -> Iterator[Stray]:
    return (stray for stray in observed.strays if stray.service.realm not in observed.refused)


def _begun(tree: RenderedTree, observed: Observed) -> Iterator[PathStep]:
    """Give what an apply that was killed was to take away, and is still there: its link, by which it would be found, may be gone."""
    places = {(purge.realm, f"{purge.definitions}/"): purge.origin for purge in tree.purges}
    for intent in observed.journal.intents if observed.journal else ():
        seen = observed.paths.get(intent.path)
        origin = next((origin for (realm, above), origin in places.items() if _lies(intent, realm, above)), None)
        if origin is None or seen is None or intent.after is not None or intent.live or intent.realm in observed.refused:
            continue
        if seen == intent.before or (seen.kind is Kind.DIRECTORY and intent.before and intent.before.kind is Kind.DIRECTORY):
            gone = _gone(intent.realm, intent.service, origin, intent.path, seen)
            yield _with_logs(gone) if intent.logs and intent.realm in tree.drops_logs else gone


def _lies(intent: Intent, realm: Realm, above: str) -> bool:
    return intent.realm == realm and intent.path.startswith(above)


def _within(stray: Stray, *, drops: frozenset[Realm]) -> Iterator[PathStep]:
    """Give what lies in the directory; a log directory, with all above it, stays unless logs go too."""
    dropped = stray.service.realm in drops
    kept = () if dropped else stray.logs
    for path, seen in stray.paths.items():
        if any(path == log or path.startswith(f"{log}/") for log in kept):
            continue
        yield _step(stray, path, seen, logs=path in stray.logs)


def _step(stray: Stray, path: str, seen: Seen, *, live: bool = False, logs: bool = False) -> PathStep:
    gone = replace(_gone(stray.service.realm, stray.service.id, stray.service.origin, path, seen), live=live)
    return _with_logs(gone) if logs else gone


def _with_logs(step: PathStep) -> PathStep:
    return replace(step, reason=f"{_REASON}, with its logs", logs=True)


def _gone(realm: Realm, service: str, origin: Origin, path: str, seen: Seen) -> PathStep:
    return PathStep(
        change=Change.REMOVE,
        path=path,
        realm=realm,
        before=seen,
        after=None,
        reason=_REASON,
        origin=origin,
        found=Found.OURS if seen.kind is Kind.DIRECTORY else Found.FOREIGN,
        service=service,
    )


def stopped(observed: Observed, removals: Iterable[PathStep]) -> tuple[ServiceStep, ...]:
    """Give the services that are taken down: those whose directories go."""
    gone = {step.service for step in removals}
    begun = (call.service for call in (observed.journal.calls if observed.journal else ()) if call.verb == Verb.STOP.value)
    found: dict[str, ServiceTree] = {service.id: service for service in (*begun, *(stray.service for stray in _held(observed)))}
    return tuple(
        ServiceStep(Verb.STOP, service, _REASON)
        for service in found.values()
        if service.id in gone and observed.lives.get(service.id, _NEVER)[0].supervised
    )
