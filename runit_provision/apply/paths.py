"""Paths put in place: made beside their places, made durable in one pass, then renamed; what they replace is kept before.

All that can fail for want of space, rights or quota fails while it is made, before anything that a service uses has changed.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from runit_provision.apply.report import Outcome
from runit_provision.errors import HostError, Problem, ProvisionError
from runit_provision.host import Machine
from runit_provision.host.files import STORE
from runit_provision.host.hand import Request
from runit_provision.host.kept import LASTING
from runit_provision.host.machine import HANDS
from runit_provision.host.remedies import REMEDIES
from runit_provision.model.observed import Intent, Kind
from runit_provision.model.plan import Found, PathStep
from runit_provision.model.tree import Directory, File, Link, Origin, Realm

_FEW = 32
"""So many new files are made durable one by one; for more, the filesystem is as a whole, which may have much else to write."""

_TOGETHER = HANDS // 2
"""So many accounts' realms are made together: their hands all wait for work at a time."""

_SLICE = 512
"""So much is done before it is told how far it is."""

_STAGED = re.compile(rf"/{re.escape(STORE)}\.(?=[^/])")
"""What a name has before it while it is made."""
_FOR_ROOT = "that is root's to do; `--user NAME` applies the tree of one user alone"

Due = tuple[PathStep, Request]
"""A step, and what a hand is to do for it."""


def by_realm(steps: Iterable[PathStep]) -> dict[Realm, list[PathStep]]:
    """Sort steps by realm, in order."""
    sorted_steps: dict[Realm, list[PathStep]] = {}
    for step in steps:
        sorted_steps.setdefault(step.realm, []).append(step)
    return sorted_steps


def waves(steps: Sequence[PathStep]) -> Iterator[list[PathStep]]:
    """Split steps so that a realm whose base is made here comes after the one that makes it."""
    rest = list(steps)
    while rest:
        makers = {step.path: step.realm for step in rest}
        later = {
            step.realm for step in rest if step.realm.account is not None and makers.get(step.realm.base, step.realm) != step.realm
        }
        yield [step for step in rest if step.realm not in later]
        rest = [step for step in rest if step.realm in later]


def sweep(machine: Machine, leftovers: Iterable[tuple[str, Realm]], outcome: Outcome) -> None:
    """Take away what a killed apply had half made."""
    for path, realm in leftovers:
        try:
            machine.hand(realm).call("sweep", path)
        except (OSError, ProvisionError) as error:
            outcome.report.add(*problems(error))


def prepare(machine: Machine, steps: Sequence[PathStep], outcome: Outcome) -> None:
    """Make everything under its staging name, durable; what a realm refuses is not done, and HostError when the system's refuses."""
    places = outcome.places
    whole = len(steps) > _FEW
    synced: set[int] = set()
    for realm, mine in by_realm(steps).items():
        made = [step for step in mine if step.path in places]
        due = [(step, request) for step in made for request in _made(machine, step, places, durable=not whole)]
        culprit: PathStep | None = None
        try:
            for some in _slices(due):
                answers, error = machine.hand(realm).batch([request for _, request in some])
                outcome.tell.did(*(step.path for step, _ in some[: len(answers)]))
                if error:
                    culprit = some[len(answers)][0]
                    raise error
            outcome.tell.does(f"makes what is new in {realm.base} last")
            _settle(machine, realm, {os.path.dirname(places[step.path]) for step in made}, synced, whole=whole)
        except (OSError, ProvisionError) as error:
            _sweep(machine, realm, mine, places)
            told = problems(error, culprit)
            if realm.account is None:
                raise HostError(*told) from error
            outcome.report.add(*told)
            for step in mine:
                outcome.fail(step, *told)


def _slices(due: Sequence[Due]) -> Iterator[Sequence[Due]]:
    """Split what is much, so that it can be told how far it is."""
    return (due[start : start + _SLICE] for start in range(0, len(due), _SLICE))


