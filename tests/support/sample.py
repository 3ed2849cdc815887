"""What a run takes a sample of: of tests that show the same by other ways, and take long, it draws one, and HARNESS=all takes each.

They are marked `one_of(what)`. SAMPLE_SEED, which a run's first lines say, repeats what was drawn. A plugin (see tests/conftest.py).
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict

import pytest

_SEED = "SAMPLE_SEED"


def pytest_configure() -> None:
    """Let all processes that the tests run in draw the same."""
    os.environ.setdefault(_SEED, str(time.time_ns() % 1_000_000))


def pytest_report_header() -> str:
    """Say what repeats the draws."""
    return f"{_SEED}={os.environ[_SEED]}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests that are drawn."""
    if os.environ.get("HARNESS") == "all":
        return
    groups = defaultdict[str, list[str]](list)
    for item in items:
        if mark := item.get_closest_marker("one_of"):
            groups[mark.args[0]].append(item.nodeid)
    kept = {random.Random(f"{os.environ[_SEED]} {what}").choice(sorted(tests)) for what, tests in groups.items()}
    left = [item for item in items if item.get_closest_marker("one_of") and item.nodeid not in kept]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]
