"""A version of the runtime proves itself before it is given what runs, in a tree of its own.

First it supervises a service, with its log, and ends it. Then the version that it follows does the same, and it takes that over: the
service, its parent and its logger must go on as the processes that they are, letters be obeyed, and lines be logged.

What cannot be parsed, imported, started, does not know how to supervise, or loses itself in what another one has left, shows here, and
what is there stays.
"""

from __future__ import annotations

import _signal
import os
import sys
import time

from .. import installation, marked, process
from ..state import TREES
from . import predecessor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SECONDS = 30.0
"""For each thing that a version has to do."""
_TURN_SECONDS = 0.01
_GONE_SECONDS = 1.0
"""For what was killed to be gone; longer nobody waits for a zombie that its parent leaves."""
_LINE = "this is a trial"
_NEXT_LINE = "it goes on"
_STATE = "RUNIT_PROVISION_STATE"
_RUN = f"""#!/bin/sh
echo {_LINE}
exec cat <>lines
"""


class Version:
    """What is tried, or comes before it: the command that starts a runsvdir over the directory given last, and its name in titles."""

    __slots__ = ("command", "name")

    def __init__(self, command: list[str], library: str) -> None:
        self.command = command
        self.name = installation.version(library)


class UnprovenError(Exception):
    """The version before left nothing that could be taken over; the text says why."""


class UnwantedError(Exception):
    """Nobody waits for the answer any more."""


class _FailedError(Exception):
    """The text says what went wrong."""


def installed(library: str) -> Version:
    """Give the version whose tools are installed; library: where they import from."""
    return Version([installation.tool("runsvdir")], library)


def laid(library: str) -> Version:
    """Give the version in `library`, which need not be installed."""
    return Version(installation.runsvdir(library), library)


def run(new: Version, place: str, rsvlog: str, old: Version | None, *, is_wanted: Callable[[], bool] = lambda: True) -> str:
    """Let the version `new` prove itself; give why it did not, or empty. UnprovenError when `old` left nothing to take over.

    UnwantedError, and nothing is left of it, once it is not wanted.

    place: a directory that is made for it, of ours alone, and is gone afterwards; what a trial that was itself killed has left there is
    ended and removed first; rsvlog: the tool that keeps the service's log, if there is one; old: the version before, if there is one;
    is_wanted: whether anybody still waits for the answer.
    """
    if os.path.isdir(place):
        clean(place)
    os.mkdir(place, 0o700)
    try:
        _begin_and_end(new, place, rsvlog, is_wanted)
        if old is not None:
            records = _records(place)
            _remove(place)
            os.mkdir(place, 0o700)
            _take_over(old, new, place, rsvlog, records, is_wanted)
    except _FailedError as failure:
        return str(failure)
    finally:
        _remove(place)
    return ""


def _begin_and_end(new: Version, place: str, rsvlog: str, is_wanted: Callable[[], bool]) -> None:
    service = _Service(place, rsvlog)
    tried = _Runsvdir(new, place, is_wanted)
    try:
        tried.wait(service.runs, "run a service")
        tried.end()
    finally:
        tried.kill()


def _take_over(old: Version, new: Version, place: str, rsvlog: str, records: bytes, is_wanted: Callable[[], bool]) -> None:
    """records: how those of the new version begin."""
    service = _Service(place, rsvlog)
    before = _Runsvdir(old, place, is_wanted)
    after = None
    try:
        try:
            before.wait(service.runs, "run a service")
            processes = service.processes()
            before.end(_signal.SIGTERM, status=0)
        except _FailedError as failure:
            raise UnprovenError(f"the version before, {os.fsdecode(old.name)}: {failure}") from None
        if _records(place) != records:
            raise UnprovenError("it cannot read this version's records; services must be ended and started again")
        predecessor.allow(_state(place), new.name)
        after = _Runsvdir(new, place, is_wanted)
        _prove_taken(after, new, service, processes)
        after.end()
    finally:
        # The keeper is in the group of who started it, and so is whom it puts in the place of one that is killed.
        for runsvdir in (after, before):
            if runsvdir is not None:
                runsvdir.kill()


