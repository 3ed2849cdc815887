"""The examples' node with a runit from a package file, under a real `puppet apply`, as root, on a host that has no runit yet."""

from __future__ import annotations

import shutil
from pathlib import Path

from support import oracle, waiting

from .conftest import CHANGED, UNCHANGED, Puppet

NODE = Path(__file__).parents[3] / "hiera-examples/data/nodes/app3.example.com.yaml"
TOOLS = ("chpst", "runsv", "runsvdir", "sv", "svlogd")
CONTROL = "Package: runit\nVersion: 2.1.2-54\nArchitecture: amd64\nMaintainer: nobody <nobody@example.com>\nDescription: runit\n"
# Below the machine's own tools lies nothing that would change them; the host's list of packages is empty, as /var is.
WITHOUT_RUNIT = """
mkdir /run/usr && mount -t tmpfs usr /run/usr && mkdir /run/usr/upper /run/usr/work
mount -t overlay -o lowerdir=/usr,upperdir=/run/usr/upper,workdir=/run/usr/work usr /usr
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates && touch /var/lib/dpkg/status /var/lib/dpkg/available
mount -t tmpfs srv /srv && mkdir /srv/packages
cd /usr/bin && rm -- "$@"
"""


def build(folder: Path) -> None:
    """Make a package file with this machine's runit in it."""
    (folder / "DEBIAN").mkdir(parents=True)
    (folder / "DEBIAN/control").write_text(CONTROL)
    (folder / "usr/bin").mkdir(parents=True)
    for tool in TOOLS:
        shutil.copy2(oracle.program(tool, package="runit"), folder / "usr/bin" / tool)


def test_the_package_file_is_installed_and_its_runit_runs_the_tree_of_each_user(puppet: Puppet, tmp_path: Path) -> None:
    oracle.program("dpkg-deb", package="dpkg")
    build(tmp_path / "package")
    host = puppet.host
    host.run("sh", "-ec", WITHOUT_RUNIT, "sh", *TOOLS)
    host.run("dpkg-deb", "--build", str(tmp_path / "package"), "/srv/packages/runit_2.1.2-54_amd64.deb")
    first = puppet.apply(NODE.read_text())
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert host.run("dpkg-query", "--show", "--showformat", "${db:Status-Status}", "runit").stdout == "installed"
    assert host.run("dpkg-deb", "--field", "/var/cache/runit-provision/runit_2.1.2-54_amd64.deb", "Package").stdout == "runit\n"

    host.start("runsvdir", "-P", "/etc/service")
    for user in ("apprun1", "apprun2"):
        tree = puppet.services(f"runsvdir-{user}")
        assert tree.comes_up(within=60), repr(tree)
        assert host.run("stat", "-c", "%U", f"/proc/{tree.pid}").stdout == f"{user}\n"
        host.run("su", user, "-c", "cd && mkdir runit/mine && printf '#!/bin/sh\\necho begun\\nexec sleep 1000\\n' >runit/mine/run")
        host.run("su", user, "-c", "cd && chmod +x runit/mine/run && ln -s ../runit/mine service/")
        waiting.until(lambda user=user: "begun" in host.read(f"/home/{user}/logs/runsvdir/current"), what="its words")  # type: ignore[misc]
        before = tree.pid
        host.run("kill", "-9", str(before))
        waiting.until(lambda tree=tree, before=before: tree.pid not in (None, 0, before), what="the tree lives again")  # type: ignore[misc]
    assert puppet.apply(NODE.read_text()).returncode == UNCHANGED
