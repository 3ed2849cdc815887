"""The state that a process gets: each key of the data, seen in /proc, under C runit and under the shipped runtime."""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from support import oracle, state, waiting
from support.tour import Tour

SLEEP = [str(state.PROGRAM), "1000"]


@pytest.fixture(autouse=True)
def root() -> None:
    oracle.root("services become other users")


def seen(tour: Tour, name: str) -> dict[str, Any]:
    """Give the state of the service `name` once it has become the program."""
    proc = Path("/proc", str(waiting.until(lambda: (status := tour.status(f"sv/{name}")) and status.pid)))
    waiting.until(lambda: state.has_become(proc), what=f"{name} to be the program")
    return state.observe(proc)


@pytest.mark.shows("data", "service", "command", "user", "group", "groups", "directory", "umask", "nice", "session", "close", "argv0")
def test_who_it_is_and_where_and_how_it_was_called(tour: Tour) -> None:
    work = tour.base / "work"
    work.mkdir()
    entry = pwd.getpwnam("nobody")
    service = {
        "command": SLEEP,
        "user": "nobody",
        "group": "adm",
        "groups": ["audio", "video"],
        "directory": str(work),
        "umask": "027",
        "nice": 5,
        "session": True,
        "close": ["stdin"],
        "argv0": "another name",
    }
    tour.start({"services": {"it": service}}, others=tour.people("nobody"))
    found = seen(tour, "it")
    adm, audio, video = (grp.getgrnam(name).gr_gid for name in ("adm", "audio", "video"))
    assert found["Uid"].split() == [str(entry.pw_uid)] * 4
    assert found["Gid"].split() == [str(adm)] * 4
    assert set(map(int, found["Groups"].split())) - {adm} == {audio, video}
    assert (found["Umask"], found["nice"], found["directory"]) == ("0027", os.nice(0) + 5, work)
    assert found["leads a session"]
    assert found["words"] == [b"another name", b"1000", b""]
    assert set(found["descriptors"]) == {1, 2}


@pytest.mark.shows("data", "service", "limits")
@pytest.mark.shows("data", "limits", "data", "stack", "resident", "files", "processes", "file_size", "core", "cpu", "memory")
def test_each_limit_is_the_soft_one_of_its_process(tour: Tour) -> None:
    limits: dict[str, Any] = {"data": "1g", "stack": "4m", "resident": "256m", "files": 99}
    limits |= {"processes": 500, "file_size": "1g", "core": 0, "cpu": "1h"}
    services = {"each": {"command": SLEEP, "limits": limits}, "memory": {"command": SLEEP, "limits": {"memory": "512m"}}}
    tour.start({"services": services})
    of_each = {"data size": 1 << 30, "stack size": 4 << 20, "resident set": 256 << 20, "open files": 99}
    of_each |= {"processes": 500, "file size": 1 << 30, "core file size": 0, "cpu time": 3600}
    assert soft(tour, "each").items() >= of_each.items()
    of_memory = dict.fromkeys(("address space", "data size", "stack size"), 512 << 20)
    assert soft(tour, "memory").items() >= of_memory.items()


def soft(tour: Tour, name: str) -> dict[str, int]:
    """Give the soft limits that are numbers."""
    rows = ((line[4:26].strip(), line[26:47].strip()) for line in seen(tour, name)["limits"])
    return {what: int(value) for what, value in rows if value.isdigit()}


@pytest.mark.shows("data", "service", "chroot")
def test_another_root_directory_is_all_that_it_sees(tour: Tour) -> None:
    jail = state.jail(tour.base / "jail")
    jailed = {"command": SLEEP, "user": "nobody", "group": "adm", "groups": ["audio"], "chroot": str(jail)}
    tour.start({"services": {"jailed": jailed}}, others=tour.people("nobody"))
    found = seen(tour, "jailed")
    assert (found["root"], found["directory"]) == (jail, jail)
    assert found["Uid"].split() == [str(pwd.getpwnam("nobody").pw_uid)] * 4
    assert found["Gid"].split() == [str(grp.getgrnam("adm").gr_gid)] * 4
    assert str(grp.getgrnam("audio").gr_gid) in found["Groups"].split()


@pytest.mark.shows("data", "service", "lock")
@pytest.mark.shows("data", "lock", "path", "wait")
def test_a_lock_is_held_while_it_runs_and_waited_for_unless_the_data_say_no(tour: Tour) -> None:
    path = tour.base / "lock"
    services = {
        "waits": {"command": "echo has it; exec sleep 1000", "lock": str(path)},
        "asks": {"command": "echo has it; exec sleep 1000", "lock": {"path": str(path), "wait": False}, "restart": "never"},
    }
    with path.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        tour.start({"services": services})
        assert "unable to lock" in waiting.until(lambda: tour.log("log/asks"))[0]
        waiting.until(lambda: tour.is_down("sv/asks") and tour.runs("sv/waits"))
        assert tour.log("log/waits") == []
    assert waiting.until(lambda: tour.log("log/waits")) == ["has it"]