def _made(machine: Machine, step: PathStep, places: dict[str, str], *, durable: bool) -> Iterator[Request]:
    place, after = places[step.path], step.after
    if after is None:
        return
    if step.kept:
        yield "restore", (machine.store(step.realm), step.kept, place)
        return
    match step.node.entry if step.node else None:
        case Directory():
            yield "new_directory", (place, after.mode, after.uid, after.gid)
        case File(content):
            yield "write", (place, content, after.mode, after.uid, after.gid, durable)
        case Link(target):
            yield "link", (place, target)
        case None:
            if after.kind is Kind.DIRECTORY:
                yield "new_directory", (place, after.mode, after.uid, after.gid)


def _settle(machine: Machine, realm: Realm, directories: set[str], synced: set[int], *, whole: bool) -> None:
    """Make what was made last: directory by directory, or each filesystem once."""
    hand = machine.hand(realm)
    ordered = sorted(directories)
    if not whole:
        hand.call("sync", ordered)
        return
    for directory, device in zip(ordered, hand.call("devices", ordered), strict=True):
        if device not in synced:
            hand.call("sync_filesystem", directory)
            synced.add(device)


def _sweep(machine: Machine, realm: Realm, steps: Iterable[PathStep], places: dict[str, str]) -> None:
    """Take away what was made for steps that failed."""
    for step in steps:
        try:
            if step.path in places:
                machine.hand(realm).call("sweep", places[step.path])
        except (OSError, ProvisionError):
            return


def remove(machine: Machine, steps: Sequence[PathStep], outcome: Outcome) -> None:
    """Take paths away, each file kept before, and make that last; a directory with what was not made here in it stays."""
    whole = len(steps) > _FEW
    synced: set[int] = set()
    # What lies in a directory that was given away comes before that directory.
    for realm, mine in sorted(by_realm(steps).items(), key=lambda item: len(item[0].base), reverse=True):
        for step in mine:
            if step.service in outcome.held:
                outcome.fail(step)
        _keep(machine, realm, mine, outcome)
        touched: set[str] = set()
        gone: set[str] = set()
        for step in mine:
            if step.path in outcome.failed:
                continue
            touched.add(os.path.dirname(step.path))
            requests: list[Request] = []
            if step.logs:
                _clear_logs(machine, step, outcome)
            is_directory = step.before is not None and step.before.kind is Kind.DIRECTORY
            if is_directory:
                requests.append(("remove_directory", (step.path, bool(step.service))))
            else:
                requests.append(("unlink", (step.path,)))
            answers = _do(machine, realm, step, requests, outcome)
            if answers and answers[-1] and any(path.startswith(f"{step.path}/") for path in outcome.failed):
                outcome.fail(step)
            elif answers and is_directory and not answers[-1]:
                gone.add(step.path)
            elif answers and answers[-1]:
                service = outcome.plan.remembered.services.get(step.service)
                logs = not step.logs and service is not None and service.log_directory == step.path
                held = ", with the logs in it" if logs else f": it holds what was not made here ({', '.join(answers[-1])})"
                outcome.report.notes.append(f"{machine.here(step.path)} stays{held}")
        _last(machine, realm, touched - gone, synced, outcome, whole=whole)


def lift(machine: Machine, steps: Sequence[PathStep], outcome: Outcome) -> list[PathStep]:
    """Take live links away that are to lead elsewhere once what they led to has ended; give the steps that make them then."""
    remove(machine, steps, outcome)
    outcome.report.paths = [step for step in outcome.report.paths if step not in steps]
    return [replace(step, before=None, found=Found.NOTHING) for step in steps]


def _clear_logs(machine: Machine, step: PathStep, outcome: Outcome) -> None:
    """Take away what svlogd wrote in a log directory, with the hands of the one who wrote it."""
    writer = next((other.realm for other in outcome.plan.removals if other.realm.base == step.path), step.realm)
    try:
        machine.hand(writer).call("clear_logs", step.path)
    except (OSError, ProvisionError) as error:
        outcome.report.add(*problems(error))


