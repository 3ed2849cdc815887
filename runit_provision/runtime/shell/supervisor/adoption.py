"""Taking up the services that the supervisor before has left: what lives is adopted, what ended meanwhile is acted upon.

One that another supervisor has locked, or that cannot be opened now, is waited for: its processes run on. One whose directory is gone
is taken up without it, and ends for good, as it would have if its supervisor had seen that: who is told to end may take its time.
"""

from __future__ import annotations

import os

from ...core import recovery
from ...core.part import LOG, MAIN
from ...wire import errors, records
from ...wire import keeper as wire
from ...wire.status import WANT_EXIT
from .. import installation
from ..report import Trouble
from ..service.files import LockedError, RefusedError
from ..service.home import Nowhere
from ..service.supervised import Supervised
from . import lone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .accounts import Account
    from .log_pool import Pool
    from .relief import Relief
    from .tree import Tree

_WAITING_SECONDS = (0.01, 0.5, 1.0)
"""How soon a service that waits is tried again: first, from when on that is worth a word, and at the latest."""
_LOCKED_SECONDS = 5.0
"""At the latest where others have locked all that wait, and may for ever."""


class _Waiting:
    """A service that cannot be taken up now: which it is, why, and whether since another one has locked it.

    identity: None as long as its record could not be read.
    """

    __slots__ = ("identity", "locked", "reason")

    def __init__(self, identity: records.Identity | None, reason: str, *, locked: bool = False) -> None:
        self.identity = identity
        self.reason = reason
        self.locked = locked

    @property
    def numbers(self) -> tuple[int, int]:
        """Which directory it is: device and inode."""
        return (self.identity.dev, self.identity.ino) if self.identity is not None else (0, 0)

    def told(self, becomes: str) -> str:
        """Give what is said of it; becomes: what is done about it."""
        what = "another one supervises it" if self.locked else "it cannot be taken up now"
        return f"{_warning(self.identity)}{what}, {becomes}: {self.reason}"


