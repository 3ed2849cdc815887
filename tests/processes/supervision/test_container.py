"""runsvdir as pid 1 of a container: it reaps, and what stops the container ends its services in order."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import service
from support.waiting import until

SLOW = """\
trap 'kill $!; sleep 0.3; echo ended >>ended; exit 0' TERM
: >ready
while :; do sleep 1000 & wait; done"""
ORPHANS = """\
for number in 1 2 3 4 5 6 7 8 9; do (sh -c 'sleep 0.1; : >ended.$0' $number &); done
until [ -e ended.1 ] && [ -e ended.9 ] && set -- ended.* && [ $# = 9 ]; do sleep 0.05; done
while :; do grep -ls '^State:.Z' /proc/[0-9]*/status | wc -l >zombies.new; mv zombies.new zombies; sleep 0.1; done"""


@pytest.fixture
def container(runtime: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    oracle.root("makes a pid namespace")
    folder = tmp_path / "services"
    for name, run in (("slow", SLOW), ("orphans", ORPHANS), ("deaf", "trap '' TERM\n: >ready\nwhile :; do sleep 1; done")):
        service(folder / name, run)
    (folder / "deaf/down").touch()
    unshare = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    environment = {**os.environ, "RUNIT_PROVISION_STATE": str(tmp_path / "state"), "PATH": f"{runtime}:{os.environ['PATH']}"}
    process = subprocess.Popen([*unshare, str(runtime / "runsvdir"), str(folder)], env=environment, stderr=subprocess.PIPE)
    try:
        yield process, folder
    finally:
        process.kill()
        process.communicate()


def first(process: subprocess.Popen[bytes]) -> int:
    """Give the container's pid 1, by its pid here."""
    return int(until(lambda: Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split(), what="its pid 1")[0])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopping_the_container_ends_services_in_order(container: tuple[subprocess.Popen[bytes], Path], number: int) -> None:
    process, folder = container
    until((folder / "slow/ready").exists, what="it runs, and listens")
    os.kill(first(process), number)
    assert process.wait(60) == 0
    assert (folder / "slow/ended").read_text() == "ended\n"


def test_what_does_not_end_is_killed_in_time(container: tuple[subprocess.Popen[bytes], Path]) -> None:
    process, folder = container
    until(lambda: supervision.stat(folder / "deaf") == "down", what="it is known")
    supervision.letter(folder / "deaf", "u")
    until((folder / "deaf/ready").exists, what="it runs, and is deaf")
    os.kill(first(process), signal.SIGTERM)
    assert process.wait(60) == 0
    assert process.stderr is not None and b"still there, sending KILL: deaf" in process.stderr.read()


def test_orphans_are_reaped(container: tuple[subprocess.Popen[bytes], Path]) -> None:
    _, folder = container
    zombies = folder / "orphans/zombies"
    until(lambda: zombies.exists() and zombies.read_text().strip() == "0", what="nine orphans that ended are nobody's zombies")
