"""A log's processor: `sh -c` over one rotated file after the other, in the background; svlogd(8) "PROCESSOR".

    @...u  what is to be processed   -> stdin        state     what the last one left   -> descriptor 4
    @...t  what comes of it          <- stdout       newstate  what this one leaves     <- descriptor 5

When it succeeds, .t becomes .s, newstate becomes state, and .u goes, in this order: so a .u beside a finished .s means that only
the last steps are missing. When it fails, or a signal ends it, .t goes and it is started again.

In a pool it outlives who started it, when another version takes that one's place or it is killed: the next one waits for it, by what
the journal tells, and goes on from there. That may not be its parent, so it says itself, by the mode of .t, that it has succeeded.
"""

from __future__ import annotations

import fcntl
import posix
import select

from .. import environment
from .steps import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal

    from .directory import Log
    from .steps import Steps

    Left = tuple[int, int, int]
    """A processor that somebody else has started: pid, start in clock ticks since boot, and the inode of what it processes."""
else:
    import _signal

ABOVE = 10
"""Descriptors from here on are in nobody's way in the child."""
SHELL = "/bin/sh"
# posix_spawn knows no working directory; this shell replaces itself by the one that C would have started, as that one is.
ENTER = b'cd -P /proc/self/fd/6 2>/dev/null || cd -- "$0" || exit 111; exec 6<&-; OLDPWD=$2; [ "$2" ] || unset OLDPWD; '
BECOME = ENTER + b'exec /bin/sh -c "$1" sh'
AWAIT = b"read -r OLDPWD <&7 || exit 111; exec 7<&-; "
"""With a witness: nothing is done before it is written down that this one is there, or another would do the same beside it."""
# Its own stderr is nobody's, or it would say there by which signal the other one has ended.
OUTLIVE = ENTER + b'exec 6>&2 2>/dev/null; /bin/sh -c "$1" sh 2>&6 6>&- || exit; chmod 744 /proc/self/fd/1; exit 0'
"""With a witness: the shell stays, and marks what a processor has made that succeeded."""
REST = b"/bin/sleep 1; "
"""What comes first where one has failed, however long that took: who waits for the processor's end waits, and nobody else."""
DEFAULT_SIGNALS = (
    _signal.SIGTERM,
    _signal.SIGALRM,
    _signal.SIGHUP,
    _signal.SIGCHLD,
    _signal.SIGPIPE,
    _signal.SIGXFSZ,
)


