"""A service whose starts can be counted."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.supervision import service


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return service(tmp_path / "services/it", "echo $$ >>started\nexec sleep 1000")
