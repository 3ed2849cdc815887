"""A pool of loggers for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .pools import Pool


@pytest.fixture
def pool(tmp_path: Path, runtime: Path) -> Iterator[Pool]:
    pool = Pool(tmp_path, runtime)
    yield pool
    pool.close()
