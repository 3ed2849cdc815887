"""Every key of the data is shown by a tree that is kept whole, or by services that run. Run as a program, it prints by which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from support.world import examples

from runit_provision.schema import json_schema

HERE = Path(__file__).parent
TESTS = HERE.parent
PARTS = {
    "host": "runtime prefix package_file filestore workspace owner service_directory definitions log_directory levels level "
    "levels_directory",
    "user": "account home basedir logdir group groups limits title path profile",
    "what runs": "command run before one_shot instances services",
    "process state": "user env env_directories directory chroot umask nice lock session close argv0 stderr",
    "end of life": "stop finish restart restart_interval restart_count clear_interval",
    "health": "check",
    "control": "control control_from delegate",
    "order": "requires requires_timeout notifies",
    "log": "log log_size log_max_files log_min_files log_rotate_time timestamp",
    "files": "files template_path file_path",
    "state": "ensure enabled down link on_change purge purge_logs defaults users",
}
MODELS = ("HostSpec", "UserSpec", "ServiceSpec")
RUN = ("processes/rendered", "processes/apply", "processes/cli", "hosts/recipes", "hosts/puppet", "unit/schema")


def keys_of(value: Any) -> Iterator[str]:
    """Give every key of every hash in `value`; `runit::KEY` as KEY."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key).removeprefix("runit::")
            yield from keys_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys_of(item)


def known_keys() -> set[str]:
    """Give the keys of a host, a user and a service."""
    return {key for model in MODELS for key in json_schema()["$defs"][model]["properties"]}


def table() -> str:
    """Give a row for each key: what it is part of, trees that have it in their data, tests that do."""
    cases = {file.parent.name: set(keys_of(yaml.safe_load(file.read_text()))) for file in sorted(HERE.glob("cases/*/data.yaml"))}
    cases |= {
        f"{file.stem} (example)": set(keys_of(yaml.safe_load(file.read_text()))) for file in sorted(examples().glob("data/**/*.yaml"))
    }
    tests = {
        file.relative_to(TESTS).as_posix(): file.read_text() for folder in RUN for file in sorted(TESTS.glob(f"{folder}/test_*.py"))
    }
    rows = ["# Which test shows which key\n", "| part | key | trees that are kept | tests |", "| --- | --- | --- | --- |"]
    listed = {key for keys in PARTS.values() for key in keys.split()}
    for part, keys in {**PARTS, "more": " ".join(sorted(known_keys() - listed))}.items():
        for key in keys.split():
            trees = [name for name, known in cases.items() if key in known]
            word = re.compile(rf"""(["'{{ ]){key}(["']:|: )""")
            seen = [name for name, text in tests.items() if word.search(text)]
            rows.append(f"| {part} | `{key}` | {', '.join(trees[:3]) or '-'} | {', '.join(seen[:2]) or '-'} |")
    return "\n".join(rows) + "\n"


def test_every_key_is_shown() -> None:
    assert [line for line in table().splitlines() if line.endswith("| - | - |")] == []


if __name__ == "__main__":
    print(table(), end="")