def put(machine: Machine, steps: Sequence[PathStep], outcome: Outcome) -> None:
    """Rename what was prepared to its place, what is replaced kept before; then make the names last."""
    places = outcome.places
    whole = len(steps) > _FEW
    synced: set[int] = set()
    for realm, mine in by_realm(steps).items():
        _keep(machine, realm, [step for step in mine if _is_renamed(step, places)], outcome)
        touched: set[str] = set()
        for live in (False, True):
            due: list[Due] = []
            for step in [step for step in mine if step.live is live and step.path not in outcome.failed]:
                if live and outcome.is_broken(step.service):
                    outcome.fail(step)  # nothing half-made is ever started
                elif _is_renamed(step, places):
                    due.append((step, ("place", (places[step.path], step.path))))
                    touched.add(os.path.dirname(step.path))
                elif step.path not in places and step.after is not None:
                    after = step.after
                    due.append((step, ("dress_directory", (step.path, after.mode, after.uid, after.gid))))
            _do_all(machine, realm, due, outcome)
        for step in mine:
            if step.path in places and not _is_renamed(step, places) and step.path not in outcome.failed:
                _came(step, outcome)
        _sweep(machine, realm, [step for step in mine if step.path in outcome.failed and _is_renamed(step, places)], places)
        _last(machine, realm, touched, synced, outcome, whole=whole)


def make(machine: Machine, steps: Sequence[PathStep], outcome: Outcome) -> None:
    """Prepare and put what lies in accounts' realms, some realms at a time, so that one hand does both for each."""
    sorted_steps = list(by_realm(steps).values())
    for start in range(0, len(sorted_steps), _TOGETHER):
        some = [step for mine in sorted_steps[start : start + _TOGETHER] for step in mine]
        prepare(machine, some, outcome)
        put(machine, some, outcome)


def _is_renamed(step: PathStep, places: dict[str, str]) -> bool:
    """Whether a step gets its own name by a rename, and not with the directory that it lies in."""
    place = places.get(step.path)
    return place is not None and (step.live or os.path.dirname(place) == os.path.dirname(step.path))


def _last(machine: Machine, realm: Realm, directories: set[str], synced: set[int], outcome: Outcome, *, whole: bool) -> None:
    """Make the names in `directories` last; what a filesystem refuses there is a problem, and the rest is done."""
    try:
        _settle(machine, realm, directories, synced, whole=whole)
    except (OSError, ProvisionError) as error:
        outcome.report.add(*problems(error))


def _keep(machine: Machine, realm: Realm, steps: Iterable[PathStep], outcome: Outcome) -> None:
    """Keep what is going to be replaced or removed, and make that last; what cannot be kept stays."""
    store = machine.store(realm)
    kept = 0
    for step in steps:
        if step.path in outcome.failed or not (requests := _kept(store, step, outcome)):
            continue
        kept += bool(_answers(machine, realm, step, requests, outcome))
    if kept:
        try:
            machine.hand(realm).call("sync_store", store)
        except (OSError, ProvisionError) as error:
            outcome.report.add(*problems(error))
            for step in steps:
                outcome.fail(step, *problems(error))


def _kept(store: int | None, step: PathStep, outcome: Outcome) -> list[Request]:
    return [("keep", (step.path, store, name)) for name in _names(step, outcome.intents[step.path])]


def _names(step: PathStep, intent: Intent) -> list[str]:
    """Give the names under which what is at a path now is kept.

    What a hand edited after a killed apply had kept what was before, or had made the path where nothing was, has a name of its own.
    """
    if not intent.kept or step.before is None or step.before.kind is Kind.DIRECTORY:
        return []
    names = [intent.kept] if intent.before else []
    return [*names, f"{intent.kept}.edited"] if step.found is Found.EDITED and intent.before != step.before else names


