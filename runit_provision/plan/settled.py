"""Whether a host is as the last apply left it, told from what is remembered alone: the tree itself is not needed."""

from __future__ import annotations

from runit_provision.model.answer import Beside
from runit_provision.model.observed import Kind, Observed, Seen
from runit_provision.model.plan import Plan, Verb
from runit_provision.plan.scope import Scope
from runit_provision.plan.services import calls


def settled(beside: tuple[Beside, ...], observed: Observed) -> Plan | None:
    """Give the plan that does nothing, or None when there may be something to do.

    It is what `decide` gives for the tree that the manifest was the answer to. beside: see Answer.
    """
    scope = Scope(observed.user, (), frozenset(), ())
    manifest = scope.of(observed.manifest)
    beside = tuple(each for each in beside if scope.holds(each.realm, ""))
    if observed.journal is not None or observed.leftovers or observed.refused or observed.abandoned:
        return None
    if observed.strays or observed.plain:
        return None
    if any(observed.paths.get(path) != record.seen for path, record in manifest.records.items()):
        return None
    if not all(_stays(each, observed.paths.get(each.path)) for each in beside):
        return None
    asked = calls(manifest.services.values(), (), observed) if observed.alive else ()
    if any(call.verb is not Verb.LEAVE for call in asked):
        return None
    return Plan(
        unchanged=len(manifest.records) + len(beside),
        calls=asked,
        manifest=observed.manifest,
        remembered=observed.manifest,
        lives=observed.lives,
        user=observed.user,
    )


def _stays(beside: Beside, seen: Seen | None) -> bool:
    """Whether a shared link is the one that is wanted, or a shared directory is there."""
    if beside.target is not None:
        return seen == Seen(Kind.LINK, target=beside.target)
    return seen is not None and (seen.kind is Kind.DIRECTORY or (seen.kind is Kind.LINK and beside.realm.account is None))
