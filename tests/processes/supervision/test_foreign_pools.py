"""Pools of other accounts in root's tree: nobody of such an account has a hand in the tree, whatever a pool of its says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import oracle, supervision, versions
from support.supervision import Tree, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.wire import pool as wire
from runit_provision.runtime.wire import records

NOBODY = 65534
SILENT = 8.0
"""Seconds after which a pool that does not answer is known not to."""


@pytest.fixture(autouse=True)
def others() -> None:
    oracle.root("a log of another account")


@pytest.fixture
def homes(prefix: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Give two services that are logged: `secret`, by root, and `theirs`, by nobody."""
    tmp_path.chmod(0o755)
    secret, theirs = (service(tmp_path / "services" / name, versions.COUNTS, log="") for name in ("secret", "theirs"))
    for home in (secret, theirs):
        supervision.log_in_pool(home, prefix / "bin")
    os.chown(theirs / "log/main", NOBODY, NOBODY)
    (theirs / "log/env/RSVLOG_USER").write_text("nobody\n")
    return secret, theirs


@pytest.fixture
def running(prefix: Path, homes: tuple[Path, Path], tmp_path: Path) -> Iterator[Tree]:
    with tree(prefix / "bin/runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: all(pid_of(home / "log") for home in homes), what="both are logged")
        yield running


@contextmanager
def sleeper(uid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Give a process of that account that does nothing."""
    process = subprocess.Popen(["sleep", "1000"], user=uid, group=uid, extra_groups=[])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def pool_of(home: Path) -> int:
    """Give the pid of the pool that keeps the log of `home`, once that is a process."""
    return until(lambda: supervision.name(pid := pid_of(home / "log")) == "log-pool" and pid, what="a pool keeps the log")


def is_closed_to(uid: int, pid: int) -> bool:
    """Whether that account may neither see what a process has open, nor trace it, nor take its descriptors."""
    tried = subprocess.run(
        ["ls", f"/proc/{pid}/fd"], user=uid, group=uid, extra_groups=[], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    return b"Permission denied" in tried.stderr


def lines(home: Path) -> list[str]:
    return versions.lines(home / "log/main/current")


def test_a_pool_is_closed_to_its_account_before_and_after_an_upgrade(prefix: Path, homes: tuple[Path, Path], running: Tree) -> None:
    secret, theirs = homes
    before, main, since = pool_of(theirs), pid_of(theirs), supervision.status(theirs / "log")[:12]
    assert is_closed_to(NOBODY, before)
    with sleeper(NOBODY) as other:
        assert not is_closed_to(NOBODY, other.pid)
    followed = [versions.NEW, versions.package_version(prefix)]
    for version in followed:
        versions.switch(prefix, version)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: all(version in supervision.command(pool_of(home)).split() for home in homes), what="both pools follow")  # noqa: B023
        assert is_closed_to(NOBODY, pool_of(theirs))
    assert pid_of(theirs) == main
    assert (supervision.status(theirs / "log")[:12], stat(theirs / "log")) == (since, "run")
    for home in (secret, theirs):
        count = len(lines(home))
        until(lambda: len(lines(home)) > count + 20, what="lines come")  # noqa: B023
        seen = lines(home)
        assert seen == [str(number) for number in range(len(seen))]
    assert re.findall(r"(?m)^runsvdir .*: info: (\S+) has taken over; its services go on$", running.stderr.read_text()) == followed
    assert len(running.stderr.read_text().splitlines()) == len(followed)
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="nothing is left")


def test_while_pools_follow_none_is_open_to_its_account_for_a_moment(prefix: Path, homes: tuple[Path, Path], running: Tree) -> None:
    before = pool_of(homes[1])
    versions.switch(prefix, versions.NEW)
    os.kill(running.pid, signal.SIGUSR2)
    seen: set[int] = set()
    keeper = running.keeper()

    def follows() -> bool:
        # The owner of /proc/PID/fd is whoever may trace it.
        for path in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                pid = int(path.name)
                is_pool = supervision.name(pid) == "log-pool" and supervision.parent(pid) == keeper
                if is_pool and f"Uid:\t{NOBODY}\t" in (path / "status").read_text():
                    assert (path / "fd").stat().st_uid == 0
                    seen.add(pid)
        return pool_of(homes[1]) != before

    until(follows, what="another one has followed")
    assert before in seen


class Hostile:
    """What somebody could be who had got the listening socket of nobody's pool: greets whoever comes, and keeps what that says."""

    def __init__(self, state: Path, greet: Callable[[socket.socket], None]) -> None:
        (path,) = state.glob(f"trees/*/pool-{NOBODY}")
        path.unlink()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptor = os.open(path.parent, os.O_PATH)
        self._listener.bind(f"/proc/self/fd/{descriptor}/{path.name}")
        os.close(descriptor)
        self._listener.listen(8)
        self._greet = greet
        self.added: list[bytes] = []
        self.stolen: list[str] = []
        self.met = 0
        self._sock = socket.socket()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        with suppress(OSError):
            while True:
                self._sock.close()
                self._sock, _ = self._listener.accept()
                with suppress(BrokenPipeError, ConnectionResetError):
                    self._greet(self._sock)
                    self.met += 1
                    self._hear(self._sock)

    def _hear(self, sock: socket.socket) -> None:
        while True:
            data, fds, _flags, _address = socket.recv_fds(sock, wire.SIZE, 8)
            if not data:
                return
            record = wire.unpack(data)
            self.stolen += [str(Path(f"/proc/self/fd/{fd}").readlink()) for fd in fds]
            for fd in fds:
                os.close(fd)
            if record.op == wire.ADD:
                self.added.append(record.name)
                sock.send(wire.pack(wire.Record(wire.ADDED, slot=record.slot)))

    def close(self) -> None:
        for sock in (self._listener, self._sock):
            with suppress(OSError):  # whoever was there has gone before
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        for sock in (self._listener, self._sock):
            sock.close()


def lies(pid: int, version: str) -> Callable[[socket.socket], None]:
    """Give a greeting that claims all logs, and to be process `pid`, and says what no pool says."""
    greets = {wire.HAVE, wire.END}

    def greet(sock: socket.socket) -> None:
        everything = [(slot, wire.CLOSING) for slot in range(1, 60)]
        said = [
            b"short",
            wire.pack(wire.Record(wire.HAVE, slot=1, name=b"odd")),
            *map(wire.pack, wire.haves(everything)),
            *(wire.pack(wire.Record(wire.ENDED, slot=slot, value=0x7F)) for slot in (1, 2)),
            wire.pack(wire.Record(wire.END, value=pid, name=version.encode())),
            *(
                wire.pack(wire.Record(op, slot=slot, value=-9, name=b"@4"))
                for op in {*range(256)} - greets
                for slot in (1, 2, 2**32 - 1)
            ),
            wire.pack(wire.Record(wire.SAYS, name=b"harmless\nrunsv sshd: fatal: it is gone\33[2J")),
        ]
        for data in said:
            sock.send(data)

    return greet


def test_a_pool_that_lies_gets_no_log_that_is_not_its_accounts_and_forges_no_line(
    prefix: Path, homes: tuple[Path, Path], running: Tree
) -> None:
    secret, theirs = homes
    pool_of(theirs)
    hostile = Hostile(running.state, lies(os.getpid(), versions.package_version(prefix)))
    try:
        # So that no true pool claims that log before it.
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(pool_of(secret), signal.SIGKILL)
        running.kill()
        until(lambda: hostile.met, what="the stand-in has come")
        running.start()
        until(lambda: hostile.met > 1 and running.supervises(secret, theirs), what="the next runsvdir has come")
        count = len(lines(secret))
        until(lambda: len(lines(secret)) > count + 20, what="lines come")
        seen = lines(secret)
        assert seen == [str(number) for number in range(len(seen))]
        until(lambda: r"runsv: harmless\x0arunsv sshd: fatal: it is gone\x1b[2J" in running.stderr.read_text(), what="it is one line")
        assert not [line for line in running.stderr.read_text().splitlines() if line.startswith("runsv sshd")]
        assert "internal error" not in running.stderr.read_text()
        assert set(hostile.added) <= {b"theirs"}
        assert not [path for path in hostile.stolen if "secret" in path]
        assert supervision.command(pool_of(secret)).split()[:2] == ["log-pool", "0"]
        assert os.getpid() not in {pid_of(theirs / "log"), pid_of(secret / "log")}
    finally:
        hostile.close()


def test_a_pool_that_is_silent_has_nobody_killed_in_its_place(homes: tuple[Path, Path], running: Tree) -> None:
    pool_of(homes[1])
    with sleeper(0) as victim:

        def greet(sock: socket.socket) -> None:
            (slot,) = (slot for slot in (1, 2) if name_in(running.state, slot) == b"theirs")
            for record in (wire.Record(wire.HAVE, slot=slot), wire.Record(wire.END, value=victim.pid, name=b"0.0")):
                sock.send(wire.pack(record))

        hostile = Hostile(running.state, greet)
        try:
            # The keeper, whose child the true one is, would kill that.
            os.kill(running.keeper(), signal.SIGKILL)
            running.kill()
            running.extra["RUNSVDIR_HUP_SECONDS"] = str(SILENT)
            running.start()
            until(lambda: hostile.met and running.supervises(*homes), what="all is supervised, and it was met")
            assert running.kill(signal.SIGHUP) == 111
            assert victim.poll() is None
        finally:
            hostile.close()


def name_in(state: Path, slot: int) -> bytes:
    """Give the name of the service in a slot of the tree's table."""
    (table,) = state.glob("trees/*/records")
    data = table.read_bytes()[slot * records.SIZE : (slot + 1) * records.SIZE]
    known = records.unpack_identity(data)
    return known.name if known else b""
