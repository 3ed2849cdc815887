"""The examples' node with a runit from a package file, under a real `puppet apply`, as root, on a host that has no runit yet."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle, waiting
from support.sandbox import Sandbox

from .conftest import CHANGED, UNCHANGED, Puppet, puppet_7

NODE = Path(__file__).parents[3] / "hiera-examples/data/nodes/app3.example.com.yaml"
TOOLS = ("chpst", "runsv", "runsvdir", "sv", "svlogd")
CONTROL = "Package: runit\nVersion: 2.1.2-54\nArchitecture: amd64\nMaintainer: nobody <nobody@example.com>\nDescription: runit\n"
SPEC = """\
Name: runit
Version: 2.1.2
Release: 54
Summary: runit
License: BSD
AutoReqProv: no
%description
runit
%files
/usr/bin/*
%package one
Summary: nothing
%description one
%package two
Summary: nothing
%description two
%files one
%files two
"""
# Below the machine's own tools lies nothing that would change them; the host's list of packages is empty, as /var is.
WITHOUT_RUNIT = """
mkdir /run/usr && mount -t tmpfs usr /run/usr && mkdir /run/usr/upper /run/usr/work
mount -t overlay -o lowerdir=/usr,upperdir=/run/usr/upper,workdir=/run/usr/work usr /usr
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates && touch /var/lib/dpkg/status /var/lib/dpkg/available
mount -t tmpfs srv /srv && mkdir /srv/packages
cd /usr/bin && rm -- "$@"
"""


def lay(folder: Path) -> None:
    """Lay this machine's runit for a package."""
    (folder / "usr/bin").mkdir(parents=True)
    for tool in TOOLS:
        shutil.copy2(oracle.program(tool, package="runit"), folder / "usr/bin" / tool)


def deb(host: Sandbox, folder: Path) -> str:
    oracle.program("dpkg-deb", package="dpkg")
    lay(folder)
    (folder / "DEBIAN").mkdir()
    (folder / "DEBIAN/control").write_text(CONTROL)
    host.run("dpkg-deb", "--build", str(folder), "/srv/packages/runit_2.1.2-54_amd64.deb")
    return "runit_2.1.2-54_amd64.deb"


def rpm(host: Sandbox, folder: Path) -> str:
    rpmbuild = oracle.program("rpmbuild", package="rpm")
    lay(folder)
    host.write("/srv/runit.spec", SPEC)
    host.write("/etc/rpm/macros", "%_dbpath /var/lib/rpm\n")  # Debian's rpm has it in the caller's home
    made = ["_topdir /srv/top", "_rpmdir /srv/packages", "_rpmfilename %%{NAME}-2.1.2-54.x86_64.rpm", "__os_install_post /bin/true"]
    defines = [word for define in made for word in ("--define", define)]
    host.run(rpmbuild, "-bb", "--quiet", *defines, f"--buildroot={folder}", "/srv/runit.spec")
    # Puppet's provider fails where a single package is installed; no host of rpm's is so bare.
    host.run("rpm", "--install", *(f"/srv/packages/runit-{name}-2.1.2-54.x86_64.rpm" for name in ("one", "two")))
    return "runit-2.1.2-54.x86_64.rpm"


ASK = {
    "deb": ("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Version}", "runit"),
    "rpm": ("rpm", "--query", "--queryformat", "installed %{VERSION}-%{RELEASE}", "runit"),
}


@puppet_7
@pytest.mark.one_of("kind of package")
@pytest.mark.shows("recipes", "package_file", "seen")
@pytest.mark.shows("data", "host", "package_file", "filestore", "workspace")
@pytest.mark.shows("roads", "Puppet", "runit from a package's file")
@pytest.mark.parametrize("build", [deb, rpm])
def test_the_package_file_is_installed_and_its_runit_runs_the_tree_of_each_user(
    build: Callable[[Sandbox, Path], str], puppet: Puppet, tmp_path: Path
) -> None:
    host = puppet.host
    host.run("sh", "-ec", WITHOUT_RUNIT, "sh", *TOOLS)
    file = build(host, tmp_path / "package")
    data = NODE.read_text().replace("runit_2.1.2-54_amd64.deb", file)
    first = puppet.apply(data)
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert host.run(*ASK[build.__name__]).stdout == "installed 2.1.2-54"
    host.run("test", "-s", f"/var/cache/runit-provision/{file}")

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
    second = puppet.apply(data)
    assert second.returncode == UNCHANGED, second.stdout + second.stderr
