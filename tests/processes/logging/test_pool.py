"""The pool of loggers: many logs in one process that may be killed at any instant."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import fifo, oracle, supervision, waiting

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service

STORM = 2000 if os.environ.get("HARNESS") == "all" else 50
"""SIGKILLs of the pool under load."""

_WRITER = """
import os, sys, time
out = os.open(sys.argv[1], os.O_WRONLY)
name, until, text = sys.argv[2].encode(), sys.argv[3], b""
number = 0
while not os.path.exists(until):
    lines = [b"%s %d %s\\n" % (name, number + i, b"x" * (((number + i) * 7919) % 300)) for i in range(number % 40 + 1)]
    number += len(lines)
    text = b"".join(lines)
    # In pieces that end anywhere, so that the pool is killed inside a line.
    cut = number * 31 % len(text)
    for piece in (text[:cut], text[cut:]):
        view = memoryview(piece)
        while view:
            view = view[os.write(out, view):]
    time.sleep(0.001)  # or those that wait for nothing have all of the processors
print(number)
"""


class Checked:
    """What a log holds of what its writer sends, which is checked and taken away as the storm goes on: else it would fill the disk."""

    KEPT = 3
    """Files that stay: who goes on after a kill looks whether a file that was being renamed is there."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.lines = 0
        self._begun = b""

    def take_old(self) -> None:
        """Check the oldest files, and remove them; to be called while there is no pool."""
        old = sorted(self.service.main.glob("@*"))
        unfinished = {path.stem for path in old if path.suffix != ".s"}
        whole = list(itertools.takewhile(lambda path: path.stem not in unfinished, old))
        for path in whole[: -self.KEPT]:
            self.check(path.read_bytes())
            path.unlink()

    def check(self, text: bytes) -> None:
        """Check what the log holds next; a line that has begun goes on with what comes then."""
        whole, newline, self._begun = (self._begun + text).rpartition(b"\n")
        lines = [re.sub(rb"^(\S{10}_\S+ |p: )", b"", line) for line in whole.split(b"\n")] if newline else []
        numbers = range(self.lines, self.lines + len(lines))
        expected = [b"s%d %d %s" % (self.service.slot, number, b"x" * (number * 7919 % 300)) for number in numbers]
        assert lines == expected, _first_difference(lines, expected)
        self.lines += len(lines)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def pool(scratch: Path, runtime: Path) -> Iterator[Pool]:
    pool = Pool(scratch, runtime)
    yield pool
    pool.close()


def write(service: Service, text: bytes) -> None:
    out = os.open(service.pipe, os.O_WRONLY)
    os.write(out, text)
    os.close(out)


def test_lines_go_from_the_fifo_to_the_log(pool: Pool, scratch: Path) -> None:
    first, second = Service(scratch, 1), Service(scratch, 2, options="-tt")
    pool.added(first, second)
    write(first, b"one\ntwo\nthr")
    write(second, b"a line\n")
    waiting.until(lambda: first.text() == b"one\ntwo\n")
    waiting.until(lambda: re.fullmatch(rb"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5} a line\n", second.text()))
    write(first, b"ee\n")
    waiting.until(lambda: first.text() == b"one\ntwo\nthree\n")


def test_a_drained_log_is_read_to_its_end(pool: Pool, scratch: Path) -> None:
    service = Service(scratch, 7)
    pool.added(service)
    out = os.open(service.pipe, os.O_WRONLY)
    os.write(out, b"one\n")
    pool.drain(service)
    os.write(out, b"two\nnever")
    os.close(out)
    assert pool.expect(wire.ENDED, service).value == 0
    assert service.text() == b"one\ntwo\n"
    assert service.main.joinpath("current").stat().st_mode & 0o777 == 0o744


def test_what_is_only_to_be_sent_is_not_written_though_it_has_no_address(pool: Pool, scratch: Path) -> None:
    service = Service(scratch, 1, config=b"U10.0.0.1:0\n")
    pool.added(service)
    write(service, b"one\ntwo\n")
    pool.drain(service)
    assert pool.expect(wire.ENDED, service).value == 0
    assert service.text() == b""


def test_signals_do_what_they_do_to_svlogd(pool: Pool, scratch: Path) -> None:
    service = Service(scratch, 3)
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


@pytest.mark.parametrize("last", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, None], ids=str)
def test_a_log_that_is_told_to_end_and_then_something_else_ends_once(pool: Pool, scratch: Path, last: int | None) -> None:
    service, other = Service(scratch, 1), Service(scratch, 2)
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


