"""What runsvdir and the stand-in in its place share: a tree, a keeper that may die, and the end by HUP; and the stand-in.

TERM leaves: the keeper puts a stand-in there, and services stay supervised until the next runsvdir comes. HUP ends: every service is
told to exit, and when all are gone, or killed after a set time, the supervisor exits 111.
"""

from __future__ import annotations

import _signal
import os
import select
import time

from ...core.breath import Breath
from ...core.events import Letter
from ...core.part import MAIN
from ...wire import errors
from ...wire import keeper as wire
from .. import descriptors, meeting, process
from ..loop import Loop
from ..report import Trouble
from . import parents
from .kills import Seldom
from .tree import Tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Callable

    from ..service.supervised import Supervised
    from ..state import State
    from .call import Call

WAITING_SECONDS = 1.5
"""After HUP, for services that another one has locked: longer than a killed supervisor takes to close its locks."""
HUP_SECONDS = 60.0
"""For all services to be gone after HUP, before KILL; $RUNSVDIR_HUP_SECONDS says otherwise."""
KILL_SECONDS = 5.0
_LOOK_SECONDS = 0.05
EXIT_HUP = 111
_PATIENCE_SECONDS = 60.0
"""With a keeper that does not answer, and is not stopped: it may be frozen, or somebody looks into it."""
_PAUSE_SECONDS = 10.0
"""At most, between keepers that die as soon as they are there."""
_AGAIN_SECONDS = 1.0
"""Before another keeper is tried again, when there is no process or descriptor to be had."""


