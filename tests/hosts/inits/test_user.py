"""`init link` without root: a unit of the user's own systemd, whose account lingers, on a booted host."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support import oracle, waiting
from support.booted import Booted, booted, prepare, with_systemd
from support.command import PROGRAM

UID = 4242
SLOW = """\
#!/bin/sh
trap 'kill -9 $!; sleep 0.5; echo ended >>ended; exit 0' TERM
while :; do sleep 2222 & wait; done
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host of systemd with logind, and the account jo, who has a service."""
    oracle.program("dbus-daemon", package="dbus")  # logind's callers need it, and a user's systemd pam_systemd
    root = with_systemd(prepare(tmp_path / "systemd", services={}))
    for folder in ("pam.d", "security"):
        shutil.copytree(f"/etc/{folder}", root / "etc" / folder, symlinks=True)
    for name, line in (("passwd", f"jo:x:{UID}:{UID}::/home/jo:/bin/sh"), ("group", f"jo:x:{UID}:")):
        with (root / "etc" / name).open("a") as file:
            file.write(f"{line}\n")
    (root / "etc/shadow").write_text("root:*:19000::::::\njo:*:19000::::::\n")
    # In such a container nobody tells systemd that a user's last process has gone, with or without anything of ours: it waits its time.
    drop_in = root / "etc/systemd/system/user@.service.d/stop.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nTimeoutStopSec=20\n")
    run = root / "home/jo/service/slow/run"
    run.parent.mkdir(parents=True)
    run.write_text(SLOW)
    run.chmod(0o755)
    for folder, _, _ in os.walk(root / "home/jo"):
        os.chown(folder, UID, UID)
    return root


def as_jo(box: Booted, *words: object) -> CompletedProcess[str]:
    return box.run("runuser", "-u", "jo", "--", "env", "HOME=/home/jo", PROGRAM, *words)


@pytest.fixture
def box(root: Path) -> Iterator[Booted]:
    with booted(root) as box:
        waiting.until(lambda: box.run("loginctl", "list-users").returncode == 0, what="logind")
        yield box


def told(done: CompletedProcess[str]) -> str:
    print(done.stderr)
    return done.stdout if done.returncode == 0 else ""


def owner(box: Booted, pid: int) -> str:
    return box.run("ps", "-o", "user=", "-p", pid).stdout.strip()


@pytest.mark.shows(
    "inits", "systemd-user", "boot", "users' services as users", "SIGKILL of runsvdir", "live link and unlink", "orderly power-off"
)
def test_a_user_without_root_has_a_tree_that_starts_at_boot(root: Path, box: Booted) -> None:
    assert as_jo(box, "runtime", "install", "--prefix", "/home/jo/.local").returncode == 0
    refused = as_jo(box, "init", "link")
    assert refused.returncode == 1
    assert (
        "no systemd of this user's runs; an administrator's `loginctl enable-linger jo` starts it now, and at each boot"
        in refused.stderr
    )
    assert not (root / "home/jo/.config").exists()

    assert box.run("loginctl", "enable-linger", "jo").returncode == 0
    linked = waiting.until(lambda: told(as_jo(box, "init", "link")), what="jo's systemd")
    assert linked.startswith("systemd-user: /run/systemd/system is there, and this is not root\n")
    service = box.pid("sleep", "2222")
    assert owner(box, service) == "jo"
    assert as_jo(box, "init", "status").returncode == 0
    assert as_jo(box, "init", "link").stdout.endswith("nothing to do\n")

    first = box.pids("runsvdir", "-P", "/home/jo/service")[0]
    box.run("kill", "-KILL", first)
    waiting.until(lambda: as_jo(box, "init", "status").stdout.endswith(": running\n"), what="a runsvdir again")
    assert box.pids("sleep", "2222") == [service]

    box.run("systemctl", "poweroff")
    waiting.until(box.has_ended, what="a host that is down")
    assert (root / "home/jo/service/slow/ended").read_text() == "ended\n"
    with booted(root) as again:
        assert owner(again, again.pid("sleep", "2222")) == "jo"
        done = waiting.until(lambda: told(as_jo(again, "init", "unlink")), what="an unlink")
        assert done.endswith("removed /home/jo/.config/systemd/user/runit-provision.service\n")
        assert again.pids("sleep", "2222") == []
        assert not (root / "home/jo/.config").exists()
