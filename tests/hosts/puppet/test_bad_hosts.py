"""Hosts on which the tool cannot work: one resource says why, and what the module needs; nothing is changed."""

from __future__ import annotations

import pytest

from .conftest import FAILED, Puppet

DATA = "runit: {prefix: /var/runit, services: {web: {command: [sleep, '1000']}}}"
OLD = "#!/bin/sh\necho 'runit-provision needs Python 3.11 or later; this is Python 3.9' >&2\nexit 1\n"
HALF = "#!/usr/bin/python3\nimport runit_provision.nothing_of_that_name\n"
CRASHES = '#!/bin/sh\ntest "$1" = render || test "$1" = --version || kill -SEGV $$\n'


def failures(puppet: Puppet, tool: str) -> str:
    """Apply with the tool at `tool`; give the errors."""
    done = puppet.apply(DATA, tool=tool)
    assert done.returncode in FAILED, done.stdout
    assert "Runit_service[web]: Skipping because of failed dependencies" in done.stderr
    assert puppet.host.run("ls", "/etc/service").stdout == ""
    return "\n".join(line for line in done.stderr.splitlines() if line.startswith("Error"))


@pytest.mark.shows("roads", "Puppet", "an old Python", "no Python", "an installation in part")
def test_a_tool_that_cannot_work_is_told_once_with_what_it_needs(puppet: Puppet) -> None:
    why = {
        "nowhere": (None, "/etc/nowhere cannot be run (No such file or directory - /etc/nowhere): "),
        "pythonless": ("#!/usr/bin/python3.0\n", "/etc/pythonless cannot be run: its interpreter /usr/bin/python3.0 is not there: "),
        "old": (OLD, "/etc/old does not work here (runit-provision needs Python 3.11 or later; this is Python 3.9): "),
        "half": (HALF, "/etc/half does not work here (ModuleNotFoundError: No module named 'runit_provision"),
    }
    for name, (script, words) in why.items():
        if script:
            puppet.host.write(f"/etc/{name}", script, mode=0o755)
        said = failures(puppet, f"/etc/{name}")
        assert f"Runit_data[/etc/runit-provision/data.json]: Could not evaluate: {words}" in said
        assert "the module needs runit-provision on the host, with Python 3.11 or later" in said
        assert len(said.splitlines()) == 1, said
    puppet.host.write("/etc/crashes", CRASHES, mode=0o755)
    said = failures(puppet, "/etc/crashes")
    assert "Runit_host[/etc/runit-provision/data.json]: Could not evaluate" in said
    assert "/etc/crashes check was ended by signal 11" in said
