"""The parent of services: spawns, reaps, signals, and writes down each process before it may do anything.

    fork; the child waits for the go        nothing has run
    write the record (pid, starttime)       from here on whoever comes next finds the process
    give the go                             the child execs; when its parent died instead, it reads EOF and ends

So at no instant is there a service that nobody knows of. A second process for a key that has a live one is refused, whoever asks.
"""

from __future__ import annotations

import _signal
import errno
import fcntl
import os
import time

from ...wire import errors, keeper, records
from .. import descriptors, process
from ..refusals import Refusals
from ..report import encoded, write_to_stderr
from . import session, sweep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Row = tuple[int, int, int, int, int, int, int]

_RESET = tuple(
    getattr(_signal, f"SIG{name}")
    for name in ("HUP", "INT", "QUIT", "PIPE", "ALRM", "TERM", "CHLD", "IO", "URG", "USR1", "USR2", "XFSZ")
)
"""What Python or our own programs catch or ignore; everything else is as our parent left it."""

_EXEC_FAILED = 111
_CORE_DUMPED = 0x80
"""In a wait status: wait(2), WCOREDUMP."""
_PROGRAMS = {keeper.RUN: ("./run", "./run"), keeper.FINISH: ("./finish", "./finish"), keeper.LOG_RUN: ("./run", "log/./run")}
"""By role, each also as messages name it; any other is a control script, whose letter is its first argument."""


def _needs_subreaper(request: keeper.Record) -> bool:
    """Whether what `request` starts must come to us when its parent dies: from a session's leader, or to be swept by its mark."""
    return bool(request.flags & keeper.NEW_SESSION) or request.flags & (keeper.SWEPT | keeper.GROUPED) == keeper.SWEPT


class Child:
    """A live process: what it is for, and what is written of it."""

    __slots__ = ("key", "process", "slot")

    def __init__(self, slot: int, key: int, written: records.Process) -> None:
        self.slot = slot
        self.key = key
        self.process = written


