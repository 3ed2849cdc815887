"""The pool of loggers where one log is in trouble (a full disk, a directory removed, a processor that hangs): the others go on."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import supervision, waiting

from runit_provision.runtime.wire import pool as wire
from runit_provision.runtime.wire.status import unpack

from .pools import Pool, Service, write


def test_a_log_that_cannot_be_opened_fails_and_the_others_go_on(pool: Pool, tmp_path: Path) -> None:
    good, bad, locked = Service(tmp_path, 1), Service(tmp_path, 2), Service(tmp_path, 3)
    (bad.log / "env" / "RSVLOG_OPTIONS").write_text("-x")
    (locked.log / "env" / "RSVLOG_DIR").write_text(str(good.main))
    pool.added(good)
    pool.add(bad)
    assert b"illegal option -- x" in pool.expect(wire.FAILED, bad).name
    pool.add(locked)
    pool.expect(wire.FAILED, locked)
    assert b"unable to lock directory" in pool.expect(wire.SAYS).name
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")


def test_a_full_disk_stops_only_its_own_logs_and_loses_nothing(pool: Pool, tmp_path: Path, small: Path) -> None:
    good, full = Service(tmp_path, 1), Service(tmp_path, 2, logs=small, config=b"s0\n")
    pool.added(good, full)
    ballast = small / "ballast"
    ballast.write_bytes(b"x" * 40000)
    sent = b"".join(b"line %d\n" % number for number in range(6000))
    write(full, sent[:60000])
    assert b"out of disk space" in pool.expect(wire.SAYS).name
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")
    pool.kill()
    pool.start()
    pool.added(good)
    pool.add(full)
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
    pool.expect(wire.ADDED, full)
    waiting.until(lambda: full.text() == sent[:60000][: sent[:60000].rindex(b"\n") + 1])
    pool.end()


def fills_its_disk(pool: Pool, service: Service, disk: Path) -> bytes:
    """Let a service say more than its log has room for; give that, which ends within a line."""
    pool.added(service)
    (disk / "ballast").write_bytes(b"x" * 40000)
    sent = b"".join(b"line %d\n" % number for number in range(6000))[:60000]
    write(service, sent)
    assert b"out of disk space" in pool.expect(wire.SAYS).name
    return sent


def test_what_a_full_disk_has_no_room_for_goes_to_the_directory_that_the_log_is_given_instead(
    pool: Pool, tmp_path: Path, small: Path
) -> None:
    service = Service(tmp_path, 1, logs=small, config=b"s0\n")
    sent = fills_its_disk(pool, service, small)
    before, service.main = service.main, tmp_path / "other"
    service.main.mkdir()
    service.main.joinpath("current").write_bytes(b"older\n" * 10000)
    (service.log / "env" / "RSVLOG_DIR").write_text(str(service.main))
    pool.send(service, signal.SIGKILL)
    pool.expect(wire.ENDED, service)
    pool.added(service)
    write(service, b"\nthe end\n")
    waiting.until(lambda: service.text().endswith(b"\nthe end\n"))
    assert (before / "current").read_bytes() + service.text().removeprefix(b"older\n" * 10000) == sent + b"\nthe end\n"


def test_where_a_directory_is_moved_aside_and_the_pool_is_killed_no_line_is_missing(pool: Pool, tmp_path: Path, small: Path) -> None:
    service = Service(tmp_path, 1, logs=small, config=b"s0\n")
    sent = fills_its_disk(pool, service, small)
    before = service.main.rename(small / "before")
    service.main.mkdir()
    pool.kill()
    (small / "ballast").unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(small)], check=True)
    pool.start()
    pool.added(service)
    write(service, b"\nthe end\n")
    waiting.until(lambda: service.text().endswith(b"\nthe end\n"))
    first, second, all_of_it = (before / "current").read_bytes(), service.text(), sent + b"\nthe end\n"
    assert all_of_it.startswith(first)
    assert all_of_it.endswith(second)
    assert len(first) + len(second) >= len(all_of_it)


_NEVER_SAFE = """
import posix
fchmod = posix.fchmod
def broken(file, mode):
    if mode == 0o744:
        raise PermissionError(1, "")
    fchmod(file, mode)
