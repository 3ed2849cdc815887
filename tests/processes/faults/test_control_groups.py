"""A control group has no more memory or processes: it is said, and over as soon as it has; nothing is started twice."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle
from support.supervision import (
    is_alive,
    letter,
    log_in_pool,
    name,
    pid_of,
    said,
    script,
    service,
    started,
    stat,
    status,
    text_of,
    tree,
    up,
)
from support.waiting import DEADLINE, until

from runit_provision.runtime.wire import status as wire


def test_a_service_that_the_kernel_kills_for_its_memory(runtime: Path, tmp_path: Path) -> None:
    with control_group(tmp_path.name, "memory", "memory.limit_in_bytes", "memory.max") as (group, limit):
        limit.write_text(str(16 << 20))
        eat = f"echo $$ >{group}/cgroup.procs\nexec python3 -c 'x = bytearray(512 << 20)'"
        home = service(tmp_path / "services/it", f"[ -e fed ] && exec sleep 1000\n{eat}", finish='echo "$1 $2" >>ended')
        with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
            running.start()
            until(lambda: text_of(home / "ended").startswith("-1 9\n"), what="it is killed")
            until(lambda: " signal 9\n" in text_of(home / "supervise/deaths"), what="that is told")
            said(running, "runsv it: warning: killed by signal 9 that runsv did not send (out of memory? the kernel has killed ")
            (home / "fed").touch()
            up(home)


@contextmanager
def control_group(name: str, controller: str, first: str, second: str) -> Iterator[tuple[Path, Path]]:
    """Give a new control group, and the file of its limit, which has another name in each version of control groups.

    It goes at the end, when all that is in it has ended.
    """
    oracle.root("a control group with a limit")
    group, limit = new_group(name, controller, first, second)
    try:
        yield group, limit
    finally:
        until(lambda: not (group / "cgroup.procs").read_text(), what="the group is empty")
        group.rmdir()


@contextmanager
def room_for_processes(runtime: Path, tmp_path: Path) -> Iterator[Path]:
    """Give the file that limits how many processes there are of a runsvdir that TMP/start starts."""
    with control_group(tmp_path.name, "pids", "pids.max", "pids.max") as (group, limit):
        script(tmp_path / "start", f'echo $$ >{group}/cgroup.procs; exec {runtime / "runsvdir"} "$@"')
        yield limit


def new_group(name: str, controller: str, first: str, second: str) -> tuple[Path, Path]:
    """Give it, and the file of its limit."""
    for top, limit in ((Path("/sys/fs/cgroup") / controller, first), (Path("/sys/fs/cgroup"), second)):
        try:
            group = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=top))
        except OSError:
            continue
        if (group / limit).exists():
            return group, group / limit
        group.rmdir()
    oracle.absent(f"no control group for {controller} can be made here")
    raise AssertionError


def test_no_room_for_processes(runtime: Path, home: Path, tmp_path: Path) -> None:
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        limit.write_text("1")
        service(tmp_path / "new", "echo $$ >>started\nexec sleep 1000").rename(home.parent / "new")
        said(running, "runsv new: warning: unable to fork, sleeping: temporary failure")
        assert (stat(home), pid_of(home)) == ("run", before)
        os.kill(before, signal.SIGKILL)
        said(running, "runsv it: warning: unable to fork, sleeping: temporary failure")
        until(lambda: stat(home / "../new") == stat(home) != "run", what="sv tells that neither has a process")
        room_since = time.time_ns()
        limit.write_text("max")
        assert started(home) == [before]
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        assert wire.unpack(status(home)).since_ns > room_since  # and not since it was asked for
        until(lambda: started(home.parent / "new") == [up(home.parent / "new")], what="so does the new one")


@pytest.mark.parametrize(
    ("victim", "text"),
    [
        ("runsvdir-keeper", "runsvdir: warning: unable to fork keeper: temporary failure, trying again\n"),
        ("runsvdir", "runsvdir: keeper: warning: unable to fork stand-in: temporary failure, trying again\n"),
        ("log-pool", "runsv: warning: unable to start loggers, sleeping: temporary failure\n"),
    ],
)
def test_no_room_for_another_process_of_the_trees_own(runtime: Path, home: Path, tmp_path: Path, victim: str, text: str) -> None:
    logged = service(home.parent / "logged", "exec sleep 1000", log="exit 1")
    log_in_pool(logged, runtime)
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        up(logged)
        until((logged / "log/main/current").exists, what="the pool has begun")
        limit.write_text("1")
        if victim == "runsvdir":
            assert running.kill(signal.SIGTERM) == 0
        else:
            (pid,) = (pid for pid in running.processes() if name(pid) == victim)
            os.kill(pid, signal.SIGKILL)
        said(running, text)
        os.kill(before, signal.SIGKILL)
        if victim != "runsvdir":
            until(lambda: stat(home) == "down", what="its end is noticed")
        limit.write_text("max")
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        until(lambda: stat(logged / "log") == "run", what="the log runs")
        script(logged / "run", "echo line; exec sleep 1000")
        os.kill(up(logged), signal.SIGKILL)
        until(lambda: "line" in text_of(logged / "log/main/current"), what="its line is there")
        assert running.stderr.read_text().count(text) == 1


def test_no_room_for_the_first_process_of_the_trees_own(runtime: Path, home: Path, tmp_path: Path) -> None:
    text = "runsvdir: warning: unable to fork keeper: temporary failure, trying again\n"
    logged = service(home.parent / "logged", "echo $$ >>started\nexec sleep 1000", log="exit 1", control__u="exit 0")
    log_in_pool(logged, runtime)
    with room_for_processes(runtime, tmp_path) as limit, tree(tmp_path / "start", home.parent, tmp_path / "state") as running:
        for number, status in ((signal.SIGTERM, 0), (signal.SIGHUP, 111)):
            limit.write_text("1")
            running.start()
            said(running, text)
            until(lambda: running.supervises(home, logged), what="it supervises")
            assert running.kill(number) == status
            assert running.processes() == []
            running.stderr.unlink()
        running.start()
        said(running, text)
        limit.write_text("max")
        before = [up(home), up(logged)]
        until(lambda: stat(logged / "log") == "run", what="the log runs")
        limit.write_text("1")  # nobody takes the place of who is killed
        for pid in running.supervisors():
            os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(is_alive, running.supervisors())), what="supervisor and keeper are gone")
        assert running.process is not None
        running.process.wait(DEADLINE)
        running.stderr.unlink()
        running.start()
        said(running, text)
        until(lambda: running.supervises(home, logged), what="it supervises")
        assert [pid_of(home), pid_of(logged)] == before
        letter(home, "d")
        until(lambda: stat(home) == "down", what="what runs can be ended, and make room")
        assert running.kill(signal.SIGHUP) == 111
        assert not any(map(is_alive, before))
        assert running.stderr.read_text().count(text) == 1
