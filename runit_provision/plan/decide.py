"""What is to be done, decided from three values: what the data means, what the host is like, and what was made there before.

A path of the data is left, made or replaced; a path that was made here and is no longer in the data goes; every other path is none
of our business. From the paths that change follows what each service needs: nothing, a signal, a restart. An apply that was killed
left its journal: what it had made counts as made here, and what it still owed a service is done now.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace

from runit_provision.errors import HostError, Problem
from runit_provision.model.observed import Intent, Kind, Manifest, Observed, Record, Seen
from runit_provision.model.plan import Change, Found, PathStep, Plan
from runit_provision.model.tree import Directory, Ensure, File, Link, Node, Origin, RenderedTree, ServiceTree
from runit_provision.plan.services import calls, stops

_FOR_ALL = 0o004
"""What not everybody may read is shown in no diff: it may have been a secret before."""


def decide(tree: RenderedTree, observed: Observed) -> Plan:
    """Give every step from what was `observed` to `tree`, with its reason; HostError when something else is in the way."""
    manifest = _within(observed.manifest, observed.user)
    nodes = [node for node in tree.nodes if observed.user is None or node.realm.account == observed.user]
    services = [service for service in tree.services if observed.user is None or service.realm.account == observed.user]
    intents = {intent.path: intent for intent in observed.journal.intents} if observed.journal else {}
    shared = {node.path for node in nodes if isinstance(node.entry, Link) and node.entry.shared}
    records: dict[str, Record] = {}
    steps: list[PathStep] = []
    problems: list[Problem] = []
    unchanged = 0
    for node in nodes:
        if _is_anothers(node, observed.paths.get(node.path), manifest, intents):
            unchanged += 1
            continue
        after = _after(node, observed)
        if node.path not in shared:
            records[node.path] = Record(after, node.realm, node.service, node.effect, node.live)
        before = observed.paths.get(node.path)
        if before == after:
            unchanged += 1
            continue
        found = _found(before, manifest.records.get(node.path), intents.get(node.path))
        problem = _in_the_way(node, before)
        if problem:
            problems.append(problem)
        else:
            steps.append(_wanted(node, before, after, found, observed.contents.get(node.path)))
    if problems:
        raise HostError(*problems)
    made = {path: record for path, record in {**_journalled(intents, observed), **manifest.records}.items() if path not in shared}
    goes = _unwanted(made, records, intents, observed)
    removals = sorted((step for step in goes if not step.live), key=lambda step: step.path, reverse=True)
    gone = _gone(observed, services)
    plan = Plan(
        unlinks=tuple(step for step in goes if step.live),
        removals=tuple(removals),
        writes=tuple(step for step in steps if not step.live),
        links=tuple(step for step in steps if step.live),
        leftovers=observed.leftovers,
        unchanged=unchanged,
        manifest=_remembered(
            observed, Manifest(records, {service.id: service for service in services if service.ensure is not Ensure.ABSENT})
        ),
        remembered=replace(observed.manifest, records={**_journalled(intents, observed), **observed.manifest.records}),
        lives=observed.lives,
        resumes=observed.journal is not None,
        user=observed.user,
    )
    if not observed.alive:
        return plan
    return replace(plan, stops=stops(gone, observed), calls=calls(services, plan.steps, observed))


def _within(manifest: Manifest, user: str | None) -> Manifest:
    if user is None:
        return manifest
    records = {path: record for path, record in manifest.records.items() if record.realm.account == user}
    services = {name: service for name, service in manifest.services.items() if service.realm.account == user}
    return Manifest(records, services)


def _remembered(observed: Observed, new: Manifest) -> Manifest:
    """Join what is remembered of other accounts' realms to `new`, when only one account's was looked at."""
    if observed.user is None:
        return new
    records = {path: record for path, record in observed.manifest.records.items() if record.realm.account != observed.user}
    services = {name: service for name, service in observed.manifest.services.items() if service.realm.account != observed.user}
    return Manifest({**records, **new.records}, {**services, **new.services})


def _after(node: Node, observed: Observed) -> Seen:
    """Give what `node` looks like when it is there."""
    match node.entry:
        case Link(target):
            return Seen(Kind.LINK, target=target)
        case Directory(mode):
            return Seen(Kind.DIRECTORY, mode, *observed.owners[node.realm, node.owner])
        case File(content, mode):
            uid, gid = observed.owners[node.realm, node.owner]
            return Seen(Kind.FILE, mode, uid, gid, len(content), hashlib.sha256(content).hexdigest())


def _found(before: Seen | None, record: Record | None, intent: Intent | None) -> Found:
    """Tell whose work `before` is; what an apply that was killed had made, or was about to replace, is ours as well."""
    if before is None:
        return Found.NOTHING
    if record and before == record.seen:
        return Found.OURS
    if intent and before == intent.after:
        return Found.OURS
    return Found.EDITED if record or (intent and intent.before is None) else Found.FOREIGN


def _is_anothers(node: Node, before: Seen | None, manifest: Manifest, intents: Mapping[str, Intent]) -> bool:
    """Whether `node` is a shared directory that was there before: its mode and owner are for others to say.

    In the system's realm it may be a link, as /etc/service is on some hosts: what lies in it shows whether that one can be followed.
    """
    if not isinstance(node.entry, Directory) or not node.entry.shared or before is None:
        return False
    if before.kind is not Kind.DIRECTORY and (before.kind is not Kind.LINK or node.realm.account is not None):
        return False
    return node.path not in manifest.records and node.path not in intents


def _in_the_way(node: Node, before: Seen | None) -> Problem | None:
    wanted = isinstance(node.entry, Directory)
    if before is None or wanted == (before.kind is Kind.DIRECTORY):
        return None
    there = {Kind.LINK: "a symbolic link", Kind.OTHER: "a fifo, socket or device"}.get(before.kind, f"a {before.kind.value}")
    hint = "move it away, then apply again"
    kind = "directory" if wanted else "file" if isinstance(node.entry, File) else "link"
    return Problem(f"{there} is in the place of a {kind}", mark=node.origin.mark, key=node.origin.key, path=node.path, hint=hint)


def _wanted(node: Node, before: Seen | None, after: Seen, found: Found, old: bytes | None) -> PathStep:
    return PathStep(
        change=Change.REPLACE if before else Change.CREATE,
        path=node.path,
        realm=node.realm,
        before=before,
        after=after,
        reason=difference(before, after) if before else "new",
        origin=node.origin,
        found=found,
        node=node,
        service=node.service,
        effect=node.effect,
        live=node.live,
        old=old if isinstance(node.entry, File) and not node.entry.secret and before and before.mode & _FOR_ALL else None,
    )


def difference(before: Seen, after: Seen) -> str:
    """Say in words how `before` is not `after`."""
    if before.kind is not after.kind:
        return f"was a {before.kind.value}"
    words = []
    if (before.size, before.digest) != (after.size, after.digest):
        words.append("content changed")
    if before.target != after.target:
        words.append(f"led to {before.target}")
    if before.mode != after.mode:
        words.append(f"mode {before.mode:04o} -> {after.mode:04o}")
    if (before.uid, before.gid) != (after.uid, after.gid):
        words.append(f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}")
    return ", ".join(words)


def _journalled(intents: Mapping[str, Intent], observed: Observed) -> dict[str, Record]:
    """Give what an apply that was killed had made, as far as it is still as it was made."""
    return {
        intent.path: Record(intent.after, intent.realm, intent.service, intent.effect, intent.live)
        for intent in intents.values()
        if intent.after
        and observed.paths.get(intent.path) == intent.after
        and (observed.user is None or intent.realm.account == observed.user)
    }


def _unwanted(
    made: Mapping[str, Record], wanted: Mapping[str, Record], intents: Mapping[str, Intent], observed: Observed
) -> list[PathStep]:
    """Give a removal for each path that was made here, is there, and is in the data no more."""
    steps = []
    for path, record in made.items():
        before = observed.paths.get(path)
        if path in wanted or before is None:
            continue
        if (before.kind is Kind.DIRECTORY) is not (record.seen.kind is Kind.DIRECTORY):
            continue  # somebody put something else there: it is not what was made here
        found = _found(before, record, intents.get(path))
        steps.append(
            PathStep(
                change=Change.REMOVE,
                path=path,
                realm=record.realm,
                before=before,
                after=None,
                reason="no longer in the data",
                origin=Origin(record.service),
                found=Found.OURS if before.kind is Kind.DIRECTORY else found,
                service=record.service,
                effect=record.effect,
                live=record.live,
            )
        )
    return steps


def _gone(observed: Observed, services: Iterable[ServiceTree]) -> list[ServiceTree]:
    """Give the services that were made here and are to be no more, as they were made: only so their links are known."""
    there = {service.id for service in services if service.ensure is not Ensure.ABSENT}
    return [service for service in _within(observed.manifest, observed.user).services.values() if service.id not in there]
