"""A supervisor starts within a few bare pythons: these are all the modules that it imports for that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runit_provision.host import package

OS = "os os.path stat _stat posixpath genericpath _collections_abc"
LIBRARY = f"{OS} _heapq _socket _struct struct errno _errno fcntl mmap select"
CORE = "core core.actions core.backoff core.breath core.events core.part core.recovery core.service"
WIRE = "wire wire.beyond wire.detail wire.errors wire.holder wire.keeper wire.pool wire.records wire.status wire.tai"
SHELL = "shell shell.channel shell.console shell.descriptors shell.environment shell.epoll shell.installation shell.loop shell.marked \
shell.meeting shell.process shell.refusals shell.report shell.state shell.state_place shell.title"
KEEPER = "shell.keeper shell.keeper.children shell.keeper.holder shell.keeper.holder_start shell.keeper.keeper shell.keeper.session \
shell.keeper.sweep"
SERVICE = """shell.service shell.service.access shell.service.endings shell.service.files shell.service.home shell.service.letters
shell.service.publisher shell.service.readiness shell.service.settings shell.service.starting shell.service.supervised"""
TREE = """shell.supervisor shell.supervisor.adoption shell.supervisor.groups shell.supervisor.heed shell.supervisor.holders
shell.supervisor.kills shell.supervisor.log_pool shell.supervisor.loggers shell.supervisor.lone shell.supervisor.no_down
shell.supervisor.notes shell.supervisor.orphans shell.supervisor.parents shell.supervisor.slots shell.supervisor.takeover
shell.supervisor.tree shell.supervisor.wish"""
RUNSVDIR = """shell.supervisor.call shell.supervisor.predecessor shell.supervisor.runsvdir shell.supervisor.scan shell.supervisor.stderr
shell.supervisor.successor shell.supervisor.supervisor"""
SHARED = f"{CORE} {WIRE} {SHELL} {KEEPER} {SERVICE} {TREE} cli"


@pytest.mark.parametrize(
    ("tool", "own"),
    [
        ("runsv", "cli.runsv shell.supervisor.runsv"),
        (
            "runsvdir",
            f"cli.runsvdir {RUNSVDIR}",
        ),
    ],
)
def test_a_supervisor_imports_these_modules_and_no_other(tool: str, own: str) -> None:
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    bare = _modules(python, "pass")
    mine = {f"runit_provision.runtime.{name}" for name in f"{SHARED} {own}".split()}
    library_path = str(Path(package.__file__).parents[2])
    loaded = _modules(python, f"sys.path.insert(0, {library_path!r}); import runit_provision.runtime.cli.{tool}")
    assert loaded - bare <= mine | set(LIBRARY.split()) | {"runit_provision", "runit_provision.runtime", "__future__"}


def _modules(python: str, text: str) -> set[str]:
    program = f"import sys; {text}; print(*sys.modules)"
    return set(subprocess.run([python, "-I", "-S", "-c", program], capture_output=True, check=True, text=True).stdout.split())
