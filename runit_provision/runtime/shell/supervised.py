"""One service: its life (core.service) joined to its directory, its record and its processes."""

from __future__ import annotations

import os
import time

from ..core import recovery
from ..core.actions import Action, Arm, Bound, CloseLog, Exit, Publish, Script, Signal, Spawn
from ..core.events import Begin, Due, Ended, Event, Letter, Overdue, ScriptEnded, Started
from ..core.service import LOG, MAIN, Part, Service, arguments_of, step
from ..wire import keeper, records
from ..wire.status import RUN, WANT_DOWN, WANT_UP
from . import endings
from .files import RefusedError, Supervise
from .loop import EPOLLIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .loggers import Pool
    from .tree import Tree

_RETRY_SECONDS = 5.0
_SIGNALS_OF_A_LETTER = 2
"""At most: TERM and CONT."""


class Supervised:
    """A service directory that this process supervises. Errors of its own stay its own."""

    __slots__ = (
        "_dirty",
        "_letters",
        "_masked",
        "_saved",
        "_scripting",
        "_started",
        "directory",
        "files",
        "identity",
        "leaving",
        "log_files",
        "must_prepare",
        "pool",
        "service",
        "slot",
        "tree",
    )

    def __init__(self, tree: Tree, directory: int, identity: records.Identity) -> None:
        """Take the service whose directory is open; RefusedError when it cannot be. Nothing runs until `begin` or `resume`."""
        self.tree = tree
        self.directory = directory
        self.identity = identity
        self.slot = 0
        self.leaving = False
        self.pool: Pool | None = None
        self.must_prepare = False
        self._dirty: set[int] = set()
        self._letters = ("", "")
        self._masked: set[int] = set()
        self._saved = b""
        self._started = [0, 0, 0]
        self._scripting = 0
        self.files = Supervise(directory, "")
        self.log_files: Supervise | None = None
        try:
            if self._has_log():
                self.log_files = Supervise(directory, "log/")
        except BaseException:
            self.files.close()
            raise
        now = time.time_ns()
        log_want = self._first_want("log/down") if self.log_files is not None else None
        self.service = Service(now=now, want=self._first_want("down"), log_want=log_want)

    def begin(self, slot: int) -> None:
        """Start a service that was not known before, in a free slot."""
        self.slot = slot
        os.pwrite(self.tree.table, records.pack_slot(self.identity), records.offset(slot))
        self._open()
        # Before anything can be spawned for it: who finds no intent believes that nothing was.
        self._save()
        self.tell(Begin())
        # What is being started is published once it runs.
        for part in self._parts():
            if not part.alive and not self.service.script:
                self._dirty.add(part.number)
        self.flush()

    def resume(self, slot: int, found: recovery.Recovery, started: list[int], *, scripting: int) -> None:
        """Go on with a service whose supervisor died; started: of the processes as they were found, scripting: of the script."""
        self.slot = slot
        self._scripting = scripting
        self.service = found.service
        self._started = started
        # A log/ that came or went meanwhile counts from the next start on.
        if found.service.log is None and self.log_files is not None:
            self.service.log = Part(LOG, now=time.time_ns(), want=self._first_want("log/down"))
        elif self.log_files is None:
            self.service.log = None
        if self.service.closing and self.log_files is not None and self.pool is None:
            self.log_files.close_pipe()
        self._letters = ("", "")
        for part, letter in found.letters:
            self._letters = (letter, self._letters[1]) if part == MAIN else (self._letters[0], letter)
        self._open()
        self._publish_all()
        self._do_again(found)
        for part, letter in found.letters:
            self._letters = ("", self._letters[1]) if part == MAIN else (self._letters[0], "")
            self.tell(Letter(part, letter))
        self.tell(Begin())
        for part, status in found.ended:
            self._end(part, status)
        if found.script_succeeded is not None:
            self.tell(ScriptEnded(succeeded=found.script_succeeded))

    def _do_again(self, found: recovery.Recovery) -> None:
        """Do what was to be done when the supervisor before died."""
        for number in found.spawn:
            self._spawn(number, self.service.part(number).state, arguments_of(self.service.part(number)))
        self._perform(tuple(Signal(part, number) for part, number in found.signal))
        if found.run_script:
            self._script(self.service.script)

    def tell(self, event: Event) -> None:
        """Let `event` move the service, and do what follows from it; what that is was written down before."""
        actions = step(self.service, event, time.time_ns())
        self._mask()
        self._save()
        self._perform(actions)

    def started(self, key: int, pid: int, when: int) -> None:
        """The keeper made the process that was asked for."""
        if key == records.SCRIPT:
            self._scripting = when
        else:
            self._started[key] = when
            self.tell(Started(key, pid))

    def ended(self, key: int, pid: int, status: int) -> None:
        """A process ended, and nobody but us will act on it."""
        if key == records.SCRIPT:
            self._started[key] = self._scripting
            self.tell(ScriptEnded(succeeded=status == 0))
        elif pid == self.service.part(key).pid:
            self._end(key, status)

    def _end(self, key: int, status: int) -> None:
        """A process of a part is over: act on it, then tally it if it was ./run."""
        main = self.service.main
        counts, since = key == MAIN and main.state == RUN, main.since
        self.tell(self._ended_event(key, status))
        if counts and self.directory >= 0:
            try:
                endings.add(self.files, endings.line(time.time_ns(), since, status))
            except (RefusedError, OSError):
                pass  # a full disk: of that, the status files tell already

    def signalled(self, key: int, count: int) -> None:
        """The process of a part has got so many signals. What is said before it has started is about the one before."""
        part = self.service.part(key)
        if part.pid and not part.spawning:
            part.confirm(count)
            self._mask()
            self._save()

    def fifos(self) -> tuple[int, ...]:
        """Give the descriptors of what holds lines and letters."""
        log = self.log_files
        return (self.files.control,) if log is None else tuple(fd for fd in (log.pipe, self.files.control, log.control) if fd >= 0)

    def log_started(self, pid: int) -> None:
        """A pool keeps the log."""
        if self.directory >= 0:
            self.tell(Started(LOG, pid))

    def log_ended(self, status: int) -> None:
        """The log's logger ended in its pool, or with it."""
        if self.directory >= 0:
            self.tell(Ended(LOG, status))

    def failed(self, key: int, reason: bytes) -> None:
        """No process could be made: as runsv, try again later."""
        self.warn(f"unable to fork, sleeping: {reason.decode()}")
        self._publish_all()
        if key == records.SCRIPT:
            self.tell(ScriptEnded(succeeded=False))
        else:
            self.tree.loop.after(_RETRY_SECONDS, lambda: self._again(key))

    def reconcile(self, key: int, found: records.Process) -> None:
        """Believe what was found out about a process after its parent died, instead of what that has not told."""
        if key == records.SCRIPT:
            if self.service.script and found.started == self._started[key]:
                self._script(self.service.script)
            elif self.service.script and found.life != records.LIVE:
                self._scripting = found.started
                self.ended(key, found.pid, found.status)
            return
        if key == LOG and self.service.log is None:
            return
        if key == LOG and self.pool is not None:
            # A pool's log does not depend on the keeper; what makes its directory may not have happened.
            if self.service.part(LOG).spawning and self.slot not in self.pool.wanted and found.life != records.LIVE:
                self._spawn(LOG, RUN, ())
            return
        part = self.service.part(key)
        if part.spawning:
            if found.started == self._started[key]:
                self._spawn(key, part.state, arguments_of(part))
                self._signal_again(part)
                return
            self.started(key, found.pid, found.started)
        if part.pid and found.life == records.ENDED:
            self.ended(key, part.pid, found.status)
        elif part.pid:
            self.signalled(key, found.signals)
            self._signal_again(part)

    def _signal_again(self, part: Part) -> None:
        self._perform(tuple(Signal(part.number, number) for number in part.signals))

    def known(self) -> list[tuple[int, int]]:
        """Give (key, pid) of the processes that this service believes to live."""
        return [(part.number, part.pid) for part in self._parts() if part.pid]

    def _parts(self) -> list[Part]:
        return [self.service.main] if self.service.log is None else [self.service.main, self.service.log]

    def warn(self, text: str) -> None:
        """Say something about this service as runsv says it."""
        self.tree.report(f"runsv {os.fsdecode(self.identity.name)}: warning: {text}")

    def close(self) -> None:
        """Let go of the directory."""
        for files in (self.files, self.log_files):
            if files is not None:
                self.tree.loop.forget(files.control)
                files.close()
        if self.directory >= 0:
            os.close(self.directory)
            self.directory = -1

    def _open(self) -> None:
        """Listen to letters. An open `ok` vouches for the status, so the first one published opens it (see flush)."""
        self.tree.loop.watch(self.files.control, lambda: self._read_letters(MAIN, self.files.control))
        log = self.log_files
        if log is not None:
            self.tree.loop.watch(log.control, lambda: self._read_letters(LOG, log.control))

    def _has_log(self) -> bool:
        try:
            found = os.stat("log", dir_fd=self.directory)
        except FileNotFoundError:
            return False
        except OSError as error:
            self.warn(f"unable to stat() ./log: {error.strerror}")
            return False
        if found.st_mode & 0o170000 == 0o040000:
            return True
        self.warn("./log: not a directory.")
        return False

    def _first_want(self, path: str) -> int:
        try:
            os.stat(path, dir_fd=self.directory)
        except OSError:
            return WANT_UP
        return WANT_DOWN

    def _read_letters(self, part: int, fd: int) -> None:
        # One at a time: what a control script keeps waiting stays in the FIFO.
        while part not in self._masked and self.directory >= 0:
            letter = self.tree.letters.read(fd, self.slot, part)
            if not letter:
                return
            self.tell(Letter(part, letter))
            if self.directory >= 0:
                self.tree.letters.done(self.slot, part)

    def _ended_event(self, part: int, status: int) -> Ended:
        finish = part == MAIN and self.service.main.state == RUN and self._is_readable("finish")
        return Ended(part, status, finish=finish)

    def _is_readable(self, path: str) -> bool:
        return os.access(path, os.R_OK, dir_fd=self.directory, effective_ids=True)

    def _perform(self, actions: tuple[Action, ...]) -> None:
        confirmed = False
        for action in actions:
            if self.directory < 0:
                return
            match action:
                case Spawn(part, role, arguments):
                    self._spawn(part, role, arguments)
                case Publish(part):
                    self._dirty.add(part)
                    self.tree.unpublished(self)
                case Signal(part, number):
                    confirmed |= self._signal(part, number)
                case Script(letter):
                    self._script(letter)
                case Arm(part, delay):
                    self.tree.loop.after(delay / 1e9, lambda part=part: self._due(part))  # type: ignore[misc]
                case Bound(part, pid):
                    self._bound(part, pid)
                case CloseLog():
                    self.tree.close_log(self)
                case Exit():
                    self.flush()
                    self.tree.exited(self)
                    return
                case _:
                    raise ValueError(f"no action of a service: {action!r}")
        if confirmed:
            self._mask()
            self._save()

    def _signal(self, part: int, number: int) -> bool:
        """Send a signal; True when it is known already that it was sent."""
        count = self.tree.signal(self, part, number)
        if count is not None:
            self.service.part(part).confirm(count)
        return count is not None

    def _bound(self, part: int, pid: int) -> None:
        """Let a service that was sent TERM run for `timeout-kill` milliseconds more, at most; s6's file of the same name."""
        try:
            after = endings.milliseconds(self.directory)
        except ValueError as error:
            self.warn(str(error))
        else:
            if after:
                self.tree.loop.after(after / 1000, lambda: self._overdue(part, pid))

    def _overdue(self, part: int, pid: int) -> None:
        if self.directory >= 0:
            self.tell(Overdue(part, pid))

    def _due(self, part: int) -> None:
        if self.directory >= 0:
            self.tell(Due(part))

    def _spawn(self, part: int, role: int, arguments: tuple[str, ...]) -> None:
        self.flush()
        kind = keeper.LOG_RUN if part == LOG else keeper.RUN if role == RUN else keeper.FINISH
        self.tree.spawn(self, part, kind, arguments)

    def _script(self, letter: str) -> None:
        path = f"control/{letter}"
        try:
            executable = os.stat(path, dir_fd=self.directory).st_mode & 0o100
        except FileNotFoundError:
            executable = 0
        except OSError as error:
            self.warn(f"unable to stat {path}: {error.strerror}")
            executable = 0
        if executable:
            self.flush()  # a control script may ask what is wanted
            self.tree.spawn(self, records.SCRIPT, keeper.CONTROL, (letter,))
        else:
            self.tell(ScriptEnded(succeeded=False))

    def _again(self, key: int) -> None:
        part = self.service.part(key)
        if self.directory >= 0 and part.spawning:
            self._spawn(key, part.state, arguments_of(part))

    def _mask(self) -> None:
        """Read no letters of a part that could not be acted upon, or whose signals could not be remembered."""
        if self.directory < 0:
            return
        for part in self._parts():
            files = self.files if part.number == MAIN else self.log_files
            busy = len(part.signals) > records.SIGNALS_MAX - _SIGNALS_OF_A_LETTER or bool(part.number == MAIN and self.service.script)
            if files is not None and busy != (part.number in self._masked):
                self._masked ^= {part.number}
                self.tree.loop.mind(files.control, 0 if busy else EPOLLIN)

    def _save(self) -> None:
        if self.slot == 0 or self.directory < 0:
            return
        started = (self._started[0], self._started[1], self._started[2])
        packed = records.pack_intent(recovery.intent_of(self.service, started=started, letters=self._letters))
        if packed != self._saved:
            os.pwrite(self.tree.table, packed, records.offset(self.slot) + records.INTENT_AT)
            self._saved = packed

    def flush(self) -> None:
        """Write the status of what changed; what cannot be written is tried again later."""
        if self.directory < 0:
            return
        failed = set()
        for number in sorted(self._dirty):
            files = self.files if number == MAIN else self.log_files
            if files is None:
                continue
            try:
                files.publish(self.service.part(number).status())
                files.open_ok()
            except RefusedError as refusal:
                if not self.leaving:
                    self.warn(str(refusal))
                    failed.add(number)
        self._dirty = failed
        if failed:
            self.tree.loop.after(_RETRY_SECONDS, self.flush)

    def _publish_all(self) -> None:
        self._dirty.update(part.number for part in self._parts() if not part.spawning)
        self.flush()
