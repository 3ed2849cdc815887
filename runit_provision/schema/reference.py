"""The page that tells people of every key: written from the JSON Schema, so that both say the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import indent
from typing import Any

import yaml

Schema = dict[str, Any]

_TITLES = {"HostSpec": "The hash `runit`", "UserSpec": "A user", "ServiceSpec": "A service"}
_FIRST = ("HostSpec", "UserSpec", "ServiceSpec", "LogSpec")
_HEAD = """# Every key

`runit-provision schema --markdown` writes this page, `runit-provision schema` the JSON Schema with which an editor completes the data.
A key that is null is as if it were not there; in a service it also takes away what the defaults say.
"""


def page(schema: Schema) -> str:
    """Give the page in Markdown."""
    definitions: dict[str, Schema] = schema["$defs"]
    hashes = [name for name, definition in definitions.items() if "properties" in definition]
    order = [*_FIRST, *sorted(name for name in hashes if name not in _FIRST)]
    parts = [part for name in order for part in _section(name, definitions)]
    return "\n".join([_HEAD, *parts, "## Kinds of values\n", *_kinds(definitions)]) + "\n"


def _section(name: str, definitions: dict[str, Schema]) -> Iterator[str]:
    definition = definitions[name]
    plain = name.removesuffix("Spec")
    yield f'<a id="{name.lower()}"></a>\n\n## {_TITLES.get(name, plain)}\n\n{definition["description"]}\n'
    for key, shape in definition["properties"].items():
        default = (
            f", default `{json.dumps(shape['default'], ensure_ascii=False)}`" if shape.get("default") not in (None, {}, []) else ""
        )
        needed = ", needed" if key in definition.get("required", ()) else ""
        examples = [_yaml(key, example) for example in shape["examples"]]
        short = "".join(f"<br>`{example}`" for example in examples if "\n" not in example)
        yield f"- `{key}` ({_type(shape)}{needed}{default}): {shape['description']}{short}"
        yield from (f"\n  ```yaml\n{indent(example, '  ')}\n  ```\n" for example in examples if "\n" in example)
    yield ""


def _kinds(definitions: dict[str, Schema]) -> Iterator[str]:
    for name, definition in definitions.items():
        if "properties" not in definition:
            yield f'<a id="{name.lower()}"></a>**{name}**: {definition["description"]} ({_type(definition)})\n'


def _type(shape: Schema) -> str:
    match shape:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            return f"[{name.removesuffix('Spec')}](#{name.lower()})"
        case {"anyOf": several}:
            return " or ".join(dict.fromkeys(_type(one) for one in several if one != {"type": "null"}))
        case {"enum": values}:
            return ", ".join(dict.fromkeys(f"`{value}`" for value in values))
        case {"type": "array", "items": items}:
            return f"list of {_type(items)}"
        case {"additionalProperties": values}:
            return f"hash of {_type(values)}" if values else "hash"
        case {"pattern": pattern}:
            return f"text like `{pattern}`"
        case {"type": "integer"}:
            bounds = [f"{word} {shape[key]}" for key, word in (("minimum", "at least"), ("maximum", "at most")) if key in shape]
            return " ".join(["number", *bounds])
        case {"type": "boolean"}:
            return "`true`, `false`"
        case {"type": kind}:
            return " or ".join(kind) if isinstance(kind, list) else str(kind)
    raise AssertionError(f"no words are known for {shape}")


class _Dumper(yaml.SafeDumper):
    """Writes as people do: lists within a line, texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style="|" if "\n" in value else None)


_Dumper.add_representer(str, _text)


def _yaml(key: str, value: Any) -> str:
    """Give the lines that say it, without those braces that a person would leave out."""
    text = yaml.dump({key: value}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120, default_flow_style=None)
    return str(text).removesuffix("\n").removeprefix("{").removesuffix("}" if text.startswith("{") else "")
