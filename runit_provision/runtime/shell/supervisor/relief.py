"""Services that a runsv whose runsvdir is gone still supervises, C's, busybox's or ours: taken over with all that runs.

Such a runsv holds the lock, so nobody else can supervise its service, and killed it leaves processes that the next one would start a
second time. So it is relieved, in an order in which nothing is lost whoever is killed meanwhile:

1. It is stopped (SIGSTOP): from now on it starts nothing, and what ends stays a zombie, which tells how.
2. What it has started is what supervise/status names, and nothing else. Otherwise it was just about to do something: it goes on, and is
   looked at again.
3. Its control FIFOs are held open, so letters that it has not read are read by us; so is its pipe to the log (carrier.py).
4. What it knows is written down as one of our own supervisors would have; then it is killed.
5. What it leaves is adopted as after the death of a supervisor of ours.

One of ours has all that written down itself (lone.py): its FIFOs are held open, and it is killed.

A runsv whose parent lives and is no init belongs to somebody, and is left alone; so does one whose runsvdir is a container's init.
"""

from __future__ import annotations

import _signal
import errno
import os
import stat
import time

from ...core.part import THEN_NOTHING
from ...wire import beyond, keeper, records
from ...wire import status as wire
from .. import descriptors, process
from . import lone
from .carrier import Carrier

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..state import State
    from .tree import Tree

SIGKILL, SIGCONT, SIGSTOP = 9, 18, 19
_LOOKS = (0.002, 1.0)
"""How soon a runsv that was stopped is looked at: first, and at the latest before it is left alone for now."""
_ALL_SECONDS = 60.0
"""Between two looks at all processes, which take 0.2 s of a thousand."""
_INITS = (b"systemd",)
"""What an orphan's parent may be besides process 1: a user's own systemd is a subreaper."""
_ROLES = {wire.RUN: keeper.RUN, wire.FINISH: keeper.FINISH}


class _BusyError(Exception):
    """It was stopped amid something, or there is something else."""

    def __init__(self, reason: str = "it has something to do first") -> None:
        super().__init__(reason)


class _Runsv:
    """A runsv that is being relieved: its pid and pidfd, and the directory of its service.

    slot: where that is written down, 0 for nowhere; doors: what is held open since it was killed; own: what one of ours writes down.
    """

    __slots__ = ("delay", "directory", "doors", "identity", "own", "pid", "pidfd", "slot")

    def __init__(self, pid: int, pidfd: int, directory: int, identity: records.Identity, slot: int, own: State | None) -> None:
        self.own = own
        self.pid = pid
        self.pidfd = pidfd
        self.directory = directory
        self.identity = identity
        self.slot = slot
        self.delay = _LOOKS[0]
        self.doors: list[int] = []

    def send(self, number: int) -> None:
        try:
            _signal.pidfd_send_signal(self.pidfd, number)
        except ProcessLookupError:
            pass

    def close(self) -> None:
        for fd in (self.pidfd, self.directory, *self.doors):
            os.close(fd)
        self.doors = []
        if self.own is not None:
            self.own.close()


