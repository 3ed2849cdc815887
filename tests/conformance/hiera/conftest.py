"""What the comparisons share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conformance.hiera.puppet import Puppet


@pytest.fixture(scope="session")
def puppet() -> Iterator[Puppet]:
    """One process of Puppet for all cases."""
    process = Puppet()
    yield process
    process.close()