class Supervisor:
    """What runsvdir and the stand-in share: a tree, a keeper that may die, and the end by HUP."""

    stands_in = False

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        self.call = call
        # After the keeper was started, which is the parent of services.
        self._descriptors, most = descriptors.allow_all()
        self.loop = Loop(report)
        self.state = state
        self.report = report
        self.status: int | None = None
        self._ended = EXIT_HUP
        self.ending = False
        self._keeper = -1
        self._mourned = False  # it is dead, what it has left is known, and there is no other yet
        self._kept: parents.Kept | None = None
        self._silent_since = 0.0
        self._alone = False  # no keeper was ever there
        self._breath = Breath(_PAUSE_SECONDS)
        self._seldom = Seldom()
        self._no_keeper = Trouble(report)
        self.tree = Tree(state, self.loop, report, new_session=call.new_session, others=True, most=most, directory=call.path)
        self.tree.gone = self.gone
        self.tree.taken = self.taken
        # Of what a keeper has left it is not known yet what is a service's: its exit status would be thrown away.
        self.tree.orphans.doubts = self._doubts
        self.loop.on_signal(_signal.SIGCHLD, self._child_changed)
        self.loop.on_signal(_signal.SIGHUP, self.end)
        self.loop.on_signal(_signal.SIGUSR2, self.upgrade)
        # Where the table of services may grow no more (`ulimit -f`), that is an error of the service that is one too many.
        self.loop.on_signal(_signal.SIGXFSZ, _nothing)

    def upgrade(self) -> None:
        """Another version is installed. A stand-in leaves that to the runsvdir that comes next, which is of that version."""

    def connect(self, sock: _socket.socket, children: dict[tuple[int, int], int], keeper: int = 0) -> parents.Kept:
        """Work through the keeper at the other end of `sock`, and give it; keeper: its pid, when we have started it."""
        self.meet(sock, keeper)
        self._alone = False
        self._kept = self.tree.parent = parents.Kept(
            sock,
            children,
            self.loop,
            received=self._received,
            lost=self._keeper_lost,
            may=self.tree.holders.sent,
            silent=self._keeper_is_silent,
            speaks=lambda: self.report("the keeper answers again"),
        )
        return self._kept

    def meet(self, sock: _socket.socket, keeper: int = 0) -> None:
        """Know the keeper at the other end of `sock`, and let the holders know it; keeper: its pid, when we have started it."""
        if self._keeper >= 0:
            os.close(self._keeper)
        self._keeper = -1
        self.tree.holders.keeper_is(-1)
        self._mourned = False
        self._know(sock, keeper or process.peer(sock))

    def _know(self, sock: _socket.socket, pid: int) -> None:
        """Have a handle of the keeper, as soon as there is a descriptor for it: without one it can be neither woken nor killed."""
        try:
            if not _is_there(sock):
                return  # its number may be another's
            if self._keeper < 0:
                self._keeper = os.pidfd_open(pid)
            self.tree.holders.keeper_is(self._keeper)
        except OSError as error:
            if self._keeper >= 0 or error.errno in process.NOT_NOW:
                self.loop.after(_AGAIN_SECONDS, lambda: self._know(sock, pid))

    def _doubts(self) -> bool:
        """Whether it is not known yet what of a dead keeper's is a service's."""
        try:
            return not self._mourned and process.has_ended(self._keeper)
        except OSError:
            self.loop.after(_AGAIN_SECONDS, self.tree.orphans.reap)
            return True

    def connect_later(self, error: OSError) -> None:
        """Supervise without a keeper until there is one; error: why there is none. What runs can be ended, and so make room."""
        self._alone = True
        self.tree.parent = parents.Nobody(self.loop, self.tree.received, error)
        self._tell_no_keeper(error)
        self.loop.after(_AGAIN_SECONDS, self._keep_trying)

    def run(self) -> int:
        """Go on until there is an exit status."""
        self.loop.run_soon()
        while self.status is None:
            self.loop.run_once()
            self._turned()
        return self.status

    def _turned(self) -> None:
        """All that was known to have happened is seen to."""
        # Amid thousands of letters what becomes of those that were read is not to wait for its turn among them.
        self.loop.guarded(self.tree.parent.look)

    def taken(self, service: Supervised) -> None:
        """A service was taken up that another one supervised."""
        if self.ending and not service.leaving:
            end_for_good(service)

    def gone(self, _service: Supervised) -> None:
        """A service has exited."""
        if self.ending and not len(self.tree):
            self._finish()

    def end(self, seconds: float = HUP_SECONDS) -> None:
        """Take every service down in order, and exit when all are gone, after `seconds` with KILL."""
        if self.ending:
            return
        self.ending = True
        self.loop.after(WAITING_SECONDS, self._give_up_waiting)
        self.loop.after(self._hup_seconds(seconds), self._kill)
        self.wake_keeper()
        for service in self.tree.services():
            self.loop.guarded(end_for_good, service)
            if self._alone:
                self.loop.guarded(service.start_nothing)
        if not len(self.tree):
            self._finish()

    def _hup_seconds(self, otherwise: float) -> float:
        said = os.environ.get("RUNSVDIR_HUP_SECONDS", "")
        try:
            seconds = float(said or otherwise)
        except ValueError:
            seconds = -1.0
        if seconds >= 0:
            return seconds
        self.report(f"warning: RUNSVDIR_HUP_SECONDS is no number of seconds: {said}, taking {otherwise:.0f}")
        return otherwise

    def stop(self) -> None:
        """Take every service down for good, since TERM was sent to all of the tree."""
        self._ended = 0  # as when it is sent to a runsvdir alone
        self.end()

    def _give_up_waiting(self) -> None:
        if self.tree.recovering:
            self.loop.after(WAITING_SECONDS, self._give_up_waiting)
            return
        self.tree.give_up_waiting()
        if not len(self.tree):
            self._finish()

    def _kill(self) -> None:
        names = ", ".join(os.fsdecode(service.identity.name) for service in self.tree.services())
        if names:
            self.report(f"warning: still there, sending KILL: {names}")
        self.loop.guarded(self.tree.kill_all)
        if self._kept is not None:
            self.loop.guarded(self._kept.insist, KILL_SECONDS / 2)  # and what it was to kill is killed in the other half
        self._finish_after(KILL_SECONDS)

    def _finish_after(self, seconds: float) -> None:
        """Give what was sent KILL so long to be gone, as far as any of it can."""
        if seconds <= 0 or not self.tree.may_end:
            self._finish()
        else:
            self.loop.after(_LOOK_SECONDS, lambda: self._finish_after(seconds - _LOOK_SECONDS))

    def _finish(self) -> None:
        self.loop.guarded(self.tree.leave)
        self.status = self._ended

    def _received(self, record: wire.Record) -> None:
        if record.op == wire.YIELD:
            self.status = 0
        elif record.op == wire.UPGRADE:
            self.upgrade()
        elif record.op == wire.END and not self.ending:
            self.stop()
        else:
            self.tree.received(record)

    def _child_changed(self) -> None:
        """A child has ended, or was stopped, as a keeper that we have started may have been: of others nobody would tell."""
        self.loop.guarded(self.tree.orphans.reap)
        if self._kept is not None:
            self._kept.expect()

    def wake_keeper(self) -> None:
        """Let the keeper go on if it was stopped."""
        self.signal_keeper(_signal.SIGCONT)

    def signal_keeper(self, number: int) -> None:
        """Send the keeper a signal; that it cannot be sent is in the way of nothing else."""
        self.loop.guarded(process.send_to, self._keeper, number)

    def _keeper_is_silent(self, is_new: bool) -> None:
        """It is stopped, which can be undone; or else it is killed at last, which its children outlive."""
        now = time.monotonic()
        if is_new:
            self._silent_since = now
        kills = not self.tree.patient or now > self._silent_since + (0.0 if self.ending else _PATIENCE_SECONDS)
        if kills or is_new:
            self.report(f"warning: the keeper does not answer, sending {'KILL' if kills else 'CONT'}; its services go on")
        if kills:
            self._silent_since = now
            self.signal_keeper(_signal.SIGKILL)
        else:
            self.wake_keeper()
        assert self._kept is not None
        self._kept.expect()

    def _keeper_lost(self) -> None:
        if self.status is not None:
            return  # it said that another takes over, and died
        seconds = self._breath.seconds(time.monotonic())
        times = self._seldom.times(None) if seconds else ""
        if times is not None:
            self.report(f"warning: the keeper is gone, starting another{times}; its services go on")
        if not process.wait_for_end(self._keeper):
            self.signal_keeper(_signal.SIGKILL)  # whatever it is about: it is to have a supervisor, and the tree one keeper
        if seconds or not self._replace_keeper():
            self.loop.after(seconds or _AGAIN_SECONDS, self._keep_trying)
            self._mourn()

    def _keep_trying(self) -> None:
        if self.status is None and not self._replace_keeper():
            self.loop.after(_AGAIN_SECONDS, self._keep_trying)
            self._mourn()

    def _mourn(self) -> None:
        """See what a keeper has left: until there is another, ends are seen and signals sent, and whatever is to be started waits."""
        if not self._mourned and not self._alone and self._is_rid_of_keeper():
            self._mourned = True
            self._see_what_became_of_its_children()

    def _replace_keeper(self) -> bool:
        """Whether there is a keeper again."""
        if not self._is_rid_of_keeper():
            return False
        try:
            if self.state.directory >= 0:
                # One after the other would die of that, and say so each time.
                meeting.listen(self.state, meeting.KEEPER).close()
        except OSError as error:
            self._tell_no_keeper(error, "start")
            return False
        try:
            sock, pid = parents.fork_keeper(self.state, self.call, stands_in=self.stands_in, descriptors_allowed=self._descriptors)
        except OSError as error:
            self._tell_no_keeper(error)
            return False
        self._breath.begin(time.monotonic())
        try:
            self.connect(sock, {}, pid)
        except OSError as error:
            # One that nobody speaks to would have a stand-in wait for what we have. As our child it has its number until we look.
            self._tell_no_keeper(error, "meet")
            self.loop.guarded(os.kill, pid, _signal.SIGKILL)
            sock.close()
            return False
        self._no_keeper.over()
        self._see_what_became_of_its_children()
        return True

    def _is_rid_of_keeper(self) -> bool:
        """Whether the keeper before has ended, and its children are ours: never is there another one beside it."""
        try:
            if self._keeper < 0 or process.has_ended(self._keeper):
                return True
        except OSError as error:
            self._tell_no_keeper(error, "look for the end of the")
            return False
        self._no_keeper.tell("warning: the keeper is silent and does not end, sending KILL again")
        self.signal_keeper(_signal.SIGKILL)
        return False

    def _tell_no_keeper(self, error: OSError, what: str = "fork") -> None:
        self._no_keeper.tell(f"warning: unable to {what} keeper: {errors.words(error)}, trying again")

    def _see_what_became_of_its_children(self) -> None:
        self.tree.parent_lost()
        self.loop.guarded(self.tree.orphans.reap)  # by now what is a service's is known
        if not self.tree.patient:
            self.loop.guarded(self.tree.kill_all)  # what it was told last may not have happened


