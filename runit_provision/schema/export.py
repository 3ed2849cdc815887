"""JSON Schema (2020-12) of the data, for editors."""

from __future__ import annotations

from typing import Any

from runit_provision.schema.host_spec import HostSpec, UserSpec
from runit_provision.schema.shape import PREFIX


def export() -> dict[str, Any]:
    """Give the schema of a file that holds the hash under `runit`, or its keys as `runit::KEY`."""
    host = HostSpec.model_json_schema(mode="validation", ref_template="#/$defs/{model}")
    definitions = host.pop("$defs")
    properties = host["properties"]
    properties["users"] = {
        "description": properties["users"]["description"],
        "anyOf": [
            {"type": "array", "items": {"type": "string"}},
            {"type": "object", "additionalProperties": {"anyOf": [{"$ref": f"#/$defs/{UserSpec.__name__}"}, {"type": "null"}]}},
        ],
        "examples": [["apprun1", "apprun2"]],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "runit-provision",
        "type": "object",
        "properties": {PREFIX: {"$ref": "#/$defs/HostSpec"}, **{f"{PREFIX}::{key}": value for key, value in properties.items()}},
        "$defs": {**definitions, "HostSpec": host},
    }
