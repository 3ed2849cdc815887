"""An installation of the runtime whose version changes, and the services that its trees run meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import versions


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Where the runtime is installed, for one test alone."""
    return versions.install(tmp_path)


@pytest.fixture
def services(prefix: Path, tmp_path: Path) -> Path:
    """Services of each kind that an upgrade must not touch; tests of one version alone have their own."""
    return versions.write_services(prefix, tmp_path)
