"""What is to be done, decided from three values: what the data means, what the host is like, and what was made there before.

A path of the data is left, made or replaced; a path that was made here and is no longer in the data goes; every other path is none
of our business. From the paths that change follows what each service needs: nothing, a signal, a restart. An apply that was killed
left its journal: what it had made counts as made here, and what it still owed a service is done now.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

from runit_provision.errors import HostError, Problem
from runit_provision.model.observed import PHRASES, Intent, Kind, Manifest, Observed, Record, Seen
from runit_provision.model.plan import Change, Found, PathStep, Plan
from runit_provision.model.tree import Directory, Effect, Ensure, File, Link, Node, Origin, Realm, RenderedTree, ServiceTree
from runit_provision.plan.purge import purged, stopped
from runit_provision.plan.scope import around, barriers
from runit_provision.plan.services import ABSENT, GONE, calls, left_owing, stops

_KEY = b"# runit-provision: "
"""What the line of a rendered script begins with that names the data's key."""


def decide(tree: RenderedTree, observed: Observed, *, only: Collection[str] | None = None) -> Plan:
    """Give every step from what was `observed` to `tree`, with its reason; HostError when something else is in the system's way.

    What is in the way of a user, or else wrong with a user's directories, is the plan's problem: all that is the user's stays as it is.
    only: the ids of the services that it is about; none of them: all that is no service of the data.
    """
    if only:
        observed = replace(observed, strays=(), plain=())
    intents = {intent.path: intent for intent in observed.journal.intents} if observed.journal else {}
    linked = _linked(tree, observed)
    refused = _refused(tree, observed, intents, linked)
    scope = around(tree, observed, refused, only)
    barred = barriers(tree, observed, refused)
    told = refused if only is None else {name: problems for name, problems in barred.items() if name in only}
    manifest = scope.of(observed.manifest)
    nodes = [node for node in tree.nodes if scope.holds(node.realm, node.service)]
    services = [service for service in tree.services if scope.holds(service.realm, service.id)]
    shared = {node.path for node in nodes if isinstance(node.entry, Link) and node.entry.shared}
    origins = {service.id: service.origin for service in services}
    records: dict[str, Record] = {}
    steps: list[PathStep] = []
    unchanged = 0
    for node in nodes:
        if node.path in linked or _is_anothers(node, observed.paths.get(node.path), manifest, intents):
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
        whole = origins.get(node.service, node.origin)
        steps.append(_wanted(node, before, after, found, observed.contents.get(node.path), whole))
    journalled = _journalled(intents, observed)
    made = {
        path: record for path, record in {**scope.of(Manifest(journalled)).records, **manifest.records}.items() if path not in shared
    }
    gone = _gone(manifest, observed, services)
    logs = {service.log_directory for service in gone if service.realm in tree.drops_logs}
    absent = {service.id: service.origin for service in services if service.ensure is Ensure.ABSENT}
    goes = _unwanted(made, records, intents, observed, logs, absent)
    removals = sorted((step for step in goes if not step.live), key=lambda step: step.path, reverse=True)
    remembered = replace(
        observed.manifest,
        records={**journalled, **observed.manifest.records},
        services={**_begun(observed), **observed.manifest.services},
        owed=left_owing(observed),
    )
    strays, contents = purged(tree, observed, {**made, **records})
    plan = Plan(
        unlinks=(*strays, *(step for step in goes if step.live)),
        removals=(*contents, *removals),
        writes=tuple(step for step in steps if not step.live),
        links=tuple(step for step in steps if step.live),
        leftovers=observed.leftovers,
        unchanged=unchanged,
        manifest=scope.join(
            remembered,
            Manifest(records, {service.id: service for service in services if service.ensure is not Ensure.ABSENT}),
        ),
        remembered=remembered,
        lives=observed.lives,
        resumes=observed.journal is not None,
        user=observed.user,
        problems=tuple(dict.fromkeys(problem for problems in told.values() for problem in problems)),
        barred=barred,
        gone=frozenset(observed.manifest.services).difference(service.id for service in tree.services),
    )
    if not observed.alive:
        return plan
    ending = stops(gone, _moved(manifest, services), observed)
    asked = calls(services, plan.steps, observed, {step.service.id for step in ending})
    return replace(plan, stops=(*stopped(observed, contents), *ending), calls=asked)


