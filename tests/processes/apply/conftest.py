"""What the tests of apply share."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle
from support.homes import Home


@pytest.fixture
def home() -> Iterator[Home]:
    oracle.root("other accounts' files")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folder is for its user alone
        Path(folder).chmod(0o755)
        yield Home(Path(folder))
