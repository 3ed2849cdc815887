"""One look at a host: every path and service that the data, the manifest or an unfinished journal speaks of, realm by realm."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runit_provision.errors import HostError, NoAccountError, Problem, ProvisionError
from runit_provision.host import files, looks
from runit_provision.host.ground import NotTrustedError
from runit_provision.host.hand import Request
from runit_provision.host.passwd import TABLES
from runit_provision.host.remedies import REMEDIES
from runit_provision.model.observed import Journal, Kind, Life, Manifest, Observed, Seen, Stray
from runit_provision.model.tree import Directory, Ensure, File, Node, OnChange, Origin, Owner, Purge, Realm, RenderedTree, ServiceTree

_KINDS = {kind.value: kind for kind in Kind}
_ADDED = 64 << 20
"""Bytes by which all accounts together may add to what was, or is to be, in their files before no more of them is kept for diffs."""
_UNKNOWN = 20_000
"""Paths of an account that the data do not know, in a tree that is to be purged."""
_HINTS = {
    errno.EACCES: "its owner has to let himself in",
    errno.EMFILE: REMEDIES[errno.EMFILE],
    errno.EIO: REMEDIES[errno.EIO],
    errno.E2BIG: "take some away by hand; nothing of it was touched",
    errno.ETIMEDOUT: "a stopped process or a hanging filesystem of that account; nothing of it was touched",
}
_FOR_ROOT = "that is root's to look at; `--user NAME` is about the tree of one user alone"


@dataclass(slots=True)
class _Work:
    """What is to be looked at in one realm.

    above: directories that the data leave to others, and in which something is to lie. shared: directories of the data that may be
    links to directories. services: by id and directory, what is to be behind what was. strange: what an apply that was killed was to
    take away, of all that nobody here made.
    """

    looks: dict[str, looks.Look] = field(default_factory=dict)
    services: dict[tuple[str, str], ServiceTree] = field(default_factory=dict)
    staged: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    above: set[str] = field(default_factory=set)
    shared: set[str] = field(default_factory=set)
    strange: set[str] = field(default_factory=set)
    purged: list[tuple[Purge, str]] = field(default_factory=list)

    def calls(self, store: int | None) -> list[Request]:
        """Give what asks for all of it, in the order in which `_understand` takes the answers."""
        strays: list[Request] = []
        for purge, directory in self.purged:
            known = (path.rpartition("/") for path in self.looks if path not in self.strange)
            names = [name for above, _, name in known if above == directory]
            strays.append(("strays", (directory, purge.definitions, names)))
        return [
            ("look", ([self.looks[path] for path in sorted(self.looks)],)),
            ("exists", (sorted(self.above),)),
            ("leads", (sorted(self.shared),)),
            ("exists", (self.staged,)),
            ("lives", ([place for service in self.supervised() for place in _places(service)],)),
            *strays,
            ("stored", (store, self.kept)),
        ]

    def supervised(self) -> list[ServiceTree]:
        """Give the services, those beside each other in the same directory together."""
        return sorted(self.services.values(), key=lambda service: service.directory)


@dataclass(slots=True)
class _Sights:
    """What was seen so far."""

    paths: dict[str, Seen] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    lives: dict[str, tuple[Life, Life]] = field(default_factory=dict)
    leftovers: list[tuple[str, Realm]] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    problems: dict[Realm, list[Problem]] = field(default_factory=dict)
    abandoned: set[Realm] = field(default_factory=set)
    strays: list[Stray] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    added: int = 0

    def takes(self, more: int) -> bool:
        """Whether there is room for a content that is `more` bytes longer than it was, or is to be."""
        self.added += max(0, more)
        return self.added <= _ADDED

    def complain(self, realm: Realm, *problems: Problem) -> None:
        self.problems.setdefault(realm, []).extend(problems)


Ask = Callable[[Sequence[tuple[Realm, Sequence[Request]]]], Iterator[list[Any] | OSError | ProvisionError]]
"""What looks in many realms, as Machine.ask does."""


def observe(
    tree: RenderedTree,
    *,
    ask: Ask,
    number: Callable[[Realm, Owner | None], tuple[int, int]],
    manifest: Manifest,
    journal: Journal | None,
    user: str | None,
    alive: bool,
    store: Callable[[Realm], int | None] | None = None,
    coming: Collection[str] = (),
) -> Observed:
    """Look. What is wrong in an account's realm is `refused`; in the system's, or in `user`'s, it is a HostError with every problem.

    ask: see Ask. number: uid and gid of an owner in a realm. user: only this account's realms. alive: there are running services to
    look at. store: see Machine.store, when `journal` is to be undone. coming: accounts that are to be made, or whose homes are: of
    those nothing is there yet.
    """
    sights = _Sights()
    owners = _owners(tree, number, user, sights)
    desired = {node.path: node for node in tree.nodes}
    asked = {node.realm: node for node in reversed(tree.nodes)}
    works = _works(tree, manifest, journal, user, alive=alive, undoes=store is not None)
    errands = [(realm, work.calls(store(realm) if store and work.kept else None)) for realm, work in works.items()]
    for (realm, work), found in zip(works.items(), ask(errands), strict=True):
        try:
            if isinstance(found, Exception):
                raise found
            _understand(realm, work, found, sights, desired)
        except NoAccountError as error:
            if realm not in asked:
                sights.abandoned.add(realm)
            elif realm.account not in coming:
                sights.complain(realm, *error.problems)
        except ProvisionError as error:
            sights.complain(realm, *error.problems)
        except OSError as error:
            made = realm.base in desired and user in (None, desired[realm.base].realm.account)
            if error.errno == errno.ENOENT and (made or realm not in asked or realm.account in coming):
                continue  # made by the realm above, in the same apply; or gone, and nobody asks for it
            sights.complain(realm, _problem(error, realm, desired.get(str(error.filename), asked.get(realm))))
    if any(realm.account is None or user is not None for realm in sights.problems):
        raise HostError(*dict.fromkeys(problem for problems in sights.problems.values() for problem in problems))
    return Observed(
        paths=sights.paths,
        owners=owners,
        lives=sights.lives,
        manifest=manifest,
        journal=journal,
        contents=sights.contents,
        leftovers=tuple(sights.leftovers),
        user=user,
        alive=alive,
        kept=frozenset(sights.kept),
        refused={realm: tuple(dict.fromkeys(problems)) for realm, problems in sights.problems.items()},
        abandoned=frozenset(sights.abandoned),
        strays=tuple(sights.strays),
        plain=tuple(sights.plain),
        lost=sights.lost,
    )


def _problem(error: OSError, realm: Realm, node: Node | None) -> Problem:
    """Say what is wrong with a realm, and which key of the data asks for it, or for anything else there."""
    message, hint = error.strerror or str(error), _HINTS.get(error.errno or 0, "")
    if realm.account is not None and error.filename in (realm.base, os.path.dirname(realm.base)):
        if error.errno == errno.ENOENT:
            message = f"does not exist, and files of {realm.account} are to lie in it"
            hint = f"make it, owned by {realm.account}, or correct the path"
        elif error.errno in (errno.ENOTDIR, errno.ELOOP):
            message = "is no directory: a symbolic link is not followed"
            hint = f"give the directory itself; it has to be {realm.account}'s"
    elif realm.account is None and error.errno == errno.EACCES and os.geteuid() != 0:
        hint = _FOR_ROOT
    origin = node.origin if node else Origin("")
    return Problem(message, mark=origin.mark, key=origin.key, path=str(error.filename), hint=hint)


def _owners(
    tree: RenderedTree, number: Callable[[Realm, Owner | None], tuple[int, int]], user: str | None, sights: _Sights
) -> Mapping[tuple[Realm, Owner | None], tuple[int, int]]:
    owners: dict[tuple[Realm, Owner | None], tuple[int, int]] = {}
    for node in tree.nodes:
        key = (node.realm, node.owner)
        if key in owners or (user is not None and node.realm.account != user):
            continue
        try:
            owners[key] = number(*key)
        except ProvisionError as error:
            sights.complain(node.realm, *error.problems)
            owners[key] = (0, 0)
    return owners


def _works(
    tree: RenderedTree, manifest: Manifest, journal: Journal | None, user: str | None, *, alive: bool, undoes: bool
) -> Mapping[Realm, _Work]:
    """Sort everything by realm, the realms that lie in others after those. undoes: what the journal kept is asked for."""
    works: dict[Realm, _Work] = {}

    def work(realm: Realm) -> _Work:
        if realm not in works:
            works[realm] = _Work()
        return works[realm]

    desired = {node.path for node in tree.nodes}
    for node in tree.nodes:
        record = manifest.records.get(node.path)
        here = work(node.realm)
        here.looks[node.path] = _desire(node, record.seen.size if record else -1)
        above = node.path.rpartition("/")[0] or "/"
        if above not in desired and above != node.realm.base:
            here.above.add(above)
        if node.realm.account is None and isinstance(node.entry, Directory) and node.entry.shared:
            here.shared.add(node.path)
    for path, record in manifest.records.items():
        work(record.realm).looks.setdefault(path, (path, -1, "", record.seen.size, False, False))
    for intent in journal.intents if journal else ():
        size = intent.after.size if intent.after else -1
        was_size = intent.before.size if intent.before else -1
        work(intent.realm).looks.setdefault(intent.path, (intent.path, size, "", was_size, False, False))
        if intent.staged:
            work(intent.realm).staged.append(intent.staged)
        if intent.kept and undoes:
            work(intent.realm).kept.append(intent.kept)
    if journal and journal.logins:
        tables = [files.staged(f"/etc/{name}") for name in TABLES]
        work(Realm(None, "/")).staged += [*tables, *(login.staged for login in journal.logins if login.staged)]
    for intent in journal.intents if journal else ():
        if intent.after is None and intent.path not in desired and intent.path not in manifest.records:
            work(intent.realm).strange.add(intent.path)
    called = (call.service for call in journal.calls) if journal else ()
    for service in (*called, *(journal.services if journal else ()), *manifest.services.values(), *tree.services) if alive else ():
        known = work(service.realm).services
        known.pop((service.id, service.directory), None)
        known[service.id, service.directory] = service
    for purge in tree.purges:
        work(purge.realm).purged += [(purge, directory) for directory in purge.directories]
    return {realm: works[realm] for realm in sorted(works, key=_depth) if user is None or realm.account == user}


def _depth(realm: Realm) -> tuple[int, str]:
    return (realm.base.rstrip("/").count("/"), realm.base)


def _desire(node: Node, was_size: int) -> looks.Look:
    entry = node.entry
    if not isinstance(entry, File):
        return (node.path, -1, "", was_size, False, True)
    return (node.path, len(entry.content), hashlib.sha256(entry.content).hexdigest(), was_size, not entry.secret, True)


def _understand(realm: Realm, work: _Work, answers: Sequence[Any], sights: _Sights, desired: Mapping[str, Node]) -> None:
    looked, above, shared, staged, lives, *strays, stored = answers
    if realm.account is not None and sum(len(plain) + sum(1 + len(stray[3]) for stray in found) for found, plain in strays) > _UNKNOWN:
        raise OSError(errno.E2BIG, f"more than {_UNKNOWN} paths that the data does not know", realm.base)
    blocked = _see(work, looked, sights, desired)
    for path, led in zip(sorted(work.shared), shared, strict=True):
        if not led and path in sights.paths and sights.paths[path].kind is Kind.LINK:
            target = sights.paths[path].target
            sights.complain(realm, _dangling(path, target, desired[path]))
            blocked.pop(os.path.normpath(os.path.join(os.path.dirname(path), target)), None)
    for path in blocked:
        sights.complain(realm, Problem("has to be a directory, and is none; a link is not followed here", path=path))
    absent = {path.rpartition("/")[0] or "/": path for path in work.looks if path in desired and path not in sights.paths}
    for path, found in zip(sorted(work.above), above, strict=True):
        if path in absent and path not in blocked and not found:
            sights.complain(realm, _missing(path, desired[absent[path]]))
    sights.leftovers += [(path, realm) for path, found in zip(work.staged, staged, strict=True) if found]
    life = iter(lives)
    fare: dict[tuple[str, str], tuple[Life, Life]] = {}
    for service in work.supervised():
        first = Life(*next(life))
        fare[service.id, service.directory] = (first, Life(*next(life)) if service.logged else Life())
    places: dict[str, str] = {}
    for name, directory in work.services:
        if name in places:
            sights.lives[places[name]] = sights.lives[name]
        sights.lives[name], places[name] = fare[name, directory], directory
    for (purge, directory), (found, plain) in zip(work.purged, strays, strict=True):
        sights.plain += plain
        _take_strays(purge, directory, found, sights)
    sights.kept |= {name for name, there in zip(work.kept, stored, strict=True) if there}


def _missing(path: str, node: Node) -> Problem:
    hint = "make it first (a disk that is not mounted?), or choose another place"
    return Problem(
        f"no such directory, and {node.path} is to lie in it", mark=node.origin.mark, key=node.origin.key, path=path, hint=hint
    )


def _see(work: _Work, looked: Sequence[Any], sights: _Sights, desired: Mapping[str, Node]) -> dict[str, None]:
    """Take what was seen of each path; give those that are in the way of others, as keys in order."""
    blocked: dict[str, None] = {}
    for path, sight in zip(sorted(work.looks), looked, strict=True):
        if sight is None:
            continue
        if isinstance(sight, NotTrustedError):
            sights.lost[str(sight.filename)] = str(sight.strerror)
            continue
        if isinstance(sight, str):
            if path in desired and sight not in desired:
                blocked[sight] = None
            continue
        sights.paths[path] = _seen(sight)
        content = sight[-1]
        if content is not None and sights.takes(len(content) - max(0, work.looks[path][1], work.looks[path][3])):
            sights.contents[path] = content.encode("latin-1") if isinstance(content, str) else content
    return blocked


def _dangling(path: str, target: str, node: Node) -> Problem:
    message = f"is a link to {target}, where there is no directory"
    return Problem(message, mark=node.origin.mark, key=node.origin.key, path=path, hint="make that directory, or take the link away")


def _places(service: ServiceTree) -> list[str]:
    return [service.directory, f"{service.directory}/log"] if service.logged else [service.directory]


def _take_strays(purge: Purge, directory: str, found: Sequence[Any], sights: _Sights) -> None:
    """Take services that neither the data nor what is remembered speaks of."""
    for link, sight, place, paths, logs, life, log, scans in found:
        if not link.startswith(f"{directory}/") or not all(path == place or path.startswith(f"{place}/") for path in paths):
            continue  # no answer of ours
        service = _stray(purge, link, place, paths, scans)
        sights.lives[link] = (Life(*life), Life(*log))
        seen = {path: _seen(one) for path, one in paths.items()}
        sights.strays.append(Stray(service, _seen(sight), seen, frozenset(logs)))


def _seen(sight: looks.Sight) -> Seen:
    kind, mode, uid, gid, size, digest, target, _ = sight
    return Seen(_KINDS[kind], mode, uid, gid, size, digest, target)


def _stray(purge: Purge, link: str, place: str, paths: Collection[str], scans: str) -> ServiceTree:
    return ServiceTree(
        id=link,
        realm=purge.realm,
        directory=place or link,
        link=link,
        logged=f"{place}/log" in paths,
        log_directory=None,
        ensure=Ensure.RUNNING,
        enabled=f"{place}/down" not in paths,
        one_shot=False,
        on_change=OnChange.HUP if scans else OnChange.RESTART,
        origin=purge.origin,
        scans=scans or None,
    )