def test_who_has_not_heard_of_an_end_begins_no_other_log(pool: Pool, scratch: Path) -> None:
    first, second = Service(scratch, 1), Service(scratch, 2)
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


def test_a_fifo_is_let_go_that_was_sent_for_a_log_which_has_ended_or_cannot_be_opened(pool: Pool, scratch: Path) -> None:
    ended, bad, other = (Service(scratch, slot) for slot in (1, 2, 3))
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


def test_a_line_that_has_begun_outlives_term_and_kill(pool: Pool, scratch: Path) -> None:
    service = Service(scratch, 3)
    pool.added(service)
    write(service, b"whole\nbeg")
    waiting.until(lambda: service.text() == b"whole\n")
    pool.send(service, signal.SIGTERM)
    pool.expect(wire.ENDED, service)
    pool.added(service)
    write(service, b"un, ")
    assert pool.end() == 0
    pool.start()
    pool.added(service)
    write(service, b"went on ")
    pool.kill()
    pool.start()
    pool.added(service)
    write(service, b"and ended\n")
    waiting.until(lambda: service.text() == b"whole\nbegun, went on and ended\n")


def test_the_next_supervisor_is_told_what_there_is(pool: Pool, scratch: Path) -> None:
    first, second = Service(scratch, 1), Service(scratch, 2)
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


def test_a_log_that_cannot_be_opened_fails_and_the_others_go_on(pool: Pool, scratch: Path) -> None:
    good, bad, locked = Service(scratch, 1), Service(scratch, 2), Service(scratch, 3)
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


def test_a_full_disk_stops_only_its_own_logs_and_loses_nothing(pool: Pool, scratch: Path, small: Path) -> None:
    good, full = Service(scratch, 1), Service(scratch, 2, logs=small, config=b"s0\n")
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


@pytest.mark.parametrize("config", [b"s4096\n", b"s4096\n!cat\n"], ids=["plain", "processor"])
def test_a_current_that_somebody_removes_begins_anew_when_it_would_have_been_full(pool: Pool, scratch: Path, config: bytes) -> None:
    service = Service(scratch, 1, config=config)
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
def test_a_log_whose_directory_is_removed_ends_and_goes_on_in_the_next_one(pool: Pool, scratch: Path, config: bytes) -> None:
    service = Service(scratch, 1, config=config)
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


def test_a_processor_that_hangs_stops_only_its_own_log_and_loses_nothing(pool: Pool, scratch: Path) -> None:
    good = Service(scratch, 1)
    stuck = Service(scratch, 2, config=b"s10000\nn0\n!while [ ! -e ../go ]; do sleep 0.05; done; exec cat\n")
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


def _waits_for_its_processor(log: Path) -> bool:
    """Whether `current` is full while a file is to be processed: then it is not rotated, and nothing is read."""
    try:
        return len(list(log.glob("@*.u"))) == 1 and (log / "current").stat().st_size >= 4096 - 1001
    except FileNotFoundError:
        return False  # the first one is just being set aside


@pytest.mark.parametrize("command", ["exit 1", "while [ ! -e ../go ]; do sleep 0.05; done; exit 1"], ids=["fails", "hangs"])
def test_hup_takes_a_processor_away_for_which_a_log_waits(pool: Pool, scratch: Path, command: str) -> None:
    service = Service(scratch, 1, config=f"s4096\nn0\n!{command}\n".encode())
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


def test_a_storm_of_kills_loses_doubles_and_cuts_no_line(pool: Pool, scratch: Path) -> None:
    """Services flood their logs, which rotate all the time, and the pool is killed again and again."""
    services = [
        Service(scratch, 1, config=b"s0\nn0\n"),
        Service(scratch, 5, config=b"s20000\nn0\n", options="-l 100"),  # most lines are longer
        Service(scratch, 2, config=b"s20000\nn0\n", options="-tt"),
        Service(scratch, 3, config=b"s3000\nn0\n-*nothing*\npp: \n", options="-l 100"),
        Service(scratch, 4, config=b"s30000\nn0\n!cat\n"),  # each file is waited for
    ]
    logs = [Checked(service) for service in services]
    until = scratch / "until"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(service.pipe), f"s{service.slot}", str(until)], stdout=subprocess.PIPE)
        for service in services
    ]
    chance = random.Random(STORM)
    begun = time.monotonic()
    try:
        for turn in range(STORM):
            pool.added(*services)
            if turn % 10 == 0:
                pool.send(services[0], signal.SIGALRM)  # which is not rotated else
            time.sleep(chance.random() * 0.05)  # not for anything to happen: any instant is right
            pool.kill()
            for log in logs:
                log.take_old()
            if turn % 100 == 99:
                print(f"{turn + 1} kills, {time.monotonic() - begun:.0f} s, {[log.lines for log in logs]} lines so far")
            pool.start()
        pool.added(*services)
        until.touch()
        counts = [int(writer.communicate(timeout=waiting.DEADLINE)[0]) for writer in writers]
        for service in services:
            pool.drain(service)
        for service in services:
            assert pool.expect(wire.ENDED, service).value == 0
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    for log, count in zip(logs, counts, strict=True):
        log.check(log.service.text())
        assert log.lines == count > 0