@pytest.mark.shows("data", "service", "env", "env_directories", "home", "before")
@pytest.mark.shows("data", "finish", "lines")
def test_the_program_the_lines_before_and_after_and_the_line_itself_see_the_same_environment(tour: Tour) -> None:
    tools = tour.base / "tools"
    tools.mkdir()
    (tools / "own").write_text('#!/bin/sh\necho "own says $STATE $HOME"\n')
    (tools / "own").chmod(0o755)
    more = tour.base / "more"
    more.mkdir()
    for name, value in {"STATE": "from there", "EXTRA": "extra"}.items():
        (more / name).write_text(value)
    sees = 'own; echo "${GONE-unset} ${MORE} ${IFS+kept}"'
    env = {"STATE": "it's $5", "GONE": None, "MORE": "two\nlines ", "PATH": f"{tools}:/usr/bin:/bin", "IFS": ":", "odd-name": "value"}
    service = {
        "command": SLEEP,
        "before": sees,
        "finish": {"lines": sees, "mail": {"on_stop": "root"}},
        "env": env,
        "env_directories": [str(more)],
        "home": "/srv/it",
    }
    line = {"command": 'echo "$STATE" "$HOME" >out', "env": {"STATE": "as said"}, "home": "/srv/line", "restart": "never"}
    tour.start({"services": {"it": service, "line": line}})
    environment = dict(item.split(b"=", 1) for item in seen(tour, "it")["environment"] if item)
    assert {name: environment.get(name.encode()) for name in (*env, "EXTRA", "HOME")} == {
        **{name: value and value.encode() for name, value in env.items()},
        "EXTRA": b"extra",
        "HOME": b"/srv/it",
    }
    lines = ["own says it's $5 /srv/it", "unset two", "lines  kept"]
    waiting.until(lambda: tour.log("log/it") == lines)
    assert tour.sv("-w", "60", "stop", "sv/it").returncode == 0
    waiting.until(lambda: tour.log("log/it") == lines * 2)
    out = tour.base / "sv/line/out"
    assert waiting.written(out) == "as said /srv/line\n"


@pytest.mark.shows("data", "service", "command", "user", "env")
def test_what_a_line_opens_and_puts_in_is_the_users(tour: Tour) -> None:
    work = tour.base / "work"
    work.mkdir()
    os.chown(work, pwd.getpwnam("nobody").pw_uid, -1)
    service = {"command": f'echo "$(id -un) $WHAT" >{work}/out', "user": "nobody", "env": {"WHAT": "here"}, "restart": "never"}
    tour.start({"services": {"line": service}}, others=tour.people("nobody"))
    out = work / "out"
    assert waiting.written(out) == "nobody here\n"
    assert out.owner() == "nobody"


@pytest.mark.shows("data", "service", "env", "before")
def test_a_secret_that_lines_see_is_in_no_file_that_others_read(tour: Tour) -> None:
    from support.world import table_of

    from runit_provision.model.data import Sensitive

    secret = table_of({"command": SLEEP, "before": "echo ${#TOKEN}", "finish": {"lines": "echo ${#TOKEN}"}})
    secret["env"] = table_of({})
    secret["env"]["TOKEN"] = Sensitive("s3cret")
    tour.start({"services": {"it": secret}})
    waiting.until(lambda: tour.log("log/it") == ["6"])
    directory = tour.base / "sv/it"
    files = [path for path in directory.rglob("*") if path.is_file() and not path.is_relative_to(directory / "supervise")]
    files = [path for path in files if b"s3cret" in path.read_bytes()]
    assert {path.name for path in files} == {"run", "finish"}
    assert {path.stat().st_mode & 0o777 for path in files} == {0o700}


@pytest.mark.shows("data", "service", "stderr")
def test_standard_error_goes_to_the_log_or_to_the_supervisors_own(tour: Tour) -> None:
    says = "echo out; echo err >&2; exec sleep 1000"
    tour.start({"services": {"both": {"command": says}, "apart": {"command": says, "stderr": "supervisor"}}})
    waiting.until(lambda: tour.log("log/both") == ["out", "err"] and tour.log("log/apart") == ["out"])


@pytest.mark.shows("data", "service", "instances", "link")
def test_instances_are_services_of_their_own_by_name(tour: Tour) -> None:
    service = {"command": 'echo "serves $INSTANCE in ${PWD##*/}"; exec sleep 1000', "instances": ["tty1", "eth0"], "link": "9"}
    tour.start({"services": {"dhcp": service}})
    for name in ("tty1", "eth0"):
        assert waiting.until(lambda name=name: tour.log(f"log/dhcp_{name}")) == [f"serves {name} in dhcp_{name}"]  # type: ignore[misc]
        assert (tour.base / "service" / f"9_{name}").readlink() == tour.base / "sv" / f"dhcp_{name}"
