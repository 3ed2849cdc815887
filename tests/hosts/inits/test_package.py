"""What a live upgrade of the init's own package, by dpkg and with the package's own scripts, leaves of what was linked."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from support import oracle, waiting
from support.booted import SYSVINIT, booted
from support.repacked import known, repacked

from .conftest import POWER_OFF, link_image

# /usr is this machine's, and stays as it is below what dpkg writes.
UPGRADE = """
set -e
mkdir -p /var/usr/upper /var/usr/work
mount -t overlay -o lowerdir=/usr,upperdir=/var/usr/upper,workdir=/var/usr/work usr /usr
DEBIAN_FRONTEND=noninteractive dpkg --force-depends --force-confold --install "$1"
"""


@pytest.fixture
def deb(root: Path, tmp_path: Path) -> Path:
    """The package of `root`'s init, which its dpkg has in its list."""
    if root.name == "sysvinit":
        found = SYSVINIT / "sysvinit-core.deb"
        if not found.exists():
            oracle.absent(f"there is no {found} (apt-get download sysvinit-core)")
    else:
        found = repacked(root.name, tmp_path / "packages")
    known(found, root)
    return Path(shutil.copy(found, root / "root"))


@pytest.mark.one_of("init whose package is upgraded")
@pytest.mark.shows("inits", "{root}", "upgrade of its package")
def test_a_live_upgrade_of_the_inits_package_leaves_the_link_and_every_service(root: Path, deb: Path, boot: ExitStack) -> None:
    link_image(root)
    with booted(root) as box:
        service = box.pid("sleep", "1111")
        runsvdir = box.runsvdir()
        done = box.run("sh", "-c", UPGRADE, "sh", f"/root/{deb.name}")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "Setting up" in done.stdout
        assert (box.pids("sleep", "1111"), box.runsvdir()) == ([service], runsvdir)
        status = box.runit_provision("init", "status", "--prefix", "/opt/runit", "--init", root.name)
        assert status.returncode == 0, status.stdout + status.stderr
        box.run("kill", "-KILL", runsvdir)
        box.runsvdir(but=runsvdir)
        assert box.pids("sleep", "1111") == [service]
        box.run(*POWER_OFF[root.name].split())
        waiting.until((root / "root/rc0").exists if root.name == "sysvinit" else box.has_ended, what="a host that is down")
    again = boot.enter_context(booted(root))
    again.pid("sleep", "1111")
