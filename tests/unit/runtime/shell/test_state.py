"""The state directory of a tree."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from runit_provision.runtime.shell.state import State


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
