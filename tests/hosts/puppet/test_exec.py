"""The example of a host in one exec, without the module."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import CHANGED, FAILED, TOOL, UNCHANGED, Puppet, puppet_7

MANIFEST = (Path(__file__).parents[3] / "hiera-examples/exec.pp").read_text()
DATA = "runit: {runtime: shipped, prefix: /var/runit, services: {web: {command: [sleep, '1000'], env: {GREETING: grüß}}}}\n"


@puppet_7
@pytest.mark.shows("roads", "Puppet exec", "first run", "second run", "drift", "bad data")
def test_one_exec_makes_the_host_as_the_data_say_and_fails_with_every_problem_of_bad_data(puppet: Puppet) -> None:
    puppet.host.run("mount", "-t", "tmpfs", "fresh", "/usr/local/bin")
    puppet.host.run("ln", "-s", TOOL, "/usr/local/bin/runit-provision")
    first = puppet.apply(DATA, manifest=MANIFEST)
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert puppet.host.read("/etc/sv/web/env/GREETING") == "grüß\n"
    assert puppet.apply(DATA, manifest=MANIFEST).returncode == UNCHANGED
    puppet.host.run("sh", "-c", "echo another >/etc/sv/web/env/GREETING")
    assert puppet.apply(DATA, manifest=MANIFEST).returncode == CHANGED
    assert puppet.host.read("/etc/sv/web/env/GREETING") == "grüß\n"
    refused = puppet.apply(DATA.replace("command", "comand"), manifest=MANIFEST)
    assert refused.returncode in FAILED
    assert "runit.services.web.comand: unknown key; did you mean `command`?" in refused.stdout + refused.stderr
    assert puppet.host.read("/etc/sv/web/env/GREETING") == "grüß\n"
