"""One service: its life (core.service) joined to its directory, its record and its processes."""

from __future__ import annotations

import os
import time

from ...core import recovery
from ...core.actions import Action, Arm, Bound, CloseLog, EndScript, Exit, Publish, Script, Signal, Spawn
from ...core.events import UNKNOWN, Begin, Due, Ended, Event, Letter, LogWaits, Overdue, ScriptEnded, Started
from ...core.part import LOG, MAIN, Part, Service
from ...core.service import SIGKILL, arguments_of, has_failed_to_sweep, step
from ...wire import detail, errors, holder, records
from ...wire.status import FINISH, RUN, WANT_DOWN, WANT_UP
from . import endings, settings
from .files import NOT_NOW, RefusedError
from .letters import WORD, Inbox
from .publisher import Publisher
from .starting import Starting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..supervisor.accounts import Account
    from ..supervisor.log_pool import Pool
    from ..supervisor.tree import Tree
    from .home import Home

_AGAIN_SECONDS = 1.0
_LOG_FAILED = 111 << 8


class Supervised:
    """A service directory that this process supervises. Errors of its own stay its own."""

    __slots__ = (
        "_arms",
        "_inbox",
        "_letters",
        "_publisher",
        "_saved",
        "_scripting",
        "_started",
        "_starting",
        "asked",
        "files",
        "home",
        "killed",
        "last_end",
        "leaving",
        "log_files",
        "must_prepare",
        "pool",
        "service",
        "tree",
    )

    def __init__(self, tree: Tree, home: Home, *, is_new: bool) -> None:
        """Take the service in `home`; RefusedError when it cannot be. Nothing runs until `begin`, when it `is_new`, or `resume`.

        last_end: the wait status of ./run when it last ended, None until then; asked: whether somebody has told it something, and what
        follows is not done; killed: the process that was sent KILL, or may have been by a supervisor before; 0 for none.
        """
        self.tree = tree
        self.home = home
        home.inhabitant = self
        self.leaving = self.asked = False
        self.last_end: int | None = None
        self.killed = 0
        self.pool: Pool | Account | None = None
        self.must_prepare = False
        self._arms = (0, 0)
        self._letters = ("", "", "")
        self._inbox = Inbox(self)
        self._saved = b""
        self._started = [0, 0, 0]
        self._scripting = 0
        self.files = home.supervise("", is_new=is_new)
        self.log_files = home.supervise("log/", is_new=is_new) if self._has_log() else None
        self._starting = Starting(self)
        self._publisher = Publisher(self)
        self.service = self._first() if is_new else Service(now=0)

    @property
    def identity(self) -> records.Identity:
        """Which directory it is, and where it was found."""
        return self.home.identity

    @property
    def slot(self) -> int:
        """Its place in the table; 0: none yet."""
        return self.home.slot

    @slot.setter
    def slot(self, slot: int) -> None:
        self.home.slot = slot

    @property
    def closed(self) -> bool:
        """Whether it is gone."""
        return self.home.closed

    def enter(self) -> None:
        """Take the free slot, before anything can be spawned: who finds no intent believes that nothing was. May raise OSError."""
        os.pwrite(self.tree.table, records.pack_slot(self.identity), records.offset(self.slot))
        self._inbox.open()
        self.save()

    def announce(self) -> None:
        """Have a status that counts before anything runs, as runsv: what runs may ask `sv` about itself, and tell it something."""
        self._publisher.announce()

    def begin(self) -> None:
        """Start a service that was not known before."""
        self.tell(Begin())
        # What is being started is published once it runs.
        for part in self.parts():
            if not part.alive and not self.service.script:
                self._publisher.changed(part.number)
        self.flush()

    def resume(self, found: recovery.Recovery, started: list[int], *, scripting: int, saved: bytes) -> None:
        """Go on with a service whose supervisor died.

        started: of the processes as they were found, scripting: of the script; saved: what is written down.
        """
        self._scripting, self._saved = scripting, saved
        self.service = found.service
        self._started = started
        if self.service.main.signalled or self.service.main.signals:
            self.killed = self.service.main.pid
        # A log/ that came or went meanwhile counts from the next start on.
        if found.service.log is None and self.log_files is not None:
            self.service.log = Part(LOG, now=time.time_ns(), want=self._first_want("log/down"))
        elif self.log_files is None:
            self.service.log = None
        if self.service.closing and self.pool is None:
            self.tree.close_log(self)
        for part, letter in found.letters:
            self._keep_letter(part, letter)
        self._inbox.open()
        self._starting.listen()
        self._publisher.all_changed()
        self._do_again(found)
        for part, letter in found.letters:
            self._keep_letter(part, "")
            if part == WORD:
                self._starting.hear(letter)
            else:
                self.tell(Letter(part, letter))
        self.tell(Begin())
        for part, status in found.ended:
            self._end(part, status)
        if found.script_succeeded is not None:
            self.tell(ScriptEnded(succeeded=found.script_succeeded))
        if self.service.script:
            self.scripted()

    def scripted(self) -> None:
        """A control script was asked for, or runs: letters wait for it."""
        self._inbox.look_behind_script()

    def _keep_letter(self, part: int, letter: str) -> None:
        main, log, word = self._letters
        self._letters = (letter, log, word) if part == MAIN else (main, letter, word) if part == LOG else (main, log, letter)

    def _do_again(self, found: recovery.Recovery) -> None:
        """Do what was to be done when the supervisor before died."""
        for number in found.spawn:
            self._starting.spawn(number, self.service.part(number).state, arguments_of(self.service.part(number)))
        self._perform(tuple(Signal(part, number) for part, number in found.signal))
        if found.run_script:
            self._starting.script(self.service.script)

    def tell(self, event: Event) -> None:
        """Let `event` move the service, and do what follows from it; what that is was written down before, if it could be."""
        actions = step(self.service, event, time.time_ns(), time.monotonic_ns())
        self._inbox.mask()
        self.save()
        self._perform(actions)

    def started(self, key: int, pid: int, when: int) -> None:
        """The keeper made the process that was asked for."""
        self._note_started(key, pid, when)
        if key == MAIN:
            self._starting.settled()

    def _note_started(self, key: int, pid: int, when: int) -> None:
        if key == records.SCRIPT:
            self._scripting = when
        else:
            self._started[key] = when
            part = self.service.part(key)
            if key == MAIN and (part.signals or part.signalled):
                self.killed = pid  # told so before it was there
            self.asked = self.asked and key != MAIN
            self.tell(Started(key, pid, when))

    def ended(self, key: int, pid: int, status: int) -> None:
        """A process ended, and nobody but us will act on it."""
        if key == records.SCRIPT:
            self._started[key] = self._scripting
            self.tell(ScriptEnded(succeeded=status == 0))
        elif pid == self.service.part(key).pid and not self.service.has_heard_of_end(key):
            self._end(key, status)

    def _end(self, key: int, status: int) -> None:
        """A process of a part is over: tally it if it was ./run, then act on it.

        So ./finish finds it in the tally, and whoever comes after us when we are killed in between tallies it: the record says that it
        is not acted upon.
        """
        main = self.service.main
        if key == MAIN and main.state == RUN:
            self.last_end = status
            if status == SIGKILL and self.killed != main.pid:
                self.tree.tell_killed(self)
            try:
                endings.add(self.files, time.time_ns(), main.since, status)
            except (RefusedError, OSError):
                pass  # a full disk: of that, the status files tell already
        elif key == MAIN and has_failed_to_sweep(self.service, status):
            self.warn(f"what was left behind may be there still, since its sweeper ended: {detail.ending(status)}; trying again")
        self.tell(self._ended_event(key, status))

    def signalled(self, key: int, count: int) -> None:
        """The process of a part has got so many signals. What is said before it has started is about the one before."""
        if key == records.SCRIPT:
            return
        part = self.service.part(key)
        if part.pid and not part.spawning:
            part.confirm(count)
            self._inbox.mask()
            self.save()

    def doors(self) -> dict[int, int]:
        """Give what is open and can be held by others too, by its kind."""
        found = self.files.doors()
        if self.log_files is not None:
            found |= self.log_files.doors()
        if self._starting.word >= 0:
            found[holder.WORD] = self._starting.word
        return found

    def take_again(self) -> bool:
        """Have open again what whoever was killed had held; False, after saying why, when not all of it can be now: then as before.

        What was taken in vain would be in the way of others: nobody holds it, so it could not be closed to make room.
        """
        before = [files.doors().values() for files in self.home.files]
        was_open = self.home.is_open
        try:
            for files in self.home.files:
                files.take_again()
        except RefusedError as refusal:
            self.warn(str(refusal))
            for files, doors in zip(self.home.files, before, strict=True):
                files.shed(but=doors)
            if not was_open:
                self.home.close_directory()
            return False
        return True

    def log_started(self, pid: int) -> None:
        """A pool keeps the log, and can be told what there was nobody to tell."""
        if not self.closed:
            self.tell(Started(LOG, pid))
            self._signal_again(self.service.part(LOG))

    def log_waits(self, since: int, reason: int) -> None:
        """The log cannot be written since `since`, for a reason; 0: it can."""
        if not self.closed and self.service.beyond.log_waits != since:
            self.tell(LogWaits(since, reason))

    def log_ended(self, status: int, *, unread: bool = False) -> None:
        """The log's logger ended in its pool; unread: with it, so that lines may stand in the FIFO."""
        if not self.closed:
            self.tell(Ended(LOG, status, unread=unread))

    def pool_died(self, *, at_once: bool) -> None:
        """The pool that kept the log was killed; at_once: another may be asked for now, without the second after a short run."""
        if self.leaving and self._is_log_removed():
            self.log_lost()
            return
        self.log_ended(SIGKILL, unread=True)
        if at_once and not self.closed:
            self.tell(Due(LOG))

    def log_lost(self) -> None:
        """Nobody can go on with the log: it was removed."""
        if not self.closed:
            self.tell(Letter(LOG, "d"))
            self.log_ended(_LOG_FAILED)

    def log_failed(self, reason: str) -> None:
        """The pool, or what leads to it, could not keep the log: as if rsvlog had failed."""
        self.must_prepare = False
        self.warn(f"log: {reason}")
        self.log_ended(_LOG_FAILED)

    def failed(self, key: int, reason: bytes) -> None:
        """No process could be made: as runsv, try again later."""
        try:
            self.put_off(f"unable to fork, sleeping: {reason.decode()}")
        finally:
            self._starting.failed(key)

    def start_nothing(self) -> None:
        """Nobody will make what processes were asked for: end without them."""
        for part in self.parts():
            if part.spawning and not self.closed:
                self.tell(Ended(part.number, UNKNOWN))
        self._starting.settled()

    def put_off(self, why: str) -> None:
        """Say why something of it does not start for now, and show it as it is meanwhile."""
        self.warn(why)
        for part in self.parts():
            self._publisher.changed(part.number)
        self.flush(late=True)

    def reconcile(self, key: int, found: records.Process) -> None:
        """Believe what was found out about a process after its parent died, instead of what that has not told."""
        if key == records.SCRIPT:
            if self.service.script and found.started == self._started[key]:
                self._starting.script(self.service.script)
            elif self.service.script and found.life != records.LIVE:
                self._scripting = found.started
                self.ended(key, found.pid, found.status)
            if self.service.script and not self.closed:
                self.tell(Begin())  # what was to end it may have gone with its parent
            return
        if key == LOG and self.service.log is None:
            return
        if key == LOG and self.pool is not None:
            # A pool's log does not depend on the keeper; what makes its directory may not have happened.
            if self.service.part(LOG).spawning and self.slot not in self.pool.wanted and found.life != records.LIVE:
                self._starting.spawn(LOG, RUN, ())
            return
        part = self.service.part(key)
        if part.spawning:
            if found.started == self._started[key]:
                self._starting.spawn(key, part.state, arguments_of(part))
                self._signal_again(part)
                return
            self._note_started(key, found.pid, found.started)
        if part.pid and found.life == records.ENDED:
            self.ended(key, part.pid, found.status)
        elif part.pid:
            self.signalled(key, found.signals)
            self._signal_again(part)

    def _signal_again(self, part: Part) -> None:
        self._perform(tuple(Signal(part.number, number) for number in part.signals))

    def known(self) -> list[tuple[int, int]]:
        """Give (key, pid) of the processes that this service believes to live."""
        return [(part.number, part.pid) for part in self.parts() if part.pid]

    def entry(self) -> str:
        """Give the path by which it has its place in the tree's directory; empty where there is none."""
        return self.tree.entry(self.identity.name)

    @property
    def may_end(self) -> bool:
        """Whether there is a process of it that ends when it is killed: no log that nobody keeps yet, or that hangs in its pool."""
        service = self.service
        log_waits = self.pool is not None and bool(service.beyond.log_waits)
        return service.main.alive or bool(service.script) or (service.log is not None and service.log.pid != 0 and not log_waits)

    def end_script(self) -> None:
        """Let the control script that runs end now, and none follow, whatever its settings say."""
        service = self.service
        if service.script:
            self.tell(Overdue(MAIN, service.beyond.ending_since or service.stop_waits_since))

    def parts(self) -> list[Part]:
        return [self.service.main] if self.service.log is None else [self.service.main, self.service.log]

    def warn(self, text: str) -> None:
        """Say something about this service as runsv says it."""
        self.tree.report(f"runsv {os.fsdecode(self.identity.name)}: warning: {text}")

    def close(self) -> None:
        """Let go of the directory."""
        self._starting.close()
        self._inbox.close()
        self.home.close()

    def _has_log(self) -> bool:
        try:
            return self.home.has_log()
        except NotADirectoryError:
            self.warn("./log: not a directory.")
        except OSError as error:
            text = f"unable to stat() ./log: {errors.words(error)}"
            if error.errno in NOT_NOW:
                raise RefusedError(text) from None
            self.warn(text)
        return False

    def _is_log_removed(self) -> bool:
        try:
            os.stat("log", dir_fd=self.home.fd)
        except FileNotFoundError:
            return True
        except OSError:
            pass
        return False

    def _first(self) -> Service:
        log_want = self._first_want("log/down") if self.log_files is not None else None
        return Service(now=time.time_ns(), want=self._first_want("down"), log_want=log_want)

    def _first_want(self, path: str) -> int:
        """Give what is wanted of a part at first; OSError when nobody can tell now."""
        try:
            os.stat(path, dir_fd=self.home.fd)
        except OSError as error:
            if error.errno in NOT_NOW:
                raise
            return WANT_UP
        return WANT_DOWN

    def _ended_event(self, part: int, status: int) -> Ended:
        if part == LOG or self.closed:
            return Ended(part, status)
        finish = self.service.main.state == RUN and self._is_readable("finish")
        try:
            most = max(0, self.milliseconds(settings.MAX_DELAY)) * 1_000_000
        except OSError:
            most = self.service.beyond.rest  # no longer than it was before
        return Ended(part, status, finish=finish, sweep=self.is_swept, most=most)

    @property
    def is_swept(self) -> bool:
        """Whether what is left behind is to be killed; when nobody can tell now, whether it could be found."""
        try:
            return self.milliseconds(settings.KILL_ORPHANS) >= 0
        except FileNotFoundError:
            return False  # and nobody would find out how
        except OSError:
            return self._starting.sweeps

    def milliseconds(self, name: str) -> int:
        """Give what a setting says; one that says nothing of use is told, and counts as absent. OSError when nobody can tell now."""
        try:
            return settings.milliseconds(self.home.fd, name)
        except ValueError as error:
            self.warn(str(error))
            return settings.ABSENT

    def _is_readable(self, path: str) -> bool:
        return os.access(path, os.R_OK, dir_fd=self.home.fd, effective_ids=True)

    def _perform(self, actions: tuple[Action, ...]) -> None:
        for action in actions:
            if self.closed:
                return
            # One that fails is in no other's way: what the service waits for, an end or a control script, may be among them.
            self.tree.loop.guarded(self._do, action)

    def _do(self, action: Action) -> None:
        match action:
            case Signal(part, number):
                self._signal(part, number)
            case Spawn(part, role, arguments):
                self._starting.spawn(part, role, arguments)
            case Publish(part):
                self._publisher.changed(part)
                self.tree.publishing.changed(self)
            case Script(letter):
                self._starting.script(letter)
            case Arm(part, delay):
                self._arm(part, delay / 1e9)
            case Bound(part, role, pid, since):
                self._bound(part, role, pid, since)
            case EndScript():
                self.tree.signal(self, records.SCRIPT, SIGKILL)
            case CloseLog():
                self.tree.close_log(self)
            case Exit():
                try:
                    self.flush()
                finally:
                    self.tree.exited(self)
            case _:
                raise ValueError(f"no action of a service: {action!r}")

    def _signal(self, part: int, number: int) -> None:
        count = self.tree.signal(self, part, number)
        if count is not None:
            # It is known already that it was sent.
            self.service.part(part).confirm(count)
            self._inbox.mask()
            self.save()

    def _arm(self, part: int, seconds: float) -> None:
        """Let the pause of a part end in `seconds`, and not when an earlier one was to end."""
        number = self._arms[part] + 1
        self._arms = (number, self._arms[LOG]) if part == MAIN else (self._arms[MAIN], number)
        self.tree.loop.after(seconds, lambda: self._due(part, number))

    def _bound(self, part: int, role: int, pid: int, since: int, *, told: bool = False) -> None:
        """Let a process that is to end since `since` run as long as its setting says, at most; told: that it is not known was said."""
        name = settings.TIMEOUT_FINISH if role == FINISH else settings.TIMEOUT_KILL
        try:
            after = self.milliseconds(name) * 1_000_000
        except OSError as error:
            if not told:
                self.warn(f"unable to read {name}, sleeping: {errors.words(error)}")
            self.tree.loop.after(_AGAIN_SECONDS, lambda: self._bound_again(part, role, pid, since))
            return
        if after > 0:
            # Never longer, whichever namespace of time the supervisor before lived in.
            left = min(after, max(0, since + after - time.monotonic_ns()))
            self._publisher.kill_at = (pid, time.time_ns() + left)
            self._publisher.changed(part)
            self.tree.publishing.changed(self)
            self.tree.loop.after(left / 1e9, lambda: self._overdue(part, since))

    def _bound_again(self, part: int, role: int, pid: int, since: int) -> None:
        if not self.closed and since in {self.service.beyond.ending_since, self.service.stop_waits_since}:
            self._bound(part, role, pid, since, told=True)

    def _overdue(self, part: int, since: int) -> None:
        if not self.closed:
            self.tell(Overdue(part, since))

    def _due(self, part: int, number: int) -> None:
        if not self.closed and self._arms[part] == number:
            self.tell(Due(part))

    def save(self) -> None:
        """Write down what this service is and wants, when that changed."""
        if self.slot == 0 or self.closed:
            return
        started = (self._started[0], self._started[1], self._started[2])
        packed = records.pack_intent(recovery.intent_of(self.service, started=started, letters=self._letters))
        if packed != self._saved and self.tree.notes.write(packed, records.offset(self.slot) + records.INTENT_AT, self.save):
            self._saved = packed

    def show(self) -> None:
        """Write the status of the main part now, whether it changed or was never written."""
        self._publisher.changed(MAIN)
        self.flush()

    def flush(self, *, late: bool = False) -> bool:
        """Write the status of what changed; True when something is left for a `late` flush."""
        return self._publisher.flush(late=late)
