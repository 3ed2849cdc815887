"""What the tests of hosts share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support.wheels import built


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This package as a wheel and all that it needs, built once for all processes that the tests run in; not to be changed."""
    mine = tmp_path_factory.getbasetemp()
    return built((mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "wheels")
