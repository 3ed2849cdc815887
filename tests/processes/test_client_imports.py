"""The start of a short-lived tool is mostly imports: these are all of them, each with a reason to be there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runit_provision.host import package

BARE = """__main__ _abc _codecs _frozen_importlib _frozen_importlib_external _imp _io _signal _thread _warnings _weakref abc builtins
codecs encodings encodings.aliases encodings.utf_8 io marshal posix sys time zipimport __future__"""
PACKAGES = "runit_provision runit_provision.runtime runit_provision.runtime.cli runit_provision.runtime.core \
runit_provision.runtime.shell runit_provision.runtime.wire"
SV = "cli.sv core.options core.sv shell.console wire.status wire.tai"
CLIENT = "shell.client shell.client.client shell.console core.sv wire.status wire.tai"
TABLE = "shell.client shell.client.table shell.state_place core.sv wire.records wire.status wire.tai"
WAIT = "shell.client.wait shell.client.check shell.environment"
CHPST = "cli.chpst core.chpst core.options shell.console shell.environment shell.tools shell.tools.chpst"


def modules(tool: str) -> set[str]:
    """Give what the tool's main module imports, with the system's python3 as an installed tool has it."""
    library_path = Path(package.__file__).parents[2]
    text = f"import sys; sys.path.insert(0, {str(library_path)!r}); import runit_provision.runtime.{tool}; print(*sys.modules)"
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    return set(subprocess.run([python, "-I", "-S", "-c", text], capture_output=True, check=True, text=True).stdout.split())


@pytest.mark.parametrize(
    ("tool", "own", "library"),
    [
        ("cli.sv", SV, ""),
        ("shell.client.client", CLIENT, ""),
        ("cli.chpst", CHPST, ""),
        ("cli.runsvchdir", "cli.runsvchdir shell.console shell.tools shell.tools.levels shell.tools.locks", "fcntl"),
        ("cli.utmpset", "cli.utmpset core.options shell.console shell.tools shell.tools.locks shell.tools.logins wire.utmp", "fcntl"),
        ("cli.runit_init", "cli.runit_init core.init shell.console", ""),
        ("shell.client.table", TABLE, "_struct"),
        ("shell.client.wait", f"{CLIENT} {WAIT}", "fcntl"),
    ],
)
def test_a_tool_imports_these_modules_and_no_other(tool: str, own: str, library: str) -> None:
    allowed = {*BARE.split(), *PACKAGES.split(), *library.split(), *(f"runit_provision.runtime.{name}" for name in own.split())}
    assert modules(tool) <= allowed
