"""What the data intend, seen happening: each under C runit and under the shipped runtime."""

from __future__ import annotations

import os
import pwd
import socket
import subprocess
import threading
from pathlib import Path

import pytest
from support import oracle, waiting
from support.tour import Tour

from runit_provision.model.account import Account

SLEEP = ["sleep", "1000"]


@pytest.mark.shows("data", "service", "restart", "command")
@pytest.mark.shows("data", "restart", "at_most")
def test_a_service_that_ends_too_often_stays_down_and_says_why(tour: Tour) -> None:
    tour.start({"services": {"flaky": {"command": ["sh", "-c", "echo once; exit 3"], "restart": {"at_most": 1}}}})
    waiting.until(lambda: tour.is_down("sv/flaky"))
    said = "flaky ended 2 times, each within 30 s of the last, and stays down; sv up starts it"
    assert waiting.until(lambda: len(lines := tour.log("log/flaky")) == 3 and lines) == ["once", "once", said]


@pytest.mark.shows("data", "service", "restart")
def test_a_service_that_is_never_restarted_runs_once_and_again_when_told(tour: Tour) -> None:
    tour.start({"services": {"batch": {"command": ["echo", "done"], "restart": "never"}}})
    waiting.until(lambda: tour.is_down("sv/batch") and tour.log("log/batch").count("done") == 1)
    tour.sv("up", "sv/batch")
    waiting.until(lambda: tour.is_down("sv/batch") and tour.log("log/batch").count("done") == 2)


@pytest.mark.shows("data", "service", "finish")
@pytest.mark.shows("data", "finish", "mail")
@pytest.mark.shows("data", "mail", "on_failure", "on_stop")
def test_a_stop_is_mailed_as_a_stop_and_a_crash_as_a_failure(tour: Tour) -> None:
    mail = {"on_failure": "admins@example.com", "on_stop": "auditing@example.com"}
    tour.start({"services": {"daemon": {"command": SLEEP, "finish": {"mail": mail}}}})
    waiting.until(lambda: tour.runs("sv/daemon"))
    tour.sv("kill", "sv/daemon")
    waiting.until(lambda: tour.sink.exists() and tour.sink.read_text().count("\n") == 2)
    waiting.until(lambda: tour.runs("sv/daemon"))
    tour.sv("-w", "60", "stop", "sv/daemon")
    waiting.until(lambda: tour.sink.read_text().count("\n") == 4)
    name = os.uname().nodename
    assert tour.sink.read_text().splitlines() == [
        "daemon failed to admins@example.com:",
        f"daemon failed on {name}: exit code -1, status 9",
        "daemon was stopped to auditing@example.com:",
        f"daemon was stopped on {name}: exit code -1, status 15",
    ]


@pytest.mark.shows("data", "service", "one_shot")
def test_a_one_shot_runs_once_and_once_more_when_started_while_it_runs(tour: Tour) -> None:
    gate = tour.base / "gate"
    # It works a moment longer, since C's runsv sees an end before a letter that came with it.
    script = f"echo configured; until [ -e {gate} ]; do sleep 0.05; done; sleep 0.5"
    tour.start({"services": {"fw": {"command": script, "one_shot": True}}})
    waiting.until(lambda: tour.log("log/fw") == ["configured"])
    waiting.until(lambda: (status := tour.status("sv/fw")) and status.want == 1)
    tour.sv("up", "sv/fw")
    gate.touch()
    waiting.until(lambda: tour.is_down("sv/fw") and tour.log("log/fw") == ["configured"] * 2)


@pytest.mark.shows("data", "service", "services")
def test_stopping_a_nested_tree_ends_all_of_it_and_it_can_start_at_once(tour: Tour) -> None:
    tour.start({"services": {"cluster": {"services": {"back": {"command": SLEEP}, "front": {"command": SLEEP, "requires": ["back"]}}}}})
    inner = [f"sv/cluster/service/{name}" for name in ("back", "front")]
    for _ in range(2):
        waiting.until(lambda: all(tour.runs(name) for name in inner))
        pids = [status.pid for name in inner if (status := tour.status(name))]
        assert tour.sv("-w", "60", "stop", "sv/cluster").returncode == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}").exists()] == []
        assert tour.sv("-w", "60", "start", "sv/cluster").returncode == 0
        assert all(tour.runs(name) for name in inner)


