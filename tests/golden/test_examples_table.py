"""The examples' table of what runs: it names every service of every file, and data and tests that exist."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from support.world import examples

TESTS = Path(__file__).parents[1]
FILES = sorted(file for folder in ("roles", "nodes") for file in (examples() / "data" / folder).iterdir())


def rows() -> list[tuple[str, str, str]]:
    """Give what each row of the table says of services, data and tests."""
    lines = (examples() / "README.md").read_text().splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" |")] for line in lines if line.startswith("| ")]
    return [(row[0], row[1], row[3]) for row in cells[2:]]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_service_has_a_row(file: Path) -> None:
    runit = (yaml.safe_load(file.read_text()) or {}).get("runit", {})
    users = runit.get("users", {})
    trees = [runit, *users.values()] if isinstance(users, dict) else [runit]
    named = {name for tree in trees for name in (tree or {}).get("services", {})}
    told = " ".join(services for services, data, _ in rows() if file.name in data)
    assert {name for name in named if name not in told} == set()


def test_every_row_has_data_and_tests_that_exist() -> None:
    for services, data, tests in rows():
        for name in filter(None, data.split(", ")):
            assert list(examples().rglob(name)), f"{services}: no {name}"
        for name in tests.split(", "):
            assert list(TESTS.rglob(name)), f"{services}: no {name}"
