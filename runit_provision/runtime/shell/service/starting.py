"""How the processes of a service are asked for: ./run and ./finish with all that their settings give them, the log, control scripts."""

from __future__ import annotations

import errno
import os

from ...core.events import Notified, ScriptEnded
from ...core.part import LOG
from ...core.service import arguments_of, expect_notification
from ...wire import errors, holder, keeper, records
from ...wire.status import FINISH, RUN
from . import access, settings
from .files import NOT_NOW, RefusedError
from .letters import WORD
from .readiness import Readiness

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .supervised import Supervised

_RETRY_SECONDS = 5.0
_AGAIN_SECONDS = 1.0


class Starting:
    """Asks the tree of `owner` for its processes, and hears the word of those that say when they are ready.

    sweeps: whether what the process that is there leaves behind can be found again, as far as is known: a supervisor before may have
    started it. What a setting says that cannot be read when a process is asked for is what it said before.
    """

    __slots__ = ("_awaits", "_descriptor", "_owner", "_readiness", "_shares_later", "sweeps")

    def __init__(self, owner: Supervised) -> None:
        self._owner = owner
        self.sweeps = True
        self._descriptor = -1  # for the word of a run, as it was read last
        self._shares_later = False
        self._readiness: Readiness | None = None  # few services say when they are ready
        self._awaits = False
        self._share()

    @property
    def word(self) -> int:
        """The FIFO that the run that is there says it is ready by; -1 for none."""
        return -1 if self._readiness is None else self._readiness.fd

    def spawn(self, part: int, role: int, arguments: tuple[str, ...]) -> None:
        """Ask for a process of a part; what it could not be asked for by is told, and it is asked for again."""
        try:
            self._ask(part, role, arguments)
        except OSError as error:
            self._owner.failed(part, errors.text(error.errno or 0))

    def _ask(self, part: int, role: int, arguments: tuple[str, ...]) -> None:
        owner = self._owner
        if role == FINISH:
            owner.flush()  # ./finish can ask what was meant
        if part == LOG:
            owner.tree.spawn(owner, part, keeper.LOG_RUN, arguments)
            return
        notify, kind = None, keeper.RUN if role == RUN else keeper.FINISH
        if role == FINISH and owner.service.beyond.sweep:
            # How long it waits before KILL it is to know.
            patience = owner.milliseconds(settings.KILL_ORPHANS) if owner.tree.patient else 0
            kind, arguments, self.sweeps = keeper.SWEEP, (str(max(0, patience)),), True
        else:
            try:
                self.sweeps = owner.milliseconds(settings.KILL_ORPHANS) >= 0
            except OSError:
                pass
        if role == RUN:
            self._share()
            descriptor = self._expect_word()
            notify = (descriptor, self.word) if descriptor else None
        owner.tree.spawn(owner, part, kind, arguments, notify=notify, swept=self.sweeps)

    def script(self, letter: str, *, waits: bool = True) -> None:
        """Ask for the control script of a letter; one that is not there has failed.

        waits: whether until the process that it is about is there, whose pid it may ask for.
        """
        owner = self._owner
        self._awaits = False
        path = f"control/{letter}"
        try:
            executable = os.stat(path, dir_fd=owner.home.fd).st_mode & 0o100
        except FileNotFoundError:
            executable = 0
        except OSError as error:
            owner.warn(f"unable to stat {path}: {errors.words(error)}")
            executable = 0
        if not executable or owner.service.hurries:
            owner.tell(ScriptEnded(succeeded=False))
        elif waits and owner.service.main.spawning:
            self._awaits = True
        else:
            owner.show()  # a control script may ask what is wanted, the first control/u too
            try:
                leads = owner.milliseconds(settings.TIMEOUT_KILL) > 0
                owner.tree.spawn(owner, records.SCRIPT, keeper.CONTROL, (letter,), leads=leads)
            except OSError as error:
                owner.failed(records.SCRIPT, errors.text(error.errno or 0))
            else:
                owner.scripted()

    def settled(self) -> None:
        """The process of the main part that was asked for is there, or will not be: go on with the control script that awaits it."""
        if self._awaits and not self._owner.closed:
            self.script(self._owner.service.script, waits=False)

    def failed(self, key: int) -> None:
        """No process could be made: as runsv, try again later."""
        if key == records.SCRIPT:
            self._owner.tell(ScriptEnded(succeeded=False))
        else:
            self._owner.tree.loop.after(_RETRY_SECONDS, lambda: self._again(key))
            self.settled()

    def _again(self, key: int) -> None:
        part = self._owner.service.part(key)
        if not self._owner.closed and part.spawning:
            self.spawn(key, part.state, arguments_of(part))

    def _share(self, *, again: bool = False) -> None:
        """Let those control it who are to, from the start on; what changed there counts from the next start of ./run.

        Once that cannot be now, it is said, and tried again until it can be.
        """
        owner = self._owner
        waited, self._shares_later = self._shares_later, False
        try:
            access.share(owner.home.fd, ("", "log/") if owner.log_files else ("",))
        except OSError as error:
            self._shares_later = error.errno in NOT_NOW
            if not (waited and self._shares_later):
                owner.warn(f"unable to give control away: {errors.words(error)}")
            if self._shares_later and (again or not waited):
                owner.tree.loop.after(_AGAIN_SECONDS, self._share_again)

    def _share_again(self) -> None:
        if self._shares_later and not self._owner.closed:
            self._share(again=True)

    def _expect_word(self) -> int:
        """Have a way for a new run to say that it is ready; give the descriptor that it expects, 0 for none.

        OSError when there may be one later: it would be a run without what it says that by.
        """
        owner = self._owner
        try:
            descriptor = self._descriptor_for_word()
            if descriptor:
                self._hearing().renew()
            elif self._readiness is not None:
                self._readiness.close()
            else:
                return 0
        except RefusedError as refusal:
            # That we have no room for it may be so for good.
            if refusal.number in NOT_NOW - {errno.EMFILE}:
                raise OSError(refusal.number, str(refusal)) from None
            owner.warn(str(refusal))
            return 0
        self._hold_word()
        if descriptor:
            expect_notification(owner.service)
            owner.save()
        return descriptor

    def _descriptor_for_word(self) -> int:
        try:
            self._descriptor = settings.notification_descriptor(self._owner.home.fd)
        except ValueError as problem:
            self._owner.warn(str(problem))
            self._descriptor = 0
        except OSError:
            if self._descriptor < 0:
                raise
        return self._descriptor

    def listen(self, *, told: bool = False) -> None:
        """Hear the word of a run that was started by the supervisor before, as soon as that can be; told: that it could not was said.

        Until then others hold its FIFO, and nobody else does: without a reader a word is SIGPIPE.
        """
        owner = self._owner
        if owner.closed or self.word >= 0 or not owner.service.beyond.notifies:
            return
        try:
            self._hearing().resume()
        except RefusedError as refusal:
            if not told:
                owner.warn(str(refusal))
            owner.tree.loop.after(_AGAIN_SECONDS, lambda: self.listen(told=True))
        else:
            self._hold_word()

    def close(self) -> None:
        """Listen no more."""
        if self._readiness is not None:
            self._readiness.close()

    def _hearing(self) -> Readiness:
        if self._readiness is None:
            self._readiness = Readiness(self._owner.files, self._owner.tree.loop, self)
        return self._readiness

    def _hold_word(self) -> None:
        if self.word >= 0:
            self._owner.tree.holders.hold(self._owner, (holder.WORD,))
        else:
            self._owner.tree.holders.drop(self._owner, holder.WORD)

    @property
    def expects_word(self) -> bool:
        """Whether the run has not said yet that it is ready."""
        beyond = self._owner.service.beyond
        return beyond.notifies and not beyond.ready

    def read_word(self, fd: int) -> str:
        """Take one byte of what a run says; empty when there is none."""
        return self._owner.tree.letters.read(fd, self._owner.slot, WORD)

    def hear(self, byte: str) -> None:
        """Act on what a run has said."""
        if byte == "\n":
            self._owner.tell(Notified())
        self._owner.tree.letters.done(self._owner.slot, WORD)