def _linked(tree: RenderedTree, observed: Observed) -> frozenset[str]:
    """Give the paths that are there by a link of a hand's: a directory, and the links in it, all of which lead where that one does.

    So scripts that several services share are often had: `control` as a whole leads to them.
    """
    inner: dict[str, list[Node]] = {}
    for node in tree.nodes:
        inner.setdefault(posixpath.dirname(node.path), []).append(node)
    found: list[str] = []
    for node in tree.nodes:
        seen = observed.paths.get(node.path)
        if isinstance(node.entry, Directory) and seen and seen.kind is Kind.LINK and (entries := inner.get(node.path)):
            place = posixpath.normpath(posixpath.join(posixpath.dirname(node.path), seen.target))
            if all(entry.entry == Link(f"{place}/{posixpath.basename(entry.path)}") for entry in entries):
                found += [node.path, *(entry.path for entry in entries)]
    return frozenset(found)


def _refused(
    tree: RenderedTree, observed: Observed, intents: Mapping[str, Intent], linked: Collection[str]
) -> dict[Realm, tuple[Problem, ...]]:
    """Give what is wrong with each account's realm; HostError with every problem when something is in the system's way, or `user`'s."""
    found: dict[Realm, tuple[Problem, ...]] = dict(observed.refused)
    fatal = False
    for node in tree.nodes:
        if node.realm in observed.refused or (observed.user is not None and node.realm.account != observed.user):
            continue
        before = observed.paths.get(node.path)
        problem = None if node.path in linked else _in_the_way(node, before)
        if problem and not _is_anothers(node, before, observed.manifest, intents):
            fatal |= node.realm.account is None or observed.user is not None
            found[node.realm] = (*found.get(node.realm, ()), problem)
    if fatal:
        raise HostError(*(problem for problems in found.values() for problem in problems))
    return found


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
    hint = "move it away, then apply again"
    kind = "directory" if wanted else "file" if isinstance(node.entry, File) else "link"
    message = f"{PHRASES[before.kind]} is in the place of a {kind}"
    return Problem(message, mark=node.origin.mark, key=node.origin.key, path=node.path, hint=hint)


def _wanted(node: Node, before: Seen | None, after: Seen, found: Found, old: bytes | None, whole: Origin) -> PathStep:
    keys, origin = _asked(node, old, whole)
    return PathStep(
        change=Change.REPLACE if before else Change.CREATE,
        path=node.path,
        realm=node.realm,
        before=before,
        after=after,
        reason=difference(before, after, keys) if before else "new",
        origin=origin,
        found=found,
        node=node,
        service=node.service,
        effect=Effect.NOTHING if _says_the_same(node, old) else node.effect,
        live=node.live,
        old=old if isinstance(node.entry, File) and not node.entry.secret and before and before.for_all else None,
    )


def _says_the_same(node: Node, old: bytes | None) -> bool:
    """Whether only the line that names the key is another: a script that a hand had made, or whose key has moved, is run as before."""
    return isinstance(node.entry, File) and old is not None and _without_key(old) == _without_key(node.entry.content)


def _without_key(content: bytes) -> list[bytes]:
    return [line for line in content.split(b"\n") if not line.startswith(_KEY)]


def _asked(node: Node, old: bytes | None, whole: Origin) -> tuple[str, Origin]:
    """Give the keys that ask for what was not in a text that many of them make, if they are several; and where the first one stands.

    Where one went none of them does: nobody knows any more which that was, and the `whole` service says it.
    """
    entry = node.entry
    if not isinstance(entry, File) or not entry.parts or old is None or old == entry.content:
        return "", node.origin
    new = list(dict.fromkeys(origin for text, origin in entry.parts if text in entry.content and text not in old))
    names = ", ".join(origin.key.removeprefix(f"{whole.key}.") for origin in new)
    return names if len(new) > 1 else "", new[0] if new else whole


def difference(before: Seen, after: Seen, keys: str = "") -> str:
    """Say in words how `before` is not `after`; keys: those that ask for another content, where they are several."""
    if before.kind is not after.kind:
        return f"was {PHRASES[before.kind]}"
    words = []
    if (before.size, before.digest) != (after.size, after.digest):
        words.append(f"content changed ({keys})" if keys else "content changed")
    if before.target != after.target:
        words.append(f"led to {before.target}, is to lead to {after.target}")
    if before.mode != after.mode:
        words.append(f"mode {before.mode:04o} -> {after.mode:04o}")
    if (before.uid, before.gid) != (after.uid, after.gid):
        words.append(f"owner {before.uid}:{before.gid} -> {after.uid}:{after.gid}")
    return ", ".join(words)


