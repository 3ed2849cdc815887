"""A plan for people (one line for each step, its reason, a diff on request) and for machines (a stable schema)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from runit_provision.errors import printable
from runit_provision.model.observed import Kind, Seen
from runit_provision.model.plan import Change, Found, PathStep, Plan, ServiceStep, Verb
from runit_provision.model.tree import File, Link, Origin
from runit_provision.plan.states import states
from runit_provision.plan.verbs import counted

SCHEMA_VERSION = 1
_CHANGES = {Change.CREATE: "create", Change.REPLACE: "replace", Change.REMOVE: "remove"}
_LOGINS = {Change.CREATE: "to make", Change.REPLACE: "to change", Change.REMOVE: "to remove"}
_DIRECTORY = {Found.EDITED: "edited by hand since the last apply", Found.FOREIGN: "not made here"}
_NOTES = {Found.EDITED: "edited by hand since the last apply, kept", Found.FOREIGN: "not made here, kept"}
_KINDS = {
    Kind.DIRECTORY: ("directory", "directories"),
    Kind.LINK: ("link", "links"),
    Kind.FILE: ("file", "files"),
    Kind.OTHER: ("path", "paths"),
}
_WIDEST = 100
"""Columns at most for the paths, so that reasons stand below each other."""


def describe(plan: Plan, *, diff: bool = False) -> list[str]:
    """Give the plan's lines; each begins with its sign, those of a diff with four spaces. The last one counts."""
    logins = [(step, printable(f"{step.kind} {step.name}")) for step in plan.logins]
    steps = list(_ordered(plan))
    lengths = [*(len(_shown(step)) for step in steps), *(len(shown) for _, shown in logins), *(len(path) for path, _ in plan.leftovers)]
    width = max((length for length in lengths if length <= _WIDEST), default=0)
    told = {step: f"{step.change.value} {shown:<{width}}  {_because(step.reason, step.origin)}" for step, shown in logins}
    lines = [line for step, line in told.items() if step.change is not Change.REMOVE]
    for step in steps:
        lines.append(f"{_sign(step)} {_shown(step):<{width}}  {reason(step)}")
        if diff and isinstance(step, PathStep):
            lines += [f"    {line}" for line in changes(step)]
    lines += [f"- {path:<{width}}  left behind by an apply that was killed" for path, _ in plan.leftovers]
    lines += [line for step, line in told.items() if step.change is Change.REMOVE]
    return [*lines, summary(plan)]


def _ordered(plan: Plan) -> Iterator[PathStep | ServiceStep]:
    yield from plan.stops
    yield from plan.unlinks
    yield from plan.removals
    yield from plan.writes
    yield from plan.links
    yield from plan.calls


def _sign(step: PathStep | ServiceStep) -> str:
    if isinstance(step, PathStep):
        return step.change.value
    return "=" if step.verb is Verb.LEAVE else "!"


def _shown(step: PathStep | ServiceStep) -> str:
    return printable(step.path if isinstance(step, PathStep) else step.service.id)


def reason(step: PathStep | ServiceStep) -> str:
    """Say why: for a path the difference and the data's key, for a service the verb and what asks for it."""
    if isinstance(step, ServiceStep):
        return f"{step.verb.value}: {printable(step.reason)}"
    notes = _DIRECTORY if step.before and step.before.kind is Kind.DIRECTORY else _NOTES
    words = [step.reason, *([notes[step.found]] if step.found in notes else [])]
    return _because(", ".join(words), step.origin)


def _because(why: str, origin: Origin) -> str:
    return printable(f"{why}: {origin}" if origin.key else why)


def changes(step: PathStep) -> list[str]:
    """Give a unified diff of the content, where a link leads; of a secret file only that it differs."""
    entry = step.node.entry if step.node else None
    if isinstance(entry, Link):
        return [printable(f"leads to {entry.target}")]
    if not isinstance(entry, File) or (step.before and step.before.digest == entry_digest(step)):
        return []
    if entry.secret:
        return ["(the content is secret)"]
    if step.before and step.before.kind is Kind.FILE and not step.before.for_all:
        return ["(what is there not everybody may read)"]
    if step.before and step.old is None:
        return ["(what is there is too large to be shown, or no file)"]
    old, new = _text(step.old or b""), _text(entry.content)
    if old is None or new is None:
        return ["(binary content)"]
    import difflib

    found = difflib.unified_diff(old, new, "now" if step.before else "nothing", "then", lineterm="", n=2)
    return [printable(line) for line in found]


