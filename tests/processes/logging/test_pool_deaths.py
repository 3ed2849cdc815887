"""The pool of loggers may be killed at any instant: nothing is lost, doubled or cut."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support import oracle, supervision, waiting
from support.checked_log import CheckedLog
from support.draws import draws, seed

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service, unread, write

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


def checked(service: Service) -> CheckedLog:
    """Give the log of a service whose writer is _WRITER."""
    return CheckedLog(
        service.main,
        lambda number: b"s%d %d %s" % (service.slot, number, b"x" * (number * 7919 % 300)),
        before=rb"(\S{10}_\S+ |p: )?",
    )


def test_a_line_that_has_begun_outlives_term_and_kill(pool: Pool, tmp_path: Path) -> None:
    service = Service(tmp_path, 3)
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


@draws
def test_a_storm_of_kills_loses_doubles_and_cuts_no_line(pool: Pool, tmp_path: Path) -> None:
    """Services flood their logs, which rotate all the time, and the pool is killed again and again."""
    services = [
        Service(tmp_path, 1, config=b"s0\nn0\n"),
        Service(tmp_path, 5, config=b"s20000\nn0\n", options="-l 100"),  # most lines are longer
        Service(tmp_path, 2, config=b"s20000\nn0\n", options="-tt"),
        Service(tmp_path, 3, config=b"s3000\nn0\n-*nothing*\npp: \n", options="-l 100"),
        Service(tmp_path, 4, config=b"s30000\nn0\n!cat\n"),  # each file is waited for
    ]
    logs = [checked(service) for service in services]
    until = tmp_path / "until"
    writers = [
        subprocess.Popen([sys.executable, "-c", _WRITER, str(service.pipe), f"s{service.slot}", str(until)], stdout=subprocess.PIPE)
        for service in services
    ]
    chance = random.Random(seed("STORM_SEED"))
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
    for service, log, count in zip(services, logs, counts, strict=True):
        log.check(service.text())
        assert log.lines == count > 0


@pytest.mark.parametrize("instant", ["before", "behind"])
@pytest.mark.parametrize(
    "text",
    [b"\0", b"\n", b"a line\n", b"\0\n", b"\0" * 40000 + b" a line\n", b"\0" * 65536],
    ids=lambda text: f"{len(text)}{text[:1]!r}",
)
def test_killed_around_a_read_it_knows_whether_that_happened(pool: Pool, tmp_path: Path, instant: str, text: bytes) -> None:
    service = Service(tmp_path, 1, config=b"s0\n")
    pool.kill()
    pool.start(breaks=_ONLY_NEWLINES_BY_CHANCE + _killed_around_readv(instant))
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


@pytest.mark.parametrize("instant", ["before", "behind"])
@pytest.mark.parametrize("text", [b"\n", b"x\n", b"a line\n", b"many lines\n" * 4000], ids=lambda text: f"{len(text)}")
def test_when_all_who_have_the_fifo_die_at_once_only_what_it_held_is_lost(
    pool: Pool, tmp_path: Path, instant: str, text: bytes
) -> None:
    """As when a whole tree is killed, a container or a control group: the same FIFO is empty then."""
    service = Service(tmp_path, 1, config=b"s0\n")
    first = b"".join(b"line %d\n" % number for number in range(20))
    pool.kill()
    pool.start(breaks=_killed_around_readv(instant, call=2))
    pool.added(service)
    write(service, first)
    waiting.until(lambda: service.text() == first)
    assert pool.process is not None
    pool.process.send_signal(signal.SIGSTOP)
    write(service, text)
    pool.process.send_signal(signal.SIGCONT)
    assert pool.process.wait(waiting.DEADLINE) == -signal.SIGKILL
    pool.client.close()
    pool.records.clear()
    service.close()
    service.held = os.open(service.pipe, os.O_RDWR | os.O_NONBLOCK)
    assert not unread(service)
    pool.start()
    pool.added(service)
    write(service, b"the end\n")
    waiting.until(lambda: service.text().endswith(b"the end\n"))
    assert service.text() == first + (b"" if instant == "before" else text) + b"the end\n"


def test_what_another_reader_takes_away_is_not_replaced_by_what_was_read_before(pool: Pool, tmp_path: Path) -> None:
    first, second = Service(tmp_path, 1), Service(tmp_path, 2)
    pool.kill()
    pool.start(breaks=_TAKEN_BEFORE_READV)
    pool.added(first)
    write(first, b"of the first log, and of nobody else\n")
    waiting.until(lambda: first.text() == b"of the first log, and of nobody else\n")
    pool.added(second)
    write(second, b"taken\nnot\n")
    waiting.until(lambda: second.text() == b"not\n")
    write(second, b"taken\n")
    waiting.until(lambda: not unread(second))
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


def _killed_around_readv(instant: str, *, call: int = 1) -> str:
    """Give what kills a pool "before" or "behind" its first read of a FIFO, or the one that `call` says."""
    return f"""
import os, posix
readv, calls = posix.readv, []
def killed(*arguments):
    calls.append(arguments)
    if len(calls) < {call}:
        return readv(*arguments)
    if {instant == "behind"}:
        readv(*arguments)
    os.kill(os.getpid(), 9)
