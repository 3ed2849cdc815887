"""Services that wait for others and that tell others, seen happening: each under C runit and under the shipped runtime."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from support import oracle, waiting
from support.places import Place
from support.tour import Tour

from runit_provision.errors import DataError
from runit_provision.host import accounts
from runit_provision.verify.run import verify

SLEEP = ["sleep", "1000"]


def pid(tour: Tour, service: str) -> int:
    status = tour.status(service)
    return status.pid if status else 0


def test_a_one_shot_that_is_told_twice_while_it_runs_runs_exactly_once_more(tour: Tour) -> None:
    gate = tour.base / "gate"
    fw = f'echo "reads $(cat {tour.base}/conf)"; until [ -e {gate} ]; do sleep 0.05; done'
    interface = f"echo $$ >>{tour.base}/conf; echo written"
    (tour.base / "conf").write_text("nothing ")
    services = {"fw": {"command": fw, "one_shot": True}}
    for name in ("eth0", "eth1"):
        services[name] = {"command": interface, "one_shot": True, "notifies": "fw", "down": True}
    tour.start({"services": services})
    waiting.until(lambda: tour.log("log/fw") == ["reads nothing "])
    waiting.until(lambda: (status := tour.status("sv/fw")) and status.want == 1)
    for name in ("eth0", "eth1"):
        waiting.until(lambda name=name: tour.is_down(f"sv/{name}"))  # type: ignore[misc]
        tour.sv("once", f"sv/{name}")
        waiting.until(lambda name=name: tour.log(f"log/{name}") == ["written"] and tour.is_down(f"sv/{name}"))  # type: ignore[misc]
    waiting.until(lambda: (status := tour.status("sv/fw")) and status.want == 0)
    gate.touch()
    waiting.until(lambda: tour.is_down("sv/fw") and len(tour.log("log/fw")) > 1)
    conf = (tour.base / "conf").read_text().split("\n")
    assert tour.log("log/fw") == ["reads nothing ", f"reads {conf[0]}", *conf[1:-1]]


def test_a_one_shot_that_failed_tells_nobody(tour: Tour) -> None:
    services = {
        "work": {"command": "echo tried; exit 3", "one_shot": True, "notifies": ["after"]},
        "good": {"command": "echo done", "one_shot": True, "down": True, "notifies": ["after"]},
        "after": {"command": "echo ran", "one_shot": True, "down": True},
    }
    tour.start({"services": services})
    waiting.until(lambda: tour.log("log/work") == ["tried"] and all(tour.is_down(f"sv/{name}") for name in services))
    tour.sv("once", "sv/good")
    waiting.until(lambda: tour.log("log/after") and tour.is_down("sv/after"))
    assert tour.log("log/after") == ["ran"]


@pytest.mark.shows("data", "probe", "services")
def test_what_requires_a_one_shot_waits_until_that_has_succeeded_and_says_that_it_has_not(tour: Tour) -> None:
    gate = tour.base / "gate"
    services = {
        "work": {"command": ["test", "-e", str(gate)], "one_shot": True},
        "after": {"command": "echo started; exec sleep 1000", "requires": ["work"], "requires_timeout": 1},
        "asks": {"command": SLEEP, "check": {"services": ["work"]}},
    }
    data = {"services": services}
    tour.start(data)
    said = f"not ready: {tour.base}/service/work, which runs once and has not succeeded"
    assert waiting.until(lambda: tour.log("log/after"))[0] == said
    waiting.until(lambda: (tour.base / "sv/work/failed").exists() and tour.is_down("sv/work") and tour.runs("sv/asks"))
    assert tour.sv("-w", "1", "check", "sv/asks").returncode == 1
    faults = verify(tour.tree(data), accounts=accounts.read(), within=0).faults
    assert any((fault.service, fault.promise) == ("work", "up, or done") and "its last run failed" in fault.fault for fault in faults)
    gate.touch()
    tour.sv("once", "sv/work")
    waiting.until(lambda: tour.log("log/after")[-1] == "started")
    assert tour.sv("-w", "60", "check", "sv/asks").returncode == 0
    # What was done before the machine was started anew is no longer so.
    (tour.base / "sv/work/succeeded").write_text("another boot\n")
    assert tour.sv("-w", "1", "check", "sv/asks").returncode == 1


@pytest.mark.shows("data", "service", "ready")
def test_what_requires_a_service_that_says_when_it_is_ready_waits_for_that_word(tour: Tour) -> None:
    gate = tour.base / "gate"
    says = f"until [ -e {gate} ]; do sleep 0.05; done; echo >&4; exec 4>&-; exec sleep 1000"
    services = {
        "db": {"command": says, "ready": 4},
        "web": {"command": says, "ready": 4, "requires": ["db"]},
        "after": {"command": f"[ -e {gate} ] && echo in time; exec sleep 1000", "requires": ["web"]},
    }
    if not tour.shipped:
        with pytest.raises(DataError, match="is heard by the shipped runtime alone"):
            tour.tree({"services": services})
        return
    tour.start({"services": services})
    waiting.until(lambda: tour.runs("sv/db") and tour.runs("sv/after"))
    assert tour.sv("-w", "1", "check", "sv/db").returncode == 1
    assert tour.log("log/after") == []
    gate.touch()
    waiting.until(lambda: tour.log("log/after") == ["in time"])
    assert tour.sv("-w", "60", "check", "sv/db", "sv/web").returncode == 0


@pytest.mark.shows("data", "service", "notifies")
def test_those_that_follow_restart_when_a_service_has_ended_and_wait_for_it(tour: Tour) -> None:
    services = {
        "db": {"command": SLEEP, "notifies": ["web", "idle"]},
        "web": {"command": "echo started; exec sleep 1000", "requires": ["db"]},
        "idle": {"command": SLEEP, "down": True},
    }
    tour.start({"services": services})
    waiting.until(lambda: tour.log("log/web") == ["started"])
    before = waiting.until(lambda: tour.runs("sv/db") and pid(tour, "sv/web"))
    tour.sv("kill", "sv/db")
    waiting.until(lambda: tour.log("log/web") == ["started", "started"])
    assert pid(tour, "sv/web") != before
    waiting.until(lambda: tour.is_down("sv/idle"))


def test_who_waits_itself_is_not_ready_for_those_that_wait_for_it(tour: Tour) -> None:
    gate = tour.base / "gate"
    services = {
        "a": {"command": SLEEP, "check": {"file": str(gate)}},
        "b": {"command": SLEEP, "requires": ["a"]},
        "c": {"command": f"[ -e {gate} ] && echo in time; exec sleep 1000", "requires": ["b"]},
    }
    tour.start({"services": services})
    waiting.until(lambda: all(tour.runs(f"sv/{name}") for name in "abc"))
    assert tour.sv("-w", "1", "check", "sv/b").returncode == 1
    gate.touch()
    assert waiting.until(lambda: tour.log("log/c")) == ["in time"]
    assert tour.sv("-w", "60", "check", "sv/b").returncode == 0


def test_root_waits_for_a_users_service_and_never_runs_its_check_itself(tour: Tour) -> None:
    oracle.root("services of another user")
    people = tour.people("nobody")
    place = Path(people["nobody"].home)
    check = f"#!/bin/sh\nid -u >>{place}/asked\nenv >>{place}/asked\n[ -e {place}/gate ]\n"
    data = {
        "services": {"after": {"command": "echo in time; exec sleep 1000", "requires": ["nobody/work"], "env": {"SECRET": "x"}}},
        "users": {"nobody": {"services": {"work": {"command": SLEEP, "check": check}}}},
    }
    tour.start(data, others=people)
    waiting.until((place / "asked").exists)
    assert tour.log("log/after") == []
    (place / "gate").touch()
    assert waiting.until(lambda: tour.log("log/after")) == ["in time"]
    asked = (place / "asked").read_text().splitlines()
    assert "0" not in asked
    assert not any(line.startswith(("SECRET=", "RUNIT_PROVISION_STATE=")) for line in asked)


def test_a_check_of_a_user_that_hangs_holds_root_up_only_so_long(tour: Tour) -> None:
    oracle.root("services of another user")
    people = tour.people("nobody")
    place = Path(people["nobody"].home)
    data = {
        "services": {"after": {"command": SLEEP, "requires": ["nobody/work"], "requires_timeout": 0}},
        "users": {"nobody": {"services": {"work": {"command": SLEEP, "check": "#!/bin/sh\nexec sleep 1000\n"}}}},
    }
    tour.start(data, others=people)
    said = waiting.until(lambda: tour.log("log/after"))
    assert said[0] == f"not ready: {place}/service/work"
    tour.sv("down", "sv/after")


@pytest.mark.shows("data", "service", "requires")
def test_a_user_waits_for_a_service_of_the_host_and_of_another_user(tour: Tour) -> None:
    oracle.root("services of other users")
    people = tour.people("nobody", "daemon")
    other = Path(people["daemon"].home)
    gate = tour.base / "gate"
    data = {
        "services": {"db": {"command": SLEEP, "check": f"#!/bin/sh\n[ -e {gate} ]\n"}, "secret": {"command": SLEEP}},
        "users": {
            "nobody": {
                "services": {
                    "work": {"command": "echo in time; exec sleep 1000", "requires": ["/db", "daemon/cache"]},
                    "nosy": {"command": "sv status $DIRECTORY; exec sleep 1000", "env": {"DIRECTORY": f"{tour.base}/service/secret"}},
                }
            },
            "daemon": {"services": {"cache": {"command": SLEEP, "check": f"#!/bin/sh\nid -un >>{other}/asked\n"}}},
        },
    }
    tour.start(data, others=people)
    waiting.until(lambda: tour.runs("home/nobody/runit/work") and tour.runs("sv/db"))
    waiting.until(lambda: tour.log("home/nobody/logs/nosy"))
    assert tour.log("home/nobody/logs/work") == []
    gate.touch()
    assert waiting.until(lambda: tour.log("home/nobody/logs/work")) == ["in time"]
    assert not (other / "asked").exists() or "nobody" not in (other / "asked").read_text()
    assert "unable to" in tour.log("home/nobody/logs/nosy")[0] or "access denied" in tour.log("home/nobody/logs/nosy")[0]
    assert (tour.base / "sv/db/supervise/control").stat().st_mode & 0o777 == 0o600


def test_a_service_of_the_host_restarts_a_users_and_a_user_one_that_was_given_away(tour: Tour) -> None:
    oracle.root("services of another user")
    data = {
        "services": {
            "feeder": {"command": SLEEP, "notifies": ["nobody/work"]},
            "web": {"command": SLEEP, "delegate": {"user": "nobody"}, "log": False},
        },
        "users": {"nobody": {"services": {"work": {"command": SLEEP, "notifies": ["/web"]}}}},
    }
    tour.start(data, others=tour.people("nobody"))
    waiting.until(lambda: tour.runs("sv/feeder") and tour.runs("home/nobody/runit/work") and tour.runs("sv/web"))
    fifo = tour.base / "sv/web/supervise/control"
    waiting.until(lambda: fifo.owner() == "nobody" and fifo.stat().st_mode & 0o600 == 0o600)
    work, web = pid(tour, "home/nobody/runit/work"), pid(tour, "sv/web")
    tour.sv("kill", "sv/feeder")
    waiting.until(lambda: tour.runs("home/nobody/runit/work") and pid(tour, "home/nobody/runit/work") != work)
    waiting.until(lambda: tour.runs("sv/web") and pid(tour, "sv/web") != web)


@pytest.mark.parametrize("tour", ["the shipped runtime"], indirect=True)  # C's runsv knows no readiness
def test_apply_waits_until_a_service_says_that_it_is_ready(tour: Tour) -> None:
    gate = tour.base / "gate"
    words = ["sh", "-c", f"until [ -e {gate} ]; do sleep 0.05; done; echo >&3; exec sleep 1000"]
    data: dict[str, Any] = {"services": {"web": {"command": words, "ready": 3, "log": False}}}
    other = {"command": SLEEP, "log": False}
    assert tour.apply({"services": {"other": other}}).ok
    tour.supervise()
    waiting.until(lambda: tour.runs("sv/other"))
    data["services"]["other"] = other
    waited = Place(tour.base).apply(tour.tree(data), timeout=20)
    assert [problem.message for problem in waited.problems] == ["web: runs, but did not say that it is ready within 20 s"]
    data["services"]["web"]["nice"] = 1
    opener = threading.Timer(1, gate.touch)
    opener.start()
    try:
        assert tour.apply(data).ok
        assert gate.exists(), "it waited for the word"
    finally:
        opener.join()