@pytest.mark.parametrize("processor", [b"", b"!cat\n"], ids=["plain", "processor"])
def test_where_all_old_files_are_kept_nobody_looks_through_them_at_each_rotation(pool: Pool, scratch: Path, processor: bytes) -> None:
    strace = oracle.program("strace", package="strace")
    service = Service(scratch, 1, config=b"s2048\nn0\n" + processor, options="-l 100")
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    looks = scratch / "looks"
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


@pytest.mark.parametrize("instant", ["before", "behind"])
@pytest.mark.parametrize(
    "text", [b"\n", b"a line\n", b"\0\n", b"\0" * 40000 + b" a line\n", b"\0" * 65536], ids=lambda text: f"{len(text)}"
)
def test_killed_around_a_read_it_knows_whether_that_happened(pool: Pool, scratch: Path, instant: str, text: bytes) -> None:
    service = Service(scratch, 1, config=b"s0\n")
    pool.kill()
    pool.start(breaks=_ONLY_NEWLINES_BY_CHANCE + _KILLED_AROUND_READV[instant])
    pool.add(service)
    assert pool.process is not None
    write(service, text)
    assert pool.process.wait(waiting.DEADLINE) == -signal.SIGKILL
    pool.client.close()
    pool.records.clear()
    write(service, b"behind it\n" if len(text) < 65536 or instant == "behind" else b"")
    pool.start()
    pool.added(service)
    write(service, b"the end\n")
    waiting.until(lambda: service.text().endswith(b"the end\n"))
    assert service.text().replace(b"behind it\n", b"") == text + b"the end\n"


def test_what_another_reader_takes_away_is_not_replaced_by_what_was_read_before(pool: Pool, scratch: Path) -> None:
    first, second = Service(scratch, 1), Service(scratch, 2)
    pool.kill()
    pool.start(breaks=_TAKEN_BEFORE_READV)
    pool.added(first)
    write(first, b"of the first log, and of nobody else\n")
    waiting.until(lambda: first.text() == b"of the first log, and of nobody else\n")
    pool.added(second)
    write(second, b"taken\nnot\n")
    waiting.until(lambda: second.text() == b"not\n")
    write(second, b"taken\n")
    waiting.until(lambda: not _unread(second))
    write(second, b"one more\n")
    waiting.until(lambda: second.text() == b"not\none more\n")


_TAKEN_BEFORE_READV = """
import posix
readv = posix.readv
def taken(fifo, regions):
    if len(regions[0]) in (6, 10):
        posix.read(fifo, 6)
    return readv(fifo, regions)
posix.readv = taken
"""
_ONLY_NEWLINES_BY_CHANCE = "import posix\nposix.urandom = lambda count: b'\\n' * count\n"
_KILLED_AROUND_READV = {
    "before": "import os, posix\nposix.readv = lambda *_: os.kill(os.getpid(), 9)\n",
    "behind": "import os, posix\nreadv = posix.readv\nposix.readv = lambda *a: (readv(*a), os.kill(os.getpid(), 9))\n",
}


def test_a_fifo_that_was_full_holds_twice_as_much_and_is_read_at_once(pool: Pool, scratch: Path) -> None:
    flooded = [Service(scratch, 1, config=b"s100000\nn0\n"), Service(scratch, 2, config=b"s0\n", options="-l 100")]
    stamped = Service(scratch, 3, options="-tt", config=b"s0\n")
    sent = b""
    for size in (0x10000, 0x20000):
        pool.kill()
        lines = b"".join(b"line %d of a flood\n" % number for number in range(len(sent), len(sent) + 9000))[:size]
        for service in (*flooded, stamped):
            out = os.open(service.pipe, os.O_WRONLY | os.O_NONBLOCK)
            assert os.write(out, lines) == size
            os.close(out)
        sent += lines
        pool.start()
        pool.added(*flooded, stamped)
        for service in (*flooded, stamped):
            waiting.until(lambda service=service: not _unread(service))  # type: ignore[misc]
    whole = sent[: sent.rindex(b"\n") + 1]
    for service in flooded:
        waiting.until(lambda service=service: service.text() == whole)  # type: ignore[misc]
    waiting.until(lambda: re.sub(rb"(?m)^\S{10}_\S+ ", b"", stamped.text()) == whole)