posix.readv = killed
"""


def test_a_fifo_that_was_full_holds_twice_as_much_and_is_read_at_once(pool: Pool, tmp_path: Path) -> None:
    flooded = [Service(tmp_path, 1, config=b"s100000\nn0\n"), Service(tmp_path, 2, config=b"s0\n", options="-l 100")]
    stamped = Service(tmp_path, 3, options="-tt", config=b"s0\n")
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
            waiting.until(lambda service=service: not unread(service))  # type: ignore[misc]
    whole = sent[: sent.rindex(b"\n") + 1]
    for service in flooded:
        waiting.until(lambda service=service: service.text() == whole)  # type: ignore[misc]
    waiting.until(lambda: re.sub(rb"(?m)^\S{10}_\S+ ", b"", stamped.text()) == whole)


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
def test_killed_before_any_system_call_it_loses_doubles_and_cuts_no_line(pool: Pool, tmp_path: Path, call: str) -> None:
    strace = oracle.program("strace", package="strace")
    pool.kill()
    lines = [b"line %d of many that are written" % line for line in range(60)]
    for number in range(1, STEPS[call] + 1):
        service = Service(tmp_path, number, config=b"s300\nn0\n", options="-l 50")
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
def test_lines_that_come_one_by_one_are_all_there_once_whatever_befalls_a_call(
    pool: Pool, tmp_path: Path, call: str, harm: str
) -> None:
    strace = oracle.program("strace", package="strace")
    pool.kill()
    lines = [b"line %d of some" % line for line in range(12)]
    for number in range(1, 11, 3):
        service = Service(tmp_path, number, config=b"s300\nn0\npp: \n", options="-tt -l 50")
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
            waiting.until(lambda struck=struck, service=service: not unread(service) or struck.poll() is not None)  # type: ignore[misc]
        if harm == "signal=KILL":
            _after_its_death(pool, struck, service)
        pool.drain(service)
        assert pool.expect(wire.ENDED, service).value == 0
        assert [re.sub(rb"^\S{10}_\S{14} p: ", b"", line) for line in service.text().splitlines()] == lines, number
        pool.kill()


_SLOW = b"!echo $$ >>../starts; until [ -e ../go ]; do sleep 0.05; done; %s\n"


def _processed(pool: Pool, service: Service) -> tuple[Path, int]:
    """Let a line be logged, and be processed; give where each processor writes down its pid, and the pid of the first."""
    pool.added(service)
    write(service, b"first\n")
    waiting.until(lambda: service.text() == b"first\n")
    pool.send(service, signal.SIGALRM)
    starts = service.log / "starts"
    waiting.until(starts.exists, what="the processor runs")
    return starts, int(waiting.written(starts))


@pytest.mark.parametrize(("how", "then"), [("exec", "cat"), ("end", "cat"), ("kill", "cat"), ("exec", "fail"), ("end", "fail")])
def test_a_processor_outlives_its_pool_and_none_is_run_beside_it(
    pool: Pool, runtime: Path, tmp_path: Path, how: str, then: str
) -> None:
    """Its pool becomes another version, lets another process follow, or is killed."""
    does = b"cat" if then == "cat" else b"[ -e ../again ] && exec cat; >../again; exit 1"
    service, other = Service(tmp_path, 1, config=_SLOW % does), Service(tmp_path, 2)
    pool.added(other)
    starts, first = _processed(pool, service)
    assert pool.process is not None
    if how == "kill":
        pool.kill()
    else:
        library = runtime.parent / "lib/runit-provision/current" if how == "exec" else ""
        pool.client.sendall(wire.pack(wire.Record(wire.UPGRADE, name=os.fsencode(library))))
        waiting.until(lambda: not pool.client.recv(wire.SIZE), what="it has heard that")
        pool.client.close()
    if how == "exec":
        pool.connect()
    else:
        pool.process.wait(waiting.DEADLINE)
        pool.start()
    pool.added(service, other)
    write(service, b"second\n")
    waiting.until(lambda: b"second\n" in service.text(), what="lines go on")
    assert starts.read_text() == f"{first}\n"
    (service.log / "go").touch()
    waiting.until(lambda: not [*service.main.glob("@*.[ut]")], what="it is processed")
    assert service.text() == b"first\nsecond\n"
    assert len(starts.read_text().split()) == (1 if then == "cat" else 2)
    children = Path(f"/proc/{pool.process.pid}/task").glob("*/children")
    assert [path.read_text() for path in children if path.read_text()] == []


@pytest.mark.parametrize("goes", [True, False], ids=["whole", "cut"])
def test_what_a_processor_has_made_while_there_was_no_pool_is_kept_if_it_succeeded(pool: Pool, tmp_path: Path, goes: bool) -> None:
    service = Service(tmp_path, 1, config=_SLOW % b"cat")
    starts, first = _processed(pool, service)
    pool.kill()
    (made,) = service.main.glob("@*.t")
    if goes:
        (service.log / "go").touch()
        waiting.until(lambda: made.stat().st_mode & 0o100, what="it has succeeded")
    else:
        os.kill(first, signal.SIGKILL)
        (service.log / "go").touch()
    waiting.until(lambda: not supervision.is_alive(first), what="it has ended")
    pool.start()
    pool.added(service)
    waiting.until(lambda: [*service.main.glob("@*.s")] and not [*service.main.glob("@*.[ut]")], what="it is processed")
    assert service.text() == b"first\n"
    assert len(starts.read_text().split()) == (1 if goes else 2)
