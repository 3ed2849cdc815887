"""A service whose account has log/supervise/ hands its supervisor the FIFO to its log, and can hand it nothing else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import Tree, letter, service, stat, tree
from support.versions import own
from support.waiting import until, written

from runit_provision.runtime.shell import descriptors

NOBODY = 65534
TAKEOVERS = 30
"""When what was opened was not what had been looked at, the first fifteen of them met the other file in each of ten runs."""
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
EXCHANGES = """\
import fcntl, os, sys
fifo, other = (fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in (1, os.open(sys.argv[1], os.O_RDONLY)))
for fd in range(200):
    try:
        os.close(fd)
    except OSError:
        pass
os.close(os.open("given/ready", os.O_WRONLY | os.O_CREAT))
while True:
    for each in (fifo, other):
        for fd in range(4):
            os.dup2(each, fd)
"""
HOLDS = """\
import os, sys, time
os.dup2(os.open(sys.argv[1], os.O_PATH), 1)
os.close(0)
os.close(2)
os.close(os.open("given/ready", os.O_WRONLY | os.O_CREAT))
time.sleep(1000)
"""


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    oracle.root("a service of another account")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as prepared:
        yield prepared


def given(running: Tree, run: str) -> Path:
    """Start a service whose log/supervise/ is another account's, which has `given/ready` once it is to be taken over."""
    home = service(running.services / "it", run, log="exec cat >lines")
    for folder in (home / "given", home / "log/supervise"):
        folder.mkdir()
        os.chown(folder, NOBODY, NOBODY)
    running.start()
    until((home / "given/ready").exists, what="it is ready")
    return home


def taken_over(running: Tree, home: Path) -> None:
    (home / "log/supervise/pipe").unlink(missing_ok=True)
    running.kill()
    running.start()
    until(lambda: running.supervises(home, home / "log"), what="the next one supervises")


def have(running: Tree, file: Path) -> list[str]:
    """Give those of a tree's own processes that have a file open."""
    found = set()
    for name, pid in own(running).items():
        for fd in supervision.opened(pid):
            with suppress(*supervision.GONE):  # it was closed meanwhile
                if os.path.samestat(Path(f"/proc/{pid}/fd/{fd}").stat(), file.stat()):
                    found.add(name)
    return sorted(found)


def test_a_fifo_whose_name_was_removed_goes_on_after_a_takeover(running: Tree) -> None:
    home = given(running, "echo up; : >given/ready; exec sleep 1000")
    taken_over(running, home)
    letter(home, "t")
    until(lambda: written(home / "log/lines") == "up\nup\n", what="the next run is logged too")


def test_a_file_that_a_service_exchanges_for_the_fifo_is_never_opened(running: Tree, tmp_path: Path) -> None:
    precious, program = tmp_path / "precious", tmp_path / "program"
    precious.write_text("precious\n")
    program.write_text(EXCHANGES)
    # Nice, so that it runs while the supervisor looks.
    home = given(running, f"exec nice -n -20 chpst -u nobody {PYTHON} {program} {precious}")
    for _ in range(TAKEOVERS):
        taken_over(running, home)
        assert have(running, precious) == []


def test_another_fifo_that_a_service_has_mounted_over_its_own_is_never_opened(running: Tree, tmp_path: Path) -> None:
    unshare = oracle.program("unshare", package="util-linux")
    other, program = tmp_path / "other", tmp_path / "program"
    os.mkfifo(other, 0o600)
    program.write_text(HOLDS)
    mounts = f"mount -t tmpfs none log && mkdir log/supervise && : >log/supervise/pipe && mount --bind {other} log/supervise/pipe"
    home = given(running, f"exec {unshare} --mount sh -c '{mounts} && exec {PYTHON} {program} log/supervise/pipe'")
    pid = supervision.pid_of(home)
    assert supervision.opened(pid)["1"] == str(home / "log/supervise/pipe"), "what it has seems to be its own"
    taken_over(running, home)
    assert have(running, other) == []
    assert stat(home) == "run"


def test_what_takes_a_files_place_between_look_and_opening_is_not_opened(tmp_path: Path) -> None:
    fifo, precious = tmp_path / "fifo", tmp_path / "precious"
    os.mkfifo(fifo)
    precious.write_text("precious\n")
    seen = fifo.stat()

    def exchanged(fd: int) -> bool:
        precious.replace(fifo)
        return descriptors.is_fifo(fd)

    opened = descriptors.opened_if(exchanged, str(fifo), os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW)
    with os.fdopen(opened, "rb", buffering=0) as file:
        assert os.path.samestat(os.fstat(file.fileno()), seen)
    assert descriptors.opened_if(descriptors.is_fifo, str(fifo), os.O_RDWR | os.O_NOFOLLOW) == -1
