"""The parts of the Puppet module that only repeat what the data's keys are: type aliases, and the parameters of class and defines.

They are made of the JSON Schema; a test holds them equal, and writes them with GOLDEN=write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from runit_provision.host.inits.detect import NAMES
from runit_provision.schema import json_schema

Schema = dict[str, Any]

_MODELS = {"HostSpec": "Data", "UserSpec": "Data::User", "ServiceSpec": "Data::Service"}
_MANIFESTS = {"init.pp": "HostSpec", "user.pp": "UserSpec", "service.pp": "ServiceSpec", "user/service.pp": "ServiceSpec"}
_NESTED = "Hash[Runit::Name, Optional[Hash[String[1], Any]]]"
_WITH_SERVICES = {"services": _NESTED, "instances": f"Variant[Array[Runit::Name], {_NESTED}]"}
"""What holds services in a service: Puppet's catalogue compiler finds no end in a type that holds itself."""
_ELSEWHERE = {"before": "before_lines", "title": "process_title"}
"""Keys whose names Puppet takes itself, and what the parameters are called in their place."""


def generated(module: Path) -> dict[Path, str]:
    """Give the text of each file below `module` that is made of the schema."""
    definitions = json_schema()["$defs"]
    aliases = Aliases(definitions)
    files = dict(aliases.files())
    files[Path("types/init.pp")] = f"# @summary An init that `runit-provision init link` knows.\ntype Runit::Init = {_enum([*NAMES])}\n"
    for manifest, definition in _MANIFESTS.items():
        path = Path("manifests") / manifest
        files[path] = _manifest((module / path).read_text(), aliases, definitions[definition], path)
    return files


class Aliases:
    """Writes schemas as Puppet's types."""

    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions

    def files(self) -> Iterator[tuple[Path, str]]:
        """Give the file of each alias; a hash that has a shorter form too is written in that form's."""
        for name, definition in self._definitions.items():
            if name.removesuffix("Spec") == name or name.removesuffix("Spec") not in self._definitions:
                alias = _alias(name)
                path = Path("types", *alias.lower().split("::")).with_suffix(".pp")
                yield path, f"# @summary {definition['description']}\ntype Runit::{alias} = {self._type(definition, name)}\n"

    def of(self, schema: Schema) -> str:
        """Give the type of what stands in a key."""
        if "$ref" not in schema:
            return self._type(schema)
        name = schema["$ref"].rpartition("/")[2]
        plain = name.removesuffix("Spec")
        if plain != name and plain in self._definitions:
            return self._type(self._definitions[name])
        return f"Runit::{_alias(name)}"

    def _type(self, schema: Schema, name: str = "") -> str:
        match schema:
            case {"anyOf": several}:
                return self._any(several, name)
            case {"enum": values}:
                return _any_of([_enum(values), *(f"Integer[{value}, {value}]" for value in values if isinstance(value, int))])
            case {"type": [*several]}:
                return self._any([{**schema, "type": one} for one in several], name)
            case {"pattern": pattern}:
                return f"Pattern[/{_ruby(pattern)}/]"
            case {"type": "boolean"}:
                return "Boolean"
            case {"type": "string"}:
                return "String"
            case {"type": "integer"}:
                bounds = [str(schema[key]) for key in ("minimum", "maximum") if key in schema]
                return f"Integer[{', '.join(bounds)}]" if bounds else "Integer"
            case {"type": "array", "items": items}:
                least = f", {schema['minItems']}" if "minItems" in schema else ""
                return f"Array[{self.of(items)}{least}]"
            case {"properties": properties, "maxProperties": 1}:
                return _several([f"Struct[{{ '{key}' => {self.of(_given(shape))} }}]" for key, shape in properties.items()])
            case {"properties": properties}:
                return self._struct(properties, schema.get("required", ()))
            case {"additionalProperties": values}:
                return f"Hash[{self.of(schema['propertyNames'])}, {self.of(values) if values else 'Any'}]"
        raise AssertionError(f"no Puppet type is known for {schema}")

    def _any(self, several: list[Schema], name: str) -> str:
        types = [self.of(one) for one in several if one != {"type": "null"}]
        if name == "Secret":
            types += ["Sensitive[Variant[String, Integer, Deferred]]", "Deferred"]
        found = _several(types) if any("\n" in one for one in types) else _any_of(types)
        return f"Optional[{found}]" if {"type": "null"} in several else found

    def _struct(self, properties: dict[str, Schema], required: list[str]) -> str:
        lines = []
        for key, shape in properties.items():
            inner = self.of(_given(shape))
            if "instances" in properties:
                inner = _WITH_SERVICES.get(key, inner)
            if {"type": "null"} in shape.get("anyOf", ()) and not inner.startswith("Optional["):
                inner = f"Optional[{inner}]"
            name = f"'{key}'" if key in required else f"Optional['{key}']"
            lines.append(f"  {name} => {inner},\n")
        return f"Struct[{{\n{''.join(lines)}}}]"