def _journalled(intents: Mapping[str, Intent], observed: Observed) -> dict[str, Record]:
    """Give what an apply that was killed had made, as far as it is still as it was made.

    A directory that it made got its name with all that was to be in it: what is another there now was edited since.
    """
    new = {path for path, intent in intents.items() if intent.before is None and observed.paths.get(path) == intent.after}
    return {
        intent.path: Record(intent.after, intent.realm, intent.service, intent.effect, intent.live)
        for intent in intents.values()
        if intent.after
        and intent.realm not in observed.abandoned
        # what nobody could look at now is taken for what it was to become
        and (
            intent.realm in observed.refused
            or observed.paths.get(intent.path) == intent.after
            or (intent.path in observed.paths and not intent.live and intent.path.rpartition("/")[0] in new)
        )
    }


def _unwanted(
    made: Mapping[str, Record],
    wanted: Mapping[str, Record],
    intents: Mapping[str, Intent],
    observed: Observed,
    logs: Collection[str | None],
    absent: Mapping[str, Origin],
) -> list[PathStep]:
    """Give a removal for each path that was made here, is there, and is in the data no more.

    logs: log directories that go whole. absent: where the data say of a service that it is to be absent.
    """
    steps = []
    for path, record in made.items():
        before = observed.paths.get(path)
        if path in wanted or before is None:
            continue
        if (before.kind is Kind.DIRECTORY) is not (record.seen.kind is Kind.DIRECTORY):
            continue  # somebody put something else there: it is not what was made here
        found = _found(before, record, intents.get(path))
        why = ABSENT if record.service in absent else GONE
        steps.append(
            PathStep(
                change=Change.REMOVE,
                path=path,
                realm=record.realm,
                before=before,
                after=None,
                reason=f"{why}, with its logs" if path in logs else why,
                origin=absent.get(record.service, Origin(record.service)),
                found=Found.OURS if before.kind is Kind.DIRECTORY else found,
                service=record.service,
                effect=record.effect,
                live=record.live,
                logs=path in logs,
            )
        )
    return steps


def _gone(made: Manifest, observed: Observed, services: Iterable[ServiceTree]) -> list[ServiceTree]:
    """Give the services that were made here and are to be no more, as they were made: only so their links are known.

    One that only a killed apply made is one of them: its runsvdir may have started it. How one ends that is still named, as absent, the
    data say now; where one stood that is named no more, the data of today have something else.
    """
    named = {service.id: service for service in services}
    return [
        _going(service, named.get(name))
        for name, service in {**_begun(observed), **made.services}.items()
        if name not in named or named[name].ensure is Ensure.ABSENT
    ]


def _moved(made: Manifest, services: Iterable[ServiceTree]) -> dict[str, ServiceTree]:
    """Give the services that are to lie, or to be found, elsewhere, as they are, by where they go.

    The supervisor of the one place knows nothing of the other: both would run the service for a while.
    """
    moved: dict[str, ServiceTree] = {}
    for service in services:
        was = made.services.get(service.id)
        if was is None or service.ensure is Ensure.ABSENT:
            continue
        as_it_is = replace(was, origin=service.origin, stop_seconds=service.stop_seconds, kill=service.kill)
        if was.directory != service.directory:
            moved[service.directory] = as_it_is
        elif was.link and service.link and was.link != service.link:
            moved[service.link] = as_it_is
    return moved


def _going(service: ServiceTree, said: ServiceTree | None) -> ServiceTree:
    if said is None:
        return replace(service, origin=Origin(service.origin.key))
    return replace(service, ensure=Ensure.ABSENT, origin=said.origin, stop_seconds=said.stop_seconds, kill=said.kill)


def _begun(observed: Observed) -> dict[str, ServiceTree]:
    """Give the services that an apply that was killed was about to make."""
    if observed.journal is None:
        return {}
    here = (service for service in observed.journal.services if service.realm not in observed.abandoned)
    return {service.id: service for service in here if observed.user is None or service.realm.account == observed.user}
