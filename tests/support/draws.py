"""A harness that draws what it does: how often it is asked, and what repeats its draws."""

from __future__ import annotations

import os
import time

import pytest

draws = pytest.mark.flaky(reruns=0)
"""A test that is never asked once more, whatever --reruns says: it would draw anew, and what one draw in many shows would pass."""


def seed(variable: str) -> int:
    """Give the seed that an environment variable says, or one that the time gives; it is shown with each failure."""
    number = int(os.environ.get(variable, time.time_ns() % 1_000_000))
    print(f"{variable}={number}")
    return number
