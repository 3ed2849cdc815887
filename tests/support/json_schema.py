"""As much of JSON Schema as the plan's schema uses: says where a value is not as a schema has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "boolean": bool,
    "null": type(None),
}
_KNOWN = {"$schema", "title", "description", "type", "properties", "required", "items", "anyOf", "enum", "const", "pattern", "minimum"}


def faults(value: Any, schema: Mapping[str, Any], at: str = "$") -> Iterator[str]:
    """Give what is wrong with `value`; a key that the schema does not describe is wrong too."""
    assert set(schema) <= _KNOWN, f"not known here: {set(schema) - _KNOWN}"
    if "anyOf" in schema:
        if all(any(faults(value, option, at)) for option in schema["anyOf"]):
            yield f"{at}: {value!r} is none of what it may be"
        return
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        yield f"{at}: {value!r} is not of type {kind}"
        return
    if ("const" in schema and value != schema["const"]) or ("enum" in schema and value not in schema["enum"]):
        yield f"{at}: {value!r} is no value for it"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: {value!r} does not match {schema['pattern']}"
    if "minimum" in schema and value < schema["minimum"]:
        yield f"{at}: {value!r} is too small"
    if kind == "object":
        yield from (f"{at}.{name}: missing" for name in schema["required"] if name not in value)
        yield from (f"{at}.{name}: not described" for name in value if name not in schema["properties"])
        for name, item in value.items():
            yield from faults(item, schema["properties"].get(name, {}), f"{at}.{name}")
    if kind == "array":
        for index, item in enumerate(value):
            yield from faults(item, schema["items"], f"{at}[{index}]")