class Processor:
    """The processor of `log`.

    input: the name of the .u file that is processed; backlog: of those that wait, oldest first; fails: whether this file's has failed
    before.
    """

    __slots__ = ("_go", "_log", "backlog", "fails", "input", "pid", "pidfd")

    def __init__(self, log: Log) -> None:
        self._log = log
        self.backlog: tuple[str, ...] = ()
        self.pid = 0
        self.pidfd = -1
        self._go = -1  # to one that waits for it
        self.fails = False
        self.input = ""

    @property
    def output(self) -> str:
        """The name of the file that a running processor writes; nothing when none runs."""
        return self.input[:26] + "t" if self.pid else ""

    @property
    def started(self) -> Left:
        """What tells the processor that runs from any other; (0, 0, 0): none runs. OSError when that cannot be known now."""
        if not self.pid:
            return 0, 0, 0
        from ..process import starttime  # for the pool: svlogd has no use for it

        try:
            return self.pid, starttime(self.pid), posix.stat(self.input, dir_fd=self._log.directory).st_ino
        except FileNotFoundError:
            return 0, 0, 0  # somebody has removed it, and nobody would find that again

    def go_on(self, left: Left) -> None:
        """Wait for the processor that who logged here before had started, if it runs still, as if it had been started here. OSError."""
        from ..process import NO_PROCESS, starttime

        pid, start, inode = left
        try:
            pidfd = posix.pidfd_open(pid)
        except OSError as error:
            if error.errno in NO_PROCESS:
                return
            raise
        try:
            name = self._name_of(inode) if starttime(pid) == start else ""
        except OSError:
            posix.close(pidfd)
            raise
        if name:
            self.pid, self.pidfd, self.input = pid, pidfd, name
        else:
            posix.close(pidfd)

    def _name_of(self, inode: int) -> str:
        """Give the name of the .u file with this inode; nothing where it is done with. OSError."""
        for name in self._log.names():
            try:
                if name[26] == "u" and posix.stat(name, dir_fd=self._log.directory).st_ino == inode:
                    return name
            except FileNotFoundError:
                continue
        return ""

    def recover(self) -> None:
        """Take up every .u that is there, and complete what was complete but for the last steps."""
        log = self._log
        try:
            names = sorted(log.names())
        except OSError as error:
            log.warn(b"unable to read directory", error)
            return
        for name in names:
            if name[26] != "u" or name in self.backlog or name == self.input:
                continue
            made, finished = name[:26] + "t", name[:26] + "s"
            try:
                if made in names and self._is_done(made):
                    log.folder.rename(made, finished)
                elif finished not in names:
                    self.backlog += (name,)
                    continue
                if posix.stat(finished, dir_fd=log.directory).st_mode & 0o100:
                    self._take_over_state()
                    posix.unlink(name, dir_fd=log.directory)
                else:
                    posix.unlink(finished, dir_fd=log.directory)
                    self.backlog += (name,)
            except OSError as error:
                log.warn(b"unable to complete processed", error, name=log.name + b"/" + name.encode())

    def _is_done(self, made: str) -> bool:
        """Whether a processor has said that this is whole: not where the filesystem shows every file so, as of another system."""
        folder = self._log.folder
        told = posix.stat(made, dir_fd=folder.descriptor, follow_symlinks=False).st_mode & ~posix.fstat(folder.lock).st_mode
        return bool(told & 0o100)

    def start_next(self) -> Steps[None]:
        """Start the processor on the oldest file that waits, unless one runs, or HUP has taken it away."""
        while not self.pid and self.backlog and self._log.config.processor:
            self.input, *others = self.backlog
            self.backlog = tuple(others)
            self.fails = False
            yield from self._start()

    def finish(self) -> Steps[None]:
        """Wait until a running processor has succeeded, however often it fails."""
        while self.pid:
            yield Wait(self.pidfd)
            yield from self.reap()

    def reap(self) -> Steps[None]:
        """When the processor has ended, keep what it made, or start it again."""
        log = self._log
        status = self.bury()
        if status is None:
            return
        log.inform(b"sigchild received.")
        if log.directory < 0:
            self.input = ""  # HUP could not open it again: whoever can takes up what is there
            return
        if status or not (yield from self._keep()):
            log.warn(b"processor failed, restart")
            if not log.has_room():
                yield from log.make_room()
            self._remove(self.input[:26] + "t")
            if not log.config.processor:
                self.input = ""  # for the next one, if there ever is one: `recover` finds it
                return
            self.fails = True
            yield from self._start()
        else:
            self.input = ""
        yield from self.start_next()

    def bury(self) -> int | None:
        """Let go of a processor that has ended, and give its wait status; None: none has. What it made stays as it is."""
        status = self._status() if self.pid else None
        if status is None:
            return None
        posix.close(self.pidfd)
        self.pidfd = -1
        self.pid = 0
        self._tell()
        return status

    def _status(self) -> int | None:
        """Give the wait status of the processor, 1 for any that is not told; None: it runs."""
        try:
            pid, status = posix.waitpid(self.pid, posix.WNOHANG)
        except ChildProcessError:
            # Its parent is gone: only what it has left behind tells.
            waiting = select.poll()
            waiting.register(self.pidfd, select.POLLIN)
            if not waiting.poll(0):
                return None
            try:
                return 0 if self._is_done(self.output) else 1
            except OSError:
                return 1
        return status if pid else None

    def _tell(self) -> None:
        if self._log.witness is not None:
            self._log.witness.processing()

    def _remove(self, name: str) -> None:
        try:
            posix.unlink(name, dir_fd=self._log.directory)
        except OSError:
            pass  # mostly it never came to be; else it cannot be made anew, and that is told

    def _keep(self) -> Steps[bool]:
        """Take what the processor made for the old file; False, after a warning, when somebody has removed it."""
        log = self._log
        made, done = self.input[:26] + "t", self.input[:26] + "s"
        is_there = yield from log.insist_on_file(b"set mode of processed", posix.chmod, made, 0o744, dir_fd=log.directory)
        if not (is_there and (yield from log.insist_on_file(b"rename processed", log.folder.rename, made, done))):
            return False
        yield from log.insist(b"rename state", self._take_over_state)
        try:
            posix.unlink(self.input, dir_fd=log.directory)
        except OSError as error:
            log.warn(b"unable to unlink", error, name=log.name + b"/" + self.input.encode())
        log.inform(b"processed: " + log.name + b"/" + done.encode())
        return True

    def _take_over_state(self) -> None:
        try:
            self._log.folder.rename("newstate", "state")
        except FileNotFoundError:
            pass  # it was done before the crash

    def _start(self) -> Steps[None]:
        try:
            if not (yield from self._log.insist(b"start processor", self._spawn)):
                return
            yield from self._log.insist(b"write down processor", self._tell)
            self._give_go()
        finally:
            self._close_go()
        yield from self._log.insist(b"watch processor", self._open_pidfd)

    def _give_go(self) -> None:
        if self._go >= 0:
            try:
                posix.write(self._go, b"\n")
            except BrokenPipeError:
                pass  # it has been killed

    def _close_go(self) -> None:
        if self._go >= 0:
            posix.close(self._go)
            self._go = -1

    def _open_pidfd(self) -> None:
        # Apart from the start: where there is no room for it, the one that was started goes on, and no second one beside it.
        self.pidfd = posix.pidfd_open(self.pid)

    def _spawn(self) -> bool:
        """Start it, after a second if it has failed; False, after a warning, when somebody has removed its input.

        Raises OSError, with nothing left open.
        """
        log = self._log
        log.inform(b"processing: " + log.name + b"/" + self.input.encode())
        made = (self.input[:26] + "t", "newstate")
        new = posix.O_WRONLY | posix.O_NONBLOCK | posix.O_EXCL | posix.O_CREAT
        wanted = (
            (self.input, posix.O_RDONLY | posix.O_NONBLOCK, 0),
            (made[0], new, 1),
            ("state", posix.O_RDONLY | posix.O_NONBLOCK | posix.O_CREAT, 4),
            (made[1], new, 5),
        )
        actions: list[tuple[int, int, int]] = []
        try:
            # Another may be at it still, whoever started it having died: what that one goes on writing is nobody's any more.
            for name in made:
                self._remove(name)
            for name, flags, number in wanted:
                opened = log.folder.open_file(name, flags | posix.O_CLOEXEC, 0o644)
                actions.append((posix.POSIX_SPAWN_DUP2, self._above(opened), number))
            actions.append((posix.POSIX_SPAWN_DUP2, self._above(posix.dup(log.directory)), 6))
            if log.witness is not None:
                self._close_go()  # that of an attempt before
                wait, self._go = posix.pipe2(posix.O_CLOEXEC)
                actions.append((posix.POSIX_SPAWN_DUP2, self._above(wait), 7))
            variables = environment.inherited()
            enter = (REST if self.fails else b"") + (BECOME if log.witness is None else AWAIT + OUTLIVE)
            arguments = [b"sh", b"-c", enter, log.name, log.config.processor, variables.get(b"OLDPWD", b"")]
            self.pid = posix.posix_spawn(SHELL, arguments, variables, file_actions=actions, setsigmask=(), setsigdef=DEFAULT_SIGNALS)
        except FileNotFoundError as error:
            if error.filename != self.input:
                raise
            log.warn(b"unable to open input for processor", error, name=log.name + b"/" + self.input.encode())
            self.input = ""
            return False
        finally:
            for _, descriptor, _ in actions:
                posix.close(descriptor)
        return True

    @staticmethod
    def _above(descriptor: int) -> int:
        try:
            return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, ABOVE)
        finally:
            posix.close(descriptor)