def _alias(name: str) -> str:
    return _MODELS.get(name, name.removesuffix("Spec"))


def _given(shape: Schema) -> Schema:
    """Take off that a key may be null: a parameter that is not given is not in the data."""
    several = [one for one in shape.get("anyOf", ()) if one != {"type": "null"}]
    return several[0] if len(several) == 1 else shape


def _any_of(types: list[str]) -> str:
    return types[0] if len(types) == 1 else f"Variant[{', '.join(types)}]"


def _several(types: list[str]) -> str:
    lines = [f"  {one},\n".replace("\n", "\n  ").rstrip(" ") for one in types]
    return f"Variant[\n{''.join(lines)}]"


def _enum(values: list[Any]) -> str:
    return "Enum[" + ", ".join(f"'{value}'" for value in values if isinstance(value, str)) + "]"


def _ruby(pattern: str) -> str:
    """Give a pattern in Ruby's words, in which ^ and $ are the ends of a line."""
    return re.sub(r"(?<![\[\\])\^", r"\\A", pattern).replace("$", r"\z").replace("/", r"\/")


_MANIFEST = re.compile(
    r"(?P<head>.*?)(?P<said># @param .*?)(?P<start>#\n(?:class|define) [\w:]+ \(\n)(?P<parameters>.*?)(?P<end>\) \{\n.*)",
    re.DOTALL,
)


def _manifest(text: str, aliases: Aliases, definition: Schema, path: Path) -> str:
    """Give a manifest with its parameters as the schema has them; those that it has besides stay, and come first."""
    whole = _MANIFEST.fullmatch(text)
    assert whole, path
    keys = {key: shape for key, shape in definition["properties"].items() if (path.parent.name, key) != ("user", "user")}
    names = {key: key if path.name == "init.pp" else _ELSEWHERE.get(key, key) for key in keys}
    known = set(names.values())
    own_said = [block for block in re.findall(r"# @param .*?\n#\n", whole["said"], re.DOTALL) if block.split()[2] not in known]
    said = [_documented(names[key], key, shape) for key, shape in keys.items()]
    rows = [row for row in re.findall(r" *(.+?) +\$(\w+)(?: *= (.+))?,\n", whole["parameters"]) if row[1] not in known]
    rows += [(f"Optional[{aliases.of(_given(shape))}]", names[key], "undef") for key, shape in keys.items()]
    return "".join((whole["head"], *own_said, *said, whole["start"], *_listed(rows), whole["end"]))


def _documented(name: str, key: str, shape: Schema) -> str:
    elsewhere = f" In the data this is `{key}`." if name != key else ""
    return f"# @param {name}\n#   {shape['description']}{elsewhere}\n#\n"


def _listed(rows: list[tuple[str, str, str]]) -> Iterator[str]:
    """Give the lines of a parameter list, in columns."""
    kinds, names = max(len(kind) for kind, _, _ in rows), max(len(name) for _, name, _ in rows)
    for kind, name, default in rows:
        yield f"  {kind:{kinds}} ${f'{name:{names}} = {default}' if default else name},\n"
