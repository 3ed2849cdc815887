"""Hosts on which the tool cannot work: one resource says why, and what the module needs; nothing is changed."""

from __future__ import annotations

import pytest

from .conftest import FAILED, Puppet

DATA = "runit: {prefix: /var/runit, services: {web: {command: [sleep, '1000']}}}"
OLD = "#!/bin/sh\necho 'runit-provision needs Python 3.11 or later; this is Python 3.9' >&2\nexit 1\n"
CRASHES = '#!/bin/sh\ntest "$1" = render || kill -SEGV $$\n'


def failures(puppet: Puppet, tool: str) -> str:
    """Apply with the tool at `tool`; give the errors."""
    done = puppet.apply(DATA, tool=tool)
    assert done.returncode in FAILED, done.stdout
    assert "Runit_service[web]: Skipping because of failed dependencies" in done.stderr
    assert puppet.host.run("ls", "/etc/service").stdout == ""
    return "\n".join(line for line in done.stderr.splitlines() if line.startswith("Error"))


@pytest.mark.shows("roads", "Puppet", "an old Python")
def test_a_tool_that_is_not_there_is_too_old_or_crashes(puppet: Puppet) -> None:
    said = failures(puppet, "/opt/nowhere/runit-provision")
    assert "Runit_data[/etc/runit-provision/data.json]: Could not evaluate: /opt/nowhere/runit-provision is not there: " in said
    assert "the module needs runit-provision on the host, with Python 3.11 or later" in said
    puppet.host.write("/etc/old", OLD, mode=0o755)
    assert "runit-provision needs Python 3.11 or later; this is Python 3.9" in failures(puppet, "/etc/old")
    puppet.host.write("/etc/crashes", CRASHES, mode=0o755)
    said = failures(puppet, "/etc/crashes")
    assert "Runit_host[/etc/runit-provision/data.json]: Could not evaluate" in said
    assert "/etc/crashes check was ended by signal 11" in said