class Children:
    """The live processes by pid and by key; `table`: descriptor of the records."""

    def __init__(self, table: int) -> None:
        self._table = table
        self._refusals = Refusals(table)
        self._by_pid: dict[int, Child] = {}
        self._by_key: dict[tuple[int, int], Child] = {}
        self._last = 0
        self._reaps = False
        self._secret = b""

    def __len__(self) -> int:
        return len(self._by_pid)

    def all(self) -> list[Child]:
        """Give every live child."""
        return list(self._by_pid.values())

    def known(self) -> tuple[list[Row], int, bool]:
        """Give what `resume` takes."""
        rows = [
            (child.slot, child.key, w.pid, w.role, w.starttime, w.started, w.signals)
            for child in self._by_pid.values()
            for w in (child.process,)
        ]
        return rows, self._last, self._reaps

    def resume(self, rows: list[Row], last: int, reaps: bool) -> None:
        """Be the parent that another version was, whose process this is."""
        self._last, self._reaps = last, reaps
        for slot, key, pid, role, starttime, started, signals in rows:
            written = records.Process(pid=pid, role=role, life=records.LIVE, starttime=starttime, started=started, signals=signals)
            self._by_pid[pid] = self._by_key[slot, key] = Child(slot, key, written)

    def get(self, slot: int, key: int) -> Child | None:
        """Give the live child of a key."""
        return self._by_key.get((slot, key))

    def spawn(self, request: keeper.Record, fds: list[int]) -> Child:
        """Start what `request` says, or give the live child that its key has already.

        fds: the service directory, and the FIFO to its log where there is one. OSError when there is no process to be had.
        """
        living = self._by_key.get((request.slot, request.key))
        if living is not None:
            return living
        if not fds:
            raise OSError(errno.EMFILE, "the descriptors could not be received")
        # Not before, when a lone runsv has no lock yet, and the table may be void.
        self._secret = self._secret or records.secret_in(os.pread(self._table, records.SIZE, 0))
        if _needs_subreaper(request) and not self._reaps:
            self._reaps = process.be_subreaper()

        def become() -> None:
            _become(request, fds, self._secret)

        return self._fork_in_session(request, become) if request.flags & keeper.NEW_SESSION else self.fork(request, become)

    def fork(self, request: keeper.Record, become: Callable[[], None]) -> Child:
        """Fork a child that, once it is written down, does `become`, which turns it into a program or does not return."""
        return self._fork(request, lambda wait, go: _fork(wait, go, become))

    def _fork_in_session(self, request: keeper.Record, become: Callable[[], None]) -> Child:
        def fork(wait: int, go: int) -> int:
            return session.fork(lambda: _child(wait, become), go)

        try:
            return self._fork(request, fork)
        except session.LeaderLostError:
            # By a pipe of its own: a process that the one before forked, and told nobody of, may not take this one's go.
            return self._fork(request, fork)

    def _fork(self, request: keeper.Record, fork: Callable[[int, int], int]) -> Child:
        """Fork by `fork(wait, go)`, ends of a pipe: the child reads the go from `wait`."""
        wait, go = os.pipe2(os.O_CLOEXEC)
        # A signal that comes between fork and exec must meet the default action, not a handler of ours that does nothing.
        mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, _RESET)
        try:
            child = self._admit(request, fork(wait, go))
            os.write(go, b".")
            return child
        finally:
            _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
            os.close(wait)
            os.close(go)

    def _admit(self, request: keeper.Record, pid: int) -> Child:
        # `started` tells one process of a key from the next, so it must grow even when the clock does not.
        self._last = max(self._last + 1, time.time_ns())
        written = records.Process(pid=pid, role=request.role, life=records.LIVE, starttime=process.starttime(pid), started=self._last)
        child = Child(request.slot, request.key, written)
        self._write(child)  # or it gets no go, and ends
        self._by_pid[pid] = child
        self._by_key[request.slot, request.key] = child
        return child

    def signal(self, slot: int, key: int, number: int) -> int:
        """Send a signal to the live child of a key, if there is one; it cannot be another's pid, since only we reap it.

        Gives how many it has got, 0 for none; which is written down after kill(2), so that a signal may come twice and is never lost.
        """
        child = self._by_key.get((slot, key))
        if child is None:
            return 0
        try:
            process.send(child.process.pid, number, with_group=key == records.SCRIPT)
        except ProcessLookupError:
            pass
        except PermissionError:
            self._refusals.tell(slot, key, child.process, number)
        child.process.signals += 1
        self._note(child)
        return child.process.signals

    def reap(self) -> Iterator[Child]:
        """Take leave of every child that ended, one by one; their wait status is in `process.status`.

        It is written down while the kernel has it still: whoever comes after our death finds it in one place or the other. What goes
        wrong about one of them leaves the others to the kernel.
        """
        while (found := _ended()) is not None:
            pid, status = found
            child = self._by_pid.get(pid)
            if child is None:
                # The leader of a session, or an orphan that came to us as a subreaper.
                os.waitpid(pid, 0)
                continue
            child.process.life = records.ENDED
            child.process.status = status
            self._note(child)
            os.waitpid(pid, 0)
            del self._by_pid[pid]
            del self._by_key[child.slot, child.key]
            yield child

    def _note(self, child: Child) -> None:
        """Write down what became of it, if that can be: who finds it as it was sees that it has ended, or signals it once more."""
        try:
            self._write(child)
        except OSError:
            pass

    def _write(self, child: Child) -> None:
        if child.key < records.POOL:
            os.pwrite(self._table, records.pack_process(child.process), records.process_offset(child.slot, child.key))


def _ended() -> tuple[int, int] | None:
    """Give a child that has ended, and is not taken leave of, with its wait status."""
    try:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if found is None:
        return None
    if found.si_code == os.CLD_EXITED:
        return found.si_pid, found.si_status << 8
    return found.si_pid, found.si_status | (_CORE_DUMPED if found.si_code == os.CLD_DUMPED else 0)


def _fork(wait: int, go: int, become: Callable[[], None]) -> int:
    pid = os.fork()
    if pid == 0:
        os.close(go)
        _child(wait, become)
    return pid


