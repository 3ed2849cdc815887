"""The state directory of a tree."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from runit_provision.runtime.shell.state import State, be_own


def test_all_names_are_found_though_a_fork_was_killed_while_it_read_them(tmp_path: Path) -> None:
    for name in ("lock", "holder-0", "pool-0"):
        (tmp_path / name).touch()
    directory = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    pid = os.fork()
    if pid == 0:
        entries = os.scandir(directory)
        next(entries)  # it has read all of them, and would go back to the first one in the end
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    assert sorted(State(str(tmp_path), directory=directory, lock=-1, table=-1).names()) == ["holder-0", "lock", "pool-0"]
    assert os.listdir(directory) == [], "who shares the position finds it at the end"  # noqa: PTH208 - by this descriptor
    os.close(directory)


@pytest.mark.parametrize(
    ("mode", "is_own", "after"), [(0o600, True, 0o600), (0o644, True, 0o600), (0o664, False, 0o664), (0o602, False, 0o602)]
)
def test_what_others_could_read_is_closed_to_them_and_what_they_could_write_is_not_believed(
    tmp_path: Path, mode: int, is_own: bool, after: int
) -> None:
    path = tmp_path / "records"
    path.touch()
    path.chmod(mode)
    with path.open("rb") as file:
        assert be_own(file.fileno()) is is_own
    assert path.stat().st_mode & 0o777 == after
