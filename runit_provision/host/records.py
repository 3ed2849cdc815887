"""How the manifest and the journal are written: JSON, version 1, one list per path."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from runit_provision.errors import Mark, Problem
from runit_provision.model.answer import Answer, Beside, Called, Ceiling, Demands
from runit_provision.model.observed import Call, Intent, Journal, Kind, Life, LoginIntent, Manifest, Owed, Record, Seen
from runit_provision.model.tree import Effect, Ensure, OnChange, Origin, Purge, Realm, ServiceTree

VERSION = 1
_KINDS = {kind.value: kind for kind in Kind}
_EFFECTS = {effect.value: effect for effect in Effect}


def dump_manifest(manifest: Manifest) -> bytes:
    """Give the manifest as it is stored."""
    realms = _Numbers()
    records = {path: [*_seen(seen), realms.number(realm), *rest] for path, seen, realm, rest in _rows(manifest)}
    services = [_service(service, realms) for service in manifest.services.values()]
    answer = manifest.answer and _answer(manifest.answer, realms)
    return _json(
        {"version": VERSION, "realms": realms.rows, "records": records, "services": services, "answer": answer, "owed": manifest.owed}
    )


def _rows(manifest: Manifest) -> Iterable[tuple[str, Seen, Realm, list[Any]]]:
    for path, (seen, realm, service, effect, live) in manifest.records.items():
        yield path, seen, realm, [service, effect.value, live]


def load_manifest(data: bytes) -> Manifest:
    """Read a manifest; ValueError when it is none of this version."""
    found = _load(data)
    realms = [Realm(*row) for row in found["realms"]]
    records = {
        path: Record(_unseen(row[:7]), realms[row[7]], row[8], _EFFECTS[row[9]], row[10]) for path, row in found["records"].items()
    }
    services = [_unservice(row, realms) for row in found["services"]]
    answer = found["answer"] and _unanswer(found["answer"], realms)
    owed = tuple(Owed(verb, name, life and Life(*life)) for verb, name, life in found["owed"])
    return Manifest(records, {service.id: service for service in services}, answer, owed)


def dump_journal(journal: Journal) -> bytes:
    """Give the first line of a journal: all that it knows before anything is done."""
    realms = _Numbers()
    intents = [
        [
            intent.path,
            realms.number(intent.realm),
            intent.before and _seen(intent.before),
            intent.after and _seen(intent.after),
            intent.found and _seen(intent.found),
            intent.kept,
            intent.staged,
            intent.service,
            intent.effect.value,
            intent.live,
            _origin(intent.origin),
            intent.edited,
            intent.logs,
        ]
        for intent in journal.intents
    ]
    calls = [[call.verb, _service(call.service, realms), call.life, call.log] for call in journal.calls]
    services = [_service(service, realms) for service in journal.services]
    head = {"version": VERSION, "id": journal.id, "command": journal.command, "realms": realms.rows}
    return _json({**head, "logins": journal.logins, "intents": intents, "calls": calls, "services": services}) + b"\n"


def dump_lives(lives: dict[str, tuple[Life, Life]]) -> bytes:
    """Give the line that says: all files have their new content, and this is what the services were then."""
    return _json({"lives": lives}) + b"\n"


def dump_done(indices: Sequence[int]) -> bytes:
    """Give the line that says: the calls of these numbers were answered."""
    return _json({"done": list(indices)}) + b"\n"


def load_journal(data: bytes) -> Journal | None:
    """Read a journal; None when not even its first line is whole. A last line that is not whole was never said."""
    lines = data.split(b"\n")[:-1]
    if not lines:
        return None
    head = _load(lines[0])
    realms = [Realm(*row) for row in head["realms"]]
    intents = tuple(
        Intent(
            row[0],
            realms[row[1]],
            row[2] and _unseen(row[2]),
            row[3] and _unseen(row[3]),
            row[4] and _unseen(row[4]),
            row[5],
            row[6],
            row[7],
            _EFFECTS[row[8]],
            row[9],
            _unorigin(row[10]),
            row[11],
            row[12],
        )
        for row in head["intents"]
    )
    calls = tuple(Call(verb, _unservice(service, realms), Life(*life), Life(*log)) for verb, service, life, log in head["calls"])
    services = tuple(_unservice(row, realms) for row in head["services"])
    logins = tuple(
        LoginIntent(change, kind, name, reason, staged, account, tuple((path, words) for path, words in copies))
        for change, kind, name, reason, staged, account, copies in head["logins"]
    )
    lives: dict[str, tuple[Life, Life]] | None = None
    done: set[int] = set()
    for line in lines[1:]:
        said = json.loads(line)
        if "lives" in said:
            lives = {name: (Life(*life), Life(*log)) for name, (life, log) in said["lives"].items()}
        else:
            done.update(said["done"])
    return Journal(head["id"], head["command"], intents, calls, services, lives, frozenset(done), logins)


class _Numbers:
    """Realms, each written once."""

    def __init__(self) -> None:
        self.rows: list[list[str | None]] = []
        self._known: dict[Realm, int] = {}

    def number(self, realm: Realm) -> int:
        if realm not in self._known:
            self._known[realm] = len(self.rows)
            self.rows.append([realm.account, realm.base])
        return self._known[realm]


def _seen(seen: Seen) -> list[Any]:
    return [seen.kind.value, *seen[1:]]


def _unseen(row: list[Any]) -> Seen:
    return Seen(_KINDS[row[0]], *row[1:])


def _origin(origin: Origin) -> list[Any]:
    return [origin.key, _mark(origin.mark)]


def _unorigin(row: list[Any]) -> Origin:
    return Origin(row[0], _unmark(row[1]))


_ServiceField = tuple[str, Callable[[Any], Any], Callable[[Any], Any]]
_SERVICE: tuple[_ServiceField, ...] = (
    ("ensure", lambda value: value.value, Ensure),
    ("on_change", lambda value: value.value, OnChange),
    ("origin", _origin, _unorigin),
    ("requires", list, tuple),
)
_PLAIN = ("id", "directory", "link", "logged", "log_directory", "enabled", "one_shot", "scans", "stop_seconds", "kill")
_LATER = {"check_as": None, "check_path": ""}
"""What a manifest of before does not tell, as it is then."""


def _service(service: ServiceTree, realms: _Numbers) -> dict[str, Any]:
    plain = {name: getattr(service, name) for name in (*_PLAIN, *_LATER)}
    shaped = {name: to(getattr(service, name)) for name, to, _ in _SERVICE}
    return {**plain, **shaped, "realm": realms.number(service.realm)}


def _unservice(row: dict[str, Any], realms: list[Realm]) -> ServiceTree:
    plain = {name: row[name] for name in _PLAIN} | {name: row.get(name, absent) for name, absent in _LATER.items()}
    shaped = {name: of(row[name]) for name, _, of in _SERVICE}
    return ServiceTree(**plain, **shaped, realm=realms[row["realm"]])


def _answer(answer: Answer, realms: _Numbers) -> dict[str, Any]:
    asks = answer.demands
    return {
        "question": answer.question,
        "asked": answer.asked,
        "salt": answer.salt,
        "digest": answer.digest,
        "beside": [[path, realms.number(realm), target] for path, realm, target in answer.beside],
        "demands": [asks.prefix, asks.tools, asks.folders, asks.hint],
        "ceilings": [[service, name, value, _origin(origin)] for service, name, value, origin in asks.ceilings],
        "called": [[program, _origin(origin)] for program, origin in asks.called],
        "warnings": [_problem(problem) for problem in answer.warnings],
        "purges": [[realms.number(each.realm), each.directories, each.definitions, _origin(each.origin)] for each in answer.purges],
    }


def _unanswer(row: dict[str, Any], realms: list[Realm]) -> Answer:
    prefix, tools, folders, hint = row["demands"]
    ceilings = tuple(Ceiling(service, name, value, _unorigin(origin)) for service, name, value, origin in row["ceilings"])
    called = tuple(Called(program, _unorigin(origin)) for program, origin in row["called"])
    return Answer(
        question=row["question"],
        asked=tuple((kind, name) for kind, name in row["asked"]),
        salt=row["salt"],
        digest=row["digest"],
        beside=tuple(Beside(path, realms[realm], target) for path, realm, target in row["beside"]),
        demands=Demands(prefix, tuple(tools), folders, hint, ceilings, called),
        warnings=tuple(_unproblem(problem) for problem in row["warnings"]),
        purges=tuple(
            Purge(realms[realm], tuple(directories), definitions, _unorigin(origin))
            for realm, directories, definitions, origin in row["purges"]
        ),
    )


def _problem(problem: Problem) -> list[Any]:
    return [problem.message, _mark(problem.mark), problem.key, problem.path, problem.hint]


def _unproblem(row: list[Any]) -> Problem:
    message, mark, *rest = row
    return Problem(message, _unmark(mark), *rest)


def _mark(mark: Mark | None) -> list[Any] | None:
    return [mark.file, mark.line, mark.column] if mark else None


def _unmark(row: list[Any] | None) -> Mark | None:
    return Mark(*row) if row else None


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _load(data: bytes) -> Any:
    found = json.loads(data)
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError("is of another version")
    return found
