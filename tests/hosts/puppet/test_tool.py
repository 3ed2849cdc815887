"""A host that the tool comes to by the module: wheels from the file server, and what becomes of those that do not do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.wheels import laid

from .conftest import CHANGED, FAILED, MODULE, UNCHANGED, Puppet, puppet_7

PROGRAM = "/usr/local/bin/runit-provision"
DATA = f"""
runit::tool_source: puppet:///modules/profile/wheels
runit::tool_directory: /var/lib/tool
runit::tool_python: {sys.base_prefix}/bin/python3
runit::tool_packages: []
runit:
  prefix: /var/runit
  users: [apprun1]
  services: {{web: {{command: [sleep, '1000']}}}}
"""


@pytest.mark.one_of("road that brings the tool")
@pytest.mark.long
@puppet_7
@pytest.mark.timeout(900)  # pip takes its time
@pytest.mark.shows("roads", "Puppet", "the tool installed")
def test_the_module_brings_the_tool_and_keeps_the_one_that_works(puppet: Puppet, tmp_path: Path, wheels: Path) -> None:
    host, served = puppet.host, tmp_path / "profile/files/wheels"
    laid(wheels, served)
    (click,) = served.glob("click-*.whl")
    host.run("mount", "-t", "tmpfs", "fresh", "/usr/local/bin")
    host.run("ln", "-s", str(tmp_path / "profile"), "/etc/puppet-test/modules/profile")

    told = puppet.apply(DATA, "--noop", tool=PROGRAM)
    assert told.returncode == UNCHANGED, told.stdout + told.stderr
    for service in ("web", "runsvdir-apprun1"):
        assert f"Runit_service[{service}]/ensure: current_value 'absent' (created), should be 'running' (noop)" in told.stdout
    assert host.run("ls", "/usr/local/bin", "/var/lib").stdout.split() == ["/usr/local/bin:", "/var/lib:", "puppet", "puppet-test"]

    first = puppet.apply(DATA, tool=PROGRAM)
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert host.run("readlink", PROGRAM).stdout == "/var/lib/tool/current/bin/runit-provision\n"
    host.run(PROGRAM, "check", "--data", "/etc/runit-provision/data.json")
    second = puppet.apply(DATA, tool=PROGRAM)
    assert second.returncode == UNCHANGED, second.stdout + second.stderr

    click.rename(tmp_path / click.name)
    half = puppet.apply(DATA, tool=PROGRAM)
    assert half.returncode in FAILED
    assert "No matching distribution found for click>=8.1" in half.stdout
    host.run(PROGRAM, "check", "--data", "/etc/runit-provision/data.json")


def test_a_python_that_is_too_old_is_named_with_what_is_needed(tmp_path: Path) -> None:
    (tmp_path / "wheels").mkdir()
    old = tmp_path / "python3.9"
    old.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import sys; sys.version_info = (3, 9)\n$2" "$3"\n')
    old.chmod(0o755)
    words = ["sh", str(MODULE / "files/tool.sh"), "install", str(tmp_path), str(old)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"runit-provision needs Python 3.11 or later; {old} is Python 3.9\n" in done.stderr
