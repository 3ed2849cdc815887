"""The JSON Schema that editors complete the data with."""

from __future__ import annotations

from typing import Any

from runit_provision import schema


def described(definition: dict[str, Any]) -> dict[str, bool]:
    return {key: bool(value.get("description")) for key, value in definition.get("properties", {}).items()}


def test_every_key_of_every_part_is_described() -> None:
    exported = schema.json_schema()
    missing = [f"{name}.{key}" for name, part in exported["$defs"].items() for key, said in described(part).items() if not said]
    assert missing == []
    assert exported["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_no_part_takes_an_unknown_key() -> None:
    parts = {name: part for name, part in schema.json_schema()["$defs"].items() if "properties" in part}
    assert len(parts) > 10
    assert [name for name, part in parts.items() if part.get("additionalProperties") is not False] == []


def test_it_speaks_of_the_hash_and_of_the_names_of_automatic_binding() -> None:
    properties = schema.json_schema()["properties"]
    assert properties["runit"] == {"$ref": "#/$defs/HostSpec"}
    assert properties["runit::users"]["examples"][0] == ["apprun1", "apprun2"]
