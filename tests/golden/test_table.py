"""The examples' table of what runs: every example is in it, and it names data and tests that are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml
from support.world import examples

TESTS = Path(__file__).parents[1]
ROWS = re.findall(r"^\| (?!service \||---)(.+?) \| (.*?) ?\| .+ \| (.+) \|$", (examples() / "README.md").read_text(), re.MULTILINE)


def _services(file: Path) -> Iterator[str]:
    """Give the names of the services that a file of data has for the host and for its users."""
    runit = (yaml.safe_load(file.read_text()) or {}).get("runit", {})
    users = runit.get("users", {})
    yield from runit.get("services", {})
    for user in users.values() if isinstance(users, dict) else ():
        yield from user.get("services", {})


def test_every_service_of_the_examples_has_a_row_that_names_its_data() -> None:
    missing = [
        f"{file.name}: {name}"
        for file in sorted((examples() / "data").glob("[nr]*/*.yaml"))
        for name in _services(file)
        if not any(re.search(rf"\b{name}(_[A-Z]+)?\b", row[0]) and file.name in row[1] for row in ROWS)
    ]
    assert missing == []


def test_data_and_tests_that_the_table_names_are_there() -> None:
    data = {path.name for path in examples().rglob("*")}
    tests = {path.name for path in TESTS.rglob("test_*.py")}
    named = [(name, data) for row in ROWS for name in row[1].split(", ") if name]
    named += [(name, tests) for row in ROWS for name in row[2].split(", ")]
    assert [name for name, there in named if name not in there] == []
    assert len(ROWS) > 20
