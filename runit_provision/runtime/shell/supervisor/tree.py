"""Many services on one loop: what runsv does for one directory, with one keeper and one table of records.

This knows services and processes. Which directories are services is scan.py's matter; `runsv DIR` gives it one.
"""

from __future__ import annotations

import errno
import os

from ...wire import errors, holder, records
from ...wire import keeper as wire
from .. import descriptors, installation
from ..loop import Loop
from ..service import settings
from ..service.files import RefusedError
from ..service.home import Home, Room
from ..service.letters import Letters
from ..service.publisher import Publishing
from ..service.supervised import Supervised
from . import groups, lone
from .adoption import Adoption
from .holders import Alone, Holders
from .kills import Kills
from .loggers import Loggers
from .no_down import NoDown
from .notes import Notes
from .orphans import Orphans
from .slots import Slots
from .takeover import Takeover
from .wish import Wish, Wishes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..state import State
    from .accounts import Account
    from .holders import Holding
    from .log_pool import Pool
    from .parents import Parent

SIGKILL = 9

_AGAIN_SECONDS = 1.0
_PLENTY = 1 << 30
_STEP = 64
"""Slots: the table of a tree grows by that many at a time, that of a runsv alone by one."""


class Tree:
    """The services that are supervised.

    gone: called with each that has exited, after it let go of its directory; taken: with each that was taken up; left: when one that
    was to be taken over was not, and may be met again.
    others: whether there is a keeper, whose other children keep logs and hold descriptors; most: how many descriptors we may have;
    directory: where services have their names, absolute, empty for nowhere.
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
        directory: str = "",
    ) -> None:
        self.loop = loop
        self._directory = directory
        self.table = state.table
        self.report = report
        self.gone: Callable[[Supervised], None] = lambda _service: None
        self._state = state
        self._parent: Parent | None = None
        self._loggers = Loggers(self, state) if others else None
        self.holders: Holding = Holders(self, state, most) if others and state.directory >= 0 else Alone()
        spare = max(descriptors.spare(most), most // 8)
        self.room = Room(most - spare, self.holders.holds, self.holders.wait, known=spare // 2)
        self.taken: Callable[[Supervised], None] = lambda _service: None
        self.left: Callable[[], None] = lambda: None
        self._adoption = Adoption(self)
        self._takeover = Takeover(loop, [], self._adoption.take_up, lambda: None)
        self._slots: dict[int, Supervised] = {}
        self._leaving: dict[int, Supervised] = {}
        self.publishing = Publishing(loop)
        self._wishes = Wishes(loop, state, new_session=new_session)
        self.orphans = Orphans(loop, state.table, self._orphan_ended, self.room, self.holders)
        self.notes = Notes(state.table, loop, report)
        self.letters = Letters(state.table, _STEP if others else 1)
        self.slots = Slots(state.table, self.notes, self.letters)
        self._kills = Kills()
        self.patient = True  # until everything is killed
        self._no_down = NoDown(loop, state.table) if others and state.directory >= 0 else None

    def __len__(self) -> int:
        return len(self._slots) + len(self._takeover) + len(self._adoption) + len(self._leaving)

    def waits_for(self, identity: tuple[int, int]) -> bool:
        """Whether the service (device, inode) is known, but supervised by another one that does not let go."""
        return self._adoption.waits_for(identity)

    def relieve(self, path: str, name: str, identity: tuple[int, int]) -> bool:
        """Take a service directory that is locked over from a runsv that nobody has any more; False when it is somebody's."""
        return self._adoption.relieve(path, name, identity)

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
        leads: bool = False,
    ) -> None:
        """Ask for a process of `service`.

        notify: the descriptor that it gets, and what that leads to; swept: what it starts is to be found again; leads: KILL for it is
        one for its process group.
        """
        try:
            pool = self._loggers.pool_for(service) if key == records.LOG and self._loggers is not None else None
        except ImportError as error:
            reason = f"{error}{installation.why_missing()}"
            self.loop.soon(lambda: service.log_failed(reason))
            return
        if key == records.LOG:
            service.pool = pool
        if pool is not None and not service.must_prepare:
            pool.add(service)
            return
        try:
            if key == records.LOG and self._loggers is not None:
                self.write_log_writer(service.slot)
        except OSError as error:
            number = error.errno or 0
            self.loop.soon(lambda: service.failed(key, errors.text(number)))
            return
        if pool is not None:
            arguments = ("-p",)
        wish = Wish(self._wishes, service, key=key, role=role, arguments=arguments, notify=notify, swept=swept, leads=leads)
        self.parent.spawn(wish, service.slot, asked=service.asked)

    def write_log_writer(self, slot: int, uid: int = -1) -> None:
        """Write down as which uid a pool keeps a log, before it has anything of it; -1: none does. OSError."""
        os.pwrite(self.table, records.pack_writer(uid), records.offset(slot) + records.WRITER_AT)

    def log_writer(self, slot: int) -> int:
        """Give that uid; -1 for none."""
        return records.unpack_writer(os.pread(self.table, records.WRITER_SIZE, records.offset(slot) + records.WRITER_AT))

    def pool_of(self, service: Supervised) -> Pool | Account | None:
        """Give the pool that keeps the log of `service`, or should; None when its log/run is to be executed."""
        try:
            return None if self._loggers is None else self._loggers.pool_of(service)
        except ImportError:
            return None  # to be told when the log is started

    def signal(self, service: Supervised, key: int, number: int) -> int | None:
        """Send a signal to a process of `service`; give how many that has got, or None: Supervised.signalled will be told."""
        if key == records.LOG and service.pool is not None:
            return service.service.part(key).signalled + 1 if service.pool.signal(service, number) else None
        if service.pool is not None:
            service.pool.expect()
        if key == records.MAIN and number == SIGKILL:
            service.killed = service.service.main.pid
        count = self.orphans.signal(service.slot, key, number)
        return self.parent.signal(service.slot, key, number, asked=service.asked) if count is None else count

    def tell_killed(self, service: Supervised) -> None:
        """Say that somebody else has killed the process of `service`."""
        self._kills.tell((service.identity.dev, service.identity.ino), service.warn)

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
            self.holders.hold(service, (holder.PIPE,))

    def exited(self, service: Supervised) -> None:
        """Forget `service`, which is gone when nobody finds its doors open."""
        self._wishes.forget(service)
        service.close()
        if self._slots.pop(service.slot, None) is None:
            return
        self.slots.blank(service.slot)
        self._leaving[service.slot] = service
        self._let_go(service)

    def _let_go(self, service: Supervised) -> None:
        """Have others let go of what they keep for a service that is gone, now or when they can be told."""
        if self._leaving.get(service.slot) is not service:
            return  # meanwhile who held it has died
        try:
            released = self.release(service.slot)
        except OSError:
            self.loop.after(_AGAIN_SECONDS, lambda: self._let_go(service))
            return
        if released:
            self.released(service.slot)

    def release(self, slot: int) -> bool:
        """Let nothing be kept by others for `slot`; True when that is so, False when `released` will be told."""
        self.parent.release(slot)
        return self.holders.release(slot)

    def leaving(self) -> list[int]:
        """Give the slots of services that have exited, and are held open still."""
        return list(self._leaving)

    def released(self, *slots: int) -> None:
        """Nothing of these slots is held by others."""
        for slot in slots:
            service = self._leaving.pop(slot, None)
            if service is not None:
                self.slots.give_back(slot)
                self.gone(service)

    # What the outside tells.

    def add(self, path: str, name: str) -> Supervised:
        """Supervise the service directory `path`; RefusedError when that cannot be, OSError when it cannot be opened."""
        service = self.open(path, name, None)
        slot = 0
        try:
            slot = self.slots.take()
            is_left = self.inherited(slot, service.identity)
        except BaseException:
            service.close()
            if slot:
                self.slots.give_back(slot)
            raise
        if is_left:
            service.close()
            if not self._adoption.inherit(slot):
                raise RefusedError("what its runsv has left cannot be taken up now, waiting")
            if not self.supervises(slot):
                raise RefusedError("what its runsv has left has just ended")
            return self._slots[slot]
        try:
            service.announce()
            self.settle(slot, service)
            self.holders.hold(service)
            service.enter()
        except OSError:
            # Nothing was started for it: whoever meets it again begins anew, and finds its locks free.
            self.exited(service)
            raise
        service.begin()
        return service

    def inherited(self, slot: int, identity: records.Identity) -> bool:
        """Whether a runsv of its own has left something of a service that runs: it is written down in `slot` then.

        LockedError: it is about to go on with it. OSError: nobody can tell now.
        """
        left = lone.beside(self._state, identity) if self._loggers is not None else None
        if left is None:
            return False
        try:
            self.inherit(left, slot, identity)
        except BaseException:
            left.close()
            raise
        self.report(f"runsv {os.fsdecode(identity.name)}: info: taking over what its runsv has left; it goes on")
        return True

    def inherit(self, left: State, slot: int, identity: records.Identity) -> None:
        """Write down in `slot` what a runsv of its own has left, and how what it has started is found again. OSError."""
        told = lone.content(left, identity)
        groups.inherit(left, self._state, identity)
        os.pwrite(self.table, told, records.offset(slot))
        lone.forget(left)

    def open(self, path: str, name: str, expected: tuple[int, int] | None, *, is_real: bool = False) -> Supervised:
        """Take the service directory `path`, if it is the `expected` one, known before; RefusedError, OSError.

        is_real: whether `path` is absolute, and was found without any link on the way.
        """
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = os.fstat(directory)
            if expected is not None and expected != (found.st_dev, found.st_ino):
                raise FileNotFoundError(errno.ENOENT, "another directory has taken its place", path)
            real = path if is_real else _real(path, directory)
        except BaseException:
            os.close(directory)
            raise
        place = os.fsencode(real)
        if len(place) > records.PATH_MAX:
            place = os.fsencode(path)  # by a link, which has room where the record is
        identity = records.Identity(dev=found.st_dev, ino=found.st_ino, name=os.fsencode(name), path=place)
        home = Home(directory, identity, self.room)
        try:
            return Supervised(self, home, is_new=expected is None)
        except BaseException:
            home.close()
            raise

    def entry(self, name: bytes) -> str:
        """Give the path of what is called `name` in the tree's directory; empty without one."""
        return f"{self._directory}/{os.fsdecode(name)}" if self._directory else ""

    def renamed(self, service: Supervised, name: str) -> None:
        """Write down that `service` goes by another name now: who comes after us finds it by that, and where that leads to."""
        known = service.identity
        path = self.entry(os.fsencode(name))
        # Its control group, which cannot be renamed, bears the name.
        is_swept = service.milliseconds(settings.KILL_ORPHANS) >= 0
        service.home.identity = records.Identity(
            dev=known.dev, ino=known.ino, name=known.name if is_swept else os.fsencode(name), path=os.fsencode(os.path.realpath(path))
        )
        self.write_identity(service, known)

    def write_identity(self, service: Supervised, written: records.Identity) -> None:
        """Write down where `service` is, and how it is called, when that is not what is `written`."""
        packed = records.pack_identity(service.identity)
        if packed != records.pack_identity(written) and not service.closed:
            self.notes.write(packed, records.offset(service.slot), lambda: self.write_identity(service, written))

    def settle(self, slot: int, service: Supervised) -> None:
        """Let `slot` be the place of `service`."""
        self._slots[slot] = service
        service.slot = slot
        if self._no_down is not None:
            self._no_down.look_later(service)

    def unsettle(self, service: Supervised) -> None:
        """Let go of a service that cannot be gone on with yet, so that nothing of ours is in its way when that is tried again."""
        if self._slots.get(service.slot) is service:
            del self._slots[service.slot]
            service.close()
            self._unlock(service)

    def _unlock(self, service: Supervised) -> None:
        """Let others hold its locks no more, now or when they can be told, unless it has been gone on with since."""
        if service.slot in self._slots:
            return
        try:
            for kind in (holder.LOCK, holder.LOG_LOCK):
                self.holders.drop(service, kind)
        except OSError:
            self.loop.after(_AGAIN_SECONDS, lambda: self._unlock(service))

    def supervises(self, slot: int) -> bool:
        """Whether the service of `slot` is taken up."""
        return slot in self._slots

    def received(self, record: wire.Record) -> None:
        """Act on what the parent of the processes says."""
        if record.key == records.POOL:
            self._received_of_pool(record)
            return
        service = self._slots.get(record.slot)
        if service is None:
            # Where it is yet to be taken up, what it is told then stands in its record.
            self._takeover.hurry(record.slot)
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
            self._loggers.started(record.slot, record.value)
        elif self._loggers is not None and record.op == wire.ENDED:
            self._loggers.ended(record.slot, record.when, record.value)
        elif self._loggers is not None and record.op == wire.FAILED:
            self._loggers.failed(record.slot, record.value)

    def recover(self, done: Callable[[], None] = lambda: None) -> None:
        """Take up every service that the table knows, and call `done`; which is over at once when there are few."""
        self.holders.rejoin()
        if self._loggers is not None:
            self._loggers.rejoin()
        slots = self._state.slots()
        self.slots.begin(slots)
        self.orphans.waits = True
        self._takeover = Takeover(self.loop, slots, self._take_up, lambda: self._recovered(done))
        self.holders.look()
        self._takeover.go_on()

    @property
    def ends(self) -> bool:
        """Whether every service is to end for good."""
        return all(service.leaving for service in self._slots.values())

    @property
    def may_end(self) -> bool:
        """Whether something is there that ends when it is killed."""
        return self.recovering or any(service.may_end for service in self._slots.values())

    @property
    def recovering(self) -> bool:
        """Whether there are services that are yet to be taken up."""
        return len(self._takeover) > 0

    def hurry(self, slot: int) -> None:
        """Somebody waits for the service of `slot`, which may be yet to be taken up."""
        self._takeover.hurry(slot)

    def put_off(self, slot: int, what: Callable[[], None]) -> bool:
        """Call `what` when the service of `slot` is taken up; False when it is, or there is none."""
        if slot not in self._takeover:
            return False
        self._takeover.when_taken_up(slot, what)
        return True

    def _take_up(self, slot: int) -> None:
        self._adoption.take_up(slot)
        self.taken_up(slot)

    def _recovered(self, done: Callable[[], None]) -> None:
        self.orphans.waits = False
        self._adoption.retry()
        self.loop.guarded(self.orphans.reap)
        self._settle_holders()
        done()

    def _settle_holders(self) -> None:
        """Let holders keep what there is, and no more, now or when they can be told."""
        try:
            self.holders.settle(self._adoption.slots())
        except OSError:
            self.loop.after(_AGAIN_SECONDS, self._settle_holders)

    def renew_pools(self) -> None:
        """Have pools of another version become what we are, now or when they are met."""
        if self._loggers is not None:
            self._loggers.renew()

    def taken_up(self, slot: int) -> None:
        """A service has been taken up, if it is there still."""
        if slot in self._slots:
            self.taken(self._slots[slot])

    def found(self, slot: int, key: int, content: bytes) -> records.Process:
        """Give a process that is written down as it is now: its parent's child, an orphan that is watched from now on, or ended."""
        written = records.unpack_process(content, key)
        if written.life == records.LIVE and (slot, key) not in self.parent.children():
            self.orphans.examine(slot, key, written)
        return written

    def parent_lost(self) -> None:
        """The keeper died: its children are orphans, and what it was told last may or may not have happened."""
        if self._loggers is not None:
            self.loop.guarded(self._loggers.keeper_lost)
        for service in self.services():
            self.loop.guarded(self._reconcile, service)

    def _reconcile(self, service: Supervised) -> None:
        if service.closed:
            return  # by now its slot may be another's
        try:
            content = os.pread(self.table, records.SIZE, records.offset(service.slot))
            for key in (records.MAIN, records.LOG, records.SCRIPT):
                if not service.closed:
                    service.reconcile(key, self.found(service.slot, key, content))
        except OSError as error:
            service.warn(f"unable to find out what runs, sleeping: {errors.words(error)}")
            self.loop.after(_AGAIN_SECONDS, lambda: self._reconcile(service))

    def give_up_waiting(self) -> None:
        """Wait no longer for services that another one supervises."""
        self._adoption.give_up()

    def leave_to_others(self) -> None:
        """Wait no longer for services that another one supervises, but for those that are being taken over."""
        self._adoption.leave_to_others()

    def leave(self) -> None:
        """Every service is gone: so may pools and keeper."""
        if self._loggers is not None:
            self._loggers.leave()
        self.holders.leave()
        self.parent.leave()

    def kill_all(self) -> None:
        """Send KILL to every process that is known, control scripts first: those that hang keep from us what else ends.

        A sweeper that is killed has another follow, which has no patience with what was left behind.
        """
        self.patient = False
        for service in self.services():
            self.loop.guarded(service.end_script)
            for key, _pid in service.known():
                self.loop.guarded(self._kill, service, key)

    def _kill(self, service: Supervised, key: int) -> None:
        self.signal(service, key, SIGKILL)

    def _orphan_ended(self, slot: int, key: int, pid: int, status: int) -> None:
        service = self._slots.get(slot)
        if service is not None:
            service.ended(key, pid, status)


def _real(path: str, directory: int) -> str:
    """Give the path of a directory that was opened as `path`, without any link on the way."""
    try:
        return os.readlink(f"/proc/self/fd/{directory}")
    except FileNotFoundError:
        return os.path.realpath(path)  # there is no /proc