class StandIn(Supervisor):
    """Supervises what is known, and scans nothing, until a runsvdir comes."""

    stands_in = True

    def __init__(self, call: Call, state: State, *, report: Callable[[str], None]) -> None:
        super().__init__(call, state, report=report)
        self.loop.on_signal(_signal.SIGTERM, _nothing)

    def begin(self, sock: _socket.socket, children: dict[tuple[int, int], int]) -> None:
        """Go on where the one before was killed."""
        self.connect(sock, children)
        self.tree.recover(self._recovered)

    def _recovered(self) -> None:
        self.tree.renew_pools()
        self.state.vouch()
        if self.status is None and not len(self.tree):
            self._finish()

    def gone(self, service: Supervised) -> None:
        super().gone(service)
        if not len(self.tree):
            self._finish()


def end_for_good(service: Supervised) -> None:
    """Let a service end for good."""
    service.leaving = True
    service.tell(Letter(MAIN, "x"))


def _is_there(sock: _socket.socket) -> bool:
    """Whether anybody is at the other end of a socket. OSError when that cannot be known now."""
    if sock.fileno() < 0:
        return False
    gone = select.poll()
    gone.register(sock.fileno(), 0)
    return not gone.poll(0)


def _nothing() -> None:
    """A signal that is not to end us: TERM asks a runsvdir to leave its services to a stand-in, which is this."""
