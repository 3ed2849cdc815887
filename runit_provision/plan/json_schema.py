"""JSON Schema (2020-12) of what `plan` and `check` print with `--format json`: version 1, to which keys may be added."""

from __future__ import annotations

from typing import Any

from runit_provision.model.plan import Change, Found, Verb
from runit_provision.model.tree import Ensure

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_TRUTH = {"type": "boolean"}


def _hash(description: str, **properties: Any) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": properties, "required": list(properties)}


def _list(of: dict[str, Any], description: str) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": of}


def _maybe(of: dict[str, Any], description: str) -> dict[str, Any]:
    return {"description": description, "anyOf": [of, {"type": "null"}]}


def _said(description: str) -> dict[str, Any]:
    return {**_TEXT, "description": description}


_MODE = {**_TEXT, "pattern": "^[0-7]{4}$", "description": "permission bits, octal"}
_OWNED = {"mode": _MODE, "uid": {"type": "integer"}, "gid": {"type": "integer"}}
_DIGEST = _maybe(
    {**_TEXT, "pattern": "^([0-9a-f]{64})?$"},
    "SHA-256; null of a secret, and of what is there and not for everybody to read; empty for one that its size told apart",
)
_SEEN = {
    "anyOf": [
        _hash("a regular file", kind={"const": "file"}, **_OWNED, size=_COUNT, digest=_DIGEST),
        _hash("a symbolic link", kind={"const": "link"}, target=_said("where it leads, as stored")),
        _hash("a directory, or a fifo, socket or device", kind={"enum": ["directory", "other"]}, **_OWNED),
    ]
}
_PATH = _hash(
    "one path that is made, replaced or removed",
    change={"enum": [change.name.lower() for change in Change]},
    path=_said("absolute path on the host, or in the image"),
    reason=_said("what is different, in words"),
    key=_said("dotted key of the data that asks for it; the service for what goes"),
    file=_maybe(_TEXT, "file of the data in which that key stands"),
    line=_maybe({"type": "integer", "minimum": 1}, "its line"),
    found={"enum": [found.value for found in Found], "description": "whose work lies there now"},
    account=_maybe(_TEXT, "whose hands do it; null for those of who applies"),
    service=_said("id of the service that it belongs to, or empty"),
    before=_maybe(_SEEN, "what is there; null for nothing"),
    after=_maybe(_SEEN, "what it becomes; null for nothing"),
)
_LOGIN = _hash(
    "a group, an account or a home that is made, or made as the data say; a home that a rollback removes",
    change={"enum": [change.name.lower() for change in Change]},
    kind={"enum": ["group", "account", "home"]},
    name=_said("its name; of a home its path"),
    reason=_said("what is different, in words"),
    key=_said("dotted key of the data that asks for it"),
)
_SERVICE = _hash(
    "what happens to one service; `leave` where nothing does though its files change",
    service=_said("its id: name, user/name, user/parent/name"),
    verb={"enum": [verb.value for verb in Verb]},
    reason=_said("why"),
)
_WORD = {"enum": ["up", "finish", "down", "not supervised"]}
_STATE = _hash(
    "one service: what the data want, how it is, and what is not so",
    service=_said("its id"),
    key=_said("dotted key of the data that asks for it"),
    ensure={"enum": [ensure.value for ensure in Ensure], "description": "what the data want"},
    gone={**_TRUTH, "description": "the data know it no more"},
    made={**_TRUTH, "description": "an apply has made it here"},
    state={**_WORD, "description": "how it is"},
    want=_maybe({"enum": ["up", "down"]}, "what its supervisor was told last; null for one that is not supervised"),
    pid=_maybe({"type": "integer", "minimum": 1}, "its process, of run or finish"),
    since=_maybe({"type": "number"}, "Unix time of its last start or going down; null for one that is not supervised"),
    log=_maybe(_WORD, "how its log service is; null for none"),
    log_directory=_maybe(_TEXT, "where svlogd writes its log; null where none does"),
    gave_up={**_TRUTH, "description": "it is down because it ended more often than `restart` forgives"},
    drift={**_TRUTH, "description": "apply would do something"},
    reasons=_list(_TEXT, "what it would do, and why: paths as seen from the service directory, then what happens to the process"),
    left=_maybe(_TEXT, "why nothing happens to the process though something could: it gave up, or on_change says so"),
    problems=_list(_TEXT, "what keeps anything from being done"),
)


def json_schema() -> dict[str, Any]:
    """Give the schema."""
    plan = _hash(
        "What apply would do, in the order in which it does it.",
        version={"const": 1},
        empty={**_TRUTH, "description": "there is nothing to do"},
        resumes={**_TRUTH, "description": "an earlier apply was killed, and this one completes it"},
        logins=_list(_LOGIN, "accounts, groups and homes that are made, or made good, before all else"),
        paths=_list(_PATH, "every path that changes"),
        services=_list(_SERVICE, "every service that is stopped, started, restarted, signalled, or left although its files change"),
        states=_list(
            _STATE, "every service that the data know or that is to go, by name, whether or not anything is to be done about it"
        ),
        leftovers=_list(_TEXT, "half-made paths of an apply that was killed, which go"),
        problems=_list(_TEXT, "what keeps a part of it from being done"),
        summary=_hash("counts", text=_said("all of it in one line"), unchanged=_COUNT),
        runtime=_maybe(_TEXT, "the prefix under which the shipped runtime is to be laid first"),
        notes=_list(_TEXT, "what a rollback cannot bring back or take away"),
        warnings=_list(_TEXT, "what is odd, but keeps nothing from being done; another apply that is at work is one"),
        root=_said("the folder of the image that it is about, or /"),
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "plan of runit-provision", **plan}
