"""Logs on a disk that hangs: a real filesystem, on which the kernel lets every write wait (fsfreeze(8))."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import apart, oracle, supervision, waiting
from support.disk import mount_disk
from support.hanging import hanging

from runit_provision.runtime.wire import pool as wire

from .pools import Pool, Service


class Disk:
    """An ext4 on a loop device."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def freeze(self) -> None:
        subprocess.run(["fsfreeze", "--freeze", str(self.path)], check=True)

    def thaw(self) -> None:
        subprocess.run(["fsfreeze", "--unfreeze", str(self.path)], check=False, stderr=subprocess.DEVNULL)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    found = Disk(mount_disk(tmp_path))
    try:
        yield found
    finally:
        found.thaw()
        subprocess.run(["umount", "--lazy", str(found.path)], check=True)


def write(service: Service, text: bytes) -> int:
    """Write as a service does, without waiting; give how much there was room for."""
    out = os.open(service.pipe, os.O_WRONLY | os.O_NONBLOCK)
    try:
        return os.write(out, text)
    except BlockingIOError:
        return 0
    finally:
        os.close(out)


def test_a_disk_that_hangs_holds_up_only_its_own_logs_and_loses_nothing(pool: Pool, disk: Disk, tmp_path: Path) -> None:
    stuck, neighbour, good = (Service(tmp_path, slot, config=b"s0\n", logs=disk.path if slot < 3 else None) for slot in (1, 2, 3))
    pool.added(stuck, neighbour, good)
    write(stuck, b"before\n")
    waiting.until(lambda: stuck.text() == b"before\n")
    disk.freeze()
    try:
        kept = b"before\n" + (first := b"first\n" * 100)
        assert write(stuck, first) == len(first)
        # The rest waits in the FIFO, as long as there is room, as it would for C's svlogd.
        line = b"y" * 99 + b"\n"
        while write(stuck, line) == len(line):
            kept += line
        assert write(neighbour, b"neighbour\n")
        slowest = 0.0
        for number in range(50):
            began = time.monotonic()
            text = b"line %d\n" % number
            assert write(good, text) == len(text)
            waiting.until(lambda text=text: good.text().endswith(text))  # type: ignore[misc]
            slowest = max(slowest, time.monotonic() - began)
        print(f"slowest line beside a hung disk: {1000 * slowest:.1f} ms")
        said = pool.expect(wire.SAYS).name
        assert said == b"svlogd: warning: %b: the disk does not answer, logs on it wait." % os.fsencode(stuck.main)
        for service in (stuck, neighbour):
            told = pool.expect(wire.WAITS, service)
            assert (told.value, told.name[:1]) == (wire.SILENT, b"@")
    finally:
        disk.thaw()
    assert pool.expect(wire.SAYS).name.endswith(b": the disk answers again.")
    assert [pool.expect(wire.WAITS, service).name for service in (stuck, neighbour)] == [b"", b""]
    waiting.until(lambda: stuck.text() == kept)
    waiting.until(lambda: neighbour.text() == b"neighbour\n")


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Path]:
    """Give a FIFO on which a call that `_SLOW` breaks waits each time until a byte is written to it."""
    path = tmp_path / "slow"
    os.mkfifo(path)
    held = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    yield path
    os.close(held)


_SLOW = """
import os, posix
quick = posix.{call}
def after_a_byte(*arguments, **keywords):
    slow = os.open({slow!r}, os.O_RDONLY)
    os.read(slow, 1)
    os.close(slow)
    quick(*arguments, **keywords)
posix.{call} = after_a_byte
"""
_FLOOD = b"".join(b"line %d of a flood\n" % number for number in range(1000))


def slow_down(pool: Pool, call: str, slow: Path) -> None:
    """Start the pool anew, where a system call waits for the FIFO `slow`."""
    pool.kill()
    pool.start(breaks=_SLOW.format(call=call, slow=str(slow)))


