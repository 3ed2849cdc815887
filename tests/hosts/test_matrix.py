"""MATRIX.md: inits by properties and roads by properties, each cell with the tests that show it.

`GOLDEN=write` writes what comes out, to be read before it is committed.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from support.marks import TESTS

PAGE = Path(__file__).with_name("MATRIX.md")
WHERE = [
    "hosts/inits",
    "hosts/ansible",
    "hosts/ci",
    "hosts/puppet",
    "processes/verify",
    "processes/cli",
    "processes/supervision/test_container.py",
    "unit/cli",
]
HEAD = """# What is shown on real hosts, and where

Written by `GOLDEN=write pytest tests/hosts/test_matrix.py` from the tests' marks `shows`. A number is a test of the list below its
matrix; an empty cell is not shown. upstart is packaged nowhere any more: its job was written by the documentation and never booted.
"""
TITLES = {"inits": "Inits", "roads": "Roads"}


def test_the_page_says_what_the_marks_say(tmp_path: Path) -> None:
    listed = tmp_path / "list"
    words = ["--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "support.marks"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *words, *(str(TESTS / folder) for folder in WHERE)],
        env={**os.environ, "SHOWS": str(listed), "PYTHONPATH": str(TESTS)},
        cwd=TESTS.parent,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    rows = [line.split("\t") for line in listed.read_text().splitlines()]
    text = "\n".join([HEAD, *(section(matrix, title, rows) for matrix, title in TITLES.items())])
    if os.environ.get("GOLDEN") == "write":
        PAGE.write_text(text)
    assert PAGE.read_text() == text


def section(matrix: str, title: str, rows: list[list[str]]) -> str:
    """Give one matrix and its tests."""
    cells: dict[tuple[str, str], list[str]] = {}
    for name, row, column, test in rows:
        if name == matrix:
            cells.setdefault((row, column), []).append(test)
    columns = sorted({column for _, column in cells})
    tests = sorted({test for found in cells.values() for test in found})
    number = {test: str(place) for place, test in enumerate(tests, 1)}
    lines = [f"## {title}", "", f"| | {' | '.join(columns)} |", "| --- " * (len(columns) + 1) + "|"]
    for row in sorted({row for row, _ in cells}):
        found = [", ".join(number[test] for test in cells.get((row, column), ())) for column in columns]
        lines.append(f"| {row} | {' | '.join(found)} |")
    return "\n".join([*lines, "", *(f"{place}. {test}" for test, place in number.items()), ""])
