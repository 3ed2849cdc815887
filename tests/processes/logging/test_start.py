"""What a logger loads at start; the order of the imports' cost is in RUNTIME's budget, not in anybody's hands."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

CHEAP = {"__future__", "posix", "_signal", "_socket", "select", "fcntl", "struct", "_struct", "errno", "time", "mmap", "_thread", "pwd"}
OURS = "runit_provision"


def loaded(tool: Path, directory: Path, arguments: list[str]) -> set[str]:
    """Run the tool with an empty input and give the modules that it loaded beyond a bare interpreter's."""
    python = tool.read_text().splitlines()[0].removeprefix("#!").split()[0]
    bare = subprocess.run([python, "-IS", "-c", "import sys; print(*sys.modules)"], capture_output=True, text=True, check=True)
    run = subprocess.run(
        [python, "-IS", "-X", "importtime", str(tool), *arguments],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        check=True,
        capture_output=True,
        text=True,
    )
    names = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines() if line.startswith("import time:")}
    return names - set(bare.stdout.split()) - {"imported package"}


@pytest.mark.parametrize("tool", ["svlogd", "rsvlog"])
def test_a_logger_loads_only_what_is_cheap(runtime: Path, tmp_path: Path, tool: str) -> None:
    log = tmp_path / "service" / "log"
    log.mkdir(parents=True)
    (log / "env").mkdir()
    (log / "env" / "RSVLOG_DIR").write_text("main")
    (log / "main").mkdir()
    others = {name for name in loaded(runtime / tool, log, ["main"] if tool == "svlogd" else []) if not name.startswith(OURS)}
    assert others <= CHEAP, sorted(others - CHEAP)
