"""What an apply writes down before it acts, so that the next one, or a rollback, knows what it was about."""

from __future__ import annotations

import os
import time

from runit_provision.host.files import staged
from runit_provision.host.kept import stamp
from runit_provision.model.observed import Call, Intent, Journal, Kind, LoginIntent, fares
from runit_provision.model.plan import Change, Found, LoginStep, PathStep, Plan
from runit_provision.model.tree import Realm

Copies = tuple[tuple[str, str], ...]


def describe(plan: Plan, *, command: str, earlier: Journal | None, copies: Copies = ()) -> Journal:
    """Give the journal of `plan`; what an `earlier`, killed apply had begun stays in it, so that a rollback undoes both.

    copies: what new homes get, see LoginIntent.
    """
    seconds, nanoseconds = divmod(time.time_ns(), 10**9)
    name = f"{stamp(seconds)}.{nanoseconds:09}.{os.getpid()}"
    before = {intent.path: intent for intent in earlier.intents} if earlier else {}
    tops = staging(plan)
    intents = {intent.path: intent for intent in before.values()}
    for number, step in enumerate(plan.steps):
        intents[step.path] = _intent(step, f"{name}.{number}", before.get(step.path), tops)
    calls = [Call(call.verb.value, call.service, *fares(plan.lives, call.service)) for call in (*plan.stops, *plan.calls)]
    made = {service.id: service for service in earlier.services} if earlier else {}
    made |= {name: service for name, service in plan.manifest.services.items() if name not in plan.remembered.services}
    begun = [_login(step, copies) for step in plan.logins]
    logins = dict.fromkeys([*(earlier.logins if earlier else ()), *begun])
    return Journal(name, command, tuple(intents.values()), tuple(calls), tuple(made.values()), logins=tuple(logins))


def _login(step: LoginStep, copies: Copies) -> LoginIntent:
    if step.kind != "home" or step.login is None:
        return LoginIntent(step.change.value, step.kind, step.name, step.reason, "", "", ())
    held = copies if step.login.skeleton else ()
    return LoginIntent(step.change.value, step.kind, step.name, step.reason, staged(step.name), step.login.name, held)


def _intent(step: PathStep, kept: str, earlier: Intent | None, tops: dict[str, str]) -> Intent:
    before = earlier.before if earlier else step.before
    keeps = any(seen is not None and seen.kind is not Kind.DIRECTORY for seen in (before, step.before))
    made_beside = step.path in tops and (step.live or tops[step.path] == staged(step.path))
    return Intent(
        path=step.path,
        realm=step.realm,
        before=before,
        after=step.after,
        found=step.before if earlier and step.found in (Found.NOTHING, Found.OURS) else step.after,
        kept=(earlier.kept if earlier and earlier.kept else kept) if keeps else "",
        # what an earlier one left half made is swept only after this was written down
        staged=staged(step.path) if made_beside else earlier.staged if earlier else "",
        service=step.service,
        effect=step.effect,
        live=step.live,
        origin=step.origin,
        edited=step.found in (Found.EDITED, Found.FOREIGN) or bool(earlier and earlier.edited),
        logs=step.logs,
    )


def staging(plan: Plan) -> dict[str, str]:
    """Give for each path that is made the name under which it is made first: in the topmost new directory's staging, or its own.

    A live link has a staging name even there: it gets its own name last of all.
    """
    places: dict[str, str] = {}
    new: dict[str, tuple[str, Realm]] = {}
    for step in (*plan.writes, *plan.links):
        above, _, name = step.path.rpartition("/")
        directory = step.after is not None and step.after.kind is Kind.DIRECTORY
        if above in new and new[above][1] == step.realm:
            places[step.path] = f"{new[above][0]}/{os.path.basename(staged(step.path)) if step.live else name}"
        elif directory and step.change is not Change.CREATE:
            continue
        else:
            places[step.path] = staged(step.path)
        if directory:
            new[step.path] = (places[step.path], step.realm)
    return places
