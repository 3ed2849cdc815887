"""runsvdir(8): every directory beneath one is a service; and the stand-in that takes its place when it dies.

TERM leaves: the keeper puts a stand-in here, and services stay supervised until the next runsvdir comes. HUP ends: every service is
told to exit, and when all are gone, or killed after a set time, runsvdir exits 111.
"""

from __future__ import annotations

import _signal
import _socket
import os
import time

from ..core.events import Letter
from ..core.service import MAIN
from ..wire import keeper as wire
from ..wire import records
from . import descriptors, parents, process, scan, stderr
from .files import RefusedError
from .loop import Loop
from .title import Title, name_process
from .tree import Tree, report_to_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .state import State
    from .supervised import Supervised

POLL_SECONDS = 5.0
AGAIN_SECONDS = 1.0
"""Before a service is taken again that exited, or could not be taken: as long as runsvdir waits."""
SETTLE_SECONDS = 0.004
"""Between two looks at a directory that is being filled."""
HELD_SECONDS = 1.5
"""After HUP, for services that another one has locked: longer than a killed supervisor takes to close its locks."""
DOORS_SECONDS = 1.0
"""After TERM, in which a stand-in has taken over even on a crowded machine."""
HUP_SECONDS = 60.0
"""For all services to be gone after HUP, before KILL; $RUNSVDIR_HUP_SECONDS says otherwise."""
CONTAINER_SECONDS = 8.0
"""The same for a container that is stopped: less than what its manager waits before it kills all, usually ten seconds."""
KILL_SECONDS = 5.0
IDLE_SECONDS = 0.3
"""After the start, before what is needed only when the keeper dies is loaded."""
EXIT_HUP = 111


class Call:
    """How runsvdir was called; path: the directory, absolute; log: the argument that holds the rolling log, or empty."""

    def __init__(self, path: str, shown: str, new_session: bool, log: str) -> None:
        self.path = path
        self.new_session = new_session
        self._shown = shown
        self._log = log
        options = ["-P"] if new_session else []
        self._arguments = [os.fsencode(argument) for argument in ("runsvdir", *options, shown)]
        self._title: Title | None = None

    def words(self) -> tuple[str, str, bool, str]:
        """Give what another version makes the same of."""
        return self.path, self._shown, self.new_session, self._log

    def arguments(self) -> list[bytes]:
        """Give what follows the program's name."""
        return [*self._arguments[1:], *([os.fsencode(self._log)] if self._log else [])]

    def stand_in(self, state: State, sock: _socket.socket) -> int:
        """Supervise in the place of a runsvdir until the next one comes; `sock` leads to the keeper, whose fork this process is."""
        greeting = parents.greet(sock, state, _nobody)
        if greeting is None:
            return 1
        reader = self.take_over_title(state)
        standing = StandIn(self, state, report=report_to_stderr("runsvdir"))
        if reader >= 0:
            self.follow(reader, standing.loop)
        standing.begin(sock, greeting)
        return standing.run()

    def take_title(self, state: State, report: Callable[[str], None]) -> int:
        """Show the call, and lead stderr to the log in it; give what to read it from, or -1."""
        self._title = Title()
        if self._log and self._title.show_with_log([*self._arguments, os.fsencode(self._log)]):
            return stderr.redirect(state)
        if self._log:
            report("warning: log must have at least seven characters.")
            report("warning: log service disabled.")
            self._log = ""
        self._title.show(self._arguments)
        return stderr.open_reader(state)

    def take_over_title(self, state: State) -> int:
        """Show the call in a fork of the keeper, and the log if it has one."""
        self._title = Title()
        name_process(b"runsvdir")
        if self._log and stderr.leads_to_log(state):
            self._title.show_with_log([*self._arguments, os.fsencode(self._log)])
        else:
            self._log = ""
            self._title.show(self._arguments)
        return stderr.open_reader(state)

    def follow(self, reader: int, loop: Loop) -> None:
        """Show what comes from `reader`: in the title, or, when this call has no log in it, on stderr."""
        if self._log and self._title is not None:
            stderr.follow(reader, loop, self._title.roll, dots=True)
        else:
            stderr.follow(reader, loop, stderr.pass_on, dots=False)


