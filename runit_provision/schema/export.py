"""JSON Schema (2020-12) of the data, for editors."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from runit_provision.schema.base import Spec
from runit_provision.schema.described import descriptions
from runit_provision.schema.host_spec import HostSpec
from runit_provision.schema.json_kinds import hoist
from runit_provision.schema.shape import PREFIX

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NULL = {"type": "null"}


class _Generator(GenerateJsonSchema):
    """Gives no titles: they would only repeat the keys."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 -- pydantic's name
        return False


def export() -> dict[str, Any]:
    """Give the schema of a file that holds the hash under `runit`, or its keys as `runit::KEY`."""
    host = HostSpec.model_json_schema(ref_template="#/$defs/{model}", schema_generator=_Generator)
    models = {**host.pop("$defs"), HostSpec.__name__: host}
    for model in Spec.__subclasses__():
        _describe(models[model.__name__], model)
    kinds: dict[str, Any] = {}
    definitions = {**hoist(models, kinds), **kinds}
    keys = definitions[HostSpec.__name__]["properties"]
    return {
        "$schema": DIALECT,
        "title": "runit-provision",
        "type": "object",
        "properties": {PREFIX: {"$ref": f"#/$defs/{HostSpec.__name__}"}, **{f"{PREFIX}::{key}": value for key, value in keys.items()}},
        "$defs": dict(sorted(definitions.items())),
    }


def _describe(definition: dict[str, Any], model: type[Spec]) -> None:
    """Say of each key what it means, and give examples."""
    del definition["title"]
    for key, said in descriptions(model).items():
        shape = definition["properties"][key]
        if shape.get("default", ...) is None:
            del shape["default"]
        if key not in definition.get("required", ()) and "maxProperties" not in definition:
            shape = _or_null(shape)
        definition["properties"][key] = {"description": said.text, **shape, "examples": list(said.examples)}


def _or_null(shape: dict[str, Any]) -> dict[str, Any]:
    """Give the schema of a key that may be null, which is as if it were not there."""
    default = {"default": shape.pop("default")} if "default" in shape else {}
    several = shape["anyOf"] if list(shape) == ["anyOf"] else [shape]
    return {"anyOf": [*several, *([] if _NULL in several else [_NULL])], **default}
