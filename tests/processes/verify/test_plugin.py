"""The plugin in a pytest of its own, as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle

from runit_provision.verify import probe

EXAMPLE = """
import pytest

def test_that_passes(runit_service):
    service = runit_service({directory!r})
    assert service.comes_up(within=60)

def test_that_fails(runit_service):
    service = runit_service({directory!r})
    assert service.want == "down"

def test_that_fails_on_another(runit_service):
    assert runit_service({directory!r} + "/ghost").is_running
"""


def run_pytest(folder: Path, test: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_example.py").write_text(test)
    arguments = ["-p", "no:randomly", "-p", "no:cacheprovider", "-W", "error", "--connection=local", "--hosts=localhost", "."]
    return subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=folder, capture_output=True, text=True, check=False)


def test_a_failure_says_how_the_service_fares(alone: Path, tmp_path: Path) -> None:
    done = run_pytest(tmp_path, EXAMPLE.format(directory=str(alone / "steady")))
    assert "1 passed, 2 failed" in done.stdout or "2 failed, 1 passed" in done.stdout
    assert re.search(rf"- runit services as they were last seen -+\n{alone}/steady: want up, up \(pid \d+\) for", done.stdout), (
        done.stdout
    )
    assert "/ghost: there is no run; beside it there are " in done.stdout


def test_the_plugin_imports_nothing_of_ours_until_it_is_asked(tmp_path: Path) -> None:
    test = """
import sys

def test_modules():
    loaded = {name for name in sys.modules if name.startswith("runit_provision")}
    assert loaded == {"runit_provision", "runit_provision.verify", "runit_provision.verify.plugin"}
"""
    done = run_pytest(tmp_path, test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["probe.sh", "checks.sh"])
def test_shellcheck_has_nothing_to_say_of_what_a_host_is_asked_with(name: str, tmp_path: Path) -> None:
    shellcheck = oracle.program("shellcheck", package="shellcheck")
    script = tmp_path / name
    script.write_text(probe.script(name))
    done = subprocess.run([shellcheck, str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
