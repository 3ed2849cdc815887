"""What is to run and what is not, in whose hands, and a user's whole tree: each under C runit and under the shipped runtime."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import oracle, state, waiting
from support.tour import Tour

SLEEP = [str(state.PROGRAM), "1000"]


@pytest.mark.shows("data", "service", "ensure", "enabled", "down", "link", "command")
@pytest.mark.shows("data", "host", "owner", "service_directory", "definitions", "log_directory", "services")
def test_running_stopped_absent_and_as_people_left_it(tour: Tour) -> None:
    def data(**ensure: Any) -> dict[str, Any]:
        return {"services": {name: {"command": SLEEP, **keys} for name, keys in ensure.items()}}

    tour_data = data(up={}, off={"ensure": "stopped"}, down={"down": True}, not_at_boot={"enabled": False, "ensure": "running"})
    assert tour.apply(tour_data).ok
    tour.supervise()
    waiting.until(lambda: tour.runs("sv/up") and all(tour.is_down(f"sv/{name}") for name in ("off", "down", "not_at_boot")))
    assert tour.apply(tour_data).ok
    waiting.until(lambda: tour.runs("sv/not_at_boot"))
    assert {name: (tour.base / f"sv/{name}/down").exists() for name in ("up", "off", "down", "not_at_boot")} == {
        "up": False,
        "off": True,
        "down": True,
        "not_at_boot": True,
    }
    tour.sv("-w", "60", "start", "sv/down")
    before = tour.status("sv/down")
    assert tour.apply(data(up={"ensure": "absent"}, off={}, down={"down": True}, not_at_boot={"link": "10-late"})).ok
    waiting.until(lambda: tour.runs("sv/off") and not (tour.base / "sv/up").exists())
    after = tour.status("sv/down")
    assert before and after and after.pid == before.pid
    assert (tour.base / "service/10-late").is_symlink()
    assert not (tour.base / "service/not_at_boot").is_symlink()


@pytest.mark.shows("data", "service", "restart_interval", "restart_count", "clear_interval", "restart")
def test_the_original_modules_names_bound_restarts_too(tour: Tour) -> None:
    names = {"restart_count": 1, "restart_interval": 20, "clear_interval": 60}
    tour.start({"services": {"flaky": {"command": "echo once; exit 3", **names}}})
    waiting.until(lambda: tour.is_down("sv/flaky"))
    said = "flaky ended 2 times, each within 20 s of the last, and stays down; sv up starts it"
    waiting.until(lambda: tour.log("log/flaky") == ["once", "once", said])


@pytest.mark.shows("data", "service", "delegate")
@pytest.mark.shows("data", "delegate", "user", "group")
def test_who_was_given_control_has_it_after_restarts_and_after_a_boot_that_empties_supervise(tour: Tour) -> None:
    oracle.root("services of root, controlled by others")
    services = {
        "persons": {"command": SLEEP, "delegate": {"user": "nobody"}},
        "groups": {"command": SLEEP, "delegate": {"group": "games"}},
    }
    who = {"persons": ["chpst", "-u", "nobody"], "groups": ["chpst", "-u", "daemon:games"]}

    def may(service: str, word: str, by: str) -> bool:
        path = str(tour.base / "sv" / service)
        line = [*who[by], str(tour.tools / "sv"), "-w", "60", word, path]
        return subprocess.run(line, env=tour.environment(), capture_output=True, check=False).returncode == 0

    def given() -> bool:
        fifos = [tour.base / "sv/persons" / each for each in ("supervise/control", "log/supervise/control")]
        shared = [tour.base / "sv/groups" / each for each in ("supervise/control", "log/supervise/control")]
        return all(map(tour.runs, ("sv/persons", "sv/groups"))) and (
            all(fifo.exists() and fifo.owner() == "nobody" for fifo in fifos)
            and all(fifo.exists() and fifo.group() == "games" and fifo.stat().st_mode & 0o777 == 0o660 for fifo in shared)
        )

    tour.start({"services": services}, others=tour.people("nobody"))
    for boot in range(2):
        waiting.until(given)
        for service in services:
            for _ in range(2):
                before = tour.status(f"sv/{service}")
                assert may(service, "restart", service), (boot, service)
                waiting.until(lambda service=service, before=before: (now := tour.status(f"sv/{service}")) and now != before)  # type: ignore[misc]
            waiting.until(given)
        assert not may("persons", "restart", "groups")
        assert not may("groups", "restart", "persons")
        if boot == 0:
            tour.stop()
            for folder in tour.base.glob("sv/*/supervise"), tour.base.glob("sv/*/log/supervise"):
                for path in folder:
                    shutil.rmtree(path)
            tour.supervise()


@pytest.mark.shows("data", "service", "requires", "delegate")
def test_a_service_that_others_ask_for_is_seen_by_them_from_its_first_start_after_any_boot(tour: Tour) -> None:
    oracle.root("services of other users")
    data = {
        "services": {"db": {"command": SLEEP, "down": True, "delegate": {"group": "games"}}},
        "users": {"nobody": {"services": {"work": {"command": "echo in time; exec sleep 1000", "requires": ["/db"]}}}},
    }
    tour.start(data, others=tour.people("nobody"))
    for times in range(1, 3):
        waiting.until(lambda: tour.runs("home/nobody/runit/work") and tour.status("sv/db") is not None)
        assert tour.log("home/nobody/logs/work") == ["in time"] * (times - 1)
        tour.sv("-w", "60", "start", "sv/db")
        waiting.until(lambda times=times: tour.log("home/nobody/logs/work") == ["in time"] * times)  # type: ignore[misc]
        mode = (tour.base / "sv/db/supervise/control").stat().st_mode
        assert not mode & 0o007
        if times == 1:
            tour.stop()
            for path in (*tour.base.rglob("supervise"),):
                shutil.rmtree(path)
            tour.supervise()


@pytest.mark.shows("data", "host", "users", "home", "defaults")
@pytest.mark.shows("data", "user", "account", "home", "group", "groups", "env", "path", "limits", "nice", "log", "title", "enabled")
@pytest.mark.shows("data", "user", "service_directory", "definitions", "logdir", "defaults", "services", "ensure")
def test_a_users_tree_is_as_the_data_say(tour: Tour) -> None:
    oracle.root("services of another user")
    people = tour.people("nobody", below="elsewhere")
    home = Path(people["nobody"].home)
    tree = {
        "account": "nobody",
        "home": str(home),
        "service_directory": f"{home}/.config/runit/default",
        "definitions": f"{home}/.config/runit/sv",
        "logdir": f"{home}/var",
        "group": "games",
        "groups": ["audio"],
        "env": {"REGION": "north"},
        "path": "/opt/bin:/usr/bin:/bin",
        "limits": {"files": 199},
        "nice": 3,
        "log": {"keep": 3, "timestamp": "none"},
        "defaults": {"log": {"timestamp": "none"}},
        "services": {"it": {"command": SLEEP}, "says": {"command": "echo $REGION >&2; exec sleep 1000", "log": False}},
    }
    # The tools are no longer on the PATH of the data: the host's are found by their own.
    tree["path"] = f"{tour.tools}:{tree['path']}"
    data: dict[str, Any] = {"defaults": {"nice": 2}, "users": {"apps": tree}}
    tour.start(data, others=people)
    it = f"{home.relative_to(tour.base)}/.config/runit/sv/it"
    pid = waiting.until(lambda: (status := tour.status(it)) and status.pid)
    proc = Path(f"/proc/{pid}")
    waiting.until(lambda: state.has_become(proc))
    found = state.observe(proc)
    environment = dict(item.split(b"=", 1) for item in found["environment"] if item)  # type: ignore[attr-defined]
    assert str(found["Uid"]).split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    assert str(found["Gid"]).split() == [str(grp.getgrnam("games").gr_gid)] * 4
    assert str(grp.getgrnam("audio").gr_gid) in str(found["Groups"]).split()
    assert found["nice"] == os.nice(0) + 5
    assert any("Max open files            199 " in line for line in found["limits"])  # type: ignore[attr-defined]
    assert {name: environment[name.encode()].decode() for name in ("HOME", "USER", "SVDIR", "REGION", "PATH")} == {
        "HOME": str(home),
        "USER": "nobody",
        "SVDIR": str(tree["service_directory"]),
        "REGION": "north",
        "PATH": str(tree["path"]),
    }
    words = home / "var/runsvdir/current"
    assert waiting.written(words) == "north\n"
    assert (home / "var/runsvdir/config").read_bytes().splitlines()[1] == b"n3"
    waiting.until((home / "var/it/current").exists)
    assert (home / "var/it/current").owner() == "nobody"
    assert tour.sv("-w", "60", "stop", "sv/runsvdir-apps").returncode == 0
    assert not proc.exists()


@pytest.mark.shows("data", "user", "title", "enabled", "ensure")
def test_a_users_tree_that_is_not_to_start_and_one_whose_words_stand_in_its_title(tour: Tour) -> None:
    oracle.root("services of other users")
    says = {"it": {"command": "echo last words >&2; exec sleep 1000", "log": False}}
    data = {"users": {"nobody": {"title": 200, "services": says}, "games": {"enabled": False, "services": says}}}
    tour.start(data, others=tour.people("nobody", "games"))

    def title() -> bytes:
        status = tour.status("sv/runsvdir-nobody")
        return Path(f"/proc/{status.pid}/cmdline").read_bytes() if status and status.pid else b""

    waiting.until(lambda: b"last words" in title())
    waiting.until(lambda: tour.is_down("sv/runsvdir-games"))
    assert (tour.base / "sv/runsvdir-games/down").exists()


@pytest.mark.shows("data", "host", "basedir", "profile", "users")
@pytest.mark.shows("data", "user", "basedir", "profile")
def test_trees_lie_below_a_basedir_and_login_shells_find_them(tour: Tour) -> None:
    oracle.root("services of other users")
    people = {**tour.people("nobody", below="srv"), **tour.people("games", below="own")}
    says = {"it": {"command": "echo here; exec sleep 1000", "log": {"timestamp": "none"}}}
    users = {"nobody": {"services": says}, "games": {"basedir": f"{tour.base}/own/games", "profile": False, "services": says}}
    profile = tour.base / "profile.sh"
    data = {"basedir": f"{tour.base}/srv", "profile": str(profile), "users": users}
    report = tour.apply(data, others=people)
    assert report.ok, report.problems
    tour.supervise()
    for base in (tour.base / "srv/nobody", tour.base / "own/games"):
        log = base / "logs/it/current"
        assert waiting.written(log) == "here\n"
        assert (base / "service/it").readlink() == base / "runit/it"
    for name, found in (("nobody", f"{tour.base}/srv/nobody/service"), ("games", ""), ("root", "")):
        shell = ["sh", "-c", f'. {profile}; echo "${{SVDIR-}}"']
        assert subprocess.run(shell, env={"USER": name}, capture_output=True, text=True, check=True).stdout == f"{found}\n"