class Adoption:
    """The slots of a tree's table that another supervisor has filled."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._waiting: dict[int, _Waiting] = {}
        self._relief: Relief | None = None
        self._no_relief = Trouble(tree.report)
        self._said: set[int] = set()  # of which slots it was told that they wait
        self._chain = 0  # of retries: the last one is gone on with

    def __len__(self) -> int:
        return len(self._waiting) + (len(self._relief) if self._relief is not None else 0)

    def waits_for(self, identity: tuple[int, int]) -> bool:
        """Whether the service (device, inode) is known, but supervised by another one that does not let go."""
        if self._relief is not None and self._relief.has(identity):
            return True
        # One of which it is not known which it is may be any.
        return any(each.identity is None or each.numbers == identity for each in self._waiting.values())

    def relieve(self, path: str, name: str, identity: tuple[int, int]) -> bool:
        """Take a service that is locked over from a runsv that nobody has any more; False when it is somebody's."""
        try:
            real = os.path.realpath(path, strict=True)
        except OSError:
            return False
        dev, ino = identity
        return self._begin_relief(records.Identity(dev=dev, ino=ino, name=os.fsencode(name), path=os.fsencode(real)), real)

    def _begin_relief(self, identity: records.Identity, path: str, slot: int = 0) -> bool:
        if self._relief is None:
            try:
                from .relief import Relief
            except ImportError as error:
                # It has no use for most trees, and is large. A package may have removed it meanwhile.
                reason = f"{error}{installation.why_missing()}"
                self._no_relief.tell(f"warning: unable to take over what another runsv has locked: {reason}")
                return False
            self._relief = Relief(self._tree, self._relieved, self._tree.left)
        return self._relief.begin(identity, path, slot)

    def _relieved(self, slot: int) -> None:
        """What a runsv has left is to be taken up."""
        if self._tree.supervises(slot):
            return  # it was tried again as soon as the lock was free
        if self.inherit(slot):
            self._said.discard(slot)
            self._tree.taken_up(slot)

    def inherit(self, slot: int) -> bool:
        """Take up what has just been written down in a slot; False when it is waited for."""
        self.take_up(slot)
        if slot in self._waiting:
            self.retry()
            return False
        return True

    def slots(self) -> list[int]:
        """Give the slots of services that are waited for."""
        return list(self._waiting)

    def take_up(self, slot: int) -> None:
        """Take up the service of a slot, or wait until that can be. It never raises: a slot that nobody has would be met as new."""
        before = self._waiting.pop(slot, None)
        identity = before.identity if before is not None else None
        try:
            content, identity = self._read(slot)
            if identity is not None and not self._tree.supervises(slot):
                self._recover(slot, content, identity)
        except RefusedError as refusal:
            # Whoever was killed may still be closing its locks; or a stranger, C's runsv for one, came in between.
            self._wait(slot, _Waiting(identity, str(refusal), locked=isinstance(refusal, LockedError)))
        except OSError as error:
            # Not now; its processes run on.
            self._wait(slot, _Waiting(identity, errors.words(error)))
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self._wait(slot, _Waiting(identity, reason))
            if before is None:
                self._tree.loop.guarded(_fail, error)  # a fault of ours, which is told, and counts, once
        if before is not None and before.identity is None and identity is not None:
            self._tree.left()  # others that are new were taken for it

    def _read(self, slot: int) -> tuple[bytes, records.Identity | None]:
        """Give what stands in a slot, and which service that is about; None for none. OSError."""
        content = os.pread(self._tree.table, records.SIZE, records.offset(slot))
        return content, records.unpack_identity(content)

    def _wait(self, slot: int, waiting: _Waiting) -> None:
        self._waiting[slot] = waiting
        try:
            os.pwrite(self._tree.table, records.HELD, records.offset(slot))
        except OSError:
            pass  # then `sv status` of many tells of it as it was

    def retry(self, delay: float = _WAITING_SECONDS[0]) -> None:
        """Try those that are waited for again in `delay` seconds, and so on."""
        if self._waiting:
            self._chain += 1
            chain = self._chain
            self._tree.loop.after(delay, lambda: self._retry(delay, chain))

    def _retry(self, delay: float, chain: int) -> None:
        if chain != self._chain:
            return
        for slot, waiting in list(self._waiting.items()):
            self._tree.loop.guarded(self._try_again, slot, waiting, delay)
        is_locked = all(waiting.locked for waiting in self._waiting.values())
        self.retry(min(delay * 2, _LOCKED_SECONDS if is_locked else _WAITING_SECONDS[2]))

    def _try_again(self, slot: int, waiting: _Waiting, delay: float) -> None:
        if self._waiting.get(slot) is not waiting:
            return  # those before it have led to that
        if self._relief is not None and self._relief.has(waiting.numbers):
            return  # what stands in the slot is older than what its runsv knows, whose lock may be free any moment
        tree = self._tree
        self.take_up(slot)
        if slot not in self._waiting:
            self._said.discard(slot)
            tree.taken_up(slot)
        elif delay >= _WAITING_SECONDS[1]:
            waiting = self._waiting[slot]
            if slot not in self._said:
                self._said.add(slot)
                tree.report(waiting.told("waiting"))
            if waiting.locked and waiting.identity is not None:
                self._begin_relief(waiting.identity, os.fsdecode(waiting.identity.path), slot)

    def give_up(self) -> None:
        """Wait no longer: services that another one supervises are left to it, and others end without their directories."""
        if self._relief is not None:
            self._relief.give_up()
        waited, self._waiting = self._waiting, {}
        for slot, waiting in waited.items():
            if waiting.locked or not self._end_without(slot, waiting):
                self._tree.loop.guarded(self._leave, slot, waiting)

    def leave_to_others(self) -> None:
        """Leave services to those who supervise them, but for those that are being taken over."""
        for slot, waiting in list(self._waiting.items()):
            if waiting.locked and not (self._relief is not None and self._relief.has(waiting.numbers)):
                del self._waiting[slot]
                self._tree.loop.guarded(self._leave, slot, waiting)

    def _leave(self, slot: int, waiting: _Waiting) -> None:
        self._said.discard(slot)
        self._tree.report(waiting.told("leaving it"))
        self._tree.holders.release(slot)

    def _end_without(self, slot: int, waiting: _Waiting) -> bool:
        """Take a service up without its directory, so that it ends; False when that cannot be either."""
        try:
            content, identity = self._read(slot)
            if identity is None:
                return False
            self._recover(slot, content, identity, gone=waiting.told("ending it"))
        except (OSError, RefusedError):
            return False
        self._tree.taken_up(slot)
        return True

    def _recover(self, slot: int, content: bytes, identity: records.Identity, *, gone: str = "") -> None:
        """Go on with a service; gone: what is said of one that ends without its directory, though that may be there."""
        tree = self._tree
        intent = records.unpack_intent(content)
        if intent is None:
            os.pwrite(tree.table, b"\0", records.offset(slot))
            tree.slots.give_back(slot)
            return
        tree.letters.reserve(slot)
        service = None if gone else self._reopen(identity, content)
        try:
            content = self._known_last(slot, content, identity, is_open=service is not None)
            intent = records.unpack_intent(content) or intent
            if service is None:
                service = self._without(identity, has_log=intent.log is not None)
        except BaseException:
            if service is not None:
                service.close()
            raise
        try:
            has_pipe = self._find_pipe(service, intent, content)
            main, log, script = (tree.found(slot, key, content) for key in (records.MAIN, records.LOG, records.SCRIPT))
            if not content.startswith(records.TAKEN):
                os.pwrite(tree.table, records.TAKEN, records.offset(slot))
        except BaseException:
            service.close()  # or its own lock would be in the way when it is tried again
            raise
        tree.settle(slot, service)
        try:
            self._go_on(service, intent, (main, log, script), content, gone, has_pipe=has_pipe)
        except BaseException as error:
            has_exited = not tree.supervises(slot)
            tree.unsettle(service)
            if not (has_exited and isinstance(error, (OSError, RefusedError))):  # else there is nothing to be tried again
                raise

    def _known_last(self, slot: int, content: bytes, identity: records.Identity, *, is_open: bool) -> bytes:
        """Give what stands in a slot, or what a runsv of its own has left since: then nothing lives that the slot tells of.

        is_open: whether the locks are ours, so that none can begin. RefusedError, OSError.
        """
        children = self._tree.parent.children()
        has_child = any((slot, key) in children for key in (records.MAIN, records.LOG, records.SCRIPT))
        try:
            if has_child or lone.lives(content) or not self._tree.inherited(slot, identity):
                return content
        except LockedError:
            if is_open:
                raise
            return content  # it has the service, and its directory is gone
        return os.pread(self._tree.table, records.SIZE, records.offset(slot))

    def _go_on(
        self,
        service: Supervised,
        intent: records.Intent,
        processes: tuple[records.Process, records.Process, records.Process],
        content: bytes,
        gone: str,
        *,
        has_pipe: bool,
    ) -> None:
        """Let a service that is settled be what is known of it. OSError when that cannot be now."""
        identity = records.unpack_identity(content)
        assert identity is not None
        main, log, script = processes
        self._tree.write_identity(service, identity)
        if intent.log is not None and intent.log.pid and log.life != records.LIVE:
            log = self._kept_log(service, intent.log, log)
        started = [main.started, log.started, intent.scripted]
        found = recovery.recover(intent, (main, log, script))
        if service.leaving:
            gone = gone or f"{_warning(identity)}its directory is gone, ending it"
            self._let_end(found, gone, has_pipe=has_pipe)
        service.resume(found, started, scripting=script.started, saved=records.intent_in(content))
        if service.pool is not None:
            self._keep_log(service, service.pool, has_pipe=has_pipe)

    def _keep_log(self, service: Supervised, pool: Pool | Account, *, has_pipe: bool) -> None:
        kept = pool.keep(service)
        if kept and not has_pipe and not service.leaving:
            pool.add(service)  # it reads another FIFO
        elif not kept and service.service.closing:
            pool.add(service)
        elif not kept:
            # What it was told went with its pool: it ends, as it does when a pool dies alone, but for one that reads to its end.
            service.pool_died(at_once=True)

    def _kept_log(self, service: Supervised, intent: records.PartIntent, log: records.Process) -> records.Process:
        """Give the log's process if a pool keeps it, or will: for the service it never ended."""
        if service.log_files is not None:
            service.pool = self._tree.pool_of(service)
        if service.pool is None:
            return log
        return records.Process(pid=service.pool.pid or intent.pid, role=wire.LOG_RUN, life=records.LIVE, started=intent.started)

    def _find_pipe(self, service: Supervised, intent: records.Intent, content: bytes) -> bool:
        """Have the FIFO to the log that is in use, also where its name is gone; False when it is another one, or none. RefusedError."""
        files = service.log_files
        if files is None or not files.lacks_pipe:
            return True
        living = [records.unpack_process(content, key) for key in (records.MAIN, records.LOG)]
        pids = [each.pid for each in living if each.life == records.LIVE]
        if intent.log is not None and intent.log.pid:
            pids.append(intent.log.pid)  # its pool's
        return files.find_pipe(pids)

    def _without(self, identity: records.Identity, *, has_log: bool) -> Supervised:
        """Give a service whose directory is gone: nobody else will end its processes."""
        home = Nowhere(identity, self._tree.room, had_log=has_log)
        try:
            service = Supervised(self._tree, home, is_new=False)
        except BaseException:
            home.close()
            raise
        service.leaving = True
        return service

    def _let_end(self, found: recovery.Recovery, said: str, *, has_pipe: bool) -> None:
        """Have a service without a directory be told to exit when it is resumed, once; said: what is said then, if it runs."""
        main, log = found.service.main, found.service.log
        found.service.beyond.notifies = False
        if main.want != WANT_EXIT:
            found.letters.append((MAIN, "x"))
            if main.alive and all(part != MAIN for part, _status in found.ended):
                self._tree.report(said)
        if log is not None and not (has_pipe and log.pid):
            # It cannot be brought to the end of what it reads, nor be started again.
            found.letters.append((LOG, "d"))

    def _reopen(self, identity: records.Identity, content: bytes) -> Supervised | None:
        """Find a service's directory again: where it was, or, when it was moved, where the tree or its process has it.

        None when it is gone: what a process has may be removed.
        """
        expected = (identity.dev, identity.ino)
        name = os.fsdecode(identity.name)
        processes = []
        for key in (records.MAIN, records.LOG):
            written = records.unpack_process(content, key)
            if written.life == records.LIVE:
                processes.append(f"/proc/{written.pid}/cwd" + ("/.." if key == records.LOG else ""))
        is_inhabited = expected in map(_identity, processes)
        path = os.fsdecode(identity.path)
        for place in (path, self._tree.entry(identity.name)):
            if place and (is_inhabited or not _is_new(place)):
                try:
                    return self._tree.open(place, name, expected, is_real=place == path)
                except (FileNotFoundError, NotADirectoryError):
                    continue
        for place in processes:
            try:
                if not _is_removed(place):
                    return self._tree.open(place, name, expected)
            except FileNotFoundError:
                continue
        return None


def _warning(identity: records.Identity | None) -> str:
    return f"runsv {os.fsdecode(identity.name)}: warning: " if identity is not None else "runsv: warning: of a service, "


def _fail(error: Exception) -> None:
    raise error


def _is_new(path: str) -> bool:
    """Whether nobody has ever locked a directory: one that was made anew may get the inode of the one before."""
    try:
        os.stat(path + "/supervise/lock")
    except FileNotFoundError:
        return True
    except OSError:
        pass
    return False


def _is_removed(path: str) -> bool:
    try:
        return os.stat(path).st_nlink == 0
    except OSError:
        return True


def _identity(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_dev, found.st_ino
