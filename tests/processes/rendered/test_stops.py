"""How services are told to end, and what is known of it afterwards: each under C runit and under the shipped runtime."""

from __future__ import annotations

from support import waiting
from support.tour import Tour

SLEEP = ["sleep", "1000"]


def test_a_service_gets_its_own_signal_in_place_of_term(tour: Tour) -> None:
    script = "trap 'echo quit; exit 0' QUIT; trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    tour.start({"services": {"web": {"command": ["sh", "-c", script], "stop": "quit"}}})
    waiting.until(lambda: tour.log("log/web") == ["ready"])
    assert tour.sv("-w", "30", "restart", "sv/web").returncode == 0
    waiting.until(lambda: tour.log("log/web") == ["ready", "quit", "ready"])
    assert tour.sv("-w", "30", "stop", "sv/web").returncode == 0
    waiting.until(lambda: tour.log("log/web") == ["ready", "quit", "ready", "quit"])


def test_what_does_not_end_in_time_is_killed(tour: Tour) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    tour.start({"services": {"deaf": {"command": ["sh", "-c", script], "stop": {"seconds": 1, "kill": True}}}})
    waiting.until(lambda: tour.log("log/deaf") == ["ready"])
    assert tour.sv("-w", "40", "stop", "sv/deaf").returncode == 0
    waiting.until(lambda: tour.is_down("sv/deaf"))


def test_a_restart_that_somebody_asked_for_is_no_failure(tour: Tour) -> None:
    script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    mail = {"on_failure": "admins@example.com"}
    tour.start({"services": {"once": {"command": ["sh", "-c", script], "restart": "never", "finish": {"mail": mail}}}})
    waiting.until(lambda: tour.log("log/once") == ["ready"])
    assert tour.sv("-w", "30", "restart", "sv/once").returncode == 0
    waiting.until(lambda: tour.log("log/once") == ["ready", "ready"])
    assert not tour.sink.exists()
    tour.sv("interrupt", "sv/once")
    waiting.until(lambda: tour.is_down("sv/once"))
    waiting.until(tour.sink.exists)
