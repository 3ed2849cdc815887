"""The pool of loggers with few descriptors: what there is room for goes on, and the rest is told."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
from pathlib import Path

import pytest
from support import waiting

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service, write

FEW = 64
"""Descriptors that a pool may have, itself some ten."""

_MAY_HAVE_FEW = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({FEW}, {FEW}))"


@pytest.fixture
def small_pool(pool: Pool) -> Pool:
    pool.kill()
    pool.start(breaks=_MAY_HAVE_FEW)
    return pool


def test_twenty_logs_within_few_descriptors(small_pool: Pool, tmp_path: Path) -> None:
    """FIFO and lock of each stay open; directory and `current` are opened again when they are needed, wherever they are by then."""
    pool = small_pool
    services = [Service(tmp_path, slot) for slot in range(1, 21)]
    pool.added(*services)
    for number in range(3):
        for service in services:
            write(service, b"line %d\n" % number)
        if number == 0:
            moved = services[0].main.rename(tmp_path / "moved")
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


def test_a_log_for_which_there_is_no_room_is_refused_and_taken_when_there_is(small_pool: Pool, tmp_path: Path) -> None:
    pool = small_pool
    services = [Service(tmp_path, slot) for slot in range(1, FEW)]
    taken: list[Service] = []
    for service in services:
        pool.add(service)
        answer = answered(pool, service)
        if answer.op == wire.FAILED:
            break
        taken.append(service)
    assert (answer.value, answer.name) == (errno.EMFILE, b"process cannot open more files")
    assert len(taken) >= 15
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
def test_what_comes_without_its_descriptors_is_answered(pool: Pool, tmp_path: Path, op: int) -> None:
    """The kernel cuts off those that the pool has no room for: recv(2), MSG_CTRUNC."""
    service = Service(tmp_path, 5)
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
        other = Service(tmp_path, 6)
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