@pytest.mark.shows("data", "service", "requires", "check")
@pytest.mark.shows("data", "probe", "file")
def test_what_requires_another_starts_when_that_is_of_use(tour: Tour) -> None:
    ready = tour.base / "ready"
    services = {
        "db": {"command": SLEEP, "check": {"file": str(ready)}},
        "web": {"command": ["sh", "-c", f"[ -e {ready} ] && echo in time; exec sleep 1000"], "requires": ["db"]},
    }
    tour.start({"services": services})
    waiting.until(lambda: tour.runs("sv/db") and tour.runs("sv/web"))
    assert tour.log("log/web") == []
    ready.touch()
    waiting.until(lambda: tour.log("log/web") == ["in time"])


@pytest.mark.shows("data", "service", "requires_timeout")
def test_what_is_not_ready_in_time_fails_the_start(tour: Tour) -> None:
    services = {
        "db": {"command": SLEEP, "check": {"file": "/nonexistent"}},
        "web": {"command": SLEEP, "requires": ["db"], "requires_timeout": 0},
    }
    tour.start({"services": services})
    assert waiting.until(lambda: tour.log("log/web"))[0] == f"not ready: {tour.base}/service/db"


@pytest.mark.shows("data", "service", "check")
@pytest.mark.shows("data", "check", "all", "timeout")
@pytest.mark.shows("data", "probe", "tcp", "unix", "file", "command")
def test_a_check_passes_when_something_listens(tour: Tour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        local = socket.socket(socket.AF_UNIX)
        local.bind(str(tour.base / "socket"))
        local.listen()
        all_of_it = [{"tcp": port}, {"unix": str(tour.base / "socket")}, {"file": "run"}, {"command": ["test", "-x", "run"]}]
        tour.start({"services": {"web": {"command": SLEEP, "check": {"all": all_of_it, "timeout": 3}}}})
        waiting.until(lambda: tour.runs("sv/web"))
        assert tour.sv("-w", "60", "check", "sv/web").returncode == 0
        local.close()
        assert tour.sv("-w", "1", "check", "sv/web").returncode == 1


@pytest.mark.shows("data", "probe", "http")
def test_a_check_by_http_wants_an_answer_below_400_of_the_service_itself(tour: Tour) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        answers = iter([b"HTTP/1.0 500 No\r\n\r\n", b"HTTP/1.0 200 Yes\r\n\r\n"])

        def serve() -> None:
            for answer in answers:
                peer, _ = server.accept()
                with peer:
                    peer.recv(4096)
                    peer.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        tour.start({"services": {"web": {"command": SLEEP, "check": {"http": f"http://127.0.0.1:{server.getsockname()[1]}/"}}}})
        waiting.until(lambda: tour.runs("sv/web"))
        assert tour.sv("-w", "60", "check", "sv/web", http_proxy="http://127.0.0.1:9").returncode == 0
        thread.join(waiting.DEADLINE)
        assert next(answers, None) is None


def test_a_service_that_backs_off_can_be_stopped_while_it_waits(tour: Tour) -> None:
    tour.start({"services": {"flaky": {"command": "echo once; exit 3", "restart": {"at_most": 99, "back_off": "1h"}}}})
    waiting.until(lambda: len(tour.log("log/flaky")) >= 3)
    assert tour.sv("-w", "60", "stop", "sv/flaky").returncode == 0
    waiting.until(lambda: tour.is_down("sv/flaky"))


@pytest.mark.shows("data", "restart", "at_most", "within", "forget", "back_off")
def test_a_service_that_backs_off_gives_up_though_it_waits_for_longer_than_counts(tour: Tour) -> None:
    restart = {"at_most": 3, "within": 3, "back_off": 4, "forget": 60}
    tour.start({"services": {"flaky": {"command": "echo once; exit 3", "restart": restart}}})
    waiting.until(lambda: tour.is_down("sv/flaky"))
    assert tour.log("log/flaky") == [*["once"] * 4, "flaky ended 4 times, each within 3 s of the last, and stays down; sv up starts it"]


def test_one_to_whom_control_was_given_may_control_and_nobody_else(tour: Tour) -> None:
    oracle.root("services of root, controlled by others")
    data = {"services": {"given": {"command": SLEEP, "delegate": {"user": "nobody"}}, "kept": {"command": SLEEP}}}
    tour.start(data, others=tour.people("nobody"))
    pid = waiting.until(lambda: tour.runs("sv/given") and tour.runs("sv/kept") and (status := tour.status("sv/given")) and status.pid)
    given = [tour.base / "sv/given/supervise" / fifo for fifo in ("control", "ok")]
    waiting.until(lambda: all(fifo.owner() == "nobody" for fifo in given))
    as_nobody = ["chpst", "-u", "nobody", str(tour.tools / "sv"), "-w", "60"]

    def sv(word: str, service: str) -> int:
        return subprocess.run([*as_nobody, word, f"{tour.base}/sv/{service}"], env=tour.environment(), check=False).returncode

    assert sv("restart", "given") == 0
    waiting.until(lambda: tour.runs("sv/given") and (status := tour.status("sv/given")) and status.pid != pid)
    assert sv("restart", "kept") == 1
    assert (tour.base / "sv/given/supervise").owner() == "root"


@pytest.mark.shows("data", "service", "delegate")
@pytest.mark.shows("data", "delegate", "user")
@pytest.mark.parametrize("tour", ["the shipped runtime"], indirect=True)  # C's runsv has to have run the service before
def test_control_is_given_before_the_first_start_and_taken_back(tour: Tour) -> None:
    oracle.root("services of root, controlled by others")
    entry = pwd.getpwnam("nobody")
    others = {"nobody": Account("nobody", entry.pw_uid, entry.pw_gid, "nogroup", str(tour.base))}
    given = {"command": SLEEP, "delegate": {"user": "nobody"}, "down": True}

    def sv(word: str) -> int:
        line = ["chpst", "-u", "nobody", str(tour.tools / "sv"), "-w", "60", word, f"{tour.base}/sv/given"]
        return subprocess.run(line, env=tour.environment(), check=False).returncode

    assert tour.apply({"services": {"given": given}}, others=others).ok
    tour.supervise()
    waiting.until(lambda: tour.status("sv/given") is not None and tour.status("sv/given/log") is not None)
    assert (tour.runs("sv/given"), sv("start")) == (False, 0)
    assert tour.runs("sv/given")
    assert (tour.base / "sv/given/log/supervise/control").owner() == "nobody"
    assert tour.apply({"services": {"given": {"command": SLEEP, "down": True}}}, others=others).ok
    fifos = [tour.base / "sv/given" / name for name in ("supervise/control", "supervise/ok", "log/supervise/control")]
    waiting.until(lambda: all(fifo.owner() == "root" and fifo.stat().st_mode & 0o777 == 0o600 for fifo in fifos))
    assert sv("stop") == 1


@pytest.mark.shows("data", "host", "users")
@pytest.mark.shows("data", "user", "services", "title")
def test_a_users_tree_runs_as_the_user_in_the_users_environment(tour: Tour) -> None:
    oracle.root("services of another user")
    people = tour.people("nobody")
    home = Path(people["nobody"].home)
    command = 'echo "$(id -un) $(id -G) $HOME $USER $SVDIR"; exec sleep 1000'
    user = {
        "title": 0,
        "services": {"who": {"command": command}, "quiet": {"command": "echo from inside; exec sleep 1000", "log": False}},
    }
    tour.start({"users": {"nobody": user}}, others=people)
    group = home.stat().st_gid
    expected = f"nobody {group} {home} nobody {home}/service"
    assert waiting.until(lambda: tour.log("home/nobody/logs/who")) == [expected]
    assert waiting.until(lambda: tour.log("home/nobody/logs/runsvdir")) == ["from inside"]
    assert (home / "logs/runsvdir/current").stat().st_uid == home.stat().st_uid
    pid = waiting.until(lambda: (status := tour.status("home/nobody/runit/who")) and status.pid)
    assert tour.sv("-w", "60", "stop", "sv/runsvdir-nobody").returncode == 0
    assert not Path(f"/proc/{pid}").exists()
