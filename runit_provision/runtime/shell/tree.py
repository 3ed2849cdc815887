"""Many services on one loop: what runsv does for one directory, with one keeper and one table of records.

This knows services and processes. Which directories are services is scan.py's matter; `runsv DIR` gives it one.
"""

from __future__ import annotations

import os
import time

from ..core import recovery
from ..wire import errors, records
from ..wire import keeper as wire
from .files import RefusedError
from .letters import Letters
from .loggers import Loggers
from .loop import Loop
from .orphans import Orphans
from .supervised import Supervised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .parents import Parent
    from .state import State

SIGKILL = 9
SIGTERM = 15
SIGCONT = 18


_HELD_SECONDS = (0.01, 0.5, 1.0)
"""How soon a service is tried again that another one has locked: first, from when on that is worth a word, and at the latest."""


class Tree:
    """The services that are supervised.

    gone: called with each that has exited, after it let go of its directory; taken: with each that could be taken up only later.
    """

    def __init__(
        self, state: State, loop: Loop, report: Callable[[str], None], *, new_session: bool = False, pools: bool = False
    ) -> None:
        self.loop = loop
        self.table = state.table
        self.report = report
        self.gone: Callable[[Supervised], None] = lambda _service: None
        self._state = state
        self._flags = wire.NEW_SESSION if new_session else 0
        self._parent: Parent | None = None
        self._loggers = Loggers(self, state) if pools else None
        self.taken: Callable[[Supervised], None] = lambda _service: None
        self._held: dict[int, tuple[tuple[int, int], str, str]] = {}
        self._slots: dict[int, Supervised] = {}
        self._free: list[int] = []
        self._last = 0
        self._unpublished: set[Supervised] = set()
        self.orphans = Orphans(loop, state.table, self._orphan_ended)
        self.letters = Letters(state.table)

    def __len__(self) -> int:
        return len(self._slots) + len(self._held)

    def holds(self, identity: tuple[int, int]) -> bool:
        """Whether the service (device, inode) is known, but supervised by another one that does not let go."""
        return any(held == identity for held, _name, _reason in self._held.values())

    @property
    def parent(self) -> Parent:
        """Who makes the processes."""
        assert self._parent is not None
        return self._parent

    @parent.setter
    def parent(self, parent: Parent) -> None:
        self._parent = parent

    def services(self) -> list[Supervised]:
        """Give every service that is supervised."""
        return list(self._slots.values())

    # What a service asks.

    def spawn(self, service: Supervised, key: int, role: int, arguments: tuple[str, ...]) -> None:
        """Ask for a process of `service`."""
        pool = self._loggers.pool_for(service) if key == records.LOG and self._loggers is not None else None
        if key == records.LOG:
            service.pool = pool
        if pool is not None and not service.must_prepare:
            pool.add(service)
            return
        if pool is not None:
            arguments = ("-p",)
        fds: tuple[int, ...] = (service.directory,)
        if service.log_files is not None and service.log_files.pipe >= 0:
            fds += (service.log_files.pipe,)
        flags = self._flags
        if flags and service.log_files is not None and service.pool is None:
            flags |= wire.SHARED_SESSION
        name = service.identity.name
        self.parent.spawn(
            wire.Record(wire.SPAWN, slot=service.slot, key=key, role=role, flags=flags, arguments=arguments, name=name), fds
        )

    def signal(self, service: Supervised, key: int, number: int) -> int | None:
        """Send a signal to a process of `service`; give how many that has got, or None: Supervised.signalled will be told."""
        if key == records.LOG and service.pool is not None:
            service.pool.signal(service, number)
            return service.service.part(key).signalled + 1
        count = self.orphans.signal(service.slot, key, number)
        return self.parent.signal(service.slot, key, number) if count is None else count

    def close_log(self, service: Supervised) -> None:
        """Let the log of `service` read to its end."""
        if service.pool is not None:
            # Its FIFO stays open until it has ended: should the pool die meanwhile, another goes on.
            service.pool.close(service)
        elif service.log_files is not None:
            service.log_files.close_pipe()

    def unpublished(self, service: Supervised) -> None:
        """Write the status of `service` once for all that changes in this turn."""
        if not self._unpublished:
            self.loop.soon(self._publish)
        self._unpublished.add(service)

    def exited(self, service: Supervised) -> None:
        """Forget `service`."""
        self.parent.hold(service.slot, ())
        service.close()
        if self._slots.pop(service.slot, None) is None:
            return
        os.pwrite(self.table, b"\0", records.offset(service.slot))
        self._free.append(service.slot)
        self.gone(service)

    # What the outside tells.

    def add(self, path: str, name: str) -> Supervised:
        """Supervise the service directory `path`; RefusedError when that cannot be, OSError when it cannot be opened."""
        service = self._open(path, name, None)
        slot = self._free.pop() if self._free else self._next_slot()
        self._slots[slot] = service
        service.slot = slot
        self._hold(service)
        service.begin(slot)
        return service

    def received(self, record: wire.Record) -> None:
        """Act on what the parent of the processes says."""
        if record.op == wire.NOTHING_HELD:
            for known in self.services():
                self._hold(known)
            return
        if record.key == records.POOL:
            self._received_of_pool(record)
            return
        service = self._slots.get(record.slot)
        if service is None:
            return
        if record.key == records.LOG and service.pool is not None:
            # `rsvlog -p` made the log's directory, which the pool's uid could not.
            if record.op == wire.ENDED:
                service.pool.add(service)
            elif record.op == wire.FAILED:
                service.failed(record.key, errors.text(record.value))
            return
        if record.op == wire.STARTED:
            service.started(record.key, record.value, record.when)
        elif record.op == wire.ENDED:
            service.ended(record.key, record.when, record.value)
        elif record.op == wire.SIGNALLED:
            service.signalled(record.key, record.when)
        elif record.op == wire.FAILED:
            service.failed(record.key, errors.text(record.value))

    def _received_of_pool(self, record: wire.Record) -> None:
        if self._loggers is not None and record.op == wire.STARTED:
            self._loggers.started(record.slot)
        elif self._loggers is not None and record.op == wire.FAILED:
            self._loggers.failed(record.slot)

    def recover(self) -> None:
        """Take up every service that the table knows: adopt what lives, act on what ended meanwhile."""
        if self._loggers is not None:
            self._loggers.rejoin()
        for slot, content in self._state.slots():
            self._last = max(self._last, slot)
            self._take_up(slot, content)
        used = self._slots.keys() | self._held.keys()
        self._free = [slot for slot in range(1, self._last + 1) if slot not in used]
        if self._held:
            self._retry_held(_HELD_SECONDS[0])

    def parent_lost(self) -> None:
        """The keeper died: its children are orphans, and what it was told last may or may not have happened."""
        if self._loggers is not None:
            self._loggers.keeper_lost()
        for service in self.services():
            if service.directory < 0:
                continue
            self._hold(service)
            content = os.pread(self.table, records.SIZE, records.offset(service.slot))
            try:
                for key in (records.MAIN, records.LOG, records.SCRIPT):
                    service.reconcile(key, self._found(service.slot, key, content))
            except Exception as error:
                self.report(f"runsv {os.fsdecode(service.identity.name)}: internal error: {error}")

    def give_up_held(self) -> None:
        """Wait no longer for services that another one supervises: they are left to it."""
        for _identity, name, reason in self._held.values():
            self.report(f"runsv {name}: warning: another one supervises it, leaving it: {reason}")
        self._held.clear()

    def leave(self) -> None:
        """Every service is gone: so may pools and keeper."""
        if self._loggers is not None:
            self._loggers.leave()
        self.parent.leave()

    def kill_all(self) -> None:
        """Send KILL to every process that is known."""
        for service in self.services():
            for key, _pid in service.known():
                self.signal(service, key, SIGKILL)

    def _take_up(self, slot: int, content: bytes) -> None:
        identity = records.unpack_identity(content)
        assert identity is not None
        try:
            self._recover_slot(slot, content, identity)
        except RefusedError as refusal:
            # Whoever was killed may still be closing its locks; or a stranger, C's runsv for one, came in between.
            os.pwrite(self.table, records.HELD, records.offset(slot))
            self._held[slot] = ((identity.dev, identity.ino), os.fsdecode(identity.name), str(refusal))
        except OSError as error:
            self._abandon(slot, content, error)

    def _retry_held(self, delay: float) -> None:
        def retry() -> None:
            for slot in list(self._held):
                _identity, name, reason = self._held.pop(slot)
                self._take_up(slot, os.pread(self.table, records.SIZE, records.offset(slot)))
                if slot in self._held:
                    if _HELD_SECONDS[1] <= delay < _HELD_SECONDS[2]:
                        self.report(f"runsv {name}: warning: another one supervises it, waiting for it to end: {reason}")
                elif slot in self._slots:
                    self.taken(self._slots[slot])
            if self._held:
                self._retry_held(min(delay * 2, _HELD_SECONDS[2]))

        self.loop.after(delay, retry)

    def _hold(self, service: Supervised) -> None:
        self.parent.hold(service.slot, service.fifos())

    def _next_slot(self) -> int:
        self._last += 1
        return self._last

    def _publish(self) -> None:
        batch, self._unpublished = self._unpublished, set()
        for service in batch:
            service.flush()

    def _orphan_ended(self, slot: int, key: int, pid: int, status: int) -> None:
        service = self._slots.get(slot)
        if service is not None:
            service.ended(key, pid, status)

    def _open(self, path: str, name: str, expected: tuple[int, int] | None) -> Supervised:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(directory)
            if expected is not None and expected != (found.st_dev, found.st_ino):
                raise FileNotFoundError(2, "another directory has taken its place", path)
            real = os.readlink(f"/proc/self/fd/{directory}")
            identity = records.Identity(dev=found.st_dev, ino=found.st_ino, name=os.fsencode(name), path=os.fsencode(real))
            return Supervised(self, directory, identity)
        except BaseException:
            os.close(directory)
            raise

    def _recover_slot(self, slot: int, content: bytes, identity: records.Identity) -> None:
        intent = records.unpack_intent(content)
        if intent is None:
            os.pwrite(self.table, b"\0", records.offset(slot))
            return
        service = self._reopen(identity, content)
        os.pwrite(self.table, records.TAKEN, records.offset(slot))
        self._slots[slot] = service
        service.slot = slot
        main, log, script = (self._found(slot, key, content) for key in (records.MAIN, records.LOG, records.SCRIPT))
        if intent.log is not None and intent.log.pid and log.life != records.LIVE:
            log = self._kept_log(service, intent.log, log)
        started = [main.started, log.started, intent.scripted]
        self._hold(service)
        service.resume(slot, recovery.recover(intent, (main, log, script)), started, scripting=script.started)
        if service.pool is not None:
            service.pool.keep(service)

    def _kept_log(self, service: Supervised, intent: records.PartIntent, log: records.Process) -> records.Process:
        """Give the log's process if a pool keeps it, or will: for the service it never ended."""
        if self._loggers is None or service.log_files is None:
            return log
        service.pool = self._loggers.pool_for(service)
        if service.pool is None:
            return log
        return records.Process(pid=service.pool.pid or intent.pid, role=wire.LOG_RUN, life=records.LIVE, started=intent.started)

    def _found(self, slot: int, key: int, content: bytes) -> records.Process:
        """Give the process as it is now: its parent's child, an orphan that is watched from now on, or ended."""
        written = records.unpack_process(content, key)
        if written.life == records.LIVE and (slot, key) not in self.parent.children():
            self.orphans.examine(slot, key, written)
        return written

    def _reopen(self, identity: records.Identity, content: bytes) -> Supervised:
        """Find a service's directory again: where it was, or, when it was moved or deleted, where its process is."""
        expected = (identity.dev, identity.ino)
        name = os.fsdecode(identity.name)
        places = [os.fsdecode(identity.path)]
        for key in (records.MAIN, records.LOG):
            written = records.unpack_process(content, key)
            if written.life == records.LIVE:
                places.append(f"/proc/{written.pid}/cwd" + ("/.." if key == records.LOG else ""))
        for place in places[:-1]:
            try:
                return self._open(place, name, expected)
            except FileNotFoundError:
                continue
        return self._open(places[-1], name, expected)

    def _abandon(self, slot: int, content: bytes, error: OSError) -> None:
        """A service whose directory is gone for good: nobody else will end its processes."""
        identity = records.unpack_identity(content)
        name = os.fsdecode(identity.name) if identity is not None else "?"
        self.report(f"runsv {name}: warning: unable to go on: {error}")
        for key in (records.MAIN, records.LOG):
            written = self._found(slot, key, content)
            if written.life == records.LIVE:
                for number in (SIGTERM, SIGCONT):
                    if self.orphans.signal(slot, key, number) is None:
                        self.parent.signal(slot, key, number)
        os.pwrite(self.table, b"\0", records.offset(slot))


def report_to_stderr(program: str) -> Callable[[str], None]:
    """Give a report that writes lines to stderr, as `program` where they name none."""

    def report(text: str) -> None:
        line = text if text.startswith("runsv") else f"{program}: {text}"
        try:
            os.write(2, os.fsencode(line) + b"\n")
        except OSError:
            pass

    return report


def now() -> int:
    """Give Unix time in nanoseconds."""
    return time.time_ns()
