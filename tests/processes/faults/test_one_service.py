"""What one service needs of the kernel, and does not get just then: it is had later, and is not taken for what is not there."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import oracle
from support.injected import injected
from support.supervision import (
    is_alive,
    letter,
    name,
    pid_of,
    said,
    script,
    service,
    started,
    stat,
    text_of,
    tree,
    up,
)
from support.waiting import DEADLINE, until

NO_FILE = "system cannot open more files"
SAYS_WHEN_READY = "echo $$ >>started\nwhile [ ! -e ready ]; do sleep 0.02; done\necho >&3 || exit 1\nexec sleep 1000"
STUBBORN = "trap '' TERM\necho $$ >>started\nwhile :; do sleep 0.1; done"


@contextmanager
def unavailable(pid: int, path: str, fault: str, trace: Path, call: str = "openat") -> Iterator[None]:
    """Let a call about what `path` names, as the process names it, fail meanwhile."""
    with injected(pid, call, f"error={fault}", trace, "-P", path):
        yield


def failed(trace: Path) -> None:
    """Wait until a call has failed."""
    until(lambda: "INJECTED" in text_of(trace), what="a call has failed")


def is_ready(runtime: Path, home: Path) -> bool:
    """Whether it has said that it is ready."""
    words: list[str | Path] = [runtime / "sv", "status", home]
    return ", ready " in subprocess.run(words, capture_output=True, text=True, check=False, timeout=DEADLINE).stdout


def test_the_word_of_a_run_is_heard_though_the_next_supervisor_cannot_open_its_fifo_at_once(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", SAYS_WHEN_READY)
    (home / "notification-fd").write_text("3\n")
    faulty, strace = tmp_path / "faulty", oracle.program("strace", package="strace")
    fault = "-P supervise/notify -e trace=openat -e inject=openat:error=ENFILE:when=1"
    script(faulty, f'exec {strace} -D -qq -o {tmp_path}/trace {fault} {runtime}/runsvdir "$@"')
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
        running.kill_with_keeper()
        running.program = str(faulty)
        running.start()
        said(running, f"runsv it: warning: unable to open supervise/notify: {NO_FILE}\n")
        (home / "ready").touch()
        until(lambda: is_ready(runtime, home), what="it is heard")
        assert started(home) == [before] == [pid_of(home)]


def test_a_signal_that_may_not_be_sent_is_in_the_way_of_nothing_else(runtime: Path, home: Path, tmp_path: Path) -> None:
    """What may be sent to others is also for security modules to say (selinux(8), apparmor(7))."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with injected(running.pid, "sendmsg", "error=EACCES:when=1", tmp_path / "trace"):
            letter(home, "d")
            failed(tmp_path / "trace")
        with suppress(ProcessLookupError):
            os.kill(before, signal.SIGKILL)
        until(lambda: stat(home) == "down", what="it is down")
        letter(home, "u")
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")


