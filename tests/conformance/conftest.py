"""Lists, where $COVERS names a file, which scenario is about which option of runit's tools (see test_coverage.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write a line for each mark `covers`: tool, what, scenario."""
    if not (target := os.environ.get("COVERS")):
        return
    lines = set()
    for item in session.items:
        assert isinstance(item, pytest.Function)
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        scenario = f"{item.path.relative_to(HERE)}: {item.originalname}"
        for mark in item.iter_markers("covers"):
            tool, *what = mark.args
            lines |= {"\t".join((tool.format(**parameters), each.format(**parameters), scenario)) for each in what}
    Path(target).write_text("".join(f"{line}\n" for line in sorted(lines)))
