"""What whoever starts a tree leaves to it: blocked signals, closed streams, a stderr that nobody reads."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import pytest
from support.supervision import Tree, is_alive, letter, log_in_pool, pid_of, send, service, stat, tree
from support.waiting import until

BLOCKING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])
"""
SLEEPER = "exec sleep 1000"
WARNING = b"it: warning: timeout-kill is no number of milliseconds, ignored"


@pytest.mark.parametrize("program", ["runsvdir", "runsv"])
def test_what_ends_is_noticed_though_signals_were_blocked_at_the_start(runtime: Path, tmp_path: Path, program: str) -> None:
    home = service(tmp_path / "services/it", SLEEPER)
    supervised = home.parent if program == "runsvdir" else home
    with tree(sys.executable, supervised, tmp_path / "state", "-c", BLOCKING, str(runtime / program)) as running:
        running.start()
        before = send(home, signal.SIGKILL)
        until(lambda: pid_of(home) not in {0, before} and is_alive(pid_of(home)), what="it is started again")
        letter(home, "d")
        until(lambda: stat(home) == "down", what="it is down")
        running.kill(signal.SIGHUP if program == "runsvdir" else signal.SIGTERM)


def test_who_is_told_to_end_before_it_has_well_begun_ends_all_the_same(runtime: Path, tmp_path: Path) -> None:
    service(tmp_path / "services/it", SLEEPER)
    for _ in range(5):
        with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
            running.start()
            children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
            until(children.read_text, what="it has a keeper")
            assert running.kill(signal.SIGHUP) == 111
            until(lambda: not running.processes(), what="nothing is left")


@pytest.mark.parametrize("program", ["runsvdir", "runsv"])
def test_where_standard_streams_are_closed_nothing_is_written_into_what_the_next_one_reads(
    runtime: Path, tmp_path: Path, program: str
) -> None:
    bad = service(tmp_path / "services/bad", SLEEPER)
    home = service(tmp_path / "services/it", SLEEPER)
    (bad / "run").write_text("#!/nonexistent\n")
    closed = 'exec "$@" <&- >&- 2>&-'
    supervised = home.parent if program == "runsvdir" else home
    with tree("sh", supervised, tmp_path / "state", "-c", closed, "sh", str(runtime / program)) as running:
        running.start()
        before = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
        streams = [Path(f"/proc/{running.pid}/fd/{number}").readlink() for number in range(3)]
        assert streams == [Path("/dev/null")] * 3
        if program == "runsvdir":
            os.kill(running.keeper(), signal.SIGKILL)
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next one has taken over")
        assert pid_of(home) == before


def fill(writer: int) -> None:
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.set_blocking(writer, True)


@contextmanager
def full_pipe(_folder: Path) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    fill(writer)
    yield reader, writer
    os.close(reader)
    os.close(writer)


@contextmanager
def full_fifo(folder: Path) -> Iterator[tuple[int, int]]:
    os.mkfifo(folder / "fifo")
    both = os.open(folder / "fifo", os.O_RDWR)
    fill(both)
    yield both, both
    os.close(both)


@contextmanager
def broken_pipe(_folder: Path) -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.close(reader)
    yield -1, writer
    os.close(writer)


@contextmanager
def full_disk(_folder: Path) -> Iterator[tuple[int, int]]:
    writer = os.open("/dev/full", os.O_WRONLY)
    yield -1, writer
    os.close(writer)


def start(running: Tree, stderr: int) -> None:
    call = [running.program, str(running.services)]
    running.process = subprocess.Popen(call, env=running.environment(), stdin=subprocess.DEVNULL, stderr=stderr, start_new_session=True)


def drain(reader: int) -> bytes:
    """Give the lines that came behind what the pipe was filled with."""
    os.set_blocking(reader, False)
    with suppress(BlockingIOError):
        return os.read(reader, 65536).lstrip(b"\0")
    return b""


@pytest.mark.parametrize("stderr", [full_pipe, full_fifo, broken_pipe, full_disk])
@pytest.mark.parametrize("program", ["runsvdir", "runsv"])
def test_a_stderr_that_nobody_reads_holds_nobody_up(
    runtime: Path, tmp_path: Path, program: str, stderr: Callable[[Path], AbstractContextManager[tuple[int, int]]]
) -> None:
    home = service(tmp_path / "services/it", SLEEPER)
    (home / "timeout-kill").write_text("soon\n")
    supervised = home.parent if program == "runsvdir" else home
    with stderr(tmp_path) as (reader, writer), tree(runtime / program, supervised, tmp_path / "state") as running:
        start(running, writer)
        for _ in range(3):
            before = until(lambda: pid_of(home), what="it runs")
            letter(home, "t")  # leads to a warning
            until(lambda before=before: pid_of(home) not in {0, before}, what="it was started again")  # type: ignore[misc]
        assert running.process is not None
        assert running.process.poll() is None
        if reader >= 0:
            drain(reader)
            letter(home, "t")
            lines = until(lambda: drain(reader).splitlines(), what="it is said now")
            assert lines[0] == b"runsv: warning: unable to write earlier messages: 3"
            assert lines[1].endswith(WARNING)


def test_lines_that_a_log_shows_on_a_stderr_that_nobody_reads_hold_no_other_log_up(runtime: Path, tmp_path: Path) -> None:
    homes = [service(tmp_path / "services" / name, f"echo one\necho two\n{SLEEPER}", log="exit 1") for name in ("it", "other")]
    for home in homes:
        log_in_pool(home, runtime)
    with (homes[0] / "log/main/config").open("a") as config:
        config.write("e*\n")
    with full_pipe(tmp_path) as (_reader, writer), tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        start(running, writer)
        for home in homes:
            current = home / "log/main/current"
            until(lambda current=current: current.exists() and current.read_text() == "one\ntwo\n", what="both lines are there")  # type: ignore[misc]