def _child(wait: int, become: Callable[[], None]) -> None:
    """Be the child: never returns."""
    try:
        for number in _RESET:
            _signal.signal(number, _signal.SIG_DFL)
        _signal.set_wakeup_fd(-1)
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        if os.read(wait, 1):
            _have_stderr_to_write()
            become()
    except BaseException as error:
        write_to_stderr(encoded(f"runsv: fatal: {error}\n"))
    finally:
        os._exit(_EXEC_FAILED)


def _have_stderr_to_write() -> None:
    """Have a stderr of one's own where it is a FIFO that is open for reading too, as that of a tree with a log (supervisor/stderr.py).

    Who has that may be of another account, as a service, a pool: it would read what all others say, or make their writes fail, since
    O_NONBLOCK belongs to what they share.
    """
    try:
        if fcntl.fcntl(2, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDWR or not descriptors.is_fifo(2):
            return
    except OSError:
        return  # there is none
    try:
        own = descriptors.opened_again(2, os.O_WRONLY, "stderr")
    except (PermissionError, FileNotFoundError):
        return  # another account's, which it gave to our runsvdir as it is; or there is no /proc
    os.dup2(own, 2)
    os.close(own)


def _become(request: keeper.Record, fds: list[int], secret: bytes) -> None:
    """Turn into the program that was asked for; where that cannot be, say which it was and why."""
    group = fds.pop() if request.flags & keeper.GROUPED else -1
    if request.role == keeper.SWEEP:
        secrets = [secret, os.pread(fds.pop(), records.SECRET_SIZE, 0)] if request.flags & keeper.LEFT else [secret]
        sweep.main(request, fds[0], group, secrets)
    program, shown = _PROGRAMS.get(request.role) or (f"control/{request.arguments[0]}",) * 2
    try:
        _prepare(request, fds, group, secret)
        os.execv(program, (program, *(request.arguments if request.role in _PROGRAMS else ())))
    except OSError as error:
        of = b"" if error.filename in {None, program} else os.fsencode(error.filename) + b": "
        reason = of + errors.text(error.errno or 0)
    write_to_stderr(b"runsv %s: fatal: unable to start %s: %s\n" % (request.name, shown.encode(), reason))


def _prepare(request: keeper.Record, fds: list[int], group: int, secret: bytes) -> None:
    """Be where and what the program is to be, with what it is to have open. OSError names what it is about."""
    notify = fds.pop() if request.flags & keeper.NOTIFIES else -1
    directory, pipe = fds[0], fds[1] if len(fds) > 1 else -1
    os.fchdir(directory)
    if request.flags & keeper.LEADS:
        os.setpgid(0, 0)
    if request.flags & keeper.SWEPT:
        sweep.enter(directory, group, secret)
    if request.role == keeper.LOG_RUN:
        os.chdir("log")
    if pipe >= 0:
        _open_pipe(pipe, to_log=request.role != keeper.LOG_RUN)
    if notify >= 0:
        _open_notification(notify, request.value)


def _open_notification(notify: int, number: int) -> None:
    # Last: any descriptor that we need until here may have that number.
    try:
        own = os.open(f"/proc/self/fd/{notify}", os.O_WRONLY)
    except FileNotFoundError:
        own = notify  # there is no /proc
    try:
        os.dup2(own, number)
    except OSError as error:
        raise OSError(error.errno, "beyond the limit", f"notification-fd {number}") from None
    os.set_inheritable(number, True)


def _open_pipe(pipe: int, *, to_log: bool) -> None:
    # An open file description of its own, for writing only: with a readable stdout `tail -f` believes that its reader has gone, and
    # a shared description would share O_NONBLOCK. The FIFO is opened by descriptor, since its directory may be another user's.
    try:
        flags = os.O_WRONLY if to_log else os.O_RDONLY
        own = descriptors.opened_again(pipe, flags, "log/supervise/pipe" if to_log else "supervise/pipe")
    except OSError:
        own = pipe
    os.dup2(own, 1 if to_log else 0)
