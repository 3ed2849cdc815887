"""What the README names is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_test_and_benchmark_that_the_readme_names_is_there() -> None:
    named = set(re.findall(r"[\w-]+(?:/[\w-]+)*/\w+\.(?:py|pp|svg|md)\b", (ROOT / "README.md").read_text()))
    assert len(named) > 50
    assert {name for name in named if not (ROOT / name).exists() and not (ROOT / "tests" / name).exists()} == set()