def _prove_taken(runsvdir: _Runsvdir, new: Version, service: _Service, processes: list[int]) -> None:
    """Let `runsvdir` show that it has taken over `service`, and has kept its `processes`; _FailedError when it does not."""
    taken = "take over a service that runs"

    def are_new() -> bool:
        return all(_is_of(pid, new.name) for pid in processes[1:])

    # It is who tells them so: from then on nobody of the version before is there who would obey.
    runsvdir.wait(are_new, taken)
    for letter, stopped in ((b"p", True), (b"c", False)):
        runsvdir.wait(lambda: _put(service.control, letter), taken)  # noqa: B023 - called at once
        runsvdir.wait(lambda: process.is_stopped(processes[0]) == stopped, taken)  # noqa: B023 - called at once
    runsvdir.wait(lambda: _put(service.lines, f"{_NEXT_LINE}\n".encode()), taken)
    runsvdir.wait(lambda: service.has_said(_NEXT_LINE), "go on with a log")
    if service.processes() != processes or not are_new():
        raise _FailedError("it did not keep what it had taken over")


class _Service:
    """The only service in `place`: it says a line, and then those that it reads from the FIFO `lines`."""

    def __init__(self, place: str, rsvlog: str) -> None:
        self._home = f"{place}/services/it"
        self._logged = os.path.exists(rsvlog)
        self.control = f"{self._home}/supervise/control"
        self.lines = f"{self._home}/lines"
        os.makedirs(self._home, mode=0o700)
        _write_run(f"{self._home}/run")
        os.mkfifo(self.lines, 0o600)
        if self._logged:
            os.makedirs(f"{self._home}/log/env", mode=0o700)
            os.symlink(rsvlog, f"{self._home}/log/run")
            _write(f"{self._home}/log/env/RSVLOG_DIR", "main\n", 0o600)

    def runs(self) -> bool:
        said = _read(f"{self._home}/supervise/stat") == "run\n" and self.has_said(_LINE)
        # A log may hold a line before it is known who keeps it.
        return said and all(self.processes())

    def has_said(self, line: str) -> bool:
        return not self._logged or line in _read(f"{self._home}/log/main/current")

    def processes(self) -> list[int]:
        """Give the pids of the service, of its parent, which is the keeper, and of what keeps its log, the pool."""
        pid = _number(f"{self._home}/supervise/pid")
        return [pid, process.parent(pid), *([_number(f"{self._home}/log/supervise/pid")] if self._logged else [])]


class _Runsvdir:
    """A runsvdir of a version, and, without -P, all that it starts in a group of their own."""

    def __init__(self, version: Version, place: str, is_wanted: Callable[[], bool]) -> None:
        self._place = place
        self._is_wanted = is_wanted
        self._status: int | None = None
        self._pid = os.fork()
        if self._pid == 0:
            _start([*version.command, f"{place}/services"], place)

    def wait(self, done: Callable[[], bool], what: str) -> None:
        """Wait until it is done; _FailedError when that takes too long, or this process has ended."""
        end = time.monotonic() + SECONDS
        while True:
            if self._has_ended():
                raise self._failure(f"it ended, {self._said()}, when it was to {what}")
            if done():
                return
            if not self._is_wanted():
                raise UnwantedError
            if time.monotonic() > end:
                raise self._failure(f"it did not {what} within {SECONDS:.0f} s")
            time.sleep(_TURN_SECONDS)

    def end(self, number: int = _signal.SIGHUP, *, status: int = 111) -> None:
        """Tell it to end; _FailedError when it does not with `status`."""
        os.kill(self._pid, number)
        end = time.monotonic() + SECONDS
        while not self._has_ended():
            if not self._is_wanted():
                raise UnwantedError
            if time.monotonic() > end:
                raise self._failure(f"it did not end within {SECONDS:.0f} s")
            time.sleep(_TURN_SECONDS)
        if self._status != status << 8:
            raise self._failure(f"it ended, {self._said()}, when it was told to end")

    def kill(self) -> None:
        """Kill whatever is left, and wait until it is gone, or somebody's zombie."""
        end = time.monotonic() + _GONE_SECONDS
        while time.monotonic() < end:
            # Itself too: it has no group before it has made one.
            has_ended = self._has_ended()
            if not has_ended:
                os.kill(self._pid, _signal.SIGKILL)
            try:
                os.killpg(self._pid, _signal.SIGKILL)
            except ProcessLookupError:
                if has_ended:
                    return
            time.sleep(_TURN_SECONDS)

    def _has_ended(self) -> bool:
        if self._status is None:
            ended, status = os.waitpid(self._pid, os.WNOHANG)
            self._status = status if ended else None
        return self._status is not None

    def _said(self) -> str:
        status = self._status or 0
        return f"signal {status & 127}" if status & 127 else f"exit status {status >> 8}"

    def _failure(self, reason: str) -> _FailedError:
        lines = [line.strip() for line in _read(f"{self._place}/output").splitlines() if line.strip()]
        return _FailedError(f"{reason}: {lines[-1]}" if lines else reason)