def test_a_file_that_is_long_made_safe_holds_up_only_its_own_log(pool: Pool, slow: Path, tmp_path: Path) -> None:
    flooded, killed, good = (Service(tmp_path, slot, config=b"s0\n" if slot == 3 else b"s4096\n") for slot in (1, 2, 3))
    slow_down(pool, "fsync", slow)
    pool.added(flooded, killed, good)
    for service in (flooded, killed):
        assert write(service, _FLOOD) == len(_FLOOD)
    # The second file waits for the first one's fsync, and with it what has been read of the log.
    for service in (flooded, killed):
        told = pool.expect(wire.WAITS, service)
        assert (told.value, told.name[:1]) == (wire.SILENT, b"@")
    assert write(good, b"beside a slow disk\n")
    waiting.until(lambda: good.text() == b"beside a slow disk\n")
    pool.send(good, signal.SIGHUP)
    pool.send(killed, signal.SIGKILL)
    assert pool.expect(wire.ENDED, killed).value == signal.SIGKILL
    pool.acknowledge(killed)
    pool.add(killed)
    assert pool.expect(wire.FAILED, killed).value == errno.EAGAIN, "its lock is not let go of as long as it has a file to rename"
    assert write(good, b"and behind it\n")
    slow.write_bytes(b"." * 1000)
    waiting.until(lambda: flooded.text() == _FLOOD)
    waiting.until(lambda: good.text() == b"beside a slow disk\nand behind it\n")
    assert pool.expect(wire.WAITS, flooded).name == b""
    waiting.until(lambda: is_free(killed.main / "lock"))
    pool.added(killed)
    waiting.until(lambda: killed.text() == _FLOOD)
    for service in (flooded, killed):
        pool.send(service, signal.SIGTERM)
        pool.expect(wire.ENDED, service)
        assert {path.name[-2:] for path in service.main.glob("@*")} == {".s"}


def has_open(pid: int, path: Path) -> bool:
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if descriptor.readlink() == path:
                return True
    return False


