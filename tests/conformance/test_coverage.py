"""COVERAGE.md: every option, command, letter and directive of runit's tools, with the scenarios that prove it.

`GOLDEN=write` writes what comes out, to be read before it is committed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import pytest
from support import manual

HERE = Path(__file__).parent
PAGE = HERE / "COVERAGE.md"
WHERE = [HERE / name for name in ("chpst", "logging", "runit_init", "runsvchdir", "supervision", "sv", "utmpset", "test_version.py")]
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
    target = tmp_path_factory.mktemp("covers") / "list"
    words = ["--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", *map(str, WHERE)]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *words],
        env={**os.environ, "COVERS": str(target)},
        cwd=HERE.parents[1],
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    found: dict[manual.Row, list[str]] = {}
    for line in target.read_text().splitlines():
        tool, what, scenario = line.split("\t")
        found.setdefault((tool, what), []).append(scenario)
    return found


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
    if os.environ.get("GOLDEN") == "write":
        PAGE.write_text(text)
    assert PAGE.read_text() == text
