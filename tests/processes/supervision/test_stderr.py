"""Stderr of a tree with a log in its title: every service writes to it, whoever has died, and none reads what another one says."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import supervision
from support.oracle import root
from support.supervision import Tree, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

SAYS = 'trap "" PIPE; mkfifo say; while :; do read -r line <say || continue; echo "$line" >&2 || echo "$line" >>lost; done'
SPY = """
import fcntl, os
os.set_blocking(2, False)
for fd in (2, "/proc/self/fd/2"):
    try:
        print(os.read(fd if fd == 2 else os.open(fd, os.O_RDONLY), 1000), flush=True)
    except OSError as error:
        print(type(error).__name__, error.errno, flush=True)
print("spied", flush=True)
import time; time.sleep(1000)
"""
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    home = service(tmp_path / "services/says", SAYS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.after = ("log: " + "." * 400,)
        yield running


def says(running: Tree, text: str) -> int:
    """Have the service say something, and wait until a title shows it; give its pid."""
    home = running.services / "says"
    until(lambda: (home / "say").exists() and stat(home) == "run", what="it listens")
    (home / "say").write_text(f"{text}\n")
    until(lambda: any(text in supervision.command(pid) for pid in running.supervisors()), what=f"{text} is shown")
    return pid_of(home)


def is_blocking(pid: int) -> bool:
    """Whether a write to stderr of a process waits for room."""
    flags = next(line for line in Path(f"/proc/{pid}/fdinfo/2").read_text().splitlines() if line.startswith("flags:"))
    return not int(flags.split()[1], 8) & os.O_NONBLOCK


def test_a_service_of_another_account_only_writes(running: Tree, tmp_path: Path) -> None:
    root("another account")
    spy = service(running.services / "spy", f"exec chpst -u nobody {PYTHON} -c '{SPY.replace(chr(39), chr(34))}' >spied")
    running.start()
    pid = says(running, "nobody else hears this")
    until(lambda: "spied\n" in (spy / "spied").read_text() if (spy / "spied").exists() else False, what="it has tried")
    assert (spy / "spied").read_text() == "OSError 9\nPermissionError 13\nspied\n"
    assert not is_blocking(pid_of(spy))
    assert all(map(is_blocking, (pid, running.pid, running.keeper())))
    Path(f"/proc/{pid_of(spy)}/fd/2").write_text("of the spy\n")
    until(lambda: "of the spy" in supervision.command(running.pid), what="what it says is shown")
    assert pid == says(running, "and this")


@pytest.mark.parametrize("victims", [("supervisor",), ("keeper",), ("keeper", "supervisor")], ids="+".join)
def test_all_is_shown_and_nobody_is_ended_after_the_death_of(running: Tree, victims: tuple[str, ...]) -> None:
    running.start()
    pid, keeper = says(running, "at first"), running.keeper()
    pids = [running.pid if victim == "supervisor" else keeper for victim in victims]
    for number in (signal.SIGSTOP, signal.SIGKILL):  # so that none makes a successor of the other one
        for victim in pids:
            os.kill(victim, number)
    if "supervisor" in victims:
        assert running.process is not None
        running.process.wait(DEADLINE)
        if "keeper" in victims:
            # Nobody shows it yet, and nobody is ended by it.
            (running.services / "says/say").write_text("meanwhile\n")
            running.start()
            until(lambda: "meanwhile" in supervision.command(running.pid), what="it is shown later")
    assert says(running, "at last") == pid
    assert not (running.services / "says/lost").exists()
