"""A service whose directory is moved, or goes by another name, stays what it is over its supervisor's death."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from support.supervision import service, stat, tree
from support.waiting import until


@pytest.mark.parametrize("how", ["its name", "where a link leads"])
def test_one_that_was_taken_down_and_moved_stays_down(runtime: Path, tmp_path: Path, how: str) -> None:
    services = tmp_path / "services"
    home = service(tmp_path / "made/it", "echo >>runs\nexec sleep 1000")
    services.mkdir()
    entry = services / "it"
    if how == "its name":
        home.rename(entry)
    else:
        entry.symlink_to(home)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(entry) == "run", what="it runs")
        subprocess.run([runtime / "sv", "-w", "120", "down", entry], capture_output=True, check=True)
        if how == "its name":
            entry = entry.rename(services / "renamed")
        else:
            home = home.rename(tmp_path / "made/moved")
            (tmp_path / "link").symlink_to(home)
            (tmp_path / "link").rename(entry)
        service(tmp_path / "made/new", "exec sleep 1000").rename(services / "new")
        until(lambda: stat(services / "new") == "run", what="the directory has been looked at")
        running.kill()
        running.start()
        until(lambda: running.supervises(entry), what="the next runsvdir has it")
        assert re.match("down: ", shown(runtime, entry))
        assert (entry / "runs").read_text() == "\n"
        assert "unable to go on" not in running.stderr.read_text()
        subprocess.run([runtime / "sv", "-w", "120", "start", entry], capture_output=True, check=True)
        until(lambda: (entry / "runs").read_text() == "\n\n", what="it runs again, once")


def shown(runtime: Path, home: Path) -> str:
    return subprocess.run([runtime / "sv", "status", home], capture_output=True, text=True, check=False).stdout
