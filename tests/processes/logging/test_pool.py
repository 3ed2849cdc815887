"""The pool of loggers: many logs in one process."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision, waiting

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service, unread, write


def test_lines_go_from_the_fifo_to_the_log(pool: Pool, tmp_path: Path) -> None:
    first, second = Service(tmp_path, 1), Service(tmp_path, 2, options="-tt")
    pool.added(first, second)
    write(first, b"one\ntwo\nthr")
    write(second, b"a line\n")
    waiting.until(lambda: first.text() == b"one\ntwo\n")
    waiting.until(lambda: re.fullmatch(rb"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5} a line\n", second.text()))
    write(first, b"ee\n")
    waiting.until(lambda: first.text() == b"one\ntwo\nthree\n")


def test_a_drained_log_is_read_to_its_end(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 7)
    pool.added(service)
    out = os.open(service.pipe, os.O_WRONLY)
    os.write(out, b"one\n")
    pool.drain(service)
    os.write(out, b"two\nnever")
    os.close(out)
    assert pool.expect(wire.ENDED, service).value == 0
    assert service.text() == b"one\ntwo\n"
    assert service.main.joinpath("current").stat().st_mode & 0o777 == 0o744


def test_what_is_only_to_be_sent_is_not_written_though_it_has_no_address(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 1, config=b"U10.0.0.1:0\n")
    pool.added(service)
    write(service, b"one\ntwo\n")
    pool.drain(service)
    assert pool.expect(wire.ENDED, service).value == 0
    assert service.text() == b""


def test_signals_do_what_they_do_to_svlogd(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 3)
    pool.added(service)
    write(service, b"one\n")
    waiting.until(lambda: service.text() == b"one\n")
    pool.send(service, signal.SIGALRM)
    waiting.until(lambda: len(list(service.main.glob("@*.s"))) == 1)
    service.main.joinpath("config").write_bytes(b"pnew: \n")
    pool.send(service, signal.SIGHUP)
    pool.send(service, signal.SIGALRM)  # empty: nothing; in order behind HUP

    def written_with_the_new_config() -> bool:
        write(service, b"line\n")
        return b"new: line\n" in service.text()

    waiting.until(written_with_the_new_config)
    pool.send(service, signal.SIGSTOP)
    pool.send(service, signal.SIGTERM)
    assert pool.expect(wire.ENDED, service).value == 0
    write(service, b"kept\n")
    pool.added(service)
    waiting.until(lambda: service.text().endswith(b"new: kept\n"))
    pool.send(service, signal.SIGKILL)
    assert pool.expect(wire.ENDED, service).value == signal.SIGKILL


def test_hup_and_alrm_to_the_pool_itself_are_for_all_its_logs(pool: Pool, tmp_path: Path) -> None:
    services = [Service(tmp_path, 1), Service(tmp_path, 2)]
    pool.added(*services)
    assert pool.process is not None
    for service in services:
        write(service, b"before\n")
        waiting.until(lambda service=service: service.text() == b"before\n")  # type: ignore[misc]
        service.main.joinpath("config").write_bytes(b"pnew: \n")
    pool.process.send_signal(signal.SIGALRM)
    for service in services:
        waiting.until(lambda service=service: list(service.main.glob("@*.s")), what="it is rotated")  # type: ignore[misc]
    pool.process.send_signal(signal.SIGHUP)
    for service in services:

        def written_with_the_new_config(service: Service = service) -> bool:
            write(service, b"line\n")
            return b"new: line\n" in service.text()

        waiting.until(written_with_the_new_config)
    assert pool.end() == 0


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, None], ids=str)
def test_a_log_that_is_told_to_end_and_then_something_else_ends_once(pool: Pool, tmp_path: Path, last: int | None) -> None:
    service, other = Service(tmp_path, 1), Service(tmp_path, 2)
    pool.added(service, other)
    assert pool.process is not None
    pool.process.send_signal(signal.SIGSTOP)
    for number in (signal.SIGTERM, signal.SIGSTOP, signal.SIGCONT, signal.SIGTERM, last):
        if number is None:
            pool.drain(service)
        else:
            pool.client.sendall(wire.pack(wire.Record(wire.SIGNAL, slot=1, value=number)))
    pool.process.send_signal(signal.SIGCONT)
    assert pool.expect(wire.ENDED, service).value in {0, signal.SIGKILL}
    write(other, b"goes on\n")
    waiting.until(lambda: other.text() == b"goes on\n")
    pool.drain(other)
    pool.expect(wire.ENDED, other)
    assert [record.slot for record in pool.records if record.op == wire.ENDED] == [], "each end was told once"


def test_who_has_not_heard_of_an_end_begins_no_other_log(pool: Pool, tmp_path: Path) -> None:
    first, second = Service(tmp_path, 1), Service(tmp_path, 2)
    pool.added(first)
    pool.send(first, signal.SIGTERM)
    pool.expect(wire.ENDED, first)
    pool.client.close()
    pool.connect()
    pool.add(first)
    pool.expect(wire.ENDED, first)
    write(first, b"not yet\n")
    pool.added(second)
    assert first.text() == b""
    pool.added(first)
    waiting.until(lambda: first.text() == b"not yet\n")


def test_a_fifo_is_let_go_that_was_sent_for_a_log_which_has_ended_or_cannot_be_opened(pool: Pool, tmp_path: Path) -> None:
    ended, bad, other = (Service(tmp_path, slot) for slot in (1, 2, 3))
    (bad.log / "env" / "RSVLOG_OPTIONS").write_text("-x")
    pool.added(ended, other)
    pool.send(ended, signal.SIGTERM)
    pool.expect(wire.ENDED, ended)
    assert pool.process is not None
    pool.process.send_signal(signal.SIGSTOP)
    pool.drain(ended)
    pool.add(bad)
    pool.drain(bad)
    pool.process.send_signal(signal.SIGCONT)
    pool.expect(wire.FAILED, bad)
    pid = pool.process.pid
    waiting.until(lambda: not {str(ended.pipe), str(bad.pipe)} & {*supervision.opened(pid).values()}, what="both are closed")
    assert supervision.has_open(pid, other.pipe)


def test_the_next_supervisor_is_told_what_there_is(pool: Pool, tmp_path: Path) -> None:
    first, second = Service(tmp_path, 1), Service(tmp_path, 2)
    pool.added(first, second)
    pool.send(second, signal.SIGTERM)
    pool.expect(wire.ENDED, second)
    old = pool.client
    pool.connect()
    pool.expect(wire.HAVE, first)
    assert pool.expect(wire.ENDED, second).value == 0
    pool.expect(wire.END)
    assert old.recv(1) == b""
    old.close()
    pool.added(first)
    write(first, b"a line\n")
    waiting.until(lambda: first.text() == b"a line\n")


@pytest.mark.parametrize("processor", [b"", b"!cat\n"], ids=["plain", "processor"])
def test_where_all_old_files_are_kept_nobody_looks_through_them_at_each_rotation(pool: Pool, tmp_path: Path, processor: bytes) -> None:
    strace = oracle.program("strace", package="strace")
    service = Service(tmp_path, 1, config=b"s2048\nn0\n" + processor, options="-l 100")
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    looks = tmp_path / "looks"
    pool.kill()
    pool.start(strace, "-D", "-f", "-qq", "-o", str(looks), "-e", "trace=getdents64")
    pool.added(service)
    for number in range(1, 4):
        write(service, lines)
        waiting.until(lambda number=number: service.text() == number * lines)  # type: ignore[misc]
        if number == 1:
            before = looks.read_text().count("getdents64")
    assert len(list(service.main.glob("@*.s"))) >= 10
    assert looks.read_text().count("getdents64") == before > 0
    pool.drain(service)
    pool.expect(wire.ENDED, service)
    pool.client.sendall(wire.pack(wire.Record(wire.QUIT)))
    assert pool.process is not None
    assert pool.process.wait(waiting.DEADLINE) == 0


@pytest.mark.parametrize("age", [b"t597h\n", b"t99999999999h\n"])
def test_a_log_that_is_rotated_after_months_stops_nobody(pool: Pool, tmp_path: Path, age: bytes) -> None:
    old, plain = Service(tmp_path, 1, config=age), Service(tmp_path, 2)
    pool.added(old, plain)
    for text in (b"once\n", b"once\nand again\n"):
        for service in (old, plain):
            write(service, text.splitlines(keepends=True)[-1])
            waiting.until(lambda service=service, text=text: service.text() == text)  # type: ignore[misc]
    assert pool.end() == 0


def test_a_line_that_has_begun_goes_on_as_it_was_when_options_or_config_change(pool: Pool, tmp_path: Path) -> None:
    stamped, left_out = Service(tmp_path, 1, options="-tt"), Service(tmp_path, 2, options="-l 10", config=b"-*\n")
    pool.added(stamped, left_out)
    write(stamped, b"beg")
    write(left_out, b"a long line, beg")
    waiting.until(lambda: not unread(stamped) and not unread(left_out))
    pool.send(stamped, signal.SIGTERM)
    pool.expect(wire.ENDED, stamped)
    (stamped.log / "env" / "RSVLOG_OPTIONS").write_text("-l 1000")
    (left_out.main / "config").write_bytes(b"")
    pool.send(left_out, signal.SIGHUP)
    pool.added(stamped)
    write(stamped, b"un\nnext\n")
    write(left_out, b"un\nnext\n")
    waiting.until(lambda: re.fullmatch(rb"\d{4}-\d\d-\d\d_\S+ begun\nnext\n", stamped.text()))
    waiting.until(lambda: left_out.text() == b"next\n")


def test_an_empty_log_wakes_nobody_when_it_is_old_and_ages_again_as_soon_as_it_is_not(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 1, config=b"t1\n")
    pool.added(service)
    for line in (b"once\n", b"and again\n"):
        waiting.until(lambda: _sleeps_on(pool, seconds=3), what="for as long it does nothing")
        write(service, line)
        waiting.until(lambda line=line: [path.read_bytes() for path in sorted(service.main.glob("@*.s"))][-1:] == [line])  # type: ignore[misc]


@pytest.mark.parametrize("ask", [wire.QUIT, signal.SIGTERM], ids=["quit", "term"])
@pytest.mark.parametrize("goes", [True, False], ids=["goes", "stays"])
def test_a_pool_that_waits_for_a_log_that_hangs_before_it_leaves_does_nothing_meanwhile(
    pool: Pool, tmp_path: Path, ask: int, goes: bool
) -> None:
    """Its supervisor goes, or says more, and the next one comes, who is for the next pool."""
    hanging = tmp_path / "hanging"
    os.mkfifo(hanging)
    pool.kill()
    pool.start(breaks=_HANGS_WRITING.format(fifo=str(hanging)))
    service = Service(tmp_path, 1, config=b"s0\n")
    pool.added(service)
    with _held(hanging) as end:
        write(service, b"hang\n")
        waiting.until(lambda: not unread(service))
        assert pool.process is not None
        if ask == signal.SIGTERM:
            pool.process.send_signal(ask)
        else:
            pool.client.sendall(wire.pack(wire.Record(ask)))
        waiting.until(lambda: _sleeps_on(pool, seconds=0.1), what="it is told")
        before = pool.client
        pool.connect()
        if goes:
            before.close()
        else:
            before.sendall(wire.pack(wire.Record(wire.PING)))
        waiting.until(lambda: _sleeps_on(pool, seconds=0.3), what="it sleeps")
        used = _cpu_seconds(pool)
        time.sleep(1)
        assert _cpu_seconds(pool) - used < 0.3
        os.write(end, b"\n")
        assert pool.process.wait(waiting.DEADLINE) == 0
        before.close()


_HANGS_WRITING = """
import os, posix
quick = posix.write
def hang(descriptor, data):
    if descriptor > 2 and b"hang" in bytes(data):
        end = os.open({fifo!r}, os.O_RDONLY)
        os.read(end, 1)
        os.close(end)
    return quick(descriptor, data)
