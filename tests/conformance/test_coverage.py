"""COVERAGE.md: every option, command, letter and directive of runit's tools, with the scenarios that prove it.

`GOLDEN=write` writes what comes out, to be read before it is committed.
"""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from support import manual
from support.agreement import agree
from support.marks import marks

HERE = Path(__file__).parent
PAGE = HERE / "COVERAGE.md"
FOLDERS = ("chpst", "logging", "runit_init", "runsvchdir", "supervision", "sv", "utmpset", "test_version.py")
HEAD = """# What is compared with runit, and where

Written by `GOLDEN=write pytest tests/conformance/test_coverage.py` from the tests' marks `covers`. The rows are the options that C's
programs take when asked, and what their manual pages list; a row without a scenario fails the test. *ours* is what runit 2.1.2 has not.
"""
OURS = {
    ("chpst", "-C"),
    ("chpst", "as anything"),
    ("chpst", "as denvdir"),
    ("chpst", "as dsoftlimit"),
    ("runit-init", "-V"),
    ("runsvchdir", "$RUNSVDIR"),
    ("runsvdir", "log"),
}
"""What no manual page lists."""


@pytest.fixture(scope="module")
def covered(tmp_path_factory: pytest.TempPathFactory) -> dict[manual.Row, list[str]]:
    """Scenarios by (tool, what), as the tests' marks say."""
    found: dict[manual.Row, list[str]] = {}
    for (tool, *what), test in marks("covers", [f"conformance/{name}" for name in FOLDERS], tmp_path_factory.mktemp("covers") / "list"):
        for each in what:
            found.setdefault((tool, each), []).append(test.removeprefix("conformance/"))
    return {row: sorted(set(scenarios)) for row, scenarios in found.items()}


def test_everything_that_runit_can_be_told_has_a_scenario(covered: dict[manual.Row, list[str]], tmp_path: Path) -> None:
    rows = manual.rows(tmp_path)
    assert rows - covered.keys() == set(), "no scenario"
    assert covered.keys() - rows - OURS == set(), "a mark for what no program takes"
    page = [HEAD]
    for tool, group in groupby(sorted(covered), key=lambda row: row[0]):
        page += [f"## {tool}", "", "| what | scenario |", "| --- | --- |"]
        for row in group:
            name = f"`{row[1]}`" if row in rows else f"`{row[1]}` *ours*"
            page.append(f"| {name} | {'<br>'.join(covered[row])} |")
        page.append("")
    text = "\n".join(page)
    agree(PAGE, text)