def is_free(lock: Path) -> bool:
    """Whether a log could be opened."""
    held = os.open(lock, os.O_WRONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(held)
    return True


def test_a_file_that_is_removed_before_it_is_safe_holds_up_nobody(pool: Pool, slow: Path, tmp_path: Path) -> None:
    theirs, good = Service(tmp_path, 1, config=b"s4096\n"), Service(tmp_path, 2, config=b"s4096\n")
    slow_down(pool, "fsync", slow)
    pool.added(theirs, good)
    assert write(theirs, _FLOOD) == len(_FLOOD)
    (removed,) = waiting.until(lambda: list(theirs.main.glob("@*.u")))
    gone = removed.read_bytes()
    removed.unlink()
    slow.write_bytes(b"." * 1000)
    said = pool.expect(wire.SAYS).name
    assert said == b"svlogd: warning: unable to rename current: %b: file does not exist" % os.fsencode(theirs.main)
    waiting.until(lambda: gone + theirs.text() == _FLOOD)
    assert write(good, _FLOOD) == len(_FLOOD)
    waiting.until(lambda: good.text() == _FLOOD)
    for service in (theirs, good):
        pool.send(service, signal.SIGTERM)
        assert pool.expect(wire.ENDED, service).value == 0


def test_on_a_full_disk_no_file_goes_before_it_is_safe(pool: Pool, slow: Path, tmp_path: Path, small: Path) -> None:
    service = Service(tmp_path, 1, config=b"s16384\nn5\nN0\n", logs=small)
    slow_down(pool, "fsync", slow)
    pool.added(service)
    assert write(service, _FLOOD) == len(_FLOOD)
    waiting.until(lambda: list(service.main.glob("@*.u")) and service.text() == _FLOOD)
    fill(small / "filler")
    assert write(service, _FLOOD) == len(_FLOOD)
    assert pool.expect(wire.WAITS, service).value == wire.SILENT
    slow.write_bytes(b"." * 1000)
    said = pool.expect(wire.SAYS).name
    assert said.startswith(b"svlogd: warning: out of disk space, delete: %b/@" % bytes(service.main))
    assert said.endswith(b".s")
    waiting.until(lambda: (_FLOOD + _FLOOD).endswith(service.text()) and service.text().endswith(_FLOOD[-100:]))
    pool.send(service, signal.SIGTERM)
    assert pool.expect(wire.ENDED, service).value == 0
    assert all(record.name.endswith(b".s") for record in pool.records if record.op == wire.SAYS), "nothing but old files went"


def test_an_old_file_that_is_long_removed_holds_up_only_its_own_log(pool: Pool, slow: Path, tmp_path: Path) -> None:
    flooded, good = Service(tmp_path, 1, config=b"s4096\nn2\n"), Service(tmp_path, 2, config=b"s0\n")
    slow_down(pool, "unlink", slow)
    pool.added(flooded, good)
    assert write(flooded, _FLOOD) == len(_FLOOD)
    assert pool.expect(wire.WAITS, flooded).value == wire.SILENT
    assert write(good, b"beside a slow disk\n")
    waiting.until(lambda: good.text() == b"beside a slow disk\n")
    slow.write_bytes(b"." * 1000)
    waiting.until(lambda: _FLOOD.endswith(flooded.text()) and flooded.text().endswith(_FLOOD[-100:]))
    pool.send(flooded, signal.SIGTERM)
    assert pool.expect(wire.ENDED, flooded).value == 0
    assert [path.name[-2:] for path in flooded.main.glob("@*")] == [".s", ".s"]


_REFUSED = """
import errno, os, posix
fsync = posix.fsync
def refused(descriptor):
    name = os.readlink("/proc/self/fd/%d" % descriptor)
    if "/bad/" in name and os.path.exists({bad!r}):
        raise OSError(errno.EIO, "input/output error")
    fsync(descriptor)
posix.fsync = refused
"""


def test_files_that_a_disk_does_not_make_safe_hold_up_no_others(pool: Pool, tmp_path: Path) -> None:
    bad = tmp_path / "bad"
    bad.mkdir()
    *refused, good = (Service(tmp_path, slot, config=b"s4096\n", logs=bad if slot < 18 else None) for slot in range(1, 19))
    (is_bad := tmp_path / "is-bad").touch()
    pool.kill()
    pool.start(breaks=_REFUSED.format(bad=str(is_bad)))
    pool.added(*refused, good)
    for service in refused:
        assert write(service, _FLOOD) == len(_FLOOD)
        assert b"pausing: unable to fsync current logfile: " in pool.expect(wire.SAYS).name
    assert write(good, _FLOOD) == len(_FLOOD)
    waiting.until(lambda: good.text() == _FLOOD)
    waiting.until(lambda: {path.name[-2:] for path in good.main.glob("@*")} == {".s"})
    pool.send(good, signal.SIGTERM)
    assert pool.expect(wire.ENDED, good).value == 0
    pool.send(refused[0], signal.SIGKILL)
    assert pool.expect(wire.ENDED, refused[0]).value == signal.SIGKILL
    pool.acknowledge(refused[0])
    waiting.until(lambda: is_free(refused[0].main / "lock"), what="nothing is tried again for a log that has ended")
    pool.add(refused[0])
    is_bad.unlink()
    pool.expect(wire.ADDED, refused[0])
    for service in refused:
        waiting.until(lambda service=service: service.text() == _FLOOD)  # type: ignore[misc]
        pool.send(service, signal.SIGTERM)
        pool.expect(wire.ENDED, service)
        assert {path.name[-2:] for path in service.main.glob("@*")} == {".s"}


def test_logs_that_hang_when_they_are_opened_let_others_open_soon(runtime: Path, tmp_path: Path) -> None:
    oracle.root("mounts a filesystem that hangs")
    place = tmp_path / "hung"
    place.mkdir()

    def work() -> None:
        *stuck, good = (Service(tmp_path, slot, logs=place if slot < 6 else None) for slot in range(1, 7))
        pool = Pool(tmp_path, runtime)
        try:
            with hanging(place, uid=0, gid=0):
                for service in (*stuck, good):
                    pool.add(service)
                pool.expect(wire.ADDED, good)
                write(good, b"a line\n")
                waiting.until(lambda: good.text() == b"a line\n")
                assert {pool.expect(wire.WAITS, service).value for service in stuck} == {wire.SILENT}
            for service in stuck:
                assert pool.expect(wire.FAILED, service).value in {errno.ECONNABORTED, errno.ENOTCONN}
                pool.added(service)
        finally:
            pool.close()

    apart.told(work, mounts=":", deadline=2 * waiting.DEADLINE)


@pytest.mark.parametrize("again", [False, True], ids=["once", "another-supervisor"])
def test_while_a_disk_hangs_no_other_version_follows_and_the_other_logs_go_on(
    pool: Pool, runtime: Path, disk: Disk, tmp_path: Path, again: bool
) -> None:
    """To become one ends all threads, and waits for one that hangs. Who supervises next says what is to follow then, if anything."""
    stuck, good = Service(tmp_path, 1, config=b"s0\n", logs=disk.path), Service(tmp_path, 2)
    pool.added(stuck, good)
    disk.freeze()
    try:
        assert write(stuck, b"one\ntwo\n")
        waiting.until(lambda: not in_fifo(stuck), what="the pool has taken it, and hangs")
        library = runtime.parent / "lib/runit-provision/current"
        pool.client.sendall(wire.pack(wire.Record(wire.UPGRADE, name=os.fsencode(library))))
        pool.client.sendall(wire.pack(wire.Record(wire.PING)))
        pool.expect(wire.PONG)
        assert write(good, b"beside a hung disk\n")
        waiting.until(lambda: good.text() == b"beside a hung disk\n")
        while b"becomes another version when it does" not in pool.expect(wire.SAYS).name:
            pass
        assert write(stuck, b"three\n")
        if again:
            pool.client.close()
            pool.connect()
            pool.expect(wire.END)
    finally:
        disk.thaw()
    waiting.until(lambda: stuck.text() == b"one\ntwo\nthree\n")
    if again:
        pool.client.sendall(wire.pack(wire.Record(wire.PING)))
        pool.expect(wire.PONG)
        return
    waiting.until(lambda: not pool.client.recv(wire.SIZE), what="another version follows")
    pool.client.close()
    pool.connect()
    pool.added(stuck, good)
    assert write(stuck, b"four\n")
    waiting.until(lambda: stuck.text() == b"one\ntwo\nthree\nfour\n")


def test_while_a_file_is_long_made_safe_no_other_version_follows(pool: Pool, runtime: Path, slow: Path, tmp_path: Path) -> None:
    full, good = Service(tmp_path, 1), Service(tmp_path, 2)
    slow_down(pool, "fsync", slow)
    pool.added(full, good)
    assert write(full, b"a line\n")
    waiting.until(lambda: full.text() == b"a line\n")
    pool.send(full, signal.SIGALRM)
    process = pool.process
    assert process is not None
    waiting.until(lambda: has_open(process.pid, slow), what="it is being made safe")
    library = runtime.parent / "lib/runit-provision/current"
    pool.client.sendall(wire.pack(wire.Record(wire.UPGRADE, name=os.fsencode(library))))
    pool.client.sendall(wire.pack(wire.Record(wire.PING)))
    pool.expect(wire.PONG)
    assert write(good, b"meanwhile\n")
    waiting.until(lambda: good.text() == b"meanwhile\n")
    slow.write_bytes(b".")
    waiting.until(lambda: not pool.client.recv(wire.SIZE), what="another version follows")
    pool.client.close()
    pool.connect()
    pool.added(full, good)
    waiting.until(lambda: list(full.main.glob("@*.s")))
    assert full.text() == b"a line\n"


def test_a_pool_that_is_killed_while_its_disk_hangs_loses_and_doubles_nothing(pool: Pool, disk: Disk, tmp_path: Path) -> None:
    stuck = Service(tmp_path, 1, config=b"s0\n", logs=disk.path)
    pool.added(stuck)
    disk.freeze()
    try:
        assert write(stuck, b"one\ntwo\n")
        waiting.until(lambda: not in_fifo(stuck), what="the pool has taken it, and hangs")
        assert pool.process is not None
        pool.process.send_signal(signal.SIGKILL)
        assert write(stuck, b"three\n")
    finally:
        disk.thaw()
    pool.kill()
    pool.start()
    pool.added(stuck)
    waiting.until(lambda: stuck.text() == b"one\ntwo\nthree\n")


def test_status_tells_that_a_log_waits_where_there_is_no_room_to_write_that(runtime: Path, tmp_path: Path) -> None:
    """With supervise/ on the full disk too: an ext4, where a link that is short takes no block."""
    disk = mount_disk(tmp_path, "-I", "128")  # inodes that hold no content
    try:
        home = supervision.service(disk / "services/it", "while read -r line; do echo $line; done <lines", log="exit 1")
        os.mkfifo(home / "lines")
        supervision.log_in_pool(home, runtime)

        def status() -> str:
            told = subprocess.run([runtime / "sv", "status", home], capture_output=True, text=True, check=False).stdout
            return re.sub(r"[0-9]+", "N", told.replace(str(home), "it"))

        usual = "run: it: (pid N) Ns; run: log: (pid N) Ns\n"
        with supervision.tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
            running.start()
            lines = os.open(home / "lines", os.O_WRONLY)
            waiting.until(lambda: status() == usual, what="both run")
            fill(disk / "filler")
            os.write(lines, b"a line\n")
            waits = "run: it: (pid N) Ns, log waits Ns: out of disk space; run: log: (pid N) Ns\n"
            waiting.until(lambda: status() == waits, what="the log waits")
            told = running.stderr.read_text()
            assert told.count("supervise/detail.new: out of disk space") == 1
            running.kill()
            running.start()
            waiting.until(lambda: running.supervises(home) and status() == waits, what="it is supervised again")
            (disk / "filler").unlink()
            waiting.until(lambda: status() == usual, what="it goes on")
            waiting.until(lambda: logged(home / "log/main") == b"a line\n", what="no line is missing")
            os.close(lines)
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.parametrize(
    ("why", "said"),
    [
        ("", "out of disk space"),
        ("while [ ! -e {go} ]; do sleep 0.05; done; exec cat", "its processor still runs"),
        ("test -e {go} && exec cat", "its processor fails"),
    ],
    ids=["disk", "processor", "failure"],
)
def test_status_tells_that_a_log_waits_and_why(runtime: Path, tmp_path: Path, small: Path, why: str, said: str) -> None:
    home = supervision.service(tmp_path / "services/it", "while read -r line; do echo $line; done <lines", log="exit 1")
    os.mkfifo(home / "lines")
    supervision.log_in_pool(home, runtime)
    main, go = small / "main", tmp_path / "go"
    (home / "log/env/RSVLOG_DIR").write_text(str(main))
    if why:
        main.mkdir()
        (main / "config").write_text(f"s5000\nn0\n!{why.format(go=go)}\n")

    def status() -> str:
        told = subprocess.run([runtime / "sv", "status", home], capture_output=True, text=True, check=False).stdout
        return re.sub(r"[0-9]+", "N", told.replace(str(home), "it"))

    with supervision.tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        lines = os.open(home / "lines", os.O_WRONLY)
        usual = "run: it: (pid N) Ns; run: log: (pid N) Ns\n"
        waiting.until(lambda: status() == usual, what="both run")
        if not why:
            fill(small / "filler")
        # Enough for two old files: the one that is processed, and the one that waits for it.
        sent = b"".join(b"%03000d\n" % number for number in range(6 if why else 1))
        os.write(lines, sent)
        waits = f"run: it: (pid N) Ns, log waits Ns: {said}; run: log: (pid N) Ns\n"
        waiting.until(lambda: status() == waits, what="the log waits")
        # Who comes next is told by the pool.
        running.kill()
        running.start()
        waiting.until(lambda: running.supervises(home) and status() == waits, what="it is supervised again")
        (small / "filler").unlink(missing_ok=True)
        go.touch()
        waiting.until(lambda: status() == usual, what="it goes on")
        waiting.until(lambda: logged(main) == sent, what="no line is missing")
        os.close(lines)


def logged(main: Path) -> bytes:
    """Give all that stands in a log, once no file of it is to be processed."""
    old = sorted(main.glob("@*.s"))
    return b"" if [*main.glob("@*.[ut]")] else b"".join(path.read_bytes() for path in [*old, main / "current"])


def fill(path: Path) -> None:
    """Leave no room on a filesystem, be its blocks of a kilobyte."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1024, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError as error:
                assert error.errno == errno.ENOSPC


def in_fifo(service: Service) -> bool:
    """Whether something waits in the FIFO."""
    import fcntl
    import struct
    import termios

    return bool(struct.unpack("i", fcntl.ioctl(service.held, termios.FIONREAD, b"\0" * 4))[0])
