"""Lists, where $SHOWS names a file, what tests' marks `shows` say: matrix, row, column and test. Loaded by `-p support.marks`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write a line for each row and column of each mark; {name} in a row is a parameter's value."""
    lines = set()
    for item in session.items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        test = f"{item.path.relative_to(TESTS)}: {item.originalname}"
        for mark in item.iter_markers("shows"):
            matrix, row, *columns = mark.args
            lines |= {"\t".join((matrix, row.format(**parameters), column, test)) for column in columns}
    Path(os.environ["SHOWS"]).write_text("".join(f"{line}\n" for line in sorted(lines)))