posix.fchmod = broken
"""


def test_of_a_file_that_cannot_be_made_safe_it_is_told_why(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 1)
    pool.kill()
    pool.start(breaks=_NEVER_SAFE)
    pool.added(service)
    write(service, b"a line\n")
    waiting.until(lambda: service.text() == b"a line\n")
    pool.send(service, signal.SIGTERM)
    assert pool.expect(wire.WAITS, service).value == errno.EPERM
    pool.send(service, signal.SIGKILL)
    pool.expect(wire.ENDED, service)


@pytest.mark.parametrize("config", [b"s4096\n", b"s4096\n!cat\n"], ids=["plain", "processor"])
def test_a_current_that_somebody_removes_begins_anew_when_it_would_have_been_full(pool: Pool, tmp_path: Path, config: bytes) -> None:
    service = Service(tmp_path, 1, config=config)
    pool.added(service)
    write(service, b"gone\n")
    waiting.until(lambda: service.text() == b"gone\n")
    (service.main / "current").unlink()
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    write(service, lines)
    said = pool.expect(wire.SAYS).name
    assert said == b"svlogd: warning: unable to rename current: %b: file does not exist" % bytes(service.main)
    waiting.until(lambda: len(service.text()) > 2000 and lines.endswith(service.text()))
    write(service, b"the end\n")
    waiting.until(lambda: service.text().endswith(b"line 999\nthe end\n"))
    pool.send(service, signal.SIGTERM)
    assert pool.expect(wire.ENDED, service).value == 0


@pytest.mark.parametrize("config", [b"s4096\n", b"s4096\n!cat\n"], ids=["plain", "processor"])
def test_a_log_whose_directory_is_removed_ends_and_goes_on_in_the_next_one(pool: Pool, tmp_path: Path, config: bytes) -> None:
    service = Service(tmp_path, 1, config=config)
    pool.added(service)
    write(service, b"gone\n")
    waiting.until(lambda: service.text() == b"gone\n")
    shutil.rmtree(service.main)
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    write(service, lines)
    assert pool.expect(wire.ENDED, service).value == 111 << 8
    pool.acknowledge(service)
    pool.added(service)
    write(service, b"the end\n")
    waiting.until(lambda: service.text().endswith(b"line 999\nthe end\n"))
    assert (lines + b"the end\n").endswith(service.text())
    assert len(service.text()) > 4096
    pool.send(service, signal.SIGTERM)
    assert pool.expect(wire.ENDED, service).value == 0


def test_a_processor_that_hangs_stops_only_its_own_log_and_loses_nothing(pool: Pool, tmp_path: Path) -> None:
    good = Service(tmp_path, 1)
    stuck = Service(tmp_path, 2, config=b"s10000\nn0\n!while [ ! -e ../go ]; do sleep 0.05; done; exec cat\n")
    pool.added(good, stuck)
    sent = b"".join(b"line %d\n" % number for number in range(6000))
    write(stuck, sent)  # as C's svlogd, it rotates once, and then goes on reading
    waiting.until(lambda: len(list(stuck.main.glob("@*.t"))) == 1, what="the processor has begun")
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")
    stuck.main.with_name("go").touch()
    waiting.until(lambda: not [*stuck.main.glob("@*.u"), *stuck.main.glob("@*.t")], what="all is processed")
    waiting.until(lambda: stuck.text() == sent, what="no line is missing")
    pool.end()


def test_a_processor_that_cannot_be_watched_at_once_is_not_started_a_second_time(pool: Pool, tmp_path: Path) -> None:
    pool.kill()
    pool.start(breaks=_NO_ROOM_FOR_PIDFDS)
    service = Service(tmp_path, 1, config=b"s4096\n!cat; echo >>../../../runs; exec sleep 1\n")
    pool.added(service)
    lines = b"".join(b"line %d\n" % number for number in range(500))
    write(service, lines)
    waiting.until(lambda: len(list(service.main.glob("@*.s"))) == 1, what="it has been processed")
    assert (tmp_path / "runs").read_text() == "\n"
    assert pool.process is not None
    assert not children(pool.process.pid), "none is left"
    assert service.text() == lines
    pool.drain(service)
    assert pool.expect(wire.ENDED, service).value == 0


_NO_ROOM_FOR_PIDFDS = """
import errno, posix
pidfd_open, calls = posix.pidfd_open, []
def open_later(pid):
    calls.append(pid)
    if len(calls) < 3:
        raise OSError(errno.ENFILE, "")
    return pidfd_open(pid)