def entry_digest(step: PathStep) -> str:
    """Give the digest of what the path becomes, or "" when it goes."""
    return step.after.digest if step.after else ""


def _text(content: bytes) -> list[str] | None:
    if b"\0" in content:
        return None
    try:
        text = content.decode()
    except UnicodeDecodeError:
        return None
    lines = text.removesuffix("\n").split("\n") if text else []
    return lines if not text or text.endswith("\n") else [*lines, "\\ no newline at the end"]


def summary(plan: Plan) -> str:
    """Count everything in one line."""
    if plan.empty:
        return f"nothing {'else ' if plan.problems else ''}to do; {plan.unchanged} unchanged"
    counts: dict[str, list[int]] = {}
    kinds = Counter((step.kind, _LOGINS[step.change]) for step in plan.logins)
    logins = [f"{number} {kind}{'s' * (number != 1)} {verb}" for (kind, verb), number in kinds.items()]
    for step in plan.steps:
        kind = (step.after or step.before or Seen(Kind.OTHER)).kind
        counts.setdefault(f"{_CHANGES[step.change]}", [0] * len(_ORDER))[_ORDER.index(kind)] += 1
    parts = [
        f"{number} {_KINDS[kind][number != 1]} to {change}"
        for change in _CHANGES.values()
        for kind, number in zip(_ORDER, counts.get(change, ()), strict=False)
        if number
    ]
    parts += counted((*plan.stops, *plan.calls))
    if plan.leftovers:
        parts.append(f"{len(plan.leftovers)} left behind")
    return ", ".join([*logins, *parts, f"{plan.unchanged} unchanged"])


_ORDER = (Kind.FILE, Kind.DIRECTORY, Kind.LINK, Kind.OTHER)


def to_json(plan: Plan) -> dict[str, Any]:
    """Give the plan as plain values; contents are not part of it, digests are, but for what is or may have been secret.

    Its schema is in json_schema.py.
    """
    return {
        "version": SCHEMA_VERSION,
        "empty": plan.empty,
        "resumes": plan.resumes,
        "logins": [
            {"change": _CHANGES[step.change], "kind": step.kind, "name": step.name, "reason": step.reason, "key": step.origin.key}
            for step in plan.logins
        ],
        "paths": [_path(step) for step in plan.steps],
        "services": [
            {"service": call.service.id, "verb": call.verb.value, "reason": call.reason} for call in (*plan.stops, *plan.calls)
        ],
        "states": states(plan),
        "leftovers": [path for path, _ in plan.leftovers],
        "problems": [str(problem) for problem in plan.problems],
        "summary": {"text": summary(plan), "unchanged": plan.unchanged},
    }


def _path(step: PathStep) -> dict[str, Any]:
    mark = step.origin.mark
    secret = bool(step.node and isinstance(step.node.entry, File) and step.node.entry.secret)
    return {
        "change": _CHANGES[step.change],
        "path": step.path,
        "reason": step.reason,
        "key": step.origin.key,
        "file": mark.file if mark else None,
        "line": mark.line if mark else None,
        "found": step.found.value,
        "account": step.realm.account,
        "service": step.service,
        "before": _seen(step.before, secret=secret or bool(step.before and not step.before.for_all)),
        "after": _seen(step.after, secret=secret),
    }


def _seen(seen: Seen | None, *, secret: bool) -> dict[str, Any] | None:
    if seen is None:
        return None
    values = {"kind": seen.kind.value, "mode": f"{seen.mode:04o}", "uid": seen.uid, "gid": seen.gid}
    match seen.kind:
        case Kind.FILE:
            return {**values, "size": seen.size, "digest": None if secret else seen.digest}
        case Kind.LINK:
            return {"kind": "link", "target": seen.target}
        case _:
            return values
