"""A supervisor's side of the pool, played by a test: services' FIFOs, the records, and a pool that may die at any instant."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from pathlib import Path

from support import fifo, waiting

from runit_provision.runtime.wire import pool as wire

_START = """
import sys
sys.path.insert(0, sys.argv[1])
exec(sys.argv[4])
from runit_provision.runtime.shell.pool import pool
pool.main(int(sys.argv[2]), int(sys.argv[3]))
"""


class Service:
    """A service directory with a FIFO and the log/env that configures rsvlog."""

    def __init__(self, directory: Path, slot: int, *, options: str = "", config: bytes = b"", logs: Path | None = None) -> None:
        self.slot = slot
        self.log = directory / f"service{slot}" / "log"
        (self.log / "env").mkdir(parents=True)
        (self.log / "supervise").mkdir()
        self.main = (logs or self.log) / f"main{slot}"
        self.main.mkdir(parents=True)
        self.main.joinpath("config").write_bytes(config)
        (self.log / "env" / "RSVLOG_DIR").write_text(str(self.main))
        # An option that changes nothing stands for none, since nothing would mean -tt.
        (self.log / "env" / "RSVLOG_OPTIONS").write_text(options or "-l 1000")
        self.pipe = self.log / "supervise" / "pipe"
        os.mkfifo(self.pipe, 0o600)
        self.held = os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK)

    def close(self) -> None:
        if self.held >= 0:
            os.close(self.held)
            self.held = -1

    def text(self) -> bytes:
        """Everything that the log holds, oldest first; what is being renamed is asked for again."""
        while True:
            old = sorted(path for path in self.main.iterdir() if path.name.startswith("@"))
            current = self.main / "current"
            try:
                return b"".join(path.read_bytes() for path in [*old, *([current] if current.exists() else [])])
            except FileNotFoundError:
                continue


class Pool:
    """A pool under test, and the one connection to it."""

    def __init__(self, state: Path, tools: Path) -> None:
        self._library = tools.parent / "lib" / "runit-provision" / "current"
        self._python = (tools / "svlogd").read_text().splitlines()[0].removeprefix("#!").split()[0]
        self._path = state / "pool"
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(bytes(self._path))
        self._listener.listen(8)
        self._journal = os.open(state / "pool.journal", os.O_RDWR | os.O_CREAT, 0o600)
        self.records: list[wire.Record] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self, *under: str, breaks: str = "") -> None:
        """Start it (again), `under` a tracer if need be, or with something that the lines of Python `breaks` break, and connect.

        A tracer is to stand beside the pool (strace -D): one that is its parent would be killed in its place, and leave it running.
        """
        fds = (self._listener.fileno(), self._journal)
        arguments = [*under, self._python, "-IS", "-c", _START, str(self._library), *map(str, fds), breaks]
        self.process = subprocess.Popen(arguments, pass_fds=fds, env={"PATH": "/usr/bin:/bin"})
        self.connect()

    def connect(self) -> None:
        """Be the newest supervisor, who has heard of nothing yet."""
        self._ended: set[int] = set()
        self.client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.client.connect(bytes(self._path))

    def kill(self) -> None:
        """SIGKILL, and wait for it."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.client.close()

    def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and give the exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        status = self.process.wait(waiting.DEADLINE)
        self.client.close()
        return status

    def close(self) -> None:
        """Leave nothing running."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.client.close()
        self._listener.close()
        os.close(self._journal)

    # ---- records

    def add(self, service: Service) -> None:
        """Ask for a logger, and acknowledge before that what has been heard of the end of the one before."""
        if service.slot in self._ended:
            self.acknowledge(service)
        fifo = os.open(service.pipe, os.O_RDWR | os.O_NONBLOCK)
        log = os.open(service.log, os.O_RDONLY | os.O_DIRECTORY)
        name = service.log.parent.name.encode()
        socket.send_fds(self.client, [wire.pack(wire.Record(wire.ADD, slot=service.slot, name=name))], [fifo, log])
        os.close(fifo)
        os.close(log)

    def added(self, *services: Service) -> None:
        """Ask for loggers, and wait until they read."""
        for service in services:
            self.add(service)
        for service in services:
            self.expect(wire.ADDED, service)

    def send(self, service: Service, number: int) -> None:
        """Signal a logger."""
        self.client.sendall(wire.pack(wire.Record(wire.SIGNAL, slot=service.slot, value=number)))

    def drain(self, service: Service) -> None:
        """The service will not come back."""
        self._say_close(service)
        service.close()

    def _say_close(self, service: Service) -> None:
        fifo = os.open(service.pipe, os.O_RDONLY | os.O_NONBLOCK)
        socket.send_fds(self.client, [wire.pack(wire.Record(wire.CLOSE, slot=service.slot))], [fifo])
        os.close(fifo)

    def acknowledge(self, service: Service) -> None:
        self._ended.discard(service.slot)
        self.client.sendall(wire.pack(wire.Record(wire.ACK, slot=service.slot)))

    def expect(self, op: int, service: Service | None = None) -> wire.Record:
        """Wait for a record, and give it; others before it are kept in `records`. CLOSE is said again where that is asked."""
        end = time.monotonic() + waiting.DEADLINE
        slot = service.slot if service else 0
        while True:
            for record in self.records:
                if record.op == op and record.slot == slot:
                    self.records.remove(record)
                    if op == wire.ENDED:
                        self._ended.add(slot)
                    return record
                if op == wire.ENDED and record.op == wire.UNCLOSED and record.slot == slot and service is not None:
                    self.records.remove(record)
                    self._say_close(service)
                    break
            left = end - time.monotonic()
            assert left > 0 and select.select([self.client], [], [], left)[0], f"no record {op} for {slot}; seen: {self.records}"
            data = self.client.recv(wire.SIZE)
            assert data, f"the pool is gone; seen: {self.records}"
            self.records.append(wire.unpack(data))


def write(service: Service, text: bytes) -> None:
    """Write as a service does."""
    out = os.open(service.pipe, os.O_WRONLY)
    os.write(out, text)
    os.close(out)


def unread(service: Service) -> int:
    """Give how much waits in its FIFO, in bytes."""
    return fifo.unread(service.held)