def _answers(machine: Machine, realm: Realm, step: PathStep, requests: list[Request], outcome: Outcome) -> list[Any]:
    """Do what a step needs; give the answers, or none when the step failed."""
    try:
        answers, error = machine.hand(realm).batch(requests)
        if error:
            raise error
    except (OSError, ProvisionError) as error:
        outcome.fail(step, *problems(error, step))
        outcome.report.add(*problems(error, step))
        return []
    return answers


def _do_all(machine: Machine, realm: Realm, due: Sequence[Due], outcome: Outcome) -> None:
    """Do what each step needs, whichever of them fail: as few messages to a hand as can be."""
    while due:
        answers: list[Any] = []
        error: OSError | ProvisionError | None
        try:
            answers, error = machine.hand(realm).batch([request for _, request in due[:_SLICE]])
        except (OSError, ProvisionError) as refused:
            error = refused
        for step, _ in due[: len(answers)]:
            _done(realm, step, machine, outcome)
        due = due[len(answers) :]
        if error and due:
            outcome.fail(due[0][0], *problems(error, due[0][0]))
            outcome.report.add(*problems(error, due[0][0]))
            due = due[1:]


def _came(step: PathStep, outcome: Outcome) -> None:
    """Note a path that got its name with the directory that it lies in, if that one did."""
    parts = step.path.split("/")
    if outcome.failed and any("/".join(parts[:end]) in outcome.failed for end in range(2, len(parts))):
        outcome.fail(step)
        return
    outcome.report.paths.append(step)
    outcome.tell.did(step.path)


def _do(machine: Machine, realm: Realm, step: PathStep, requests: list[Request], outcome: Outcome) -> list[Any]:
    answers = _answers(machine, realm, step, requests, outcome)
    if answers:
        _done(realm, step, machine, outcome)
    return answers


def _done(realm: Realm, step: PathStep, machine: Machine, outcome: Outcome) -> None:
    outcome.report.paths.append(step)
    if step.found in (Found.EDITED, Found.FOREIGN) and (kept := _names(step, outcome.intents[step.path])):
        outcome.report.notes.append(f"what {machine.here(step.path)} was is kept as {_store(machine, realm)}/{kept[-1]}")
    outcome.tell.did(step.path)


def discard(machine: Machine, names: dict[Realm, list[str]], since: str, outcome: Outcome | None = None) -> None:
    """Throw away what was kept for a rollback that can no longer come, and what is older than `since`, which is told."""
    for realm, mine in names.items():
        try:
            store = machine.store(realm)
            outlived = int(machine.hand(realm).call("discard", store, mine, since))
        except (OSError, ProvisionError):
            continue  # the realm is gone, or refuses: what lies there is its own
        if outlived and outcome:
            things = "thing" if outlived == 1 else "things"
            outcome.report.notes.append(f"{outlived} {things} kept in {_store(machine, realm)} for more than {LASTING} days went")


def _store(machine: Machine, realm: Realm) -> str:
    return machine.here(f"{machine.library.path}/kept" if realm.account is None else f"{realm.base}/{STORE}")


def problems(error: OSError | ProvisionError, step: PathStep | None = None) -> tuple[Problem, ...]:
    """Give what an error says, by the name that a path is to have; step: the one that it befell, whose key asks for it."""
    if isinstance(error, ProvisionError):
        return error.problems
    path = _STAGED.sub("/", str(error.filename or ""))
    number = error.errno or 0
    hint = REMEDIES.get(number, "") if error.strerror == os.strerror(number) or number in (errno.EBUSY, errno.ETIMEDOUT) else ""
    if number == errno.EACCES and os.geteuid() != 0:
        hint = _FOR_ROOT
    origin = step.origin if step and path.startswith(step.path) else Origin("")
    return (Problem(error.strerror or str(error), mark=origin.mark, key=origin.key, path=path, hint=hint),)
