"""Puppet with this module beside Puppet without it. `python tests/benchmarks/puppet.py [services]`, as root.

The same services, of 5 files each, come to the same image in three ways: as data in hiera, as one `runit::service` each, and as
`file` resources with one `service` each. Nothing runs in an image: a service's status is a program that says that it does, as sv would
be one. For a first run, and for one that has nothing to do, it prints what Puppet itself says: seconds to compile and to apply, with
the ratio to the last way. One run each, all in turn; judges nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.measuring import TOOL, data, file_resources, image, versions

MODULE = Path(__file__).parents[2] / "puppet"
_HIERARCHY = "version: 5\ndefaults: {datadir: ., data_hash: json_data}\nhierarchy: [{name: all, path: common.json}]\n"
_RUNS = "provider => base, hasstatus => true, status => '/bin/true', start => '/bin/true', ensure => running"


class Seconds(NamedTuple):
    """What Puppet says of one run; changed: whether it did anything."""

    compile: float
    apply: float
    changed: bool


class Way:
    """One way to say the same: `prepare` gives the manifest and the data for hiera."""

    def __init__(self, name: str, services: int, prepare: Callable[[int, Path], tuple[str, dict[str, object]]]) -> None:
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="runit-provision-"))
        self.folder.chmod(0o755)
        image(self.folder, services)
        wrapper = self.folder / "tool"
        wrapper.write_text(f'#!/bin/sh\n[ "$1" = --version ] || set -- "$@" --root {self.folder}/root\nexec {TOOL} "$@"\n')
        wrapper.chmod(0o755)
        manifest, found = prepare(services, self.folder)
        own = {"runit::command": [str(wrapper)], "runit::config_directory": f"{self.folder}/etc", "runit::manage_init": False}
        (self.folder / "site.pp").write_text(manifest)
        (self.folder / "common.json").write_text(json.dumps({**own, **found}))
        (self.folder / "hiera.yaml").write_text(_HIERARCHY)
        (self.folder / "modules").mkdir()
        (self.folder / "modules/runit").symlink_to(MODULE)

    def run(self) -> Seconds:
        """Apply it once."""
        places = {"confdir": "conf", "vardir": "var", "hiera_config": "hiera.yaml", "modulepath": "modules"}
        options = [f"--{name}={self.folder}/{place}" for name, place in places.items()]
        command = ["puppet", "apply", *options, "--detailed-exitcodes", "--color=false", f"{self.folder}/site.pp"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 2):
            raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)
        compiled, applied = (re.search(rf"{word} catalog.* in ([\d.]+) seconds", done.stdout) for word in ("Compiled", "Applied"))
        assert compiled
        assert applied
        return Seconds(float(compiled[1]), float(applied[1]), done.returncode == 2)


def in_hiera(services: int, _: Path) -> tuple[str, dict[str, object]]:
    """All of it as data."""
    return "include runit\n", data(services)


def one_by_one(services: int, _: Path) -> tuple[str, dict[str, object]]:
    """A `runit::service` each."""
    whole: dict[str, dict[str, object]] = data(services)  # type: ignore[assignment]
    each = whole["runit"].pop("services")
    assert isinstance(each, dict)
    lines = [
        f"runit::service {{ '{name}': {', '.join(f'{key} => {_literal(value)}' for key, value in said.items())} }}"
        for name, said in each.items()
    ]
    return "include runit\n" + "\n".join(lines), dict(whole)


def as_files(services: int, folder: Path) -> tuple[str, dict[str, object]]:
    """The paths that apply makes as `file` resources, and a `service` each."""
    with tempfile.TemporaryDirectory() as other:
        subprocess.run([TOOL, "apply", *image(Path(other), services)], check=True, stdout=subprocess.DEVNULL)
        files = "\n".join(file_resources(Path(other) / "root")).replace(other, str(folder))
    lines = [f"service {{ 'service{number:05}': {_RUNS} }}" for number in range(services)]
    return f"{files}\n" + "\n".join(lines), {}


def _literal(value: object) -> str:
    """Give a value in Puppet's words."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)} => {_literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"
    return json.dumps(value)


def main(services: int) -> None:
    """Measure all ways."""
    print(
        f"{versions()}\n{services} services, {services * 5} files; as Puppet says, in seconds for each 1,000 services (ratio to files)"
    )
    names = {"data in hiera": in_hiera, "runit::service each": one_by_one, "file and service resources": as_files}
    ways = [Way(name, services, prepare) for name, prepare in names.items()]
    try:
        for title in ("first run", "nothing to do"):
            seen = {way.name: way.run() for way in ways}
            print(f"{title:28} {'compile':>18} {'apply':>18} {'both':>18}")
            last = seen[ways[-1].name]
            for name, each in seen.items():
                assert each.changed == (title == "first run"), (name, title)
                pairs = ((each.compile, last.compile), (each.apply, last.apply), (each.compile + each.apply, last.compile + last.apply))
                print(
                    f"  {name:26} " + " ".join(f"{one * 1000 / services:9.2f} ({one / other:6.3f})" for one, other in pairs), flush=True
                )
    finally:
        for way in ways:
            shutil.rmtree(way.folder)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