@pytest.mark.parametrize("age", [b"t597h\n", b"t99999999999h\n"])
def test_a_log_that_is_rotated_after_months_stops_nobody(pool: Pool, scratch: Path, age: bytes) -> None:
    old, plain = Service(scratch, 1, config=age), Service(scratch, 2)
    pool.added(old, plain)
    for text in (b"once\n", b"once\nand again\n"):
        for service in (old, plain):
            write(service, text.splitlines(keepends=True)[-1])
            waiting.until(lambda service=service, text=text: service.text() == text)  # type: ignore[misc]
    assert pool.end() == 0


def test_a_line_that_has_begun_goes_on_as_it_was_when_options_or_config_change(pool: Pool, scratch: Path) -> None:
    stamped, left_out = Service(scratch, 1, options="-tt"), Service(scratch, 2, options="-l 10", config=b"-*\n")
    pool.added(stamped, left_out)
    write(stamped, b"beg")
    write(left_out, b"a long line, beg")
    waiting.until(lambda: not _unread(stamped) and not _unread(left_out))
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


def test_an_empty_log_wakes_nobody_when_it_is_old_and_ages_again_as_soon_as_it_is_not(pool: Pool, scratch: Path) -> None:
    service = Service(scratch, 1, config=b"t1\n")
    pool.added(service)
    for line in (b"once\n", b"and again\n"):
        waiting.until(lambda: _sleeps_on(pool, seconds=3), what="for as long it does nothing")
        write(service, line)
        waiting.until(lambda line=line: [path.read_bytes() for path in sorted(service.main.glob("@*.s"))][-1:] == [line])  # type: ignore[misc]


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


def _unread(service: Service) -> int:
    return fifo.unread(service.held)


def _after_its_death(pool: Pool, struck: subprocess.Popen[bytes], service: Service) -> None:
    """Wait until the pool was killed under its tracer, and let another one go on with a log."""
    waiting.until(lambda: struck.poll() is not None)
    pool.client.close()
    pool.records.clear()
    pool.start()
    pool.added(service)


# Every kind of system call on a chunk's way, and how many of each are tried.
STEPS = {"readv": 1, "ioctl": 2, "write": 6, "renameat": 4, "fsync": 1, "fchmod": 4}


@pytest.mark.parametrize("call", STEPS)
def test_killed_before_any_system_call_it_loses_doubles_and_cuts_no_line(pool: Pool, scratch: Path, call: str) -> None:
    strace = oracle.program("strace", package="strace")
    pool.kill()
    lines = [b"line %d of many that are written" % line for line in range(60)]
    for number in range(1, STEPS[call] + 1):
        service = Service(scratch, number, config=b"s300\nn0\n", options="-l 50")
        write(service, b"".join(line + b"\n" for line in lines))  # which the FIFO holds until somebody reads
        pool.start(
            strace, "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"
        )
        struck = pool.process
        assert struck is not None
        pool.add(service)
        _after_its_death(pool, struck, service)
        pool.drain(service)
        assert pool.expect(wire.ENDED, service).value == 0
        assert service.text().splitlines() == lines, number
        pool.kill()


@pytest.mark.parametrize(
    ("call", "harm"),
    [("readv", "signal=KILL"), ("ioctl", "signal=KILL"), ("write", "signal=KILL"), ("write", "error=ENOSPC")],
    ids=lambda word: word.rpartition("=")[2],
)
def test_lines_that_come_one_by_one_are_all_there_once_whatever_befalls_a_call(pool: Pool, scratch: Path, call: str, harm: str) -> None:
    strace = oracle.program("strace", package="strace")
    pool.kill()
    lines = [b"line %d of some" % line for line in range(12)]
    for number in range(1, 11, 3):
        service = Service(scratch, number, config=b"s300\nn0\npp: \n", options="-tt -l 50")
        current = service.main / "current"
        current.touch()
        only = ["-P", str(current)] if call == "write" else []  # no eventfd
        pool.start(
            strace, "-D", "-f", "-qq", "-o", "/dev/null", *only, "-e", f"trace={call}", "-e", f"inject={call}:{harm}:when={number}"
        )
        struck = pool.process
        assert struck is not None
        pool.add(service)
        for line in lines:
            write(service, line + b"\n")
            waiting.until(lambda struck=struck, service=service: not _unread(service) or struck.poll() is not None)  # type: ignore[misc]
        if harm == "signal=KILL":
            _after_its_death(pool, struck, service)
        pool.drain(service)
        assert pool.expect(wire.ENDED, service).value == 0
        assert [re.sub(rb"^\S{10}_\S{14} p: ", b"", line) for line in service.text().splitlines()] == lines, number
        pool.kill()


