"""Many services on one loop: what runsv does for one directory, with one keeper and one table of records.

This knows services and processes. Which directories are services is scan.py's matter; `runsv DIR` gives it one.
"""

from __future__ import annotations

import os

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

    from .groups import Groups
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
        self._leaving: dict[int, Supervised] = {}
        self._free: list[int] = []
        self._last = 0
        self._unpublished: set[Supervised] = set()
        self._groups: Groups | None = None
        self.orphans = Orphans(loop, state.table, self._orphan_ended)
        self.letters = Letters(state.table)

    def __len__(self) -> int:
        return len(self._slots) + len(self._held) + len(self._leaving)

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

    def spawn(
        self,
        service: Supervised,
        key: int,
        role: int,
        arguments: tuple[str, ...],
        *,
        notify: tuple[int, int] | None = None,
        swept: bool = False,
    ) -> None:
        """Ask for a process of `service`.

        notify: the descriptor that it gets, and what that leads to; swept: what it starts is to be found again.
        """
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
        descriptor, name = 0, service.identity.name
        if notify is not None:
            descriptor, flags, fds = notify[0], flags | wire.NOTIFIES, (*fds, notify[1])
        if role == wire.SWEEP:
            flags = 0
        group = self._open_group(service) if swept else -1
        if swept:
            flags |= wire.SWEPT
        if group >= 0:
            flags, fds = flags | wire.GROUPED, (*fds, group)
        request = wire.Record(
            wire.SPAWN, slot=service.slot, key=key, role=role, flags=flags, value=descriptor, arguments=arguments, name=name
        )
        self.parent.spawn(request, fds)
        if group >= 0:
            os.close(group)

    def _open_group(self, service: Supervised) -> int:
        if self._groups is None:
            from .groups import Groups

            self._groups = Groups(self._state)
        return self._groups.open(service.slot, service.identity.name)

    def signal(self, service: Supervised, key: int, number: int) -> int | None:
        """Send a signal to a process of `service`; give how many that has got, or None: Supervised.signalled will be told."""
        if key == records.LOG and service.pool is not None:
            service.pool.signal(service, number)
            return service.service.part(key).signalled + 1
        count = self.orphans.signal(service.slot, key, number)
        return self.parent.signal(service.slot, key, number) if count is None else count

    def close_log(self, service: Supervised) -> None:
        """Let the log of `service` read to its end."""
        self.hold(service)
        if service.pool is not None:
            # Its FIFO stays open until it has ended: should the pool die meanwhile, another goes on.
            service.pool.close(service)
        elif service.log_files is not None:
            service.log_files.close_pipe()

    def vouch(self, service: Supervised) -> None:
        """Let whoever asks find that `service` is supervised, also in a moment without us."""
        self.parent.vouch(service.slot, service.oks())

    def unpublished(self, service: Supervised) -> None:
        """Write the status of `service` once for all that changes in this turn."""
        if not self._unpublished:
            self.loop.soon(self._publish)
        self._unpublished.add(service)

    def exited(self, service: Supervised) -> None:
        """Forget `service`, which is gone when nobody finds its doors open."""
        released = self.parent.release(service.slot)
        if self._groups is not None:
            self._groups.remove(service.slot, service.identity.name)
        service.close()
        if self._slots.pop(service.slot, None) is None:
            return
        os.pwrite(self.table, b"\0", records.offset(service.slot))
        self._leaving[service.slot] = service
        if released:
            self._released(service.slot)

    def _released(self, *slots: int) -> None:
        for slot in slots:
            service = self._leaving.pop(slot, None)
            if service is not None:
                self._free.append(slot)
                self.gone(service)

    # What the outside tells.

    def add(self, path: str, name: str) -> Supervised:
        """Supervise the service directory `path`; RefusedError when that cannot be, OSError when it cannot be opened."""
        service = self._open(path, name, None)
        try:
            slot = self._free.pop() if self._free else self._next_slot()
        except OSError:
            service.close()
            raise
        self._slots[slot] = service
        service.slot = slot
        try:
            self.hold(service)
            service.enter()
        except OSError:
            # Nothing was started for it: whoever meets it again begins anew, and finds its locks free.
            self.exited(service)
            raise
        service.begin()
        return service

    def received(self, record: wire.Record) -> None:
        """Act on what the parent of the processes says."""
        if record.op == wire.RELEASED:
            self._released(record.slot)
            return
        if record.op == wire.NOTHING_HELD:
            self._hold_all()
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
            self.loop.guarded(self._take_up, slot, content)
        used = self._slots.keys() | self._held.keys()
        self._free = [slot for slot in range(1, self._last + 1) if slot not in used]
        if self._held:
            self._retry_held(_HELD_SECONDS[0])

    def parent_lost(self) -> None:
        """The keeper died: its children are orphans, and what it was told last may or may not have happened."""
        if self._loggers is not None:
            self._loggers.keeper_lost()
        self._hold_all()
        for service in self.services():
            if service.directory < 0:
                continue
            content = os.pread(self.table, records.SIZE, records.offset(service.slot))
            try:
                for key in (records.MAIN, records.LOG, records.SCRIPT):
                    service.reconcile(key, self._found(service.slot, key, content))
            except Exception as error:
                self.report(f"runsv {os.fsdecode(service.identity.name)}: internal error: {error}")

    def give_up_held(self) -> None:
        """Wait no longer for services that another one supervises: they are left to it."""
        for slot, (_identity, name, reason) in self._held.items():
            self.parent.release(slot)
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

    def hold(self, service: Supervised) -> None:
        """Let what holds lines and letters of `service` be held open by others too."""
        self.parent.hold(service.slot, service.fifos(), closing=service.service.closing)

    def _hold_all(self) -> None:
        """Whoever held anything is gone."""
        self._released(*self._leaving)
        for service in self.services():
            if service.directory >= 0:
                self.hold(service)
                self.vouch(service)

    def _next_slot(self) -> int:
        # What is mapped and not there on a full disk is a SIGBUS later.
        os.posix_fallocate(self.table, records.offset(self._last + 1), records.SIZE)
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
        service.resume(recovery.recover(intent, (main, log, script)), started, scripting=script.started)
        if service.directory >= 0:
            self.hold(service)
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
        self.parent.release(slot)
        os.pwrite(self.table, b"\0", records.offset(slot))
