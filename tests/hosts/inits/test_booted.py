"""`runit-provision init link | unlink` where a real init is pid 1."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support import waiting
from support.booted import booted, prepare, with_systemd
from support.lent_runtime import lay_runtime
from testinfra.host import Host  # type: ignore[import-untyped]

from runit_provision.verify.link import Link
from runit_provision.verify.nsenter import NsenterBackend
from runit_provision.verify.target import Target

from .conftest import POWER_OFF, link_image

SLOW = """\
#!/bin/sh
trap 'kill -9 $!; sleep 0.5; echo ended >>/root/ended; exit 0' TERM
while :; do sleep 2222 & wait; done
"""

KIND = {"systemd": "systemd", "sysvinit": "inittab", "openrc": "openrc", "busybox": "inittab", "runit": "nested", "s6": "nested"}


def told(done: CompletedProcess[str]) -> str:
    print(done.stderr)
    return done.stdout if done.returncode == 0 else ""


shows = pytest.mark.shows


@shows("inits", "{root}", "boot", "SIGKILL of runsvdir")
def test_a_linked_image_starts_its_services_at_boot_and_they_outlive_runsvdir(root: Path, boot: ExitStack) -> None:
    link_image(root)
    box = boot.enter_context(booted(root))
    service = box.pid("sleep", "1111")
    first = box.runsvdir()
    assert box.run("kill", "-KILL", first).returncode == 0
    box.runsvdir(but=first)
    waiting.until(lambda: box.run("sv", "status", "plain").stdout.startswith("run: plain:"), what="a service that is supervised")
    assert box.pids("sleep", "1111") == [service]


@shows("inits", "{root}", "live link and unlink")
def test_link_on_a_running_host_starts_runsvdir_and_unlink_ends_it_and_its_services(root: Path, boot: ExitStack) -> None:
    box = boot.enter_context(booted(root))
    (box.root / "etc/service").rename(box.root / "etc/later")
    link = partial(box.runit_provision, "init", "link", "--prefix", "/opt/runit")
    said = waiting.until(lambda: told(link()), what="an init that listens")
    assert said.startswith(f"{root.name}: ")
    assert said.endswith("/etc/service is not there yet: runsvdir waits for it, and apply makes it\n")
    (box.root / "etc/later").rename(box.root / "etc/service")
    box.pid("sleep", "1111")
    assert box.runit_provision("init", "status", "--prefix", "/opt/runit").returncode == 0
    seen = Link(Target(Host(NsenterBackend(str(box.leader)))))
    assert (seen.kind, seen.is_running) == (KIND[root.name], True)
    assert link().stdout.endswith("nothing to do\n")
    done = box.runit_provision("init", "unlink", "--prefix", "/opt/runit")
    assert (done.returncode, done.stderr) == (0, "")
    assert (box.pids("sleep", "1111"), box.pids("-P", "/etc/service")) == ([], [])
    assert box.runit_provision("init", "status", "--prefix", "/opt/runit").returncode == 2
    assert not seen.is_linked
    assert not seen.is_running


@shows("inits", "{root}", "other options, same services")
@pytest.mark.parametrize("root", ["systemd", "openrc", "runit", "s6"], indirect=True)  # others run what the script has become later
def test_a_link_with_other_options_replaces_runsvdir_and_no_service(root: Path, boot: ExitStack) -> None:
    link_image(root)
    box = boot.enter_context(booted(root))
    service = box.pid("sleep", "1111")
    first = box.runsvdir()
    assert box.runit_provision("runtime", "install", "--prefix", "/opt/other").returncode == 0
    done = box.runit_provision("init", "link", "--prefix", "/opt/other")
    assert (done.returncode, done.stderr) == (0, "")
    status = box.runit_provision("init", "status", "--prefix", "/opt/other")
    assert (status.returncode, status.stdout.splitlines()[-1]) == (0, "runsvdir on /etc/service: running")

    def is_replaced() -> bool:
        others = [pid for pid in box.pids("-P", "/etc/service") if pid != first]
        return any("PATH=/opt/other/bin:" in box.run("cat", f"/proc/{pid}/environ").stdout for pid in others)

    waiting.until(is_replaced, what="a runsvdir of the other prefix")
    assert box.pids("sleep", "1111") == [service]


GROUPED = """\
#!/bin/sh
set -e
own=/sys/fs/cgroup/systemd$(sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup)
[ -d "$own" ] || own=/sys/fs/cgroup$(sed -n 's/^0:://p' /proc/self/cgroup)
mkdir -p "$own/mine"
echo $$ >"$own/mine/cgroup.procs"
exec sleep 2222
"""


def test_a_service_keeps_the_control_group_that_it_made(tmp_path: Path, boot: ExitStack) -> None:
    root = with_systemd(prepare(tmp_path / "systemd", services={"plain": GROUPED}))
    lay_runtime(root, prefix="/opt/runit")
    link_image(root)
    box = boot.enter_context(booted(root))
    service = box.pid("sleep", "2222")
    group = box.run("cat", f"/proc/{service}/cgroup").stdout
    assert "/runit-provision.service/mine" in group
    first = box.runsvdir()
    assert box.run("systemctl", "daemon-reload").returncode == 0
    assert box.run("kill", "-KILL", first).returncode == 0
    box.runsvdir(but=first)
    assert box.run("cat", f"/proc/{service}/cgroup").stdout == group
    assert box.run("systemctl", "show", "--property=Delegate", "runit-provision.service").stdout == "Delegate=yes\n"


STOPPED_AT_ONCE = """
kill -KILL "$1"
while next=$(systemctl show --property=MainPID --value "$2") && [ "$next" = "$1" -o "$next" = 0 ]; do :; done
exec systemctl stop "$2"
"""
"""The next runsvdir has just been started, and nothing of it runs yet."""


def test_stopping_the_unit_ends_services_in_order_and_status_says_so_until_link_starts_it(tmp_path: Path, boot: ExitStack) -> None:
    root = with_systemd(prepare(tmp_path / "systemd", services={"plain": SLOW}))
    lay_runtime(root, prefix="/opt/runit")
    link_image(root)
    box = boot.enter_context(booted(root))
    box.pid("sleep", "2222")
    done = box.run("systemctl", "stop", "runit-provision.service")
    assert (done.returncode, done.stderr) == (0, "")
    assert (box.pids("-P", "/etc/service"), box.pids("sleep", "2222")) == ([], [])
    assert box.run("systemctl", "is-failed", "runit-provision.service").stdout == "inactive\n"
    assert (root / "root/ended").read_text() == "ended\n"
    stopped = box.runit_provision("init", "status", "--prefix", "/opt/runit")
    assert (stopped.returncode, stopped.stdout.splitlines()[-1]) == (2, "runsvdir on /etc/service: not running")
    assert box.runit_provision("init", "link", "--prefix", "/opt/runit").returncode == 0
    assert box.runit_provision("init", "status", "--prefix", "/opt/runit").returncode == 0
    box.pid("sleep", "2222")
    again = box.run("sh", "-c", STOPPED_AT_ONCE, "sh", box.runsvdir(), "runit-provision.service")
    assert (again.returncode, again.stderr) == (0, "")
    assert (box.pids("-P", "/etc/service"), box.pids("sleep", "2222")) == ([], [])
    assert (root / "root/ended").read_text() == "ended\nended\n"


@shows("inits", "{root}", "orderly power-off")
def test_powering_off_the_host_ends_services_in_order(root: Path, boot: ExitStack) -> None:
    (root / "etc/service/plain/run").write_text(SLOW)
    link_image(root)
    box = boot.enter_context(booted(root))
    box.pid("sleep", "2222")
    box.run(*POWER_OFF[root.name].split())
    waiting.until((root / "root/ended").exists, what="a service that was told to end")
    over = (root / "root/rc0").exists if root.name == "sysvinit" else box.has_ended  # sysvinit's level does not halt by itself
    waiting.until(over, what="a host that is down")
    assert (root / "root/ended").read_text() == "ended\n"
    if root.name == "sysvinit":
        assert "sleep 2222" not in (root / "root/rc0").read_text()
