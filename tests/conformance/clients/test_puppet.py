"""Puppet's own provider: service { provider => runit }, over C's tree with C's sv and over ours with ours."""

from __future__ import annotations

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support import oracle
from support.supervision import is_alive, pid_of, service, stat, tree
from support.waiting import until

_NAMESPACE = 'mount --bind "$1" /etc/service && mount --bind "$2" /usr/bin/sv && shift 2 && exec "$@"'
"""The provider knows these two paths only."""


class World:
    """A tree that Puppet finds in /etc/service, with its sv in /usr/bin."""

    def __init__(self, runsvdir: str, place: Path) -> None:
        self.place = place
        self.services = place / "services"
        self._sv = str(Path(runsvdir).with_name("sv"))
        self.services.mkdir(parents=True)
        self.one, self.other = (service(place / "definitions" / name, "exec sleep 1000") for name in ("one", "other"))
        (self.services / "other").symlink_to(self.other)
        self.tree = tree(runsvdir, self.services, place / "state")

    def apply(self, manifest: str) -> tuple[int, list[str]]:
        """Give Puppet's exit code (0 nothing to do, 2 changed) and what it told, times and paths left out."""
        puppet = [oracle.program("puppet", package="puppet-agent"), "apply", "--detailed-exitcodes", "--color", "false"]
        own = ["--confdir", str(self.place / "etc"), "--vardir", str(self.place / "var")]
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", _NAMESPACE, "sh", str(self.services), self._sv, *puppet, *own, "--execute", manifest],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.place), "LANG": "C.UTF-8"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        told = (done.stdout + done.stderr).replace(str(self.place), "PLACE").splitlines()
        return done.returncode, [line for line in told if "catalog" not in line.lower()]

    def play(self) -> list[Any]:
        """Let Puppet start a service and stop another, then find nothing to do but a refresh; give what it told and what became."""
        common = f"Service {{ provider => runit, path => '{self.place}/definitions', hasrestart => true }}"
        services = "service { 'one': ensure => running, enable => true } service { 'other': ensure => stopped }"
        with self.tree as running:
            running.start()
            until(lambda: stat(self.other) == "run", what="the other runs")
            first = self.apply(f"{common} {services}")
            until(lambda: stat(self.one) == "run" and stat(self.other) == "down", what="one runs, the other does not")
            before = pid_of(self.one)
            second = self.apply(f"{common} {services} notify {{ 'news': }} ~> Service['one']")
            until(lambda: not is_alive(before) and stat(self.one) == "run", what="it was restarted")
            return [first, second, stat(self.other), (self.services / "one").is_symlink(), (self.services / "other").is_symlink()]


def test_puppet_finds_no_difference(runtime: Path, tmp_path: Path) -> None:
    oracle.root("the provider knows /usr/bin/sv and /etc/service only")
    programs = {"C": oracle.program("runsvdir", package="runit"), "ours": str(runtime / "runsvdir")}
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda world: World(programs[world], tmp_path / world).play(), programs)
    assert ours == theirs
    assert [code for code, _ in ours[:2]] == [2, 2]
    assert any("ensure changed 'stopped' to 'running'" in line for line in ours[0][1])
