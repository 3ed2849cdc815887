"""What a test of a user's asks about services, and what it is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import oracle, waiting
from support.sandbox import Sandbox

from runit_provision.errors import HostError
from runit_provision.verify.service import Services


def test_a_users_service_that_runs(by_ssh: Services) -> None:
    worker = by_ssh("apprun1/worker")
    assert worker.comes_up(within=60)
    assert worker.exists
    assert worker.is_supervised
    assert worker.is_running
    assert worker.is_enabled
    assert worker.is_logging
    assert worker.want == "up"
    assert worker.uptime >= 2
    assert worker.log[-1] == "started"


def test_the_pid_is_the_one_of_the_process(by_ssh: Services, host_tree: Sandbox) -> None:
    worker = by_ssh("apprun1/worker")
    assert worker.comes_up(within=60)
    assert host_tree.read(f"/proc/{worker.pid}/comm") == "sleep\n"


def test_a_service_of_the_host(by_ssh: Services) -> None:
    sshd = by_ssh("sshd")
    assert sshd.comes_up(within=60)
    assert any("Accepted publickey for root" in line for line in sshd.log)


def test_the_service_that_runs_a_users_tree(by_ssh: Services) -> None:
    assert by_ssh("runsvdir-apprun2").comes_up(within=60)


def test_a_service_that_fails_again_and_again_never_counts_as_up(by_ssh: Services) -> None:
    broken = by_ssh("apprun1/broken")
    waiting.until(lambda: broken.log == ("out of memory",) * 20 or len(broken.log) > 1, what="two failures")
    assert not broken.comes_up(within=3)
    assert broken.want == "up"
    assert "want up" in repr(broken)
    assert "last log line: out of memory" in repr(broken)


def test_a_log_that_the_shipped_rsvlog_writes_where_it_likes(by_ssh: Services) -> None:
    pooled = by_ssh("apprun2/pooled")
    assert pooled.comes_up(within=60)
    assert pooled.is_logging
    waiting.until(lambda: pooled.log, what="a line")
    assert pooled.log[-1].endswith(" started")


def test_a_service_in_the_tree_of_another(by_ssh: Services) -> None:
    node = by_ssh("apprun2/cluster/node")
    assert node.comes_up(within=60)
    assert node.directory == "/home/apprun2/service/cluster/service/node"


def test_a_service_with_a_down_file(by_ssh: Services) -> None:
    spare = by_ssh("apprun1/spare")
    waiting.until(lambda: spare.is_supervised, what="runsv to supervise it")
    assert (spare.exists, spare.is_enabled, spare.is_running, spare.want, spare.pid, spare.uptime) == (
        True,
        False,
        False,
        "down",
        None,
        0,
    )
    assert not spare.is_logging
    assert spare.goes_down(within=1)


def test_a_service_that_is_not_there(by_ssh: Services) -> None:
    ghost = by_ssh("apprun1/ghost")
    assert (ghost.exists, ghost.is_supervised, ghost.is_running, ghost.is_enabled, ghost.want, ghost.log) == ((False,) * 4 + (None, ()))
    assert repr(ghost) == "<apprun1/ghost: there is no run; beside it there are broken, spare, worker>"
    mistyped = by_ssh("apprun1/wroker")
    assert not mistyped.exists
    assert repr(mistyped) == "<apprun1/wroker: there is no run; beside it there are worker, broken, spare>"


def test_a_status_that_outlived_its_supervisor_is_not_believed(alone: Path, runit_service: Services) -> None:
    steady = runit_service(str(alone / "steady"))
    assert steady.comes_up(within=60)
    pid = steady.pid
    control = alone / "steady/supervise/control"
    control.write_bytes(b"x")
    waiting.until(lambda: not steady.is_supervised, what="runsv to end")
    stale = alone / "steady/supervise/status"
    stale.write_bytes(stale.read_bytes()[:12] + (pid or 1).to_bytes(4, "little") + b"\0u\0\1")
    assert (steady.is_supervised, steady.is_running, steady.want, steady.pid) == (False, False, None, None)


def test_a_user_who_may_not_look_is_told_so(by_ssh_as_apprun2: Services) -> None:
    sshd = by_ssh_as_apprun2("sshd")
    assert sshd.exists
    waiting.until(lambda: "may only be read by root" in repr(sshd) or not sshd.exists, what="runsv to supervise it")
    with pytest.raises(HostError, match="/etc/service/sshd: its supervise directory is not open to this connection; connect as root"):
        assert sshd.is_running


def test_a_user_sees_the_services_of_his_own(by_ssh_as_apprun2: Services, host_tree: Sandbox) -> None:
    mine = by_ssh_as_apprun2("apprun2/mine")
    assert mine.comes_up(within=60)
    assert host_tree.run("stat", "-c", "%U", f"/proc/{mine.pid}").stdout == "apprun2\n"


def test_a_name_that_is_none(runit_service: Services) -> None:
    with pytest.raises(HostError, match=r"'\.\./x' is not a service's name"):
        runit_service("../x")


def test_a_users_link_to_a_file_of_roots_is_not_read_as_root(by_ssh: Services, host_tree: Sandbox) -> None:
    """apprun2 makes a log of what only root may read, and says that svlogd wrote it."""
    service = "/home/apprun2/service/trap"
    host_tree.run(
        "chpst",
        "-u",
        "apprun2",
        "sh",
        "-c",
        f"mkdir -p {service}/log/main {service}/supervise && ln -s /etc/shadow {service}/log/main/current && touch {service}/run",
    )
    trap = by_ssh("apprun2/trap")
    assert trap.exists
    assert trap.log == ()
    assert by_ssh(service).log == ()


def test_without_any_but_busyboxs_tools(alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runit_service: Services) -> None:
    busybox = Path(oracle.program("busybox", package="busybox"))
    assert runit_service(str(alone / "steady")).comes_up(within=60)
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("sh", "od", "date", "tail", "readlink", "stat", "id", "timeout", "dd", "grep"):
        (tools / tool).symlink_to(busybox)
    with monkeypatch.context() as patched:
        patched.setenv("PATH", str(tools))
        steady = runit_service(str(alone / "steady"))
        assert (steady.is_running, steady.is_supervised, steady.want) == (True, True, "up")
        assert not runit_service(str(alone / "ghost")).is_supervised