def clean(place: str) -> None:
    """End and remove what a trial left that was itself killed."""
    search = marked.Search([f"{_STATE}={place}/state".encode()])
    end = time.monotonic() + SECONDS
    # In turns: when its supervisor is killed first, its keeper has started another.
    while time.monotonic() < end:
        # Before it is known whose they are: a number that is another's by then is that of none.
        starts = {pid: process.starttime(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
        left = search.among(starts)
        if not left:
            break
        for pid in left:
            process.send_since(pid, starts[pid], _signal.SIGKILL)
        time.sleep(_TURN_SECONDS)
    _remove(place)


def _remove(place: str) -> None:
    for folder, folders, files in os.walk(place, topdown=False):
        for name in files:
            os.unlink(f"{folder}/{name}")
        for name in folders:
            path = f"{folder}/{name}"
            (os.unlink if os.path.islink(path) else os.rmdir)(path)
    if os.path.isdir(place):
        os.rmdir(place)


def _write(path: str, text: str, mode: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def _write_run(path: str) -> None:
    if not os.statvfs(os.path.dirname(path)).f_flag & os.ST_NOEXEC:
        _write(path, _RUN, 0o700)
        return
    # Nothing may be executed there, as in many a /run and /dev/shm; what a process has in its memory may, as long as it has it.
    memory = os.memfd_create("run", os.MFD_CLOEXEC)
    os.write(memory, _RUN.encode())
    os.symlink(f"/proc/{os.getpid()}/fd/{memory}", path)


def _start(command: list[str], place: str) -> None:
    try:
        os.setsid()
        _signal.pthread_sigmask(_signal.SIG_SETMASK, ())
        for number in (_signal.SIGHUP, _signal.SIGTERM, _signal.SIGCHLD, _signal.SIGPIPE, _signal.SIGIO):
            _signal.signal(number, _signal.SIG_DFL)
        output = os.open(f"{place}/output", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.environ[_STATE] = f"{place}/state"
        os.execv(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(111)


def _records(place: str) -> bytes:
    """Give how the table of records of the tree in `place` begins; a version with another beginning cannot read it."""
    return _read(f"{_state(place)}/records").partition("\n")[0].encode()


def _state(place: str) -> str:
    folder = f"{place}/state/{TREES}"
    return f"{folder}/{os.listdir(folder)[0]}"


def _is_of(pid: int, name: bytes) -> bool:
    """Whether a process says in its title, or by what it was executed with, that it is of the version `name`."""
    words = _read(f"/proc/{pid}/cmdline").split("\0")
    return os.fsdecode(name) in map(os.path.basename, words)


def _number(path: str) -> int:
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _put(path: str, data: bytes) -> bool:
    """Write to a FIFO that somebody reads; False while there is nobody."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.write(fd, data) == len(data)
    finally:
        os.close(fd)


def _read(path: str) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 1 << 20).decode("utf-8", "replace")
    finally:
        os.close(fd)


def main(arguments: list[str]) -> None:
    """arguments[1]: the library to be tried; [2]: where, as for `run`; [3]: the installed rsvlog. Says why it failed, and exits 1.

    Other versions call it too: whoever installs this one, and one whose own files are gone (successor.py).
    """
    library, place, rsvlog = arguments[1:4]
    before = installation.current()
    old, new = installed(before) if before else None, laid(library)
    try:
        reason = run(new, place, rsvlog, old if old is not None and old.name != new.name else None)
    except UnprovenError:
        # What is broken, or cannot be read, must not keep away what mends it.
        reason = ""
    sys.stdout.write(reason)
    sys.exit(1 if reason else 0)
