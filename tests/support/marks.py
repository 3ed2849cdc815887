"""What tests' marks say, read by a pytest that collects the tests and runs none of them; loaded there by `-p support.marks`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


def marks(name: str, where: list[str], listed: Path) -> list[tuple[tuple[str, ...], str]]:
    """Give what each mark `name` below the folders `where` of tests/ says, and its test, sorted; `listed` is a file that is free.

    {name} in a mark is a parameter's value. Tests of a whole run count as well.
    """
    words = ["--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "-p", "support.marks"]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", *words, *(str(TESTS / each) for each in where)],
        env={**os.environ, "MARKS": name, "LISTED": str(listed), "HARNESS": "all", "PYTHONPATH": str(TESTS)},
        cwd=TESTS.parent,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode()
    return [(tuple(said), test) for said, test in json.loads(listed.read_text())]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write them down."""
    found = set()
    for item in session.items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        test = f"{item.path.relative_to(TESTS)}: {item.originalname}"
        for mark in item.iter_markers(os.environ["MARKS"]):
            found.add((tuple(word.format(**parameters) for word in mark.args), test))
    Path(os.environ["LISTED"]).write_text(json.dumps(sorted(found)))
