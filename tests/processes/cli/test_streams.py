"""Standard streams that are closed or full: what people do with `>&-`, and what disks do, ends in no traceback."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.command import PROGRAM, Result
from support.waiting import DEADLINE

LINES = ("schema", "--version", "--help", "lookup a --data /nonexistent")


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_changes_no_exit_status(line: str, closed: str) -> None:
    assert shell(f"{line} {closed}") == Result(shell(line).status, "", shell(line).err if "2>" not in closed else "")


@pytest.mark.parametrize("line", LINES[:3])
def test_a_full_disk_is_said(line: str) -> None:
    result = shell(f"{line} >/dev/full")
    assert (result.status, result.out) == (1, "")
    assert "No space left on device" in result.err
    assert "Traceback" not in result.err


def test_an_error_that_nobody_foresaw_is_one_line_with_operation_and_path(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/inittab").mkdir()
    result = shell(f"init status --init sysvinit --root {tmp_path}")
    assert (result.status, result.out) == (1, "")
    assert result.err == f"init status: {tmp_path}/etc/inittab: Is a directory\n1 problem\n"


def shell(line: str) -> Result:
    done = subprocess.run(["sh", "-c", f"exec {PROGRAM} {line}"], capture_output=True, text=True, timeout=DEADLINE, check=False)
    return Result(done.returncode, done.stdout, done.stderr)
