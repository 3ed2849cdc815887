"""What the JSON Schema says of a kind of values: its shape under a name of its own, or the shorter forms that it may have."""

from __future__ import annotations

from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema

NAMED = "x-named"
"""Marks, until `export` hoists it, a schema that goes among the definitions: its name, and the schema."""


class Kind:
    """The JSON Schema of values that pydantic cannot describe, defined once as `name`; `reference` stands for it in others."""

    def __init__(self, name: str, said: str, **schema: Any) -> None:
        self.reference = {NAMED: {"name": name, "schema": {"description": said, **schema}}}

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return dict(self.reference)


class Forms:
    """What pydantic describes, or one of `shorter` that means the same; defined once as `name`.

    names: what the keys of a hash are like. empty: whether nothing may stand behind a key.
    """

    def __init__(self, name: str, said: str, *shorter: dict[str, Any], names: Kind | None = None, empty: bool = False) -> None:
        self._name = name
        self._said = said
        self._shorter = shorter
        self._names = names
        self._empty = empty

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        found: dict[str, Any] = {**handler(core)}
        if self._names:
            found["propertyNames"] = self._names.reference
        if self._empty:
            found["additionalProperties"] = {"anyOf": [found["additionalProperties"], {"type": "null"}]}
        if self._shorter:
            found = {"anyOf": [*self._shorter, found]}
        return Kind(self._name, self._said, **found).reference


def reference(name: str) -> dict[str, Any]:
    """Give what stands for the definition `name`, which is made elsewhere."""
    return {NAMED: {"name": name}}


def hoist(schema: Any, definitions: dict[str, Any]) -> Any:
    """Give `schema` with a reference for each schema that has a name, which goes into `definitions`."""
    if isinstance(schema, list):
        return [hoist(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: hoist(value, definitions) for key, value in schema.items() if key != NAMED}
    if NAMED in schema:
        name = schema[NAMED]["name"]
        if "schema" in schema[NAMED]:
            definitions[name] = hoist(schema[NAMED]["schema"], definitions)
        return {"$ref": f"#/$defs/{name}", **found}
    return found


_NUMBER = {"type": "integer", "minimum": 0}


def _numbers(pattern: str) -> dict[str, Any]:
    """Give the JSON Schema of what is a number, or such a one as text."""
    return {"anyOf": [_NUMBER, {"type": "string", "pattern": pattern}]}


SIGNALS = ("hup", "alarm", "interrupt", "quit", "term", "kill")
"""Signals, by the names that sv has for them."""
_NUMBERED = ("1", "2", 1, 2)

TEXT = Kind(
    "Text",
    "Text; a whole number is taken when it is written as it is printed: 8080, but not 0644 or 12:30.",
    type=["string", "integer"],
)
SECRET = Kind("Secret", "Text that may be a secret: then no log, plan or world-readable file shows it.", type=["string", "integer"])
LINE = Kind(
    "Line",
    "One line of text that is not empty.",
    anyOf=[{"type": "integer"}, {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]*\S[^\x00-\x1f\x7f]*$"}],
)
ADDRESS = Kind(
    "Address",
    "Whom mail goes to.",
    anyOf=[_NUMBER, {"type": "string", "pattern": r"^(?!-)[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$"}],
)
COMMENT = Kind("Comment", "A full name, as passwd can hold it.", type="string", pattern=r"^[^:\x00-\x1f\x7f]*$")
LINES = Kind("Lines", "One line, or several.", anyOf=[LINE.reference, {"type": "array", "items": LINE.reference}])
NAME = Kind(
    "Name",
    "The name of a service or a user: one directory's name that runsvdir starts and that `sv` takes as a name.",
    type="string",
    pattern=r"^(?![.-])[^/\x00-\x1f\x7f]{1,200}$",
)
ABSOLUTE = Kind(
    "Absolutepath", "An absolute path that does not lead upwards.", type="string", pattern=r"^/(?!(.*/)?\.\.(/|$))[^\x00-\x1f\x7f]*$"
)
RELATIVE = Kind(
    "Relativepath",
    "A path within a service directory.",
    type="string",
    pattern=r"^(?!(.*/)?\.\.(/|$))[^/\x00-\x1f\x7f][^\x00-\x1f\x7f]*$",
)
URL = Kind("Url", "A URL of http or https.", type="string", pattern=r"^https?://[^\x00-\x20\x7f]+$")
SCRIPT = Kind("Shebang", "The text of a whole script, its shebang included.", type="string", pattern=r"^#! ?/\S")
SIZE = Kind("Size", "Bytes: a number, or one with k, m, g or t (powers of 1024).", **_numbers(r"^[0-9]{1,18}\s*[kmgtKMGT]?$"))
SPAN = Kind("Span", "Seconds: a number, or one with s, m, h, d or w.", **_numbers(r"^[0-9]{1,18}\s*[smhdwSMHDW]?$"))
_ONE_DIGIT = {"type": "integer", "minimum": 0, "maximum": 7}
"""The same in every base; a longer number is decimal to one reader of YAML and octal to another."""
MODE = Kind(
    "Mode", 'A file\'s mode in octal, quoted: "0755".', anyOf=[_ONE_DIGIT, {"type": "string", "pattern": "^([0-7]{3,4}|0[0-7]{4})$"}]
)
UMASK = Kind("Umask", 'A mask of modes in octal, quoted: "027".', anyOf=[_ONE_DIGIT, {"type": "string", "pattern": "^0?[0-7]{1,3}$"}])
SIGNAL = Kind("Signal", "A signal, by the name that sv has for it.", enum=[*SIGNALS, *_NUMBERED])
VERB = Kind("Verb", "What another service is told: `restart`, or a word of sv.", enum=["restart", "up", "down", *SIGNALS, *_NUMBERED])
WORDS = Kind("Words", "A program and its arguments: each arrives as it stands here.", type="array", items=TEXT.reference, minItems=1)
COMMAND = Kind(
    "Command",
    "What runs: a list is a program and its arguments, a string a line that the shell reads.",
    anyOf=[{"type": "string", "pattern": r"\S"}, WORDS.reference],
)
ENV = Kind(
    "Env",
    "Environment variables; null unsets one.",
    type="object",
    propertyNames={"pattern": r"^[^=/.\x00-\x1f\x7f][^=/\x00-\x1f\x7f]*$"},
    additionalProperties={"anyOf": [SECRET.reference, {"type": "null"}]},
)
VALUES = Kind(
    "Values",
    "What a template is given, by name.",
    type="object",
    propertyNames={"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    additionalProperties={},
)
