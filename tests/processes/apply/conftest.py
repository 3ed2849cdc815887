"""What the tests of apply share."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.homes import Home


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder that every account may enter; pytest's own is for its user alone."""
    oracle.root("other accounts' files")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def memory() -> Iterator[Path]:
    """Such a folder on a filesystem without a disk, where there is one: thousands of fsync wait for nothing there."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def home(public: Path) -> Home:
    return Home(public)
