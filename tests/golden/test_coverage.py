"""COVERAGE.md: every key of the data, every service of the examples and every refusal, each with what shows it.

Keys and services have tests in which services run, by the tests' marks `shows`. `GOLDEN=write` writes the page, to be read before it is
committed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from support.agreement import agree
from support.marks import marks
from support.plain import plain
from support.refusals import CASES
from support.world import example, examples

from runit_provision.schema import json_schema

HERE = Path(__file__).parent
SCHEMA = json_schema()
WHERE = ["processes/rendered", "processes/apply", "processes/cli", "processes/demo", "hosts/recipes", "hosts/puppet"]
HEAD = """# What the data can say, and what shows it

Written by `GOLDEN=write pytest tests/golden/test_coverage.py`. *Trees* are cases of tests/golden that are kept whole, three at most;
*run* are tests below tests/, by their marks `shows`, in which what the key promises is seen, mostly of services that run. A key
without such a test fails.
"""
TABLES = {
    "The host": ("HostSpec", "GroupSpec"),
    "A user": ("UserSpec", "ManageSpec"),
    "What runs": ("command", "run", "before", "one_shot", "instances", "services", "ScriptSpec"),
    "The state of a process": (
        *("user", "group", "groups", "env", "env_directories", "home", "directory", "chroot", "umask", "nice", "limits", "lock"),
        *("session", "close", "argv0", "stderr", "LimitsSpec", "LockSpec"),
    ),
    "The end of life": (
        *("finish", "restart", "restart_interval", "restart_count", "clear_interval", "max_delay", "kill_orphans", "stop"),
        *("FinishSpec", "MailSpec", "RestartSpec", "StopSpec"),
    ),
    "Health": ("check", "ready", "CheckSpec", "ProbeSpec"),
    "Control": ("control", "control_from", "delegate", "DelegateSpec"),
    "Order": ("requires", "requires_timeout", "notifies"),
    "Log": (*("log", "log_size", "log_max_files", "log_min_files", "log_rotate_time", "timestamp", "logdir", "LogSpec", "RemoteSpec"),),
    "Files": ("files", "basedir", "FileSpec"),
    "State": ("ensure", "enabled", "down", "on_change", "link"),
}
"""The parts of the data by what they are about: a part's name (`LogSpec`), or a key of a service."""
Key = tuple[str, str]
"""The part of the data (`service`) and its key."""


def keys_of(value: Any, schema: dict[str, Any], part: str = "HostSpec") -> Iterator[Key]:
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
                yield named(part), key.removeprefix("runit::")
                yield from keys_of(item, known[key], part)
            elif isinstance(others, dict):
                yield from keys_of(item, others, part)


def named(part: str) -> str:
    """Give a part's name as people write it."""
    return part.removesuffix("Spec").lower()


def shown() -> dict[Key, list[str]]:
    """Give the trees that are kept, by the keys that their data have."""
    trees = {file.parent.name: yaml.safe_load(file.read_text()) for file in sorted(HERE.glob("cases/*/data.yaml"))}
    for file in sorted((examples() / "facts").iterdir()):
        trees[f"examples/{file.stem}"] = {"runit": plain(example(file.stem).resolve().data)}
    found: dict[Key, list[str]] = {}
    for name, data in trees.items():
        for key in dict.fromkeys(keys_of(data, SCHEMA)):
            found.setdefault(key, []).append(name)
    return found


def of_table(names: tuple[str, ...]) -> Iterator[Key]:
    """Give the keys that one table is about."""
    for name in names:
        if name in SCHEMA["$defs"]:
            yield from ((named(name), key) for key in SCHEMA["$defs"][name]["properties"])
        else:
            yield "service", name


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], list[str]]:
    """Tests by matrix, row and column, as their marks say."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for (matrix, row, *columns), test in marks("shows", WHERE, tmp_path_factory.mktemp("shows") / "list"):
        for column in columns:
            found.setdefault((matrix, row, column), []).append(test)
    return {cell: sorted(set(tests)) for cell, tests in found.items()}


def keys(marked: dict[tuple[str, str, str], list[str]]) -> Iterator[str]:
    """Give the tables of keys."""
    trees = shown()
    for title, names in TABLES.items():
        yield from (f"## {title}", "", "| part | key | trees | run |", "| --- | --- | --- | --- |")
        for part, key in of_table(names):
            cells = (", ".join(trees.get((part, key), [])[:3]), "<br>".join(marked.get(("data", part, key), ())))
            yield f"| {part} | `{key}` | {' | '.join(cells)} |"
        yield ""


def services(marked: dict[tuple[str, str, str], list[str]]) -> Iterator[str]:
    """Give the table of the examples: the rows of their README, with each test."""
    yield from ("## The examples", "", "What is seen is said in hiera-examples/README.md.", "", "| service | run |", "| --- | --- |")
    for row in rows():
        yield f"| {row} | {'<br>'.join(marked.get(('recipes', row, 'seen'), ()))} |"
    yield ""


def rows() -> dict[str, set[str]]:
    """Give the services of the table in the examples' README, as marks call them, with the files of their tests."""
    text = (examples() / "README.md").read_text()
    table = re.findall(r"^\| (?!service \||---)(.+?) \| .*? ?\| .+ \| (.+) \|$", text, re.MULTILINE)
    return {re.sub(r" \(.*?\)", "", row): set(files.split(", ")) for row, files in table}


def refusals(marked: dict[tuple[str, str, str], list[str]]) -> Iterator[str]:
    """Give the table of what is refused, with the message that is printed, or the test that asks for it."""
    yield from ("## What is refused", "", "| what | message, or test |", "| --- | --- |")
    for case, (name, part) in CASES.items():
        if name:
            lines = [line for line in (HERE / "refusals" / f"{name}.txt").read_text().splitlines() if part in line]
            said = f"`{lines[0].replace('|', chr(92) + '|')}`" if lines else ""
        else:
            said = "<br>".join(marked.get(("refused", case, "seen"), ()))
        yield f"| {case} | {said} |"
    yield ""


def test_the_page_says_what_the_trees_and_the_marks_say(marked: dict[tuple[str, str, str], list[str]]) -> None:
    every = {key for names in TABLES.values() for key in of_table(names)}
    assert {(named(part), key) for part, spec in SCHEMA["$defs"].items() for key in spec.get("properties", ())} == every
    text = "\n".join([HEAD, *keys(marked), *services(marked), *refusals(marked)])
    agree(HERE / "COVERAGE.md", text)
    assert [line for line in text.splitlines() if line.endswith("|  |")] == [], "shown by no test"
    assert {(part, key) for matrix, part, key in marked if matrix == "data"} - every == set(), "a mark for what is no key"
    seen = {row: {test.partition(":")[0].rpartition("/")[2] for test in marked["recipes", row, "seen"]} for row in rows()}
    assert seen == rows(), "the examples' README names other tests"
    assert {row for matrix, row, _ in marked if matrix == "recipes"} - set(rows()) == set(), "a mark for no row"
    assert {row for matrix, row, _ in marked if matrix == "refused"} - CASES.keys() == set(), "a mark for no refusal"