class Relief:
    """The runsvs that are being relieved.

    done(slot): called when what one has left is to be adopted; left: when one could not be relieved yet.
    """

    def __init__(self, tree: Tree, done: Callable[[int], None], left: Callable[[], None]) -> None:
        self._tree = tree
        self._done = done
        self._left = left
        self._known: dict[tuple[int, int], _Runsv] = {}
        self._runsvs: dict[tuple[int, int], list[int]] = {}
        self._due = 0.0  # when all processes may be looked at again
        self._takers: dict[int, list[int]] | None = None
        self._told: set[int] = set()
        self._carrier = Carrier()

    def __len__(self) -> int:
        return len(self._known)

    def has(self, identity: tuple[int, int]) -> bool:
        """Whether the runsv of the service (device, inode) is being relieved."""
        return identity in self._known

    def begin(self, identity: records.Identity, path: str, slot: int = 0) -> bool:
        """Relieve the runsv that keeps the service directory `path` locked; False when there is none that may be.

        slot: where the service is written down already.
        """
        found = (identity.dev, identity.ino)
        if found in self._known:
            return True
        try:
            if not process.is_told():
                return False  # those that /proc tells of are others
            runsv = self._find(identity, path, slot)
        except OSError:
            return False
        if runsv is None:
            return False
        try:
            # First of all: once it is killed its place must be taken.
            self._tree.loop.watch(runsv.pidfd, lambda: self._gone(runsv))
        except OSError:
            runsv.close()
            return False
        self._known[found] = runsv
        runsv.send(SIGSTOP)
        self._tree.loop.after(runsv.delay, lambda: self._look(runsv))
        return True

    def give_up(self) -> None:
        """Relieve no more of those that have not been killed: they go on."""
        for runsv in list(self._known.values()):
            if not runsv.doors:
                self._leave(runsv)

    def _find(self, identity: records.Identity, path: str, slot: int) -> _Runsv | None:
        pid = self._holder((identity.dev, identity.ino), path)
        if not pid or not _is_orphan(pid):
            return None
        pidfd = os.pidfd_open(pid)
        directory = -1
        try:
            directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            # By now the number may be another's, and the path lead elsewhere.
            if os.path.samestat(os.fstat(directory), os.stat(f"/proc/{pid}/cwd")) and _holds(pid, directory, "supervise/lock"):
                is_ours = process.is_interpreted(pid)
                own = lone.of(pid, identity) if is_ours else None
                if own is not None or not is_ours:
                    return _Runsv(pid, pidfd, directory, identity, slot, own)
        except OSError:
            pass
        for fd in (pidfd, directory):
            if fd >= 0:
                os.close(fd)
        return None

    def _holder(self, found: tuple[int, int], path: str) -> int:
        """Give the runsv of a service directory that is locked, 0 for none; it may be somebody's.

        Who is told to have taken the lock is looked at each time: what it is now it may not have been, or not have been seen to be, a
        moment ago. All processes are looked at only where that does not help, and seldom: others may have it for ever.
        """
        if self._takers is None:
            self._takers = _takers_of_locks()
            # All that are met in one look at a tree need one.
            self._tree.loop.soon(self._forget)
        takers = self._takers.get(os.stat(f"{path}/supervise/lock").st_ino, [])
        there = _runsvs(takers).get(found)
        if there is None:
            now = time.monotonic()
            if now >= self._due:
                self._due = now + _ALL_SECONDS
                self._runsvs = _runsvs(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
            there = self._runsvs.get(found, [0])
        return there[0]  # C's runsvdir starts another one each second that finds the lock taken

    def _forget(self) -> None:
        self._takers = None

    def _look(self, runsv: _Runsv) -> None:
        """Take its place, or let it go on, and look again."""
        if self._known.get((runsv.identity.dev, runsv.identity.ino)) is not runsv:
            return
        try:
            if not process.is_stopped(runsv.pid):
                raise _BusyError
            self._take_over(runsv)
        except (_BusyError, OSError, ValueError) as reason:
            runsv.send(SIGCONT)
            runsv.delay *= 2
            if runsv.delay > _LOOKS[1]:
                self._leave(runsv)
                self._tell(runsv, str(reason))
                self._left()
                return
            # It needs a moment to get done what it was about to do, and another to stop.
            self._tree.loop.after(runsv.delay / 2, lambda: self._stop(runsv))
            self._tree.loop.after(runsv.delay, lambda: self._look(runsv))

    def _stop(self, runsv: _Runsv) -> None:
        """Stop one that is still being relieved: by now it may go on, its descriptors closed."""
        if self._known.get((runsv.identity.dev, runsv.identity.ino)) is runsv:
            runsv.send(SIGSTOP)

    def _leave(self, runsv: _Runsv) -> None:
        runsv.send(SIGCONT)
        del self._known[runsv.identity.dev, runsv.identity.ino]
        self._tree.loop.forget(runsv.pidfd)
        runsv.close()

    def _tell(self, runsv: _Runsv, reason: str) -> None:
        """Say once of a service why it is not taken over yet."""
        if runsv.pid not in self._told:
            self._told.add(runsv.pid)
            name = os.fsdecode(runsv.identity.name)
            self._tree.report(f"runsv {name}: warning: unable to take over from process {runsv.pid} yet: {reason}")

    def _take_over(self, runsv: _Runsv) -> None:
        tree = self._tree
        if runsv.own is not None:
            self._must_know_all(runsv, lone.processes(runsv.own))
            runsv.doors = _open_doors(runsv.directory, log_pipe=True)
            self._kill(runsv)
            return
        intent, processes = _what_it_knows(runsv)
        self._must_know_all(runsv, processes)
        slot = runsv.slot or tree.slots.take()
        doors: list[int] = []
        try:
            doors += _open_doors(runsv.directory)
            carried = _log_pipe(runsv, processes) if intent.log is not None else []
            doors += carried
            os.pwrite(tree.table, _content(slot, runsv.identity, intent, processes), records.offset(slot))
            if carried:
                self._carrier.carry(*carried, logger=processes[records.LOG])
        except BaseException:
            for fd in doors:
                os.close(fd)
            if not runsv.slot:
                tree.slots.discard(slot)
            raise
        runsv.doors, runsv.slot = doors, slot
        self._kill(runsv)

    def _must_know_all(self, runsv: _Runsv, processes: Iterable[records.Process]) -> None:
        """Leave one alone that does not know of what runs by what is written down here: whoever took it over would forget that."""
        if runsv.slot and not _is_the_same(os.pread(self._tree.table, records.SIZE, records.offset(runsv.slot)), processes):
            raise _BusyError("a process of it runs too that it has not started")

    def _kill(self, runsv: _Runsv) -> None:
        runsv.send(SIGKILL)
        name = os.fsdecode(runsv.identity.name)
        self._tree.report(f"runsv {name}: info: taking over from process {runsv.pid}, whose runsvdir is gone; what runs goes on")

    def _gone(self, runsv: _Runsv) -> None:
        """It has ended, and its locks are free."""
        if not runsv.doors:
            self._leave(runsv)  # before we had it all
            self._left()
            return
        self._tree.loop.forget(runsv.pidfd)
        del self._known[runsv.identity.dev, runsv.identity.ino]
        try:
            if runsv.own is None or self._note(runsv, runsv.own):
                self._done(runsv.slot)
            else:
                self._left()
        finally:
            runsv.close()

    def _note(self, runsv: _Runsv, own: State) -> bool:
        """Write down what one of ours has, which has ended; False when that cannot be now: it stays there, if there is anything."""
        tree, slot = self._tree, runsv.slot
        try:
            if not own.try_lock():
                return False  # it was taken up as soon as the lock was free, or another one has it
            slot = slot or tree.slots.take()
            tree.inherit(own, slot, runsv.identity)
        except OSError:
            if slot != runsv.slot:
                tree.slots.give_back(slot)
            return False
        runsv.own, runsv.slot = None, slot
        return True


def _takers_of_locks() -> dict[int, list[int]]:
    """Give who has taken the locks by flock(2) on files of an inode; /proc/locks names devices not always as stat(2) does."""
    found: dict[int, list[int]] = {}
    with open("/proc/locks", "rb") as locks:
        for line in locks:
            words = line.split()  # 1: FLOCK  ADVISORY  WRITE 4711 fe:00:1234 0 EOF
            if words[1] == b"FLOCK":
                found.setdefault(int(words[5].rpartition(b":")[2]), []).append(int(words[4]))
    return found


def _runsvs(pids: Iterable[int]) -> dict[tuple[int, int], list[int]]:
    """Give by device and inode of their directories those of some processes that are runsvs of our uid."""
    found: dict[tuple[int, int], list[int]] = {}
    for pid in pids:
        try:
            if _is_runsv(pid):
                found.setdefault(_identity(os.stat(f"/proc/{pid}/cwd")), []).append(pid)
        except OSError:
            continue  # it has ended, or is not to be known now
    return found


def _is_runsv(pid: int) -> bool:
    return _is(pid, "runsv")


def _is(pid: int, tool: str) -> bool:
    """Whether a process is this tool, C's, busybox's or ours, of our uid alone: a busybox may be setuid, for its su. OSError."""
    if process.name(pid) != tool.encode() or not process.is_ours(pid):
        return False
    # What it has just forked looks like it, and is about to be something else.
    return (process.program(pid) in {tool, "busybox"} or process.is_interpreted(pid)) and process.has_executed(pid)


def _is_orphan(pid: int) -> bool:
    """Whether a runsv has no runsvdir any more: one of another uid, which it has not begun with, is but its init. OSError."""
    parent = process.parent(pid)
    is_init = parent in {1, os.getpid()} or process.name(parent) in _INITS
    return _is_runsv(pid) and is_init and not _is(parent, "runsvdir")


def _holds(pid: int, directory: int, path: str) -> bool:
    """Whether a process has a file below a directory open."""
    try:
        return _identity(os.stat(path, dir_fd=directory)) in _open_files(pid)
    except FileNotFoundError:
        return False


def _open_files(pid: int) -> dict[tuple[int, int], int]:
    """Give by device and inode what a process has open, as its descriptor."""
    found = {}
    for entry in os.listdir(f"/proc/{pid}/fd"):
        found[_identity(os.stat(f"/proc/{pid}/fd/{entry}"))] = int(entry)
    return found


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _what_it_knows(runsv: _Runsv) -> tuple[records.Intent, tuple[records.Process, records.Process, records.Process]]:
    """Read what a stopped runsv has written; _BusyError when that is not all there is."""
    if b"want exit" in _read(runsv.directory, "supervise/stat"):
        raise _BusyError
    status = wire.unpack(_read(runsv.directory, "supervise/status"))
    main = _process(status, _ROLES.get(status.state, keeper.RUN))
    log, log_intent = records.Process(), None
    if _holds(runsv.pid, runsv.directory, "log/supervise/lock"):
        log_status = wire.unpack(_read(runsv.directory, "log/supervise/status"))
        log = _process(log_status, keeper.LOG_RUN)
        log_intent = _intent(log_status)
    if set(process.children(runsv.pid)) != {main.pid, log.pid} - {0}:
        raise _BusyError
    intent = records.Intent(
        main=_intent(status),
        log=log_intent,
        script="",
        then=THEN_NOTHING,
        scripted=0,
        closing=False,
        beyond=beyond.pack(beyond.Beyond()),
    )
    return intent, (main, log, records.Process())


def _process(status: wire.Status, role: int) -> records.Process:
    if bool(status.pid) != (status.state != wire.DOWN):
        raise _BusyError
    if not status.pid:
        return records.Process()
    ended = process.is_zombie(status.pid)
    if not ended and not process.has_executed(status.pid):
        raise _BusyError  # the pipe to the log need not be its stdout yet, and it has the lock of its runsv
    return records.Process(
        pid=status.pid,
        role=role,
        life=records.ENDED if ended else records.LIVE,
        starttime=process.starttime(status.pid),
        started=status.since_ns,
        status=process.zombie_status(status.pid) if ended else 0,
    )


def _intent(status: wire.Status) -> records.PartIntent:
    return records.PartIntent(
        want=wire.WANT_UP if status.want == wire.WANT_UP else wire.WANT_DOWN,
        state=status.state,
        paused=status.paused,
        got_term=status.got_term,
        damped=False,
        owed=False,
        spawning=False,
        since=status.since_ns,
        started=status.since_ns if status.pid else 0,
        pid=status.pid,
        ended=0,
        signalled=0,
        signals=(),
    )


def _content(slot: int, identity: records.Identity, intent: records.Intent, processes: tuple[records.Process, ...]) -> bytes:
    """Give what one of our own supervisors would have written into a slot."""
    at = records.offset(slot)
    content = bytearray(records.pack_slot(identity))
    packed = records.pack_intent(intent)
    content[records.INTENT_AT : records.INTENT_AT + len(packed)] = packed
    for key, each in enumerate(processes):
        start = records.process_offset(slot, key) - at
        content[start : start + records.PROCESS_SIZE] = records.pack_process(each)
    return bytes(content)


def _is_the_same(slot: bytes, processes: Iterable[records.Process]) -> bool:
    """Whether what is written down as running, and runs, are these processes, or nothing."""
    return {each.pid for each in lone.told_of(slot) if lone.is_live(each)} <= {each.pid for each in processes}


def _open_doors(directory: int, *, log_pipe: bool = False) -> list[int]:
    """Open what `sv` writes to and what it finds a supervisor by, so that neither is gone in between; log_pipe: a log's FIFO too."""
    doors: list[int] = []
    try:
        for place in ("supervise", "log/supervise"):
            for door in ("control", "ok", *(["pipe"] if log_pipe and place != "supervise" else [])):
                try:
                    doors.append(_open_fifo(directory, f"{place}/{door}"))
                except FileNotFoundError:
                    if place == "supervise":
                        raise
    except BaseException:
        for fd in doors:
            os.close(fd)
        raise
    return doors


def _log_pipe(runsv: _Runsv, processes: tuple[records.Process, ...]) -> list[int]:
    """Open the end of its pipe that the log reads from, and the FIFO that is in its place from now on; nothing when nobody has it."""
    has = _open_files(runsv.pid)
    for key, stream in ((records.LOG, 0), (records.MAIN, 1)):
        if processes[key].life != records.LIVE:
            continue
        found = _stream(processes[key].pid, stream)
        if stat.S_ISFIFO(found.st_mode) and _identity(found) in has:
            pipe = os.open(f"/proc/{runsv.pid}/fd/{has[_identity(found)]}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                try:
                    os.mkfifo("log/supervise/pipe", 0o600, dir_fd=runsv.directory)
                except FileExistsError:
                    pass
                return [pipe, _open_fifo(runsv.directory, "log/supervise/pipe")]
            except BaseException:
                os.close(pipe)
                raise
    return []


def _stream(pid: int, stream: int) -> os.stat_result:
    """Give what a stream of a process leads to; that whose first thread has ended, its others tell. OSError."""
    for thread in (pid, *map(int, os.listdir(f"/proc/{pid}/task"))):
        try:
            return os.stat(f"/proc/{pid}/task/{thread}/fd/{stream}")
        except FileNotFoundError:
            continue
    raise FileNotFoundError(errno.ENOENT, "it has no such stream")


def _open_fifo(directory: int, path: str) -> int:
    fd = descriptors.opened_if(descriptors.is_fifo, path, os.O_RDWR | os.O_NONBLOCK | os.O_NOFOLLOW, directory)
    if fd < 0:
        raise _BusyError
    return fd


def _read(directory: int, path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        return file.read(256)
