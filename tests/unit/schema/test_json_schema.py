"""The JSON Schema that editors complete the data with, and the page that is written from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.agreement import agree
from support.plain import plain
from support.world import example, examples, host_of

from runit_provision import schema
from runit_provision.errors import DataError

ROOT = Path(__file__).parents[3]
EXPORTED = schema.json_schema()
VALIDATOR = Draft202012Validator(EXPORTED)
CASES = sorted((ROOT / "tests/golden/cases").glob("*/data.yaml"))
PARTS = {name: part for name, part in EXPORTED["$defs"].items() if "properties" in part}
KEYS = [(name, key) for name, part in PARTS.items() for key in part["properties"]]


def complaints(data: Any, definition: str = "") -> list[str]:
    """Give what a validator of others says against `data`."""
    whole = VALIDATOR.evolve(schema={**EXPORTED, "$ref": f"#/$defs/{definition}"}) if definition else VALIDATOR
    return [f"{list(error.path)}: {error.message}" for error in whole.iter_errors(data)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(EXPORTED)
    assert EXPORTED["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("part", "key"), KEYS)
def test_every_key_is_described_and_its_examples_are_right(part: str, key: str) -> None:
    shape = PARTS[part]["properties"][key]
    assert shape["description"].endswith(".")
    assert shape["examples"]
    for value in shape["examples"]:
        needed = {"path": "/run/lock/x"} if part == "LockSpec" else {"address": "10.0.0.1"} if part == "RemoteSpec" else {}
        assert complaints({**needed, key: value}, part) == []


SERVICES = {name: {"command": ["prog"]} for name in ("db", "web", "nginx", "cache", "sorry", "postgresql")}
AROUND: dict[tuple[str, str], dict[str, Any]] = {
    ("HostSpec", "levels"): {"level": "default"},
    ("HostSpec", "level"): {"levels": {"failover": ["web"]}},
    ("UserSpec", "logdir"): {"basedir": "/srv"},
}
"""What has to be said beside a key."""
NEEDS_A_HOST = {"group", "groups", "user", "owner", "template", "source", "run", "files", "delegate", "type"}
"""Keys whose examples name accounts or files that only a real host has, or need another key."""


def whole(part: str, key: str, value: Any) -> dict[str, Any]:
    """Give data of a host in which `key` of `part` has the value of an example."""
    around = AROUND.get((part, key), {})
    if part == "HostSpec":
        return {"services": SERVICES, **around, key: value}
    if part == "UserSpec":
        return {"users": {"apprun1": {**around, key: value}}}
    program = {} if key in ("command", "services") else {"command": ["prog"]}
    worker = {**program, key: value} if part == "ServiceSpec" else {**program, "log": {key: value}}
    return {"services": {**SERVICES, "worker": worker}, "users": {"apprun2": {"services": {"cache": {"command": ["prog"]}}}}}


@pytest.mark.parametrize(
    ("part", "key"),
    [(part, key) for part, key in KEYS if part in ("HostSpec", "UserSpec", "ServiceSpec", "LogSpec") and key not in NEEDS_A_HOST],
)
def test_the_tool_takes_what_the_examples_say(part: str, key: str) -> None:
    for value in PARTS[part]["properties"][key]["examples"]:
        host_of(whole(part, key, value))


@pytest.mark.parametrize("file", CASES, ids=lambda path: path.parent.name)
def test_it_accepts_what_the_tool_accepts(file: Path) -> None:
    assert complaints(yaml.safe_load(file.read_text())) == []


@pytest.mark.parametrize("node", sorted(file.stem for file in (examples() / "facts").iterdir()))
def test_it_accepts_the_examples(node: str) -> None:
    assert complaints({"runit": plain(example(node).resolve().data)}) == []


@pytest.mark.parametrize("name", ["unknown_keys", "wrong_types", "names", "scripts"])
def test_it_refuses_much_of_what_the_tool_refuses(name: str) -> None:
    text = (ROOT / f"tests/golden/refusals/{name}.yaml").read_text()
    assert complaints(yaml.safe_load(text))


def test_no_part_takes_an_unknown_key() -> None:
    assert len(PARTS) > 10
    assert [name for name, part in PARTS.items() if part.get("additionalProperties") is not False] == []


def test_it_speaks_of_the_hash_and_of_the_names_of_automatic_binding() -> None:
    properties = EXPORTED["properties"]
    assert properties["runit"] == {"$ref": "#/$defs/HostSpec"}
    assert properties["runit::users"]["examples"][0] == ["apprun1", "apprun2"]


def test_the_page_of_all_keys_is_the_one_that_the_tool_writes() -> None:
    agree(ROOT / "hiera-examples/KEYS.md", schema.reference())


def test_an_unknown_definition_would_be_noticed() -> None:
    with pytest.raises(DataError):
        host_of({"services": {"worker": {"command": ["prog"], "stop": "sometimes"}}})
    assert complaints({"stop": "sometimes"}, "ServiceSpec")
