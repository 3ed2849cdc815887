"""The worlds in which rendered services are tried."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.tour import Tour

from runit_provision.model.host import RuntimeKind


@pytest.fixture(params=["C runit", "the shipped runtime"])
def tour(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tour]:
    """A host of either runtime; what runs on it ends with the test."""
    if request.param == "C runit":
        tools, kind = Path(oracle.program("runsvdir", package="runit")).parent, RuntimeKind.PACKAGE
    else:
        tools, kind = request.getfixturevalue("runtime"), RuntimeKind.SHIPPED
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)  # other users' services live below it too
    tour = Tour(tmp_path, tools, kind)
    yield tour
    tour.stop()
