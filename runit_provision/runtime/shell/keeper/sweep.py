"""Kills what ./run or ./finish of a service left behind, where `kill-orphans` asks for it: daemons that forked themselves away.

    in a control group      nobody leaves it unnoticed; cgroup.kill ends all of it at once
    without one             every process that has the service's mark in its environment, and all below those, whoever their parent is
                            now: that of an orphan is init, once a keeper and a supervisor have died. Who empties its environment, or
                            has who reads it hang (marked.py), and is orphaned too is not found.

A mark is told by nobody but who has it: it is made of the directory's inode and of a secret of the tree's (records.py), and
/proc/PID/environ is its own account's. So nobody without rights over a service has something of his swept, or waited for, with it.
What was taken over from a runsv of its own may have the mark that was made of that one's secret, and is found by either.

The sweeper is a process of its own, a fork of the keeper, and is there until nothing is left: nobody else waits for a /proc with
thousands of entries, and whoever dies meanwhile, it goes on. It says what it killed. What KILL does not end, or what is made faster
than it is killed, holds its service up for a while only.
"""

from __future__ import annotations

import _signal
import os
import time

from ...wire import keeper as wire
from .. import marked, process
from ..report import be_child, outlive_readers, printable, write_to_stderr

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Left = list[tuple[int, int]]

MARK = "RUNIT_SERVICE"
_LOOK_SECONDS = 0.01
_WORD_SECONDS = 5.0
"""After KILL, before it is said that somebody does not die: the kernel may be waiting for a disk."""
_LAST_SECONDS = 30.0
"""After KILL, before the service goes on beside them."""
_NAMES_MAX = 10


def enter(directory: int, group: int, secret: bytes) -> None:
    """Before a program of the service is executed: go where what it starts is found."""
    if group < 0:
        os.environ[MARK] = _mark(directory, secret)
        return
    fd = os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=group)
    os.write(fd, b"0")
    os.close(fd)


def main(request: wire.Record, directory: int, group: int, secrets: list[bytes]) -> None:
    """Be the sweeper; never returns. secrets: the tree's, and that of who had the service before, if anybody had."""
    be_child(f"runsv {os.fsdecode(request.name)}: sweeper", lambda: _kill_left(request, directory, group, secrets))


def _kill_left(request: wire.Record, directory: int, group: int, secrets: list[bytes]) -> None:
    outlive_readers()
    # In a group nobody has the tree's own mark.
    marks = [f"{MARK}={_mark(directory, secret)}".encode() for secret in secrets[group >= 0 :]]
    search = marked.Search(marks)
    told: set[int] = set()

    # The keeper's end of its conversation is open here too: nobody would notice its death before our end.
    process.close_all_but(directory, group)

    def left() -> Left:
        found = _grouped(group) if group >= 0 else []
        if marks:
            found = sorted({*found, *_marked(search)})
            if not told.issuperset(search.silent):
                _say(request.name, b"unable to tell whether they were left behind: " + _names(sorted(search.silent.items())))
                told.update(search.silent)
        return found

    found = left()
    if not found:
        return
    _say(request.name, b"killing what was left behind: " + _names(found))
    patience = int(request.arguments[0]) / 1000
    if patience > 0:
        _send(found, _signal.SIGTERM, _signal.SIGCONT)
        found = _wait(left, patience)
    began, warned = time.monotonic(), False
    while found:
        if group < 0 or not _kill_group(group):
            _send(found, _signal.SIGKILL)
        elif marks:
            _send(_marked(search), _signal.SIGKILL)
        found = _wait(left, _LOOK_SECONDS)
        lasted = time.monotonic() - began
        if found and lasted > _LAST_SECONDS:
            _say(request.name, b"still there after KILL, going on: " + _names(found))
            return
        if found and not warned and lasted > _WORD_SECONDS:
            warned = True
            _say(request.name, b"still there after KILL, waiting: " + _names(found))


def _wait(left: Callable[[], Left], seconds: float) -> Left:
    """Give who is left as soon as that is nobody, or after `seconds`."""
    end = time.monotonic() + seconds
    while found := left():
        if time.monotonic() >= end:
            break
        time.sleep(_LOOK_SECONDS)
    return found


def _grouped(group: int) -> Left:
    """Give the processes of a control group and of those below it, each with its start time; UNKNOWN of who has come just now.

    Listed again after that was read: then it belongs to one of the group, or to nobody any more.
    """
    starts = {pid: process.starttime(pid) for pid in _members(group)}
    return [(pid, starts.get(pid, process.UNKNOWN)) for pid in _members(group)]


def _members(group: int) -> list[int]:
    """Give the processes of a control group and of those below it."""
    found = [int(pid) for pid in _read("cgroup.procs", group).split()]
    for entry in os.listdir(group):
        try:
            below = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=group)
        except OSError:
            continue
        try:
            found += _members(below)
        except OSError:
            pass
        finally:
            os.close(below)
    return found


def _kill_group(group: int) -> bool:
    """Kill all of a group; False before Linux 5.14."""
    try:
        fd = os.open("cgroup.kill", os.O_WRONLY | os.O_CLOEXEC, dir_fd=group)
    except OSError:
        return False
    try:
        os.write(fd, b"1")
    finally:
        os.close(fd)
    return True


def _marked(search: marked.Search) -> Left:
    """Give the processes that have a mark, and all below those, each with its start time."""
    if not process.is_told():
        return []  # the numbers there are those of others
    # When it started is read before its mark is: a number that is another's by then is that of none.
    known = {pid: process.descent(pid) for pid in map(int, filter(str.isdigit, os.listdir("/proc")))}
    parents = {pid: parent for pid, (parent, _) in known.items()}
    # A runsvdir that the service itself started over its own directory has its mark, and supervises; so has who reads for us.
    supervisors = set(_line_of(os.getpid(), parents)) | {pid for pid in parents if parents[pid] == os.getpid()}
    found = search.among(parents.keys() - supervisors)
    below = {pid for pid in parents if not found.isdisjoint(_line_of(parents[pid], parents))}
    return [(pid, known[pid][1]) for pid in sorted((found | below) - supervisors) if not process.is_zombie(pid)]


def _line_of(pid: int, parents: dict[int, int]) -> list[int]:
    """Give a process and those above it."""
    line: list[int] = []
    while pid > 1 and len(line) < len(parents):
        line.append(pid)
        pid = parents.get(pid, 0)
    return line


def _mark(directory: int, secret: bytes) -> str:
    from _blake2 import blake2b  # few services are marked; hashlib would load a library for each

    found = os.fstat(directory)
    return blake2b(b"%d:%d" % (found.st_dev, found.st_ino), key=secret, digest_size=16).hexdigest()


def _send(found: Left, *numbers: int) -> None:
    for pid, start in found:
        process.send_since(pid, start, *numbers)


def _read(name: str, group: int) -> bytes:
    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC, dir_fd=group)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def _names(found: Left) -> bytes:
    shown = [b"%d %b" % (pid, printable(process.name(pid))) for pid, _ in found[:_NAMES_MAX]]
    return b", ".join([name.rstrip() for name in shown] + [b"..."] * (len(found) > _NAMES_MAX))


def _say(name: bytes, text: bytes) -> None:
    write_to_stderr(b"runsv %b: warning: %b\n" % (name, text))