posix.pidfd_open = open_later
"""


def _waits_for_its_processor(log: Path) -> bool:
    """Whether `current` is full while a file is to be processed: then it is not rotated, and nothing is read."""
    try:
        return len(list(log.glob("@*.u"))) == 1 and (log / "current").stat().st_size >= 4096 - 1001
    except FileNotFoundError:
        return False  # the first one is just being set aside


def test_of_a_log_that_is_killed_while_its_processor_runs_nothing_is_left_in_the_pool(runtime: Path, tmp_path: Path) -> None:
    home = supervision.service(tmp_path / "services/it", "echo a line; exec sleep 1000", log="exit 1")
    supervision.log_in_pool(home, runtime)
    main, begun, gate = home / "log/main", tmp_path / "begun", tmp_path / "gate"
    os.mkfifo(gate)
    waits = os.open(gate, os.O_RDWR)
    (main / "config").write_text(f"s0\n!echo >>{begun}; read -r end <{gate}; exec cat\n")
    with supervision.tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        waiting.until(lambda: (main / "current").exists() and (main / "current").read_text() == "a line\n")
        subprocess.run([runtime / "sv", "alarm", home / "log"], check=True)
        waiting.until(begun.exists, what="its processor runs")
        (pool,) = [pid for pid in running.processes() if supervision.name(pid) == "log-pool"]
        before = len(supervision.opened(pool))
        for _ in range(4):
            since = unpack(supervision.status(home / "log")).since_ns
            subprocess.run([runtime / "sv", "kill", home / "log"], check=True)
            waiting.until(lambda since=since: unpack(supervision.status(home / "log")).since_ns != since, what="it was killed")  # type: ignore[misc]
            waiting.until(lambda: supervision.stat(home / "log") == "run", what="it runs again")
        os.write(waits, b"\n" * 5)
        waiting.until(lambda: [path.read_text() for path in main.glob("@*")] == ["a line\n"], what="the last one has processed it")
        waiting.until(lambda: not children(pool), what="none has ended and is not reaped")
        waiting.until(lambda: "pidfd" not in str(left := supervision.opened(pool)) and len(left) <= before, what="all is closed")
        assert supervision.pid_of(home / "log") == pool
        assert begun.read_text() == "\n", "it was waited for, and not run again"
    os.close(waits)


def children(pid: int) -> str:
    """Give the pids of a process's children, of which those that have ended are not reaped yet."""
    return "".join(path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children"))


@pytest.mark.parametrize("command", ["exit 1", "while [ ! -e ../go ]; do sleep 0.05; done; exit 1"], ids=["fails", "hangs"])
def test_hup_takes_a_processor_away_for_which_a_log_waits(pool: Pool, tmp_path: Path, command: str) -> None:
    service = Service(tmp_path, 1, config=f"s4096\nn0\n!{command}\n".encode())
    pool.added(service)
    sent = b"".join(b"line %d\n" % number for number in range(2000))
    write(service, sent)
    waiting.until(lambda: _waits_for_its_processor(service.main), what="the log waits")
    service.main.joinpath("config").write_bytes(b"s4096\nn0\n")
    pool.send(service, signal.SIGHUP)
    service.main.with_name("go").touch()
    write(service, b"the end\n")
    waiting.until(lambda: service.text() == sent + b"the end\n", what="it goes on, and no line is missing")
    # As svlogd leaves it, for the next one.
    waiting.until(lambda: len(list(service.main.glob("@*.u"))) == 1, what="the others are safe, which need no processor")
    service.main.joinpath("config").write_bytes(b"!cat\n")
    pool.send(service, signal.SIGHUP)
    waiting.until(lambda: not [*service.main.glob("@*.u"), *service.main.glob("@*.t")], what="the next one has processed it")
    assert service.text() == sent + b"the end\n"
    pool.end()
