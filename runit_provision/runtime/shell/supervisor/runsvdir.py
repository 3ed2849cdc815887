"""runsvdir(8): every directory beneath one is a service."""

from __future__ import annotations

import _signal
import os
import time

from ...wire import errors
from .. import descriptors, installation, meeting, process
from ..loop import EPOLLPRI
from ..report import report_to_stderr
from ..service.files import LockedError, RefusedError
from . import lone, parents, predecessor, scan, successor
from .call import Call
from .supervisor import Supervisor, end_for_good

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable
    from typing import TypeVar

    from ..service.supervised import Supervised
    from ..state import State

    T = TypeVar("T")

POLL_SECONDS = 5.0
AGAIN_SECONDS = 1.0
"""Before a service is taken again that exited, or could not be taken: as long as runsvdir waits."""
LOCKED_SECONDS = 5.0
"""At most before one is tried again that another one has locked, and may for ever."""
SETTLE_SECONDS = 0.004
"""Between two looks at a directory that is being filled."""
_HEARD_LATER = _signal.valid_signals() - {_signal.SIGALRM}
"""All but what bounds the taking over from another version."""
_SILENT = "its keeper does not answer; waiting until it does"
_FAILED = 111
_NEVER = float("inf")


class Runsvdir(Supervisor):
    """The supervisor that init starts."""

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        super().__init__(call, state, report=report)
        self._path = call.path
        self._shown = call.shown
        self._services: dict[tuple[int, int], Supervised] = {}
        self._settling: dict[tuple[int, int], int] = {}
        self._refused: dict[tuple[int, int], str] = {}
        self._locked: dict[tuple[int, int], tuple[float, float]] = {}  # when each is tried again, and after how long
        self._complaints: list[str] = []
        self._looking = self._glanced = self._blind = False
        self._due = _NEVER
        self._first = True
        self._tries = False
        self._watch = scan.Watch(call.path)
        self.tree.left = self._look_again
        self.loop.on_signal(_signal.SIGTERM, self._leave)
        self.loop.on_signal(_signal.SIGIO, self.changed)
        self.loop.on_signal(_signal.SIGURG, self._moved)
        try:
            self.loop.watch(scan.mounts(), self._moved, EPOLLPRI)
        except OSError:
            pass  # there is no /proc

    def begin(self, sock: _socket.socket, children: dict[tuple[int, int], int], keeper: int) -> None:
        """Take over what lives, then look what else there is; keeper: its pid, when we have started it."""
        # Before anything runs: exit statuses stay exact when the keeper dies. A new keeper gets ready meanwhile.
        process.be_subreaper()
        self.connect(sock, children, keeper)
        self.tree.recover(self._go_on)

    def begin_without(self, error: OSError) -> None:
        """Begin although no keeper could be started yet, for this reason."""
        process.be_subreaper()
        self.connect_later(error)
        self.tree.recover(self._go_on)

    def succeed(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        """Take over from another version, and let its keeper and its pools become what we are only when that is done."""
        process.be_subreaper()
        self.meet(sock)
        self.tree.parent = other = parents.Other(sock, children)
        self.tree.recover(lambda: self._succeeded(other))

    def _succeeded(self, other: parents.Other) -> None:
        self.loop.run_soon()  # what was taken up is published
        if self.loop.faults:
            self.status = _FAILED
            return
        predecessor.well()
        self._bring_along(other)
        if self.status is None:
            predecessor.forget(self.state.path)
            self._go_on()

    def _bring_along(self, other: parents.Other) -> None:
        kept = None
        try:
            found = other.renew(self.state)
            kept = self.connect(*found) if found is not None else None
        except TimeoutError:
            self.report("warning: the keeper does not become this version, ending it")
            self.signal_keeper(_signal.SIGKILL)
        except parents.TakenError as taken:
            self.report(f"runsvdir {self._shown}: fatal: process {taken} supervises it now")
            self.status = _FAILED
            return
        except OSError as error:
            self.report(f"warning: unable to meet the keeper again, ending it: {errors.words(error)}")
            self.signal_keeper(_signal.SIGKILL)
        if kept is None:
            other.lost()
            self._keeper_lost()
            return
        self.loop.guarded(other.pass_on, kept, {service.slot for service in self.tree.services()})
        self.tree.parent_lost()
        self.report(f"runsvdir {self._shown}: info: {os.fsdecode(installation.version())} has taken over; its services go on")

    def _go_on(self) -> None:
        self.tree.renew_pools()
        self.state.vouch()
        self.loop.soon(self.changed)

    def taken(self, service: Supervised) -> None:
        if not service.leaving:  # else it has no directory, and a new one may have got its inode
            self._services[service.identity.dev, service.identity.ino] = service
        self._look_soon()
        super().taken(service)

    def changed(self) -> None:
        """Something changed in the directory, or on the way to it."""
        # Watched before it is looked at: what comes in between is seen twice, not missed.
        self._watch.renew()
        self._look()
        if self._watch.polls:
            self._look_in(POLL_SECONDS)

    def _moved(self) -> None:
        if self._watch.is_elsewhere():
            self.changed()
        else:
            self._watch.renew_above()
            if self._watch.polls:
                self._look_in(POLL_SECONDS)

    def gone(self, service: Supervised) -> None:
        identity = (service.identity.dev, service.identity.ino)
        if self._services.get(identity) is service:
            del self._services[identity]
        if not self.ending:
            if service.leaving:
                self._look_soon()
            else:
                self._look_in(AGAIN_SECONDS)
        super().gone(service)

    def upgrade(self) -> None:
        """Become the version that is installed now, if it is another one and proves itself."""
        if self.ending or self._tries or self.state.directory < 0:
            return
        library = installation.current()
        complaint = predecessor.complaint(self.state.path, installation.version(library))
        if complaint:
            self._stay(complaint)
            return
        predecessor.forget(self.state.path)
        if library in {"", installation.LIBRARY}:
            return
        self._tries = True
        try:
            successor.try_out(library, f"{self.state.path}/trial", self.loop, lambda reason: self._tried(library, reason))
        except OSError as error:
            self._tried(library, f"unable to try it: {errors.words(error)}")

    def _tried(self, library: str, reason: str) -> None:
        self._tries = False
        if installation.current() != library:
            # Another one was installed meanwhile: what was found out is not about that.
            self.upgrade()
            return
        if self._kept is None:
            reason = reason or "there is no keeper yet"
        elif not reason and not self.ending:
            if not installation.is_laid():
                self._say_untried(installation.version(library))
            try:
                descriptors.allow(self._descriptors)
                self._kept.succeed(True)
                predecessor.allow(self.state.path, installation.version(library))
                successor.execute(self.call.arguments())
            except OSError as error:
                reason = f"{error.filename or installation.tool('runsvdir')}: {errors.words(error)}"
                descriptors.allow_all()
                self.loop.guarded(self._kept.succeed, False)
        if reason:
            self._stay(reason)

    def _say_untried(self, version: bytes) -> None:
        mine, new = os.fsdecode(installation.version()), os.fsdecode(version)
        self.report(f"runsvdir {self._shown}: warning: {mine}, which runs here, is not installed any more: {new} was tried without it")

    def _stay(self, reason: str) -> None:
        mine = os.fsdecode(installation.version())
        self.report(f"runsvdir {self._shown}: warning: the version now installed is not taken, {mine} goes on: {reason}")

    def _leave(self) -> None:
        self.wake_keeper()  # it is to put a stand-in here
        if not len(self.tree):
            self.loop.guarded(self.tree.leave)
        self.status = 0

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            self.loop.soon(self._look)

    def _look_again(self) -> None:
        self._look_in(AGAIN_SECONDS)

    def _look_in(self, seconds: float) -> None:
        """Look in some time, or sooner: one look is for all who want one."""
        due = time.monotonic() + seconds
        if due < self._due:
            self._due = due
            self.loop.after(seconds, lambda: self._look_when(due))

    def _look_when(self, due: float) -> None:
        if due == self._due:
            self._due = _NEVER
            if not self.ending:
                # It may be another directory by now, which is to be watched.
                self.changed()

    def _look(self) -> None:
        self._looking = False
        if self.ending or self.tree.recovering:
            return  # what is yet to be taken up is not new; when all is, there is a look
        # What is new does not wait for the look at all that is old: with 900 services that takes three times as long as a start.
        self._glanced = not (self._first or self._glanced) and self._glance()
        if self._glanced:
            self._look_in(SETTLE_SECONDS)
            return
        found = scan.look(self._path, self._shown, time.time_ns())
        for complaint in found.complaints:
            if not found.entered or complaint not in self._complaints:
                self.report(f"runsvdir {self._shown}: warning: {complaint}")
        self._complaints = found.complaints
        self._blind = not found.readable
        if self._blind:
            self._look_in(AGAIN_SECONDS)
            return
        if found.unknown:
            self._look_in(AGAIN_SECONDS)
        self._end_others(found.services, found.unknown)
        self._take(found.services)
        self._first = False

    def _glance(self) -> bool:
        """Consider what has a new name; whether there was any."""
        known = {os.fsdecode(service.identity.name) for service in self._services.values()}
        found = scan.glance(self._path, known, time.time_ns())
        if found is None:
            return False
        if self._blind:
            self._blind = False
            self._complaints = []  # when it cannot be read again, that is told again
        return self._take(found)

    def _end_others(self, entries: list[scan.Found], unknown: set[bytes]) -> None:
        """Let services end that are there no more; unknown: by which names some may be there."""
        wanted = {entry.identity for entry in entries}
        if not unknown:
            self._locked = _of(wanted, self._locked)
            self._settling = _of(wanted, self._settling)
            self._refused = _of(wanted, self._refused)
        for identity, service in list(self._services.items()):
            if identity not in wanted and service.identity.name not in unknown and not service.leaving and not service.closed:
                end_for_good(service)

    def _take(self, entries: list[scan.Found]) -> bool:
        """Consider what nobody supervises yet, until `entries` is empty; whether there was any."""
        any_new = False
        entries.reverse()
        while entries:
            entry = entries.pop()  # of thousands, each leaves its room to what its service takes
            known = self._services.get(entry.identity)
            if known is not None:
                if known.identity.name != entry.name.encode(errors="surrogateescape"):
                    self._meet_again(known, entry)
            elif not self.tree.waits_for(entry.identity) and not self._rests(entry):
                self._consider(entry)
                any_new = True
        return any_new

    def _meet_again(self, service: Supervised, entry: scan.Found) -> None:
        """A service that is known has another name, or one name more."""
        try:
            found = os.stat(service.entry())
        except OSError:
            found = None
        if not service.closed and (found is None or entry.identity != (found.st_dev, found.st_ino)):
            self.loop.guarded(lambda service: self.tree.renamed(service, entry.name), service)

    def _rests(self, entry: scan.Found) -> bool:
        """Whether a service that another one has locked is not to be tried yet."""
        due, _seconds = self._locked.get(entry.identity, (0.0, 0.0))
        left = due - time.monotonic()
        if left > 0:
            self._look_in(left)
        return left > 0

    def _consider(self, entry: scan.Found) -> None:
        """Take a new service, or wait until whoever is making it is done."""
        if not (self._first or entry.complete or self._is_settled(entry)):
            self._settling[entry.identity] = entry.changed
            self._look_in(SETTLE_SECONDS)
            return
        self._settling.pop(entry.identity, None)
        try:
            service = self.tree.add(f"{self._path}/{entry.name}", entry.name)
        except (RefusedError, OSError) as refusal:
            locked = isinstance(refusal, LockedError)
            if locked and self.tree.relieve(f"{self._path}/{entry.name}", entry.name, entry.identity):
                self._locked.pop(entry.identity, None)
                return
            reason = f"unable to supervise it: {errors.words(refusal)}" if isinstance(refusal, OSError) else str(refusal)
            self._refuse(entry, reason, locked=locked)
        else:
            self._refused.pop(entry.identity, None)
            self._locked.pop(entry.identity, None)
            if not service.closed:
                # By its own numbers: those of the entry are needed no more.
                self._services[service.identity.dev, service.identity.ino] = service

    def _is_settled(self, entry: scan.Found) -> bool:
        same = self._settling.get(entry.identity) == entry.changed
        return same and os.access(f"{self._path}/{entry.name}/run", os.X_OK)

    def _refuse(self, entry: scan.Found, reason: str, *, locked: bool) -> None:
        if self._refused.get(entry.identity) != reason:
            self._refused[entry.identity] = reason
            self.report(f"runsv {entry.name}: fatal: {reason}")
        seconds = AGAIN_SECONDS
        if locked:
            _due, before = self._locked.get(entry.identity, (0.0, AGAIN_SECONDS / 2))
            seconds = min(2 * before, LOCKED_SECONDS)
            self._locked[entry.identity] = (time.monotonic() + seconds, seconds)
        self._look_in(seconds)


def _of(identities: set[tuple[int, int]], known: dict[tuple[int, int], T]) -> dict[tuple[int, int], T]:
    """Give what is known of these; the numbers of others will be somebody else's."""
    return {identity: value for identity, value in known.items() if identity in identities}


def find_tree(path: str, shown: str, state: State) -> State:
    """Give the state of the tree over `path`: `state`, or where a keeper has it that was started in another environment.

    shown: how the directory was named.
    """
    if not state.try_lock():
        return state
    state.prepare()
    if _lives(state):
        return state  # what runs was supervised from here
    from . import elsewhere

    return elsewhere.find(path, state, lambda text: report_to_stderr("runsvdir")(f"runsvdir {shown}: {text}"))


def _lives(state: State) -> bool:
    """Whether something runs that a state tells of: another keeper may have the tree since what has ended."""
    try:
        return lone.any_lives(state)
    except OSError:
        return False


def supervise(call: Call, state: State) -> int:
    """Be runsvdir as `call` says; gives the exit status."""
    report = report_to_stderr("runsvdir")
    reader = call.take_title(state, report)

    def busy(pid: int) -> None:
        _signal.pthread_sigmask(_signal.SIG_SETMASK, (_signal.SIGUSR2,))  # who supervises nothing may be ended
        why = f"already supervised by process {pid}; waiting for it to end" if pid else _SILENT
        report(f"runsvdir {call.shown}: warning: {why}")

    refusal = None
    # What we are told before there are handlers is heard once there are: it would end us, and the tree would go on with a stand-in.
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _HEARD_LATER)
    try:
        there = parents.find_keeper(state, busy)
    except meeting.StrangerError as error:
        report(f"runsvdir {call.shown}: fatal: {error.filename}: {error.strerror}, and is told nothing")
        return _FAILED
    except parents.RemovedError:
        return _begin_anew(call, state, report)
    _signal.pthread_sigmask(_signal.SIG_BLOCK, _HEARD_LATER)
    if there is not None:
        sock, children, version = there
        pid, succeeds = 0, version != installation.version()
        if succeeds and not predecessor.begin(sock, state, call, version, report):
            return _FAILED
    else:
        state.prepare()
        _load_for_all()
        try:
            sock, pid = parents.fork_keeper(state, call, stands_in=False)
        except OSError as error:
            refusal = error
        children, succeeds = {}, False
    supervisor = _kind()(call, state, report=report)
    if reader >= 0:
        call.follow(reader, supervisor.loop)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    if refusal is not None:
        supervisor.begin_without(refusal)
    elif succeeds:
        supervisor.succeed(sock, children)
    else:
        supervisor.begin(sock, children, pid)
    return supervisor.run()


def _begin_anew(call: Call, state: State, report: Callable[[str], None]) -> int:
    """Begin once more, and find what is to be supervised where it is now; gives the exit status when that cannot be."""
    report(f"runsvdir {call.shown}: warning: its state directory {state.path} was removed; beginning anew")
    try:
        successor.execute(call.arguments())
    except OSError as error:
        report(f"runsvdir {call.shown}: fatal: {error.filename or installation.tool('runsvdir')}: {errors.words(error)}")
    return _FAILED


def _load_for_all() -> None:
    """Load what the processes of a tree would each load for itself: forks of this one share it, a tenth of a small tree's memory."""
    import _ctypes  # noqa: F401
    import gc
    import resource  # noqa: F401

    from ..logs import settings  # noqa: F401
    from ..pool import pool  # noqa: F401

    # Where the collector looks, it writes, and each process would get copies of its own.
    gc.freeze()


def _kind() -> type[Runsvdir]:
    """Give what this process is: a container's pid 1 is not as one that an init starts."""
    if os.getpid() != 1:
        return Runsvdir
    from .container import Container

    return Container