posix.write = hang
"""


@contextlib.contextmanager
def _held(fifo: Path) -> Iterator[int]:
    end = os.open(fifo, os.O_RDWR)
    yield end
    os.close(end)


def _cpu_seconds(pool: Pool) -> float:
    assert pool.process is not None
    fields = Path(f"/proc/{pool.process.pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def test_term_ends_a_pool_though_it_ends_no_system_call_of_the_thread_that_waits(pool: Pool, tmp_path: Path) -> None:
    """As when it comes just before that begins to wait; here another thread gets it."""
    told = tmp_path / "told"
    os.mkfifo(told)
    pool.kill()
    pool.start(breaks=_TERM_IN_ANOTHER_THREAD.format(fifo=str(told)))
    pool.expect(wire.END)
    waiting.until(lambda: _sleeps_on(pool, seconds=0.3), what="it waits, and for no time: it has no log")
    assert pool.process is not None
    with _held(told) as end:
        os.write(end, b"\n")
        assert pool.process.wait(waiting.DEADLINE) == 0


_TERM_IN_ANOTHER_THREAD = """
import _thread, os, signal
def get():
    end = os.open({fifo!r}, os.O_RDONLY)
    os.read(end, 1)
    signal.pthread_kill(_thread.get_ident(), signal.SIGTERM)
    os.read(end, 1)
_thread.start_new_thread(get, ())
"""


def _sleeps_on(pool: Pool, *, seconds: float) -> bool:
    before = _switches(pool)
    time.sleep(seconds)
    return before == _switches(pool)


def _switches(pool: Pool) -> set[tuple[str, str]]:
    """Give each thread of the pool, and how often it has gone to sleep."""
    assert pool.process is not None
    found = set()
    for status in Path(f"/proc/{pool.process.pid}/task").glob("*/status"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.add((status.parent.name, status.read_text().split("\nvoluntary_ctxt_switches:")[1].split()[0]))
    return found