def _first_difference(lines: list[bytes], expected: list[bytes]) -> str:
    for number, (line, other) in enumerate(zip(lines, expected, strict=False)):
        if line != other:
            return f"line {number}: {line!r}, not {other!r}"
    return f"{len(lines)} lines, not {len(expected)}"


FEW = 64
"""Descriptors that a pool may have, itself some ten."""
_MAY_HAVE_FEW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}))"


@pytest.fixture
def small_pool(pool: Pool) -> Pool:
    pool.kill()
    pool.start(breaks=_MAY_HAVE_FEW)
    return pool


def test_twenty_logs_within_few_descriptors(small_pool: Pool, scratch: Path) -> None:
    """FIFO and lock of each stay open; directory and `current` are opened again when they are needed, wherever they are by then."""
    pool = small_pool
    services = [Service(scratch, slot) for slot in range(1, 21)]
    pool.added(*services)
    for number in range(3):
        for service in services:
            write(service, b"line %d\n" % number)
        if number == 0:
            moved = services[0].main.rename(scratch / "moved")
            services[0].main = moved
    for service in services:
        waiting.until(lambda service=service: service.text() == b"line 0\nline 1\nline 2\n")  # type: ignore[misc]
    for service in services:
        pool.send(service, signal.SIGALRM)
        waiting.until(lambda service=service: list(service.main.glob("@*.s")))  # type: ignore[misc]
    for service in services:
        pool.send(service, signal.SIGHUP)
        write(service, b"after HUP\n")
    for service in services[10:]:
        pool.drain(service)
        assert pool.expect(wire.ENDED, service).value == 0
        assert service.text() == b"line 0\nline 1\nline 2\nafter HUP\n"
    assert pool.end() == 0
    for service in services:
        assert service.main.joinpath("current").stat().st_mode & 0o777 == 0o744


def test_a_log_for_which_there_is_no_room_is_refused_and_taken_when_there_is(small_pool: Pool, scratch: Path) -> None:
    pool = small_pool
    services = [Service(scratch, slot) for slot in range(1, FEW)]
    taken: list[Service] = []
    for service in services:
        pool.add(service)
        answer = answered(pool, service)
        if answer.op == wire.FAILED:
            break
        taken.append(service)
    assert (answer.value, answer.name) == (errno.EMFILE, b"process cannot open more files")
    assert len(taken) >= 20
    write(taken[0], b"they go on\n")
    waiting.until(lambda: taken[0].text() == b"they go on\n")
    for leaving in taken[:2]:
        pool.drain(leaving)
        pool.expect(wire.ENDED, leaving)
        pool.acknowledge(leaving)
    pool.added(service)
    write(service, b"a line\n")
    waiting.until(lambda: service.text() == b"a line\n")


def answered(pool: Pool, service: Service) -> wire.Record:
    """Wait for the answer to ADD; a log that waits a moment for room is no answer."""
    while True:
        record = wire.unpack(pool.client.recv(wire.SIZE))
        if record.slot == service.slot and record.op in {wire.ADDED, wire.FAILED}:
            return record


@pytest.mark.parametrize("op", [wire.ADD, wire.CLOSE])
def test_what_comes_without_its_descriptors_is_answered(pool: Pool, scratch: Path, op: int) -> None:
    """The kernel cuts off those that the pool has no room for: recv(2), MSG_CTRUNC."""
    service = Service(scratch, 5)
    pool.added(service)
    assert pool.process is not None
    limits = resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
    if op == wire.CLOSE:
        fifo = os.open(service.pipe, os.O_RDONLY | os.O_NONBLOCK)
        socket.send_fds(pool.client, [wire.pack(wire.Record(wire.CLOSE, slot=service.slot))], [fifo])
        os.close(fifo)
        pool.expect(wire.UNCLOSED, service)
    else:
        other = Service(scratch, 6)
        pool.add(other)
        assert pool.expect(wire.FAILED, other).value == errno.EMFILE
    resource.prlimit(pool.process.pid, resource.RLIMIT_NOFILE, limits)
    if op == wire.CLOSE:
        write(service, b"last words\n")
        pool.drain(service)
        assert pool.expect(wire.ENDED, service).value == 0
        assert service.text() == b"last words\n"
    else:
        pool.added(other)
