"""Services in each world at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.worlds import Same, same_in_all


@pytest.fixture
def same(runtime: Path, tmp_path: Path) -> Same:
    """Play a scenario in every world, hold that all saw the same, and give it."""
    return lambda scenario: same_in_all(scenario, runtime, tmp_path)
