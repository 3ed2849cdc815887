"""What a service directory may be in the field: damaged, full, foreign, strangely named. The tree says what is wrong, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import supervision
from support.supervision import Tree, letter, pid_of, service, stat, status, tree
from support.waiting import DEADLINE, until, written

SLEEPER = "exec sleep 1000"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    folder = tmp_path / "services"
    service(folder / "healthy", SLEEPER)
    with tree(runtime / "runsvdir", folder, tmp_path / "state") as prepared:
        yield prepared


def runs(folder: Path) -> bool:
    return stat(folder) == "run" and supervision.is_alive(pid_of(folder))


def said(running: Tree, text: str) -> bool:
    return text in running.stderr.read_text(errors="surrogateescape")


def supervise_of(folder: Path) -> Path:
    place = service(folder, SLEEPER) / "supervise"
    place.mkdir()
    return place


@pytest.mark.covers("runsv", "a status of 3 bytes")
def test_a_status_of_three_bytes_is_replaced(running: Tree) -> None:
    place = supervise_of(running.services / "it")
    (place / "status").write_bytes(b"abc")
    (place / "status.new").write_bytes(b"left by a crash")
    running.start()
    until(lambda: runs(place.parent) and len(status(place.parent)) == 20, what="it runs, and its status is whole")
    assert not (place / "status.new").exists()


def test_status_files_that_are_links_are_replaced_and_not_followed(running: Tree, tmp_path: Path) -> None:
    place = supervise_of(running.services / "it")
    precious = tmp_path / "precious"
    precious.write_text("precious\n")
    for name in ("status", "status.new", "stat.new", "pid", "pid.new"):
        (place / name).symlink_to(precious)
    running.start()
    until(lambda: runs(place.parent) and not any(path.is_symlink() for path in place.iterdir()), what="it runs, without links")
    assert precious.read_text() == "precious\n"


@pytest.mark.covers("runsv", "a FIFO that is a file")
@pytest.mark.parametrize("name", ["control", "ok"])
def test_a_file_in_a_fifos_place_is_said_and_the_others_run(running: Tree, name: str) -> None:
    place = supervise_of(running.services / "it")
    (place / name).write_text("not a fifo\n")
    running.start()
    until(lambda: said(running, f"supervise/{name} exists but is not a fifo"), what="it is said")
    until(lambda: runs(running.services / "healthy"), what="the other one runs")
    (place / name).unlink()
    until(lambda: runs(place.parent) and (place / name).is_fifo(), what="it is supervised once it is mended")


@pytest.mark.covers("runsv", "supervise as a link to a tmpfs")
def test_supervise_may_be_a_link_into_a_directory_that_a_boot_has_emptied(running: Tree, tmp_path: Path) -> None:
    folder = service(running.services / "it", SLEEPER, log="exec cat >/dev/null")
    volatile = tmp_path / "run"
    volatile.mkdir()
    (folder / "supervise").symlink_to(volatile / "it")
    (folder / "log/supervise").symlink_to(volatile / "it.log")
    running.start()
    until(lambda: runs(folder) and runs(folder / "log"), what="service and log run")
    assert (volatile / "it/ok").is_fifo()
    assert (volatile / "it.log/pipe").is_fifo()
    assert (volatile / "it").stat().st_mode & 0o777 == 0o700


@pytest.mark.covers("runsv", "names with newlines and invalid UTF-8")
@pytest.mark.parametrize("name", [b"new\nline", b"latin-\xe9", b"- dash $(x) 'q'", b"\xf0\x9f\x90\xa7"])
def test_any_name_is_a_service(running: Tree, name: bytes) -> None:
    folder = running.services / os.fsdecode(name)
    service(folder, f"echo told >&2; {SLEEPER}", log="exec cat >/dev/null")
    running.start()
    until(lambda: runs(folder) and runs(folder / "log"), what="it runs")
    before = pid_of(folder)
    running.kill()
    running.start()
    letter(folder, "c")
    until(lambda: (folder / "supervise/stat").read_text() == "run\n", what="it is adopted")
    assert pid_of(folder) == before


@pytest.mark.parametrize("kind", ["missing", "not executable", "a directory", "no interpreter"])
def test_a_run_that_cannot_be_executed_lets_finish_know(running: Tree, kind: str) -> None:
    folder = service(running.services / "it", SLEEPER, finish='echo "$1 $2" >>finished; sleep 1')
    program = folder / "run"
    if kind in {"missing", "a directory"}:
        program.unlink()
    if kind == "a directory":
        program.mkdir()
    elif kind == "not executable":
        program.chmod(0o644)
    elif kind == "no interpreter":
        program.write_text("#!/nonexistent/interpreter\n")
    running.start()
    assert written(folder / "finished").splitlines()[0] == "111 0"
    assert said(running, "runsv it: fatal: unable to start ./run: ")
    until(lambda: runs(running.services / "healthy"), what="the other one runs")


def test_a_log_that_is_no_directory_is_said_and_the_service_runs(running: Tree) -> None:
    folder = service(running.services / "it", SLEEPER)
    (folder / "log").write_text("no directory\n")
    running.start()
    until(lambda: runs(folder), what="it runs")
    assert said(running, "runsv it: warning: ./log: not a directory.")


@pytest.mark.covers("runsv", "a directory that vanishes")
def test_a_directory_that_vanishes_while_it_is_used_takes_its_service_along(running: Tree) -> None:
    folder = service(running.services / "it", SLEEPER)
    running.start()
    until(lambda: runs(folder), what="it runs")
    pid = pid_of(folder)
    subprocess.run(["rm", "-rf", str(folder)], check=True)
    until(lambda: not supervision.is_alive(pid), what="its process is gone")
    until(lambda: runs(running.services / "healthy"), what="the other one runs")


def test_a_second_runsvdir_waits_for_the_first_and_says_so(running: Tree) -> None:
    running.start()
    until(lambda: runs(running.services / "healthy"), what="it runs")
    pid, first = pid_of(running.services / "healthy"), running.process
    running.start()
    until(lambda: said(running, "already supervised by process"), what="the second one says so")
    assert first is not None
    first.kill()
    first.wait(DEADLINE)
    letter(running.services / "healthy", "t")
    until(lambda: pid_of(running.services / "healthy") not in {0, pid}, what="somebody supervises")
    assert running.process is not None and running.process.poll() is None


def test_a_second_runsvdir_whose_keeper_is_stopped_says_so_and_can_be_ended(running: Tree) -> None:
    running.start()
    until(lambda: runs(running.services / "healthy"), what="it runs")
    first, keeper = running.process, running.keeper()
    os.kill(keeper, signal.SIGSTOP)
    try:
        running.start()
        until(lambda: said(running, "its keeper does not answer; waiting until it does"), what="the second one says so")
        assert running.kill(signal.SIGTERM) == -signal.SIGTERM
    finally:
        os.kill(keeper, signal.SIGCONT)
        running.process = first


def test_a_second_runsvdir_that_waited_leaves_nothing_open(running: Tree) -> None:
    running.start()
    until(lambda: runs(running.services / "healthy"), what="it runs")
    first, keeper = running.process, running.keeper()
    before = len(supervision.opened(keeper))
    for count in (1, 2, 3):
        running.start()
        until(lambda count=count: running.stderr.read_text().count("already supervised") == count, what="it waits")  # type: ignore[misc]
        assert running.kill(signal.SIGTERM) == -signal.SIGTERM
    until(lambda: len(supervision.opened(keeper)) == before, what="the keeper has closed what it brought along")
    running.process = first


@pytest.mark.covers("runsvdir", "more than 1,000 services")
def test_more_than_a_thousand_services_of_one_tree_run_with_few_descriptors_each(running: Tree) -> None:
    for number in range(1100):
        folder = service(running.services / f"s{number:04}", SLEEPER)
        (folder / "down").touch()
    (folder / "run").write_text(f"#!/bin/sh\nulimit -n >>allowed\n{SLEEPER}\n")
    runsvdir = Path(running.program)
    running.program, running.arguments = str(runsvdir.with_name("chpst")), ("-o", "200", str(runsvdir))
    running.start()
    until(lambda: all(stat(each) for each in running.services.iterdir()), what="all have a status")
    letter(folder, "u")
    until(lambda: runs(folder), what="the last one runs")
    # The next keeper is started by a supervisor that has thousands open.
    os.kill(running.keeper(), signal.SIGKILL)
    until(lambda: said(running, "starting another"), what="another keeper")
    letter(folder, "t")
    until(
        lambda: (folder / "allowed").exists() and (folder / "allowed").read_text() == "200\n200\n",
        what="it runs again, and has what it had",
    )


def test_orphaned_grandchildren_are_the_supervisors(running: Tree) -> None:
    folder = service(running.services / "it", "while :; do (sleep 1001 & echo $! >new; mv new orphan); sleep 0.2; done")
    running.start()
    # Soon after its start: what is needed for it is loaded when everything runs.
    until(lambda: parent_of(folder / "orphan") == running.pid, what="the supervisor is its parent")


def parent_of(orphan: Path) -> int:
    try:
        fields = Path(f"/proc/{int(orphan.read_text())}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0
    return int(fields[1])


@pytest.mark.covers("runsv", "ENOSPC in supervise/")
def test_a_full_disk_beneath_supervise_is_said_and_the_status_is_right_once_there_is_room(runtime: Path, tmp_path: Path) -> None:
    services = tmp_path / "services"
    service(services / "it", SLEEPER)
    (services / "it/supervise").mkdir()
    mounting = tmp_path / "mounting"
    supervision.script(
        mounting,
        f"exec unshare --user --map-root-user --mount sh -c 'mount -t tmpfs -o size=64k none {services}/it/supervise && "
        f'exec {runtime}/runsvdir "$@"\' sh "$@"',
    )
    with tree(mounting, services, tmp_path / "state") as running:
        running.start()
        inside = Path(f"/proc/{running.pid}/root{services}/it")
        until(lambda: runs(inside) and len(status(inside)) == 20, what="it runs, and says so")
        pid = pid_of(inside)
        fill(inside / "supervise/filler")
        subprocess.run(["kill", "-KILL", str(pid)], check=True)
        until(lambda: said(running, "runsv it: warning: unable to "), what="it is said")
        (inside / "supervise/filler").unlink()
        until(lambda: pid_of(inside) != pid and runs(inside), what="the status is right again")


def fill(path: Path) -> None:
    with pytest.raises(OSError, match="No space"), path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(512))


@pytest.mark.covers("runsvdir", "another user's directory")
def test_a_directory_of_another_user_is_supervised_and_its_links_are_not_followed(running: Tree, tmp_path: Path) -> None:
    folder = service(running.services / "it", SLEEPER)
    if os.geteuid() == 0:
        subprocess.run(["chown", "-R", "nobody", str(folder)], check=True)
    running.start()
    until(lambda: runs(folder) and len(status(folder)) == 20, what="it runs")
    pid, precious = pid_of(folder), tmp_path / "precious"
    precious.write_text("precious\n")
    for name in ("status", "stat", "pid"):
        (folder / "supervise" / name).unlink()
        (folder / "supervise" / name).symlink_to(precious)
        (folder / "supervise" / f"{name}.new").symlink_to(precious)
    subprocess.run(["kill", "-KILL", str(pid)], check=True)
    until(lambda: runs(folder) and pid_of(folder) != pid and len(status(folder)) == 20, what="it runs again")
    assert precious.read_text() == "precious\n"


def test_who_writes_letters_without_end_holds_up_nobody_else(running: Tree) -> None:
    one, other = (service(running.services / name, "exec sleep 1000") for name in ("one", "other"))
    running.start()
    until(lambda: stat(one) == "run" and stat(other) == "run", what="both run")
    flood = subprocess.Popen(["sh", "-c", f"exec yes >{one}/supervise/control"])
    try:
        before = supervision.send(other, signal.SIGKILL)
        until(lambda: pid_of(other) not in {0, before}, what="the other runs again")
        assert running.process is not None
        running.process.send_signal(signal.SIGHUP)
        assert running.process.wait(DEADLINE) == 111
    finally:
        flood.kill()
        flood.wait()
