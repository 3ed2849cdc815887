"""Whole Debians from debootstrap with each init: their own rc scripts, inittabs and runlevels, the default prefix, a real halt."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import waiting
from support.booted import booted, bootstrapped
from support.command import runit_provision

REASONS = {
    "systemd": "/sbin/init is /usr/lib/systemd/systemd",
    "sysvinit": "/sbin/init is /usr/sbin/init, and /etc/inittab is there",
    "openrc": "/sbin/init is /usr/sbin/init, and /sbin/openrc and /etc/runlevels are there",
}
INITS = list(REASONS) if os.environ.get("HARNESS") == "all" else ["systemd"]
POWER_OFF = {"systemd": "systemctl poweroff", "sysvinit": "shutdown -h now", "openrc": "shutdown -h now"}
DATA = """\
runit:
  users:
    apprun1:
      manage: true
      services:
        worker:
          run: |
            #!/bin/sh
            there() { for each in /srv/far /srv/near /home; do mountpoint "$each"; done; ls /run/network; }
            id -un
            there
            trap 'kill -9 $!; there; seq 20; exit 0' TERM
            while :; do sleep 2222 & wait; done
          finish:
            lines: echo finished
"""
FSTAB = "tmpfs /srv/near tmpfs defaults 0 0\n/srv/homes /home none bind 0 0\n"
FAR = "tmpfs /srv/far tmpfs _netdev 0 0\n"
"""What stands for another machine's; the rc scripts of the others ask for an NFS server."""
UP, DOWN = "sleep 1; touch /run/network", "rm /run/network"
# Networks that take their time: by each init's own way to say that this is the network.
NETWORK = {
    "systemd": {
        "etc/systemd/system/slow.service": f"""\
[Unit]
Before=network.target
Wants=network.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '{UP}'
ExecStop={DOWN}
""",
        "etc/systemd/system/multi-user.target.wants/slow.service": "/etc/systemd/system/slow.service",
    },
    "openrc": {
        "etc/init.d/slow": f"""\
#!/sbin/openrc-run
depend() {{ provide net; }}
start() {{ {UP}; }}
stop() {{ {DOWN}; }}
""",
        "etc/runlevels/default/slow": "/etc/init.d/slow",
    },
    "sysvinit": {
        "etc/init.d/slow": f"""\
#!/bin/sh
### BEGIN INIT INFO
# Provides: slow $network
# Required-Start: $local_fs
# Required-Stop: $local_fs
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
case $1 in start) {UP} ;; stop) {DOWN} ;; esac
""",
    },
}


@pytest.fixture(params=INITS)
def debian(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with bootstrapped(request.param, tmp_path / request.param) as root:
        yield root


def lay(debian: Path) -> None:
    """Lay the mounts, with the homes on one of them, and the network."""
    for folder in ("near", "far", "homes"):
        (debian / "srv" / folder).mkdir()
    (debian / "home/apprun1").rename(debian / "srv/homes/apprun1")
    (debian / "etc/fstab").write_text(FSTAB + (FAR if debian.name == "systemd" else ""))
    for path, text in NETWORK[debian.name].items():
        file = debian / path
        file.parent.mkdir(exist_ok=True)
        if "\n" in text:
            file.write_text(text)
            file.chmod(0o755)
        else:
            file.symlink_to(text)
    if debian.name == "sysvinit":  # whose rc starts what insserv has sorted
        subprocess.run(["chroot", debian, "insserv", "slow"], check=True)


def log(debian: Path) -> list[str]:
    file = debian / "srv/homes/apprun1/logs/worker/current"
    return [line.split(" ", 1)[1] for line in file.read_text().splitlines()] if file.exists() else []


@pytest.mark.shows("inits", "{debian}", "a whole distribution, to its halt", "after network, homes and mounts")
def test_an_image_of_a_distribution_comes_up_with_its_mounts_and_network_and_ends_before_them(
    debian: Path, tmp_path: Path, boot: ExitStack
) -> None:
    (tmp_path / "data.yaml").write_text(DATA)
    far = "/srv/far is a mountpoint" if debian.name == "systemd" else "/srv/far is not a mountpoint"
    there = [far, "/srv/near is a mountpoint", "/home is a mountpoint", "/run/network"]
    made = runit_provision("apply", "--data", tmp_path / "data.yaml", "--root", debian)
    assert made.status == 0, made.err
    assert runit_provision("runtime", "install", "--root", debian).status == 0
    linked = runit_provision("init", "link", "--root", debian)
    assert linked.status == 0, linked.err
    assert linked.out.splitlines()[0] == f"{debian.name}: {REASONS[debian.name]}"

    lay(debian)

    box = boot.enter_context(booted(debian, whole=True))
    service = box.pid("sleep", "2222")
    first = box.runsvdir()
    assert box.run("kill", "-KILL", first).returncode == 0
    box.runsvdir(but=first)
    assert box.pids("sleep", "2222") == [service]
    assert box.run("/usr/local/bin/sv", "status", "runsvdir-apprun1").stdout.startswith("run: runsvdir-apprun1: ")
    box.run(*POWER_OFF[debian.name].split())
    waiting.until(box.has_ended, what="a host that has halted")
    assert log(debian) == ["apprun1", *there, *there, *map(str, range(1, 21)), "finished"]