class _Supervisor:
    """What runsvdir and the stand-in share: a tree, a keeper that may die, and the end by HUP."""

    stands_in = False

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        self.call = call
        # After the keeper was started, which is the parent of services.
        self._descriptors = descriptors.allow_all()
        self.loop = Loop(report)
        self.state = state
        self.report = report
        self.status: int | None = None
        self._ended = EXIT_HUP
        self.ending = False
        self.tree = Tree(state, self.loop, report, new_session=call.new_session, pools=True)
        self.tree.gone = self.gone
        self.tree.taken = self.taken
        self.loop.on_signal(_signal.SIGCHLD, self.tree.orphans.reap)
        self.loop.on_signal(_signal.SIGHUP, self.end)
        self.loop.on_signal(_signal.SIGUSR2, self.upgrade)

    def upgrade(self) -> None:
        """Another version is installed. A stand-in leaves that to the runsvdir that comes next, which is of that version."""

    def connect(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        """Work through the keeper at the other end of `sock`."""
        self._kept = parents.Kept(sock, children, self.loop, received=self._received, lost=self._keeper_lost)
        self.tree.parent = self._kept

    def run(self) -> int:
        """Go on until there is an exit status."""
        self.loop.run_soon()
        while self.status is None:
            self.loop.run_once()
        return self.status

    def taken(self, service: Supervised) -> None:
        """A service could be taken up that another one supervised."""
        if self.ending:
            _exit(service)

    def gone(self, _service: Supervised) -> None:
        """A service has exited."""
        if self.ending and not len(self.tree):
            self._finish()

    def end(self, seconds: float = HUP_SECONDS) -> None:
        """Take every service down in order, and exit when all are gone, after `seconds` with KILL."""
        if self.ending:
            return
        self.ending = True
        for service in self.tree.services():
            _exit(service)
        if not len(self.tree):
            self._finish()
        self.loop.after(HELD_SECONDS, self._give_up_held)
        self.loop.after(_hup_seconds(seconds), self._kill)

    def _give_up_held(self) -> None:
        self.tree.give_up_held()
        if not len(self.tree):
            self._finish()

    def _kill(self) -> None:
        names = ", ".join(os.fsdecode(service.identity.name) for service in self.tree.services())
        if names:
            self.report(f"warning: still there, sending KILL: {names}")
        self.tree.kill_all()
        self.loop.after(KILL_SECONDS, self._finish)

    def _finish(self) -> None:
        self.tree.leave()
        self.status = self._ended

    def _received(self, record: wire.Record) -> None:
        if record.op == wire.YIELD:
            self.status = 0
        elif record.op == wire.UPGRADE:
            self.upgrade()
        else:
            self.tree.received(record)

    def _keeper_lost(self) -> None:
        if self.status is not None:
            return  # it said that another takes over, and died
        self.report("warning: the keeper is gone, starting another; its services go on")
        sock = parents.fork_keeper(self.state, self.call, stands_in=self.stands_in, descriptors_allowed=self._descriptors)
        self.connect(sock, {})
        self.tree.orphans.reap()
        self.tree.parent_lost()


class Runsvdir(_Supervisor):
    """The supervisor that init starts."""

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        super().__init__(call, state, report=report)
        self._path = call.path
        self._services: dict[tuple[int, int], Supervised] = {}
        self._settling: dict[tuple[int, int], int] = {}
        self._refused: dict[tuple[int, int], str] = {}
        self._looking = False
        self._first = True
        self._tries = False
        self._watch = scan.Watch(call.path)
        self.loop.on_signal(_signal.SIGTERM, self._leave)
        self.loop.on_signal(_signal.SIGIO, self.changed)
        if os.getpid() == 1:
            # A container's init: nobody can stand in for it. What the container is stopped with, or Ctrl-C, ends services in order.
            for number in (_signal.SIGTERM, _signal.SIGINT):
                self.loop.on_signal(number, self._stop)

    def begin(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        """Take over what lives, then look what else there is."""
        self.connect(sock, children)
        self.tree.recover()
        self.state.vouch()
        for service in self.tree.services():
            self.taken(service)
        self.loop.soon(self.changed)
        self.loop.after(IDLE_SECONDS, _prepare_for_orphans)

    def taken(self, service: Supervised) -> None:
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
        from . import installation, successor

        if self.ending or self._tries or self.state.directory < 0:
            return
        try:
            if installation.current() == installation.LIBRARY:
                return
        except OSError:
            return
        self._tries = True
        successor.try_out(f"{self.state.path}/trial", records.MAGIC, self.loop, self._tried)

    def _tried(self, reason: str) -> None:
        from . import installation, successor

        self._tries = False
        if not reason and not self.ending:
            descriptors.allow(self._descriptors)
            self._kept.succeed(True)
            try:
                successor.execute(self.call.arguments(), self._doors())
            except OSError as error:
                reason = f"{installation.tool('runsvdir')}: {error.strerror}"
                self._kept.succeed(False)
                descriptors.allow_all()
        if reason:
            mine = os.fsdecode(installation.version())
            self.report(f"runsvdir {self._path}: warning: the version now installed is not taken, {mine} goes on: {reason}")

    def _stop(self) -> None:
        self._ended = 0
        self.end(CONTAINER_SECONDS)

    def _leave(self) -> None:
        if len(self.tree):
            self._hold_doors()
        else:
            self.tree.leave()
        self.status = 0

    def _hold_doors(self) -> None:
        """Let letters that come before the stand-in is there wait for it: a host that goes down tells each service to end at once."""
        doors = self._doors()
        if os.fork() == 0:
            try:
                process.close_all_but(*doors)
                time.sleep(DOORS_SECONDS)
            finally:
                os._exit(0)

    def _doors(self) -> list[int]:
        return [fd for service in self.tree.services() for files in (service.files, service.log_files) if files for fd in files.doors()]

    def _look_soon(self) -> None:
        if not self._looking:
            self._looking = True
            self.loop.soon(self._look)

    def _look_in(self, seconds: float) -> None:
        self.loop.after(seconds, self._look)

    def _look(self) -> None:
        self._looking = False
        if self.ending:
            return
        try:
            found = scan.look(self._path, time.time_ns())
        except OSError as error:
            self.report(f"runsvdir {self._path}: warning: unable to open directory: {error.strerror}")
            self._look_in(AGAIN_SECONDS)
            return
        wanted = {entry.identity for entry in found}
        for identity, service in list(self._services.items()):
            if identity not in wanted and not service.leaving:
                _exit(service)
        for entry in found:
            if entry.identity not in self._services and not self.tree.holds(entry.identity):
                self._consider(entry)
        self._first = False

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
            self._refuse(entry, str(refusal))
        else:
            self._refused.pop(entry.identity, None)
            if service.directory >= 0:
                self._services[entry.identity] = service

    def _is_settled(self, entry: scan.Found) -> bool:
        same = self._settling.get(entry.identity) == entry.changed
        return same and os.access(f"{self._path}/{entry.name}/run", os.X_OK)

    def _refuse(self, entry: scan.Found, reason: str) -> None:
        if self._refused.get(entry.identity) != reason:
            self._refused[entry.identity] = reason
            self.report(f"runsv {entry.name}: fatal: {reason}")
        self._look_in(AGAIN_SECONDS)


class StandIn(_Supervisor):
    """Supervises what is known, and scans nothing, until a runsvdir comes."""

    stands_in = True

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        super().__init__(call, state, report=report)
        self.loop.on_signal(_signal.SIGTERM, _nothing)

    def begin(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        """Go on where the one before was killed."""
        self.connect(sock, children)
        self.tree.recover()
        self.state.vouch()
        if not len(self.tree):
            self._finish()

    def gone(self, service: Supervised) -> None:
        super().gone(service)
        if not len(self.tree):
            self._finish()


def supervise(call: Call, state: State, inherited: list[int]) -> int:
    """Be runsvdir as `call` says; gives the exit status.

    inherited: descriptors that this program was started with: of a runsvdir that became us, its services' doors. They are closed when
    ours are open.
    """
    report = report_to_stderr("runsvdir")
    reader = call.take_title(state, report)
    path = call.path

    def busy(pid: int) -> None:
        report(f"runsvdir {path}: warning: already supervised by process {pid}; waiting for it to end")

    found = parents.find_keeper(state, busy)
    if found is None:
        state.prepare()
        found = (parents.fork_keeper(state, call, stands_in=False), {})
    supervisor = Runsvdir(call, state, report=report)
    if reader >= 0:
        call.follow(reader, supervisor.loop)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
    supervisor.begin(*found)
    for fd in inherited:
        os.close(fd)
    return supervisor.run()


def _exit(service: Supervised) -> None:
    """Let a service end for good."""
    service.leaving = True
    service.tell(Letter(MAIN, "x"))


def _hup_seconds(otherwise: float) -> float:
    try:
        return float(os.environ.get("RUNSVDIR_HUP_SECONDS", otherwise))
    except ValueError:
        return otherwise


def _prepare_for_orphans() -> None:
    # Exit statuses stay exact when the keeper dies.
    process.be_subreaper()


def _nobody(_pid: int) -> None:
    """A stand-in is asked for by the keeper: nobody else is there."""


def _nothing() -> None:
    """TERM asks a runsvdir to leave its services to a stand-in: this is it."""
