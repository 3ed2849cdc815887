"""A keeper that cannot be, or cannot let in who comes: that is told once, costs nothing, and is over as soon as its cause is."""

from __future__ import annotations

import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support.supervision import Tree, opened, pid_of, send, service, stat, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.shell import process

LOST = "runsvdir: warning: the keeper is gone, starting another; its services go on\n"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    home = service(tmp_path / "services/it", "echo $$ >>started; exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: stat(home) == "run", what="it runs")
        yield prepared


def meeting_place(running: Tree) -> Path:
    (found,) = running.state.glob("trees/*/socket")
    return found


def test_a_state_in_which_no_keeper_can_listen_is_told_once(running: Tree) -> None:
    home, place = running.services / "it", meeting_place(running)
    place.unlink()
    place.mkdir()
    os.kill(running.keeper(), signal.SIGKILL)
    told = "runsvdir: warning: unable to start keeper: is a directory, trying again\n"
    until(lambda: told in running.stderr.read_text(), what="it is told")
    before = send(home, signal.SIGKILL)
    time.sleep(3.5)
    assert running.stderr.read_text() == LOST + told + "runsv it: warning: killed by signal 9 that runsv did not send\n"
    place.rmdir()
    until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what="it runs again")
    until(lambda: (home / "started").read_text().split() == [str(before), str(pid_of(home))], what="it was started once more")
    assert running.keeper()


def comes(running: Tree, client: socket.socket) -> int:
    """Come as a runsvdir does; give the pid of who listens."""
    folder = os.open(meeting_place(running).parent, os.O_PATH)
    try:
        client.connect(f"/proc/self/fd/{folder}/socket")
    finally:
        os.close(folder)
    return process.peer(client)


def new_keeper(running: Tree, before: int) -> int:
    """Wait until there is a keeper that is not `before`; give it as soon as it is there."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client, suppress(OSError, ValueError):
            found = comes(running, client)
            if found not in {before, running.pid}:
                return found
        time.sleep(0.001)
    raise AssertionError("another keeper")


def test_keepers_that_die_as_soon_as_they_are_there_are_told_of_seldom(running: Tree) -> None:
    keeper = running.keeper()
    # From the sixth in a row on that did not last, a second passes, then two; a crowded machine may let one last.
    for kills in range(1, 40):
        os.kill(keeper, signal.SIGKILL)
        keeper = new_keeper(running, keeper)
        told = running.stderr.read_text().count(LOST)
        if told < kills:
            break
    assert kills - 1 == told > 6


def seconds_of(pid: int) -> float:
    """Give the processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_keeper_without_a_descriptor_for_who_comes_rests_until_there_is_one(running: Tree) -> None:
    keeper = running.keeper()
    limits = resource.prlimit(keeper, resource.RLIMIT_NOFILE)
    peers = sum(at.startswith("socket:") for at in opened(keeper).values())
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        resource.prlimit(keeper, resource.RLIMIT_NOFILE, (3, limits[1]))
        assert comes(running, client) == keeper
        before = seconds_of(keeper)
        time.sleep(1.5)
        assert seconds_of(keeper) - before < 0.5
        resource.prlimit(keeper, resource.RLIMIT_NOFILE, limits)
        until(lambda: sum(at.startswith("socket:") for at in opened(keeper).values()) == peers + 1, what="it is let in")
