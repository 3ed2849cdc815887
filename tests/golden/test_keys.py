"""Every key of the data, those within other keys too, is in a tree that is kept whole: COVERAGE.md names them.

Accounts are in no tree: for them it names a test that makes some. Run as a program, this prints the same rows with the tests in which
services with that key run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from support.agreement import agree
from support.plain import plain
from support.world import example, examples

from runit_provision.schema import json_schema

HERE = Path(__file__).parent
TESTS = HERE.parent
SCHEMA = json_schema()
RUN = ("processes/rendered", "processes/apply", "processes/cli", "hosts/recipes", "hosts/puppet")
ACCOUNTS = "processes/apply/test_logins.py"
Key = tuple[str, str]
"""The part of the data (`ServiceSpec`) and its key."""


def keys_of(value: Any, schema: dict[str, Any], part: str = "") -> Iterator[Key]:
    """Give every key that `value` has, in all its parts, as `schema` reads them."""
    if reference := schema.get("$ref"):
        part = reference.rpartition("/")[2]
        yield from keys_of(value, SCHEMA["$defs"][part], part)
    for choice in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
        if Draft202012Validator({**choice, "$defs": SCHEMA["$defs"]}).is_valid(value):
            yield from keys_of(value, choice, part)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            yield from keys_of(item, schema["items"], part)
    if isinstance(value, dict):
        known = schema.get("properties", {})
        others = schema.get("additionalProperties")
        for key, item in value.items():
            if key in known:
                yield part, key
                yield from keys_of(item, known[key], part)
            elif isinstance(others, dict):
                yield from keys_of(item, others, part)


def shown() -> dict[Key, list[str]]:
    """Give the trees that are kept, by the keys that their data have."""
    trees = {file.parent.name: yaml.safe_load(file.read_text()) for file in sorted(HERE.glob("cases/*/data.yaml"))}
    for file in sorted((examples() / "facts").iterdir()):
        trees[f"examples/{file.stem}"] = {"runit": plain(example(file.stem).resolve().data)}
    found: dict[Key, list[str]] = {}
    for name, data in trees.items():
        for part, key in dict.fromkeys(keys_of(data, SCHEMA)):
            found.setdefault((part or "HostSpec", key.removeprefix("runit::")), []).append(name)
    return found


def every() -> list[Key]:
    """Give all keys that there are."""
    return [(part, key) for part, spec in SCHEMA["$defs"].items() for key in spec.get("properties", ())]


def running(key: str) -> list[str]:
    """Give the tests of services that run which speak of `key`."""
    word = re.compile(rf"""(["'{{ ]){key}(["']:|: )""")
    files = (file for folder in RUN for file in sorted(TESTS.glob(f"{folder}/test_*.py")))
    return [file.relative_to(TESTS).as_posix() for file in files if word.search(file.read_text())]


def table(*, tests: bool = False) -> str:
    """Give a row for each key: the part of the data, trees that show it, and tests when they are asked for."""
    trees = shown()
    head = "| part | key | trees |" + " tests |" * tests
    rows = ["# Which tree shows which key\n", head, "| --- " * head.count(" |") + "|"]
    for part, key in every():
        where = ACCOUNTS if part in ("GroupSpec", "ManageSpec") or (key in ("groups", "manage") and (part, key) not in trees) else ""
        cells = [part.removesuffix("Spec").lower(), f"`{key}`", where or ", ".join(trees.get((part, key), [])[:3]) or "-"]
        rows.append(f"| {' | '.join([*cells, ', '.join(running(key)[:3]) or '-'] if tests else cells)} |")
    return "\n".join(rows) + "\n"


def test_every_key_is_in_a_tree_that_is_kept() -> None:
    assert [line for line in table().splitlines() if line.endswith("| - |")] == []
    made = (TESTS / ACCOUNTS).read_text()
    of_accounts = [*SCHEMA["$defs"]["ManageSpec"]["properties"], *SCHEMA["$defs"]["GroupSpec"]["properties"], "manage"]
    assert [key for key in of_accounts if f"{key}: " not in made] == []


def test_the_page_names_them() -> None:
    agree(HERE / "COVERAGE.md", table())


if __name__ == "__main__":
    print(table(tests=True), end="")
