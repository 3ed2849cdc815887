"""What other processes say that they are: text alone, of which only the beginning is read; no path that one names is ever touched.

A command line is its process's own: it may be any text, of any length (prctl(2), PR_SET_MM_MAP), and to read it may hang in a
filesystem of that process's account. So who waits for it without end asks for those of accounts that he trusts. A name of at most 15
bytes (comm) is the kernel's, and that of anybody can be asked for.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterable

_MOST = 8192
"""Bytes of a command line: a runsvdir's has one path of at most 4,096."""
_SUPERVISORS = (b"runsv", b"s6-svscan", b"s6-supervise", b"svscan", b"supervise")
"""How their names begin: runsvdir, runsvdir-keeper, runsv."""


def words(pid: int | str) -> list[bytes]:
    """Give how the process `pid` was called; nothing when it has gone."""
    try:
        descriptor = os.open(f"/proc/{pid}/cmdline", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(descriptor, _MOST).split(b"\0")
        finally:
            os.close(descriptor)
    except OSError:
        return []


def words_in_time(pid: int, seconds: float) -> list[bytes]:
    """Give what `words` does; nothing when that takes longer. A child reads it: what hangs is killed, and not waited for."""
    if seconds <= 0:
        return []
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            # It may outlive us in the kernel: nobody is to wait for it at the other end of what we have open.
            os.closerange(0, writer)
            os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
            os.write(writer, b"\0".join(words(pid)))
        finally:
            os._exit(0)
    os.close(writer)
    try:
        is_told = bool(select.select([reader], [], [], seconds)[0])
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0 if is_told else os.WNOHANG)
        return os.read(reader, _MOST).split(b"\0") if is_told else []
    finally:
        os.close(reader)


def is_runsvdir(called: list[bytes]) -> bool:
    """Whether a process that was called so is a runsvdir: itself, or run by an interpreter."""
    return any(os.path.basename(word) == b"runsvdir" for word in called[:3])


def somebody_supervises() -> bool:
    """Whether any process of this host supervises services, as far as whoever asks may see: runit's, ours, s6's or daemontools'."""
    pids = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    # Where /proc hides what is others', nobody knows.
    return "1" not in pids or any(_name(pid).startswith(_SUPERVISORS) and sees_the_same_files(int(pid)) for pid in pids)


def _name(pid: str) -> bytes:
    """Give the name of the process `pid`; nothing when it has gone."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm:
            return comm.read()
    except OSError:
        return b""


def scans(pid: int) -> str:
    """Give the directory that the process `pid` looks after when it is a runsvdir, as its command line names it; else nothing."""
    called = words(pid) if pid else []
    if not is_runsvdir(called):
        return ""
    return next((os.fsdecode(word) for word in called[1:] if word.startswith(b"/") and os.path.basename(word) != b"runsvdir"), "")


def by_account() -> dict[int, list[int]]:
    """Give the pids of all processes by their uid; of those that have the rights of two accounts none."""
    found: dict[int, list[int]] = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            has = uids(pid)
        except OSError:
            continue  # it has just ended
        if len(has) == 1:
            found.setdefault(has.pop(), []).append(int(pid))
    return found


def uids(pid: int | str) -> set[int]:
    """Give all uids that a process has; one that somebody runs with more rights than his own has several; proc(5). OSError."""
    with open(f"/proc/{pid}/status", "rb") as status:
        for line in status:
            if line.startswith(b"Uid:"):
                return {*map(int, line.split()[1:])}
    raise ProcessLookupError


def named_by_runsvdirs(pids: Iterable[int]) -> frozenset[str]:
    """Give every path in the command lines of those of the processes that are runsvdirs of this host."""
    called = ((pid, words(pid)) for pid in pids)
    found = (those for pid, those in called if is_runsvdir(those) and sees_the_same_files(pid))
    return frozenset(os.fsdecode(word) for those in found for word in those if word.startswith(b"/"))


def sees_the_same_files(pid: int) -> bool:
    """Whether what a process calls a path is what this one calls so.

    False for a process of a container: its /etc/service is another one. True where the kernel does not tell.
    """
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return True
