"""How services are told to end, and what is known of it afterwards: each under C runit and under the shipped runtime."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from support import waiting
from support.tour import Tour

SLEEP = ["sleep", "1000"]


@pytest.mark.shows("data", "service", "stop")
@pytest.mark.shows("data", "stop", "signal")
def test_a_service_gets_its_own_signal_in_place_of_term(tour: Tour) -> None:
    script = "trap 'echo quit; exit 0' QUIT; trap 'echo term; exit 0' TERM; echo ready; while :; do sleep 0.1; done"
    tour.start({"services": {"web": {"command": ["sh", "-c", script], "stop": "quit"}}})
    waiting.until(lambda: tour.runs("sv/web") and tour.log("log/web") == ["ready"])
    assert tour.sv("-w", "60", "restart", "sv/web").returncode == 0
    waiting.until(lambda: tour.log("log/web") == ["ready", "quit", "ready"])
    assert tour.sv("-w", "60", "stop", "sv/web").returncode == 0
    waiting.until(lambda: tour.log("log/web") == ["ready", "quit", "ready", "quit"])


@pytest.mark.shows("data", "stop", "seconds", "kill")
def test_what_does_not_end_in_time_is_killed(tour: Tour) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    tour.start({"services": {"deaf": {"command": ["sh", "-c", script], "stop": {"seconds": 1, "kill": True}}}})
    waiting.until(lambda: tour.runs("sv/deaf") and tour.log("log/deaf") == ["ready"])
    assert tour.sv("-w", "60", "stop", "sv/deaf").returncode == 0
    waiting.until(lambda: tour.is_down("sv/deaf"))


def test_a_restart_that_somebody_asked_for_is_no_failure(tour: Tour) -> None:
    script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
    mail = {"on_failure": "admins@example.com"}
    tour.start({"services": {"once": {"command": ["sh", "-c", script], "restart": "never", "finish": {"mail": mail}}}})
    waiting.until(lambda: tour.runs("sv/once") and tour.log("log/once") == ["ready"])
    assert tour.sv("-w", "60", "restart", "sv/once").returncode == 0
    waiting.until(lambda: tour.log("log/once") == ["ready", "ready"])
    assert not tour.sink.exists()
    tour.sv("interrupt", "sv/once")
    waiting.until(lambda: tour.is_down("sv/once"))
    waiting.until(tour.sink.exists)


TRAPS = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"
MAIL = {"mail": {"on_failure": "admins@example.com"}}


def test_the_shipped_supervisor_kills_what_does_not_end_in_time_and_no_script_is_needed(tour: Tour) -> None:
    script = "trap '' TERM; echo ready; while :; do sleep 0.1; done"
    stop = {"seconds": 2, "kill": True}
    tour.start({"services": {"deaf": {"command": ["sh", "-c", script], "stop": stop, "finish": {"lines": 'echo "ended $1 $2"'}}}})
    waiting.until(lambda: tour.runs("sv/deaf") and tour.log("log/deaf") == ["ready"])
    began = time.monotonic()
    assert tour.sv("-w", "60", "stop", "sv/deaf").returncode == 0
    assert time.monotonic() - began >= stop["seconds"]
    waiting.until(lambda: tour.log("log/deaf") == ["ready", "ended -1 9"])
    assert (tour.base / "sv/deaf/timeout-kill").exists() is tour.shipped
    assert (tour.base / "sv/deaf/control/t").exists() is not tour.shipped


def test_a_restart_is_no_failure_whatever_the_services_own_script_does_at_term(tour: Tour) -> None:
    shared = tour.base / "shared"
    shared.mkdir()
    (shared / "t").write_text('#!/bin/sh\necho "shared ${0##*/}"\nexit 1\n')
    (shared / "t").chmod(0o755)
    service = {"command": ["sh", "-c", TRAPS], "restart": "never", "finish": MAIL}
    own = "#!/bin/sh\necho own\nexec sv interrupt .\n"
    services = {
        "own": {**service, "command": ["sh", "-c", TRAPS.replace("TERM", "INT")], "control": {"t": own}},
        "shared": {**service, "control_from": str(shared)},
    }
    tour.start({"services": services})
    for name, said in (("own", "own"), ("shared", "shared t")):
        waiting.until(lambda name=name: tour.log(f"log/{name}") == ["ready"])  # type: ignore[misc]
        assert tour.sv("-w", "60", "restart", f"sv/{name}").returncode == 0
        waiting.until(lambda name=name, said=said: tour.log(f"log/{name}") == ["ready", said, "ready"])  # type: ignore[misc]
    assert not tour.sink.exists()
    for name in services:
        tour.sv("kill", f"sv/{name}")
        waiting.until(lambda name=name: tour.is_down(f"sv/{name}"))  # type: ignore[misc]
    waiting.until(lambda: tour.sink.exists() and tour.sink.read_text().count(" failed and stays down to ") == 2)


def test_what_does_not_end_in_time_is_killed_though_its_own_script_says_otherwise(tour: Tour) -> None:
    service = {"command": ["sleep", "1000"], "control": {"t": "#!/bin/sh\nexit 0\n"}, "stop": {"seconds": 1, "kill": True}}
    tour.start({"services": {"deaf": service}})
    waiting.until(lambda: tour.runs("sv/deaf"))
    assert tour.sv("-w", "60", "stop", "sv/deaf").returncode == 0


@pytest.mark.shows("data", "service", "control", "control_from")
def test_scripts_in_place_of_signals_come_from_elsewhere_and_back_without_a_restart(tour: Tour) -> None:
    shared = tour.base / "shared"
    shared.mkdir()
    (shared / "h").write_text("#!/bin/sh\necho shared\n")
    (shared / "h").chmod(0o755)
    own = {"command": SLEEP, "control": {"h": "#!/bin/sh\necho own\n"}}
    linked = {"command": SLEEP, "control_from": str(shared)}
    assert tour.apply({"services": {"web": own}}).ok
    tour.supervise()
    before = waiting.until(lambda: tour.runs("sv/web") and tour.status("sv/web"))
    said: list[str] = []
    for data, line in ((own, "own"), (linked, "shared"), (own, "own"), ({**own, **linked}, "own"), (linked, "shared")):
        assert tour.apply({"services": {"web": data}}).ok
        assert tour.is_settled({"services": {"web": data}})
        tour.sv("hup", "sv/web")
        said.append(line)
        waiting.until(lambda: tour.log("log/web") == said)
    now = tour.status("sv/web")
    assert before and now and (now.pid, now.since_ns) == (before.pid, before.since_ns)


def test_what_finish_says_to_standard_error_goes_where_the_services_words_go(tour: Tour) -> None:
    lines = "echo out; echo err >&2"
    services = {
        "parts": {"command": ["echo", "ran"], "restart": "never", "finish": {"lines": lines}},
        "apart": {"command": ["echo", "ran"], "restart": "never", "finish": {"lines": lines}, "stderr": "supervisor"},
        "whole": {"command": ["echo", "ran"], "finish": f"#!/bin/sh\n{lines}\nsv down .\n"},
    }
    tour.start({"services": services})
    for name, said in (("parts", ["out", "err"]), ("apart", ["out"]), ("whole", ["out"])):
        waiting.until(lambda name=name: tour.is_down(f"sv/{name}"))  # type: ignore[misc]
        waiting.until(lambda name=name, said=said: tour.log(f"log/{name}")[: len(said) + 1] == ["ran", *said])  # type: ignore[misc]
    assert "err" not in tour.log("log/apart") + tour.log("log/whole")


def test_a_one_shot_that_failed_is_mailed_and_one_that_was_stopped_is_told_from_it(tour: Tour) -> None:
    mail = {"on_failure": "admins@example.com", "on_stop": "auditing@example.com"}
    service = {"one_shot": True, "finish": {"mail": mail}, "restart": "never"}
    services = {
        "good": {**service, "command": ["true"]},
        "bad": {**service, "command": ["false"]},
        "long": {**service, "command": SLEEP},
    }
    tour.start({"services": services})
    waiting.until(lambda: tour.is_down("sv/good") and tour.is_down("sv/bad") and tour.runs("sv/long"))
    waiting.until(lambda: tour.sink.exists() and "bad failed to admins@example.com:" in tour.sink.read_text())
    assert tour.sv("-w", "60", "stop", "sv/long").returncode == 0
    waiting.until(lambda: "long was stopped to auditing@example.com:" in tour.sink.read_text())
    assert tour.sink.read_text().count(" to ") == 2


@pytest.mark.shows("data", "mail", "interval")
def test_of_failures_one_in_an_interval_is_mailed_and_that_it_stays_down_is_told_at_once(tour: Tour) -> None:
    mail = {"on_failure": "admins@example.com", "interval": "1h"}
    restart = {"at_most": 2, "forget": "1h", "within": "1h"}
    tour.start({"services": {"flaky": {"command": ["sh", "-c", "exit 3"], "restart": restart, "finish": {"mail": mail}}}})
    waiting.until(lambda: tour.is_down("sv/flaky"))
    told = tour.sink.read_text().splitlines()
    on = f"on {os.uname().nodename}: exit code 3, status 0"
    failed = ["flaky failed to admins@example.com:", f"flaky failed {on}"]
    down = ["flaky failed and stays down to admins@example.com:", f"flaky failed and stays down {on}", "1 more were not mailed"]
    assert told == [*failed, *down]


def test_a_mailer_that_hangs_keeps_no_service_from_coming_again(tour: Tour) -> None:
    service = {"command": ["sh", "-c", "echo began; exec sleep 1000"], "finish": {"mail": {"on_failure": "admins@example.com"}}}
    tour.start({"services": {"web": service}})
    mailer = tour.base / "bin/mail"
    mailer.write_text("#!/bin/sh\nexec sleep 1000\n")
    (tour.base / "bin/timeout").symlink_to(mailer_in_time(tour))
    waiting.until(lambda: tour.log("log/web") == ["began"])
    tour.sv("kill", "sv/web")
    waiting.until(lambda: tour.log("log/web") == ["began", "began"])


def mailer_in_time(tour: Tour) -> Path:
    """Give a `timeout` for which a second is enough, whatever it is asked."""
    program = tour.base / "shorter"
    program.write_text('#!/bin/sh\nshift\nexec /usr/bin/timeout 1 "$@"\n')
    program.chmod(0o755)
    return program


@pytest.mark.shows("data", "finish", "lines", "seconds")
def test_what_does_not_finish_in_time_is_killed_with_all_that_it_has_started(tour: Tour) -> None:
    started = tour.base / "started"
    lines = f"sleep 1000 & echo $! >>{started}; sh -c 'echo $$ >>{started}; exec sleep 1000'; echo never"
    tour.start({"services": {"it": {"command": SLEEP, "finish": {"lines": lines, "seconds": 4, "mail": {"on_stop": "root"}}}}})
    waiting.until(lambda: tour.runs("sv/it"))
    assert tour.sv("-w", "60", "stop", "sv/it").returncode == 0
    pids = started.read_text().split()
    assert len(pids) == 2
    waiting.until(lambda: not any(Path("/proc", pid).exists() for pid in pids))
    assert tour.log("log/it") == []


@pytest.mark.shows("data", "service", "kill_orphans", "max_delay")
@pytest.mark.parametrize("tour", ["the shipped runtime"], indirect=True)  # only the shipped supervisor is told so
def test_what_the_shipped_supervisor_is_told_in_numbers_it_does(tour: Tour) -> None:
    leaves = ["sh", "-c", f"sleep 1000 & echo $! >{tour.base}/left; exec sleep 1000"]
    services = {
        "leaving": {"command": leaves, "kill_orphans": True},
        "hanging": {"command": SLEEP, "finish": {"lines": "sleep 1000", "seconds": 1}, "kill_orphans": True},
        "dying": {"command": ["false"], "max_delay": "1h"},
    }
    tour.start({"services": services})
    waiting.until(lambda: tour.runs("sv/leaving") and tour.runs("sv/hanging"))
    left = int(waiting.written(tour.base / "left"))
    assert tour.sv("-w", "60", "stop", "sv/leaving").returncode == 0
    assert not Path(f"/proc/{left}").exists()
    assert tour.sv("-w", "60", "stop", "sv/hanging").returncode == 0
    waiting.until(lambda: "start" in tour.sv("status", "sv/dying").stdout)