def test_a_time_limit_that_cannot_be_read_at_once_is_kept(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", STUBBORN)
    (home / "timeout-kill").write_text("500\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: text_of(home / "started") and stat(home) == "run", what="it runs")
        with unavailable(running.pid, "timeout-kill", "ENFILE:when=1+", tmp_path / "trace"):
            letter(home, "d")
            until(lambda: text_of(tmp_path / "trace").count("INJECTED") > 1, what="it is tried again")
        until(lambda: stat(home) == "down", what="it is killed")
        assert running.stderr.read_text().count(f"runsv it: warning: unable to read timeout-kill, sleeping: {NO_FILE}\n") == 1


def test_the_time_limit_of_a_script_that_keeps_a_stop_waiting_is_kept(runtime: Path, home: Path, tmp_path: Path) -> None:
    (home / "control").mkdir()
    script(home / "control/h", "echo $$ >script\nexec sleep 1000")
    (home / "timeout-kill").write_text("300\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        letter(home, "h")
        until(lambda: text_of(home / "script"), what="its script runs")
        with unavailable(running.pid, "timeout-kill", "ENFILE:when=1", tmp_path / "trace"):
            letter(home, "d")
            failed(tmp_path / "trace")
        until(lambda: stat(home) == "down", what="the script is killed, and it is taken down")


def test_a_run_that_says_when_it_is_ready_is_not_started_without_what_it_says_that_by(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", SAYS_WHEN_READY)
    (home / "notification-fd").write_text("3\n")
    (home / "ready").touch()
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with unavailable(running.pid, "notification-fd", "ENFILE:when=1", tmp_path / "trace"):
            letter(home, "t")
            failed(tmp_path / "trace")
            until(lambda: len(started(home)) > 1 and is_ready(runtime, home), what="it runs again, and is ready")
        assert started(home) == [before, pid_of(home)]


def test_the_first_run_of_a_service_waits_until_it_is_known_what_it_says_that_it_is_ready_by(
    runtime: Path, home: Path, tmp_path: Path
) -> None:
    new = service(tmp_path / "new", SAYS_WHEN_READY)
    (new / "notification-fd").write_text("3\n")
    (new / "ready").touch()
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with unavailable(running.pid, "notification-fd", "ENFILE:when=1", tmp_path / "trace"):
            new = new.rename(home.parent / "new")
            said(running, f"runsv new: warning: unable to fork, sleeping: {NO_FILE}\n")
        until(lambda: is_ready(runtime, new), what="it is ready")
        assert started(new) == [pid_of(new)]


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Path]:
    """A service whose runs leave a process behind, in a session of its own, which is to be killed."""
    home = service(tmp_path / "services/it", "setsid sleep 1000 &\necho $! >>left\necho $$ >>started\nexec sleep 1000")
    (home / "kill-orphans").touch()
    yield home
    for path in tmp_path.glob("state/trees/*/cgroup"):
        if base := path.read_text():
            group = Path(base) / "it.1"
            until(lambda group=group: not (group / "cgroup.procs").read_text(), what="it is empty")  # type: ignore[misc]
            group.rmdir()
            group.parent.rmdir()


def left(home: Path) -> list[int]:
    """Give what the runs of a service have left behind."""
    return [int(pid) for pid in text_of(home / "left").split()]


def test_what_a_run_has_left_is_killed_though_it_cannot_be_read_that_it_is_to_be(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        before = up(leaving)
        with unavailable(running.pid, "kill-orphans", "ENFILE:when=1", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            failed(tmp_path / "trace")
        until(lambda: len(started(leaving)) > 1, what="it runs again")
        assert [is_alive(pid) for pid in left(leaving)] == [False, True]


def test_a_run_is_not_started_beside_the_control_group_that_it_is_found_in(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    oracle.root("control groups")
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        before = up(leaving)
        (base,) = running.state.glob("trees/*/cgroup")
        group = Path(base.read_text()) / "it.1"
        assert str(before) in (group / "cgroup.procs").read_text().split()
        # The first one is the sweeper's.
        with unavailable(running.pid, str(group), "ENFILE:when=2", tmp_path / "trace"):
            letter(leaving, "t")
            said(running, f"runsv it: warning: unable to fork, sleeping: {NO_FILE}\n")
        until(lambda: len(started(leaving)) > 1, what="it runs again")
        assert str(up(leaving)) in (group / "cgroup.procs").read_text().split()
        letter(leaving, "d")
        until(lambda: stat(leaving) == "down", what="it is down")
        assert [is_alive(pid) for pid in left(leaving)] == [False, False]


def test_a_service_is_not_met_without_its_log_that_cannot_be_looked_at_now(runtime: Path, home: Path, tmp_path: Path) -> None:
    new = service(tmp_path / "new", "echo line\nexec sleep 1000", log="cat >lines")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with unavailable(running.pid, "log", "EIO:when=1", tmp_path / "trace", "newfstatat"):
            new = new.rename(home.parent / "new")
            said(running, "runsv new: fatal: unable to stat() ./log: input/output error\n")
        until(lambda: text_of(new / "log/lines") == "line\n", what="it is logged")


def test_a_service_that_is_to_be_down_is_not_started_while_that_is_not_known(runtime: Path, home: Path, tmp_path: Path) -> None:
    new = service(tmp_path / "new", "echo $$ >>started\nexec sleep 1000")
    (new / "down").touch()
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with unavailable(running.pid, "down", "EIO:when=1", tmp_path / "trace", "newfstatat"):
            new = new.rename(home.parent / "new")
            failed(tmp_path / "trace")
        until(lambda: stat(new) == "down", what="it is met")
        assert started(home) == [up(home)]
        assert not text_of(new / "started")


def test_control_that_cannot_be_given_away_at_once_is_given_away_later(runtime: Path, home: Path, tmp_path: Path) -> None:
    oracle.root("gives files away")
    new = service(tmp_path / "new", "exec sleep 1000")
    (new / "control-access").touch()
    os.chown(new / "control-access", 65534, 65534)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with unavailable(running.pid, "supervise", "ENFILE:when=1+", tmp_path / "trace"):
            new = new.rename(home.parent / "new")
            until(lambda: text_of(tmp_path / "trace").count("INJECTED") > 2, what="it is tried again")
        until(lambda: (new / "supervise/control").stat().st_uid == 65534, what="it is given away")
        assert name(up(new)) == "sleep"
        assert running.stderr.read_text().count(f"runsv new: warning: unable to give control away: {NO_FILE}\n") == 1


def test_what_closing_a_status_file_tells_is_told_and_keeps_no_start(runtime: Path, home: Path, tmp_path: Path) -> None:
    """As a disk over a network does that is full, or gone."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with unavailable(running.pid, str(home / "supervise/stat.new"), "EIO:when=1", tmp_path / "trace", "close"):
            os.kill(before, signal.SIGKILL)
            failed(tmp_path / "trace")
        said(running, "runsv it: warning: unable to write supervise/stat.new: input/output error\n")
        until(lambda: len(started(home)) > 1, what="it is started again")
        assert started(home) == [before, up(home)]
        assert "internal error" not in running.stderr.read_text()
