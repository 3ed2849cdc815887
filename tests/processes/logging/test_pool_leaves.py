"""A pool that ends, or lets another version follow, while one of its logs can go on for nobody: the others do not wait for that."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from support import waiting

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service, write

_PATIENT = "from runit_provision.runtime.shell.pool import pool as patient; patient.LEAVING_SECONDS = 1000"
_NOT_MADE_SAFE = """
import errno, os, posix
fsync = posix.fsync
def refused(descriptor):
    if "/bad/" in os.readlink("/proc/self/fd/%d" % descriptor):
        raise OSError(errno.EIO, "input/output error")
    fsync(descriptor)
posix.fsync = refused
"""


def _leaves(pool: Pool, runtime: Path, how: str) -> None:
    """Let the pool become another version, let another process follow, or end; be there for the next one."""
    assert pool.process is not None
    if how == "term":
        pool.process.send_signal(signal.SIGTERM)
    else:
        library = runtime.parent / "lib/runit-provision/current" if how == "exec" else ""
        pool.client.sendall(wire.pack(wire.Record(wire.UPGRADE, name=os.fsencode(library))))
    if how == "exec":
        waiting.until(lambda: not pool.client.recv(wire.SIZE), what="it has heard that")
        pool.client.close()
        pool.connect()
    else:
        pool.process.wait(waiting.DEADLINE)
        pool.client.close()
        pool.start()


@pytest.mark.parametrize("how", ["exec", "end", "term"])
def test_a_log_on_a_full_disk_holds_up_no_other(pool: Pool, runtime: Path, tmp_path: Path, small: Path, how: str) -> None:
    pool.kill()
    pool.start(breaks=_PATIENT)
    full, good = Service(tmp_path, 1, logs=small, config=b"s0\n"), Service(tmp_path, 2)
    pool.added(full, good)
    (ballast := small / "ballast").write_bytes(b"x" * 40000)
    sent = b"".join(b"line %d\n" % number for number in range(5000))
    write(full, sent)
    assert b"out of disk space" in pool.expect(wire.SAYS).name
    _leaves(pool, runtime, how)
    pool.added(good)
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")
    pool.add(full)
    ballast.unlink()
    pool.expect(wire.ADDED, full)
    waiting.until(lambda: full.text() == sent)


@pytest.mark.parametrize("how", ["exec", "end", "term"])
def test_a_log_whose_processor_hangs_holds_up_no_other(pool: Pool, runtime: Path, tmp_path: Path, how: str) -> None:
    pool.kill()
    pool.start(breaks=_PATIENT)
    stuck = Service(tmp_path, 1, config=b"s4096\nn0\n!echo >>../starts; until [ -e ../go ]; do sleep 0.05; done; exec cat\n")
    good = Service(tmp_path, 2)
    pool.added(stuck, good)
    sent = b"".join(b"line %d\n" % number for number in range(6000))
    write(stuck, sent)
    assert pool.expect(wire.WAITS, stuck).value == wire.PROCESSOR
    _leaves(pool, runtime, how)
    pool.added(good)
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")
    assert stuck.main.with_name("starts").read_text() == "\n", "its processor goes on, and is run once"
    pool.add(stuck)
    stuck.main.with_name("go").touch()
    pool.expect(wire.ADDED, stuck)
    waiting.until(lambda: stuck.text() == sent)


@pytest.mark.parametrize("how", ["exec", "end", "term"])
@pytest.mark.parametrize("text", [b"", b"line\n" * 1000, b"line\n" * 2000], ids=["current", "old", "old-and-more"])
def test_a_log_that_its_disk_does_not_make_safe_holds_up_no_other(
    pool: Pool, runtime: Path, tmp_path: Path, how: str, text: bytes
) -> None:
    pool.kill()
    pool.start(breaks=_NOT_MADE_SAFE + _PATIENT)
    (bad := tmp_path / "bad").mkdir()
    refused, good = Service(tmp_path, 1, logs=bad, config=b"s4096\n"), Service(tmp_path, 2)
    pool.added(refused, good)
    text = text or b"a line\n"
    write(refused, text)
    if len(text) > 4096:
        assert b"pausing: unable to fsync current logfile: " in pool.expect(wire.SAYS).name
    else:
        waiting.until(lambda: refused.text() == text)
    _leaves(pool, runtime, how)
    pool.added(refused, good)
    write(good, b"a line\n")
    waiting.until(lambda: good.text() == b"a line\n")
    waiting.until(lambda: refused.text() == text)
