"""MATRIX.md: inits by properties and roads by properties, each cell with the tests that show it.

`GOLDEN=write` writes what comes out, to be read before it is committed.
"""

from __future__ import annotations

from pathlib import Path

from support.agreement import agree
from support.marks import marks

PAGE = Path(__file__).with_name("MATRIX.md")
WHERE = [
    "hosts/inits",
    "hosts/ansible",
    "hosts/ci",
    "hosts/puppet",
    "hosts/test_debian_11.py",
    "processes/verify",
    "processes/cli",
    "processes/apply/test_failing.py",
    "processes/supervision/test_container.py",
    "unit/cli",
]
HEAD = """# What is shown on real hosts, and where

Written by `GOLDEN=write pytest tests/hosts/test_matrix.py` from the tests' marks `shows`. A number is a test of the list below its
matrix, some of which only a whole run has (`.ci/run --all`); an empty cell is not shown. upstart is packaged nowhere any more: its job
was written by the documentation and never booted.
"""
TITLES = {"inits": "Inits", "roads": "Roads"}


def test_the_page_says_what_the_marks_say(tmp_path: Path) -> None:
    found = marks("shows", WHERE, tmp_path / "list")
    agree(PAGE, "\n".join([HEAD, *(section(matrix, title, found) for matrix, title in TITLES.items())]))


def section(matrix: str, title: str, found: list[tuple[tuple[str, ...], str]]) -> str:
    """Give one matrix and its tests."""
    cells: dict[tuple[str, str], list[str]] = {}
    for (name, row, *columns), test in found:
        for column in columns if name == matrix else ():
            cells.setdefault((row, column), []).append(test)
    every = sorted({column for _, column in cells})
    tests = sorted({test for shown in cells.values() for test in shown})
    number = {test: str(place) for place, test in enumerate(tests, 1)}
    lines = [f"## {title}", "", f"| | {' | '.join(every)} |", "| --- " * (len(every) + 1) + "|"]
    for row in sorted({row for row, _ in cells}):
        numbers = [", ".join(number[test] for test in sorted(set(cells.get((row, column), ())))) for column in every]
        lines.append(f"| {row} | {' | '.join(numbers)} |")
    return "\n".join([*lines, "", *(f"{place}. {test}" for test, place in number.items()), ""])
