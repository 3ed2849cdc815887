"""Run levels of the data, switched by apply and by runsvchdir, under C runit and under the shipped runtime."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import waiting
from support.tour import Tour

SLEEP = ["sleep", "1000"]


def world(tour: Tour, level: str) -> dict[str, Any]:
    return {
        "levels_directory": f"{tour.base}/levels",
        "levels": {"default": ["web"], "failover": ["sorry"]},
        "level": level,
        "services": {name: {"command": SLEEP, "log": False} for name in ("web", "sorry", "cron")},
    }


def pid(tour: Tour, name: str) -> int:
    status = tour.status(f"sv/{name}")
    return status.pid if status and tour.runs(f"sv/{name}") else 0


@pytest.mark.shows("data", "host", "levels", "level", "levels_directory")
def test_another_level_stops_what_it_has_not_starts_what_it_has_and_keeps_what_both_have(tour: Tour) -> None:
    assert tour.apply(world(tour, "default")).ok
    tour.supervise()
    waiting.until(lambda: pid(tour, "web") and pid(tour, "cron"))
    common = pid(tour, "cron")
    assert tour.is_settled(world(tour, "default"))
    assert not tour.is_settled(world(tour, "failover"))
    assert tour.apply(world(tour, "failover")).ok
    waiting.until(lambda: pid(tour, "sorry") and not pid(tour, "web"))
    assert pid(tour, "cron") == common
    waiting.until(lambda: tour.is_settled(world(tour, "failover")))


def test_a_level_that_a_person_switched_to_is_drift_and_switching_back_is_none(tour: Tour, runtime: Path) -> None:
    assert tour.apply(world(tour, "default")).ok
    tour.supervise()
    waiting.until(lambda: pid(tour, "web"))

    def switch(level: str) -> None:
        environment = {**tour.environment(), "RUNSVDIR": f"{tour.base}/levels"}
        done = subprocess.run([runtime / "runsvchdir", level], env=environment, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")

    switch("failover")
    waiting.until(lambda: pid(tour, "sorry") and not pid(tour, "web"))
    assert not tour.is_settled(world(tour, "default"))
    switch("default")
    waiting.until(lambda: pid(tour, "web") and tour.is_settled(world(tour, "default")))
