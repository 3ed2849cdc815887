"""Many services on one loop: what runsv does for one directory, with one keeper and one table of records.

This knows services and processes. Which directories are services is scan.py's matter; `runsv DIR` gives it one.
"""

from __future__ import annotations

import errno
import os

from ..core import recovery
from ..wire import errors, holder, records
from ..wire import keeper as wire
from .files import RefusedError
from .holders import Holders
from .home import Home, Room
from .letters import Letters
from .loggers import Loggers
from .loop import Loop
from .orphans import Orphans
from .supervised import Supervised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .groups import Groups
    from .parents import Parent, Request
    from .state import State

SIGKILL = 9
SIGTERM = 15
SIGCONT = 18


_SPARE = 64
"""Descriptors that are for no service, at least."""
_AGAIN_SECONDS = 1.0
_LATE_SECONDS = 0.05
"""For a process that was asked for to be there; then its service is shown as it is without it."""
_PLENTY = 1 << 30
_DOORS = tuple(range(holder.KINDS))
_HELD_SECONDS = (0.01, 0.5, 1.0)
"""How soon a service is tried again that another one has locked: first, from when on that is worth a word, and at the latest."""


class Tree:
    """The services that are supervised.

    gone: called with each that has exited, after it let go of its directory; taken: with each that could be taken up only later.
    others: whether there is a keeper, whose other children keep logs and hold descriptors; most: how many descriptors we may have.
    """

    def __init__(
        self,
        state: State,
        loop: Loop,
        report: Callable[[str], None],
        *,
        new_session: bool = False,
        others: bool = False,
        most: int = _PLENTY,
    ) -> None:
        self.loop = loop
        self.table = state.table
        self.report = report
        self.gone: Callable[[Supervised], None] = lambda _service: None
        self._state = state
        self._flags = wire.NEW_SESSION if new_session else 0
        self._parent: Parent | None = None
        self._loggers = Loggers(self, state) if others else None
        self._holders = Holders(self, state, most) if others and state.directory >= 0 else None
        self._room = Room(most - max(_SPARE, most // 8), self._may_shed, self._wait)
        self.taken: Callable[[Supervised], None] = lambda _service: None
        self._held: dict[int, tuple[tuple[int, int], str, str]] = {}
        self._slots: dict[int, Supervised] = {}
        self._leaving: dict[int, Supervised] = {}
        self._free: list[int] = []
        self._last = 0
        self._unpublished: set[Supervised] = set()
        self._late: set[Supervised] = set()
        self._groups: Groups | None = None
        self.orphans = Orphans(loop, state.table, self._orphan_ended, self._room)
        self.letters = Letters(state.table)

    def __len__(self) -> int:
        return len(self._slots) + len(self._held) + len(self._leaving)

    def holds(self, identity: tuple[int, int]) -> bool:
        """Whether the service (device, inode) is known, but supervised by another one that does not let go."""
        return any(held == identity for held, _what, _reason in self._held.values())

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

        def make() -> Request | None:
            if service.closed:
                return None
            try:
                return self._request(service, key, role, arguments, notify=notify, swept=swept)
            except OSError as error:
                reason = errors.text(error.errno or 0)
                self.loop.soon(lambda: service.failed(key, reason))
                return None

        self.parent.spawn(make)

    def _request(
        self, service: Supervised, key: int, role: int, arguments: tuple[str, ...], *, notify: tuple[int, int] | None, swept: bool
    ) -> Request:
        directory = service.home.fd
        if directory < 0:
            raise FileNotFoundError(errno.ENOENT, "the directory is gone")
        fds: tuple[int, ...] = (directory,)
        if service.log_files is not None and service.log_files.has_pipe:
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
        return request, fds, (group,) if group >= 0 else ()

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
        files = service.log_files
        if files is None or not files.has_pipe or service.closed:
            return
        try:
            if service.pool is not None:
                # Its FIFO stays open until it has ended: should the pool die meanwhile, another goes on.
                service.pool.close(service)
            else:
                self.stop_writing(service)
                files.close_pipe()
        except OSError as error:
            service.warn(f"unable to close the log, sleeping: {errors.words(error)}")
            self.loop.after(_AGAIN_SECONDS, lambda: self.close_log(service))

    def stop_writing(self, service: Supervised) -> None:
        """Be no writer to the log of `service`, nor let others be one for us. OSError when that cannot be now."""
        if service.log_files is not None and service.log_files.has_pipe:
            service.log_files.stop_writing()
            self.hold(service, (holder.PIPE,))

    def unpublished(self, service: Supervised) -> None:
        """Write the status of `service` once for all that changes in this turn."""
        if not self._unpublished:
            self.loop.soon(self._publish)
        self._unpublished.add(service)

    def exited(self, service: Supervised) -> None:
        """Forget `service`, which is gone when nobody finds its doors open."""
        released = self._release(service.slot)
        if self._groups is not None:
            self._groups.remove(service.slot, service.identity.name)
        service.close()
        if self._slots.pop(service.slot, None) is None:
            return
        os.pwrite(self.table, b"\0", records.offset(service.slot))
        self._leaving[service.slot] = service
        if released:
            self.released(service.slot)

    def _release(self, slot: int) -> bool:
        self.parent.release(slot)
        return self._holders is None or self._holders.release(slot)

    def leaving(self) -> list[int]:
        """Give the slots of services that have exited, and are held open still."""
        return list(self._leaving)

    def released(self, *slots: int) -> None:
        """Nothing of these slots is held by others."""
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
        if self._holders is not None:
            self._holders.rejoin()
        if self._loggers is not None:
            self._loggers.rejoin()
        for slot, content in self._state.slots():
            self._last = max(self._last, slot)
            self.loop.guarded(self._take_up, slot, content)
        used = self._slots.keys() | self._held.keys()
        self._free = [slot for slot in range(1, self._last + 1) if slot not in used]
        if self._holders is not None:
            self._holders.settle(list(self._held))
        if self._held:
            self._retry_held(_HELD_SECONDS[0])

    def keeper_is(self, pidfd: int) -> None:
        """There is another keeper."""
        if self._holders is not None:
            self._holders.keeper_is(pidfd)

    def parent_lost(self) -> None:
        """The keeper died: its children are orphans, and what it was told last may or may not have happened."""
        if self._loggers is not None:
            self._loggers.keeper_lost()
        for service in self.services():
            if service.closed:
                continue
            content = os.pread(self.table, records.SIZE, records.offset(service.slot))
            try:
                for key in (records.MAIN, records.LOG, records.SCRIPT):
                    service.reconcile(key, self._found(service.slot, key, content))
            except Exception as error:
                self.report(f"runsv {os.fsdecode(service.identity.name)}: internal error: {error}")

    def give_up_held(self) -> None:
        """Wait no longer for services that another one supervises: they are left to it."""
        for slot, (_identity, what, reason) in self._held.items():
            self._release(slot)
            self.report(f"{what}, leaving it: {reason}")
        self._held.clear()

    def leave(self) -> None:
        """Every service is gone: so may pools and keeper."""
        if self._loggers is not None:
            self._loggers.leave()
        if self._holders is not None:
            self._holders.leave()
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
            self._hold_back(slot, identity, "another one supervises it", str(refusal))
        except (FileNotFoundError, NotADirectoryError) as error:
            self._abandon(slot, content, error)
        except OSError as error:
            # Not now; its processes run on.
            self._hold_back(slot, identity, "it cannot be taken up now", errors.words(error))

    def _hold_back(self, slot: int, identity: records.Identity, what: str, reason: str) -> None:
        os.pwrite(self.table, records.HELD, records.offset(slot))
        self._held[slot] = ((identity.dev, identity.ino), f"runsv {os.fsdecode(identity.name)}: warning: {what}", reason)

    def _retry_held(self, delay: float) -> None:
        def retry() -> None:
            for slot in list(self._held):
                _identity, what, reason = self._held.pop(slot)
                self._take_up(slot, os.pread(self.table, records.SIZE, records.offset(slot)))
                if slot in self._held:
                    if _HELD_SECONDS[1] <= delay < _HELD_SECONDS[2]:
                        self.report(f"{what}, waiting: {reason}")
                elif slot in self._slots:
                    self.taken(self._slots[slot])
            if self._held:
                self._retry_held(min(delay * 2, _HELD_SECONDS[2]))

        self.loop.after(delay, retry)

    def hold(self, service: Supervised, kinds: tuple[int, ...] = _DOORS) -> None:
        """Let what is open of `service` be held open by others too, as far as it is of one of these kinds."""
        if self._holders is not None and service.slot:
            self._holders.hold(service, kinds)

    def drop(self, service: Supervised, kind: int) -> None:
        """Let something of `service` not be held open by others."""
        if self._holders is not None and service.slot:
            self._holders.drop(service, kind)

    def may_spawn(self) -> bool:
        """Whether all that is to be held is on its way: what runs may need it at once."""
        return self._holders is None or self._holders.sent()

    def _wait(self) -> bool:
        return self._holders is not None and self._holders.wait()

    def _may_shed(self, slot: int) -> bool:
        return self._holders is not None and self._holders.holds(slot)

    def _next_slot(self) -> int:
        # What is mapped and not there on a full disk is a SIGBUS later.
        os.posix_fallocate(self.table, records.offset(self._last + 1), records.SIZE)
        self._last += 1
        return self._last

    def _publish(self) -> None:
        batch, self._unpublished = self._unpublished, set()
        late = {service for service in batch if service.flush()}
        if late and not self._late:
            self.loop.after(_LATE_SECONDS, self._publish_late)
        self._late |= late

    def _publish_late(self) -> None:
        batch, self._late = self._late, set()
        for service in batch:
            service.flush(late=True)

    def _orphan_ended(self, slot: int, key: int, pid: int, status: int) -> None:
        service = self._slots.get(slot)
        if service is not None:
            service.ended(key, pid, status)

    def _open(self, path: str, name: str, expected: tuple[int, int] | None) -> Supervised:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(directory)
            if expected is not None and expected != (found.st_dev, found.st_ino):
                raise FileNotFoundError(errno.ENOENT, "another directory has taken its place", path)
            real = os.readlink(f"/proc/self/fd/{directory}")
        except BaseException:
            os.close(directory)
            raise
        identity = records.Identity(dev=found.st_dev, ino=found.st_ino, name=os.fsencode(name), path=os.fsencode(real))
        home = Home(directory, identity, self._room)
        try:
            return Supervised(self, home)
        except BaseException:
            home.close()
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
        self.hold(service)
        main, log, script = (self._found(slot, key, content) for key in (records.MAIN, records.LOG, records.SCRIPT))
        if intent.log is not None and intent.log.pid and log.life != records.LIVE:
            log = self._kept_log(service, intent.log, log)
        started = [main.started, log.started, intent.scripted]
        service.resume(recovery.recover(intent, (main, log, script)), started, scripting=script.started)
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
        self._release(slot)
        os.pwrite(self.table, b"\0", records.offset(slot))
