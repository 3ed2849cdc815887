"""What the kernel tells about a process: when it started, how it ended, and a handle that never means another one."""

from __future__ import annotations

import _signal
import errno
import fcntl
import os
import select
import struct
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _socket
    from collections.abc import Iterator
    from typing import Final

UNKNOWN: Final = -1
_MOST_ENVIRONMENT: Final = 6 << 20
"""Bytes that a program is executed with; a process can say that it has any number (prctl(2), PR_SET_MM_MAP)."""
_PIECE: Final = 1 << 16
DELETED: Final = " (deleted)"
"""What /proc/PID/fd shows behind the path of what has no name any more."""

# struct pidfd_info, PIDFD_GET_INFO and PIDFD_INFO_EXIT of linux/pidfd.h (Linux 6.15).
_INFO = struct.Struct("<QQ11Ii")
_INFO_EXIT = 1 << 3
_SOL_SOCKET, _SO_PEERCRED = 1, 17
_FORKED_ONLY = 0x40
_GET_INFO = (3 << 30) | (64 << 16) | (0xFF << 8) | 11
_LOOK_SECONDS: Final = 0.01
"""Between two looks at a process that cannot be waited for."""
NOT_NOW = {errno.EMFILE, errno.ENFILE, errno.ENOMEM}
"""What a system call fails with that says nothing of what it was about."""
NO_PROCESS = {errno.ESRCH, errno.EINVAL, errno.ENOENT}
"""What pidfd_open(2) fails with where there is none: the latter two where the number is a thread's by now, or that of a group."""


def boot_id() -> bytes:
    """Give this boot's identity, 36 characters; empty where the kernel does not tell."""
    return _read("/proc/sys/kernel/random/boot_id")[:36]


def is_told() -> bool:
    """Whether /proc tells of processes, and of those around us, not of another pid namespace.

    Without it none is known again that somebody else has started.
    """
    return _read("/proc/self/stat").split()[:1] == [b"%d" % os.getpid()]


def life() -> tuple[bytes, int, int]:
    """Give what the processes around us end with: the boot, and the pid namespace by its inode and the start of its first process.

    That start is in clock ticks since boot; 0 where /proc does not tell, for one since it is mounted with hidepid.
    """
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return boot_id(), namespace, starttime(1)


def starttime(pid: int) -> int:
    """Give when `pid` started, in clock ticks since boot (field 22 of /proc/PID/stat); 0 when there is none, or it is hidden."""
    return descent(pid)[1]


def parent(pid: int) -> int:
    """Give the parent of `pid`; 0 when there is none, or no such process."""
    return descent(pid)[0]


def descent(pid: int) -> tuple[int, int]:
    """Give parent and start of `pid`, as `parent` and `starttime` do."""
    fields = _stat(pid)
    return (int(fields[1]), int(fields[19])) if len(fields) > 19 else (0, 0)


def open_since(pid: int, start: int) -> int:
    """Give a pidfd of the process `pid` that started then; -1 when it is gone. OSError when that cannot be known now.

    A /proc with hidepid hides from its own account what is not dumpable (ssh-agent; what has executed sudo). A process of which it does
    not tell is taken for that one: who is mistaken waits for a stranger's end, where otherwise a second one would be started.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        if error.errno in NO_PROCESS:
            return -1
        raise
    try:
        is_it = starttime(pid) in {start, 0}
    except OSError:
        os.close(pidfd)
        raise
    if is_it:
        return pidfd
    os.close(pidfd)
    return -1


def is_since(pid: int, start: int) -> bool:
    """Whether the process `pid` that started then is there, ended or not, as open_since finds it. OSError."""
    if starttime(pid) == start:
        return True
    pidfd = open_since(pid, start)
    if pidfd >= 0:
        os.close(pidfd)
    return pidfd >= 0


def is_over(pid: int, start: int) -> bool:
    """Whether the process `pid` that started then has ended, with all of its threads. OSError."""
    pidfd = open_since(pid, start)
    if pidfd < 0:
        return True
    try:
        return has_ended(pidfd)
    finally:
        os.close(pidfd)


def has_ended(pidfd: int) -> bool:
    """Whether a process has ended, with all of its threads, and given its children to others; -1 is none, which has not. OSError."""
    if pidfd < 0:
        return False
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    return bool(ended.poll(0))


def is_child(pid: int) -> bool:
    """Whether `pid` is a child of ours, ended or not: wait(2) tells that of any, without a descriptor."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def is_zombie(pid: int) -> bool:
    """Whether `pid` ended and nobody has asked how; not while a thread of it lives, though its first has ended."""
    fields = _stat(pid)
    return len(fields) > 17 and fields[0] in {b"Z", b"X"} and int(fields[17]) <= 1


def is_stopped(pid: int) -> bool:
    """Whether `pid` got SIGSTOP, and does nothing."""
    return _stat(pid)[:1] == [b"T"]


def is_running(pid: int) -> bool:
    """Whether `pid` has a processor, or waits for nothing else."""
    return _stat(pid)[:1] == [b"R"]


def has_executed(pid: int) -> bool:
    """Whether `pid` is a program of its own by now, and not what it was forked from (PF_FORKNOEXEC of field 9 of /proc/PID/stat)."""
    fields = _stat(pid)
    return len(fields) > 6 and not int(fields[6]) & _FORKED_ONLY


def name(pid: int) -> bytes:
    """Give the name of `pid` as ps shows it; empty when there is no such process."""
    return _read(f"/proc/{pid}/comm").rstrip(b"\n")


def is_of(pid: int, uid: int) -> bool:
    """Whether `pid` has this uid and no other: one that somebody runs with more rights than his own has his as well (proc(5), Uid)."""
    lines = _read(f"/proc/{pid}/status").splitlines()
    return any(line.startswith(b"Uid:") and {*line.split()[1:]} == {b"%d" % uid} for line in lines)


def is_ours(pid: int) -> bool:
    """Whether `pid` has our uid and no other."""
    return is_of(pid, os.geteuid())


def program(pid: int | str) -> str:
    """Give the name of the file that `pid` was executed from; after an upgrade of its package that is another file. OSError."""
    return os.path.basename(os.readlink(f"/proc/{pid}/exe").removesuffix(DELETED))


def is_interpreted(pid: int) -> bool:
    """Whether `pid` runs in a Python, as all of ours do: ours may be called otherwise, and theirs be another one by now. OSError."""
    return program(pid).startswith(("python", program("self")))


def children(pid: int) -> list[int]:
    """Give the children of a process of one thread; of one that is stopped, all of them (proc(5)). OSError."""
    fd = os.open(f"/proc/{pid}/task/{pid}/children", os.O_RDONLY | os.O_CLOEXEC)
    with os.fdopen(fd, "rb") as file:
        return [int(child) for child in file.read().split()]


def zombie_status(pid: int) -> int:
    """Give the wait status of a zombie (field 52 of /proc/PID/stat), or UNKNOWN."""
    try:
        os.readlink(f"/proc/{pid}/exe")
    except PermissionError:
        return UNKNOWN  # what has executed sudo: of that the field is 0, whatever it ended with (proc(5))
    except OSError:
        pass  # it has none any more
    fields = _stat(pid)
    return int(fields[49]) if len(fields) > 49 and fields[0] == b"Z" else UNKNOWN


def exit_status(pidfd: int) -> int:
    """Give the wait status of an ended process by its pidfd, also when another one reaped it; UNKNOWN before Linux 6.15."""
    buffer = bytearray(_INFO.size)
    buffer[:8] = _INFO_EXIT.to_bytes(8, "little")
    try:
        fcntl.ioctl(pidfd, _GET_INFO, buffer)
    except OSError:
        return UNKNOWN
    values = _INFO.unpack(buffer)
    return int(values[13]) if values[0] & _INFO_EXIT else UNKNOWN


def how_it_ended(pidfd: int, pid: int) -> int:
    """Give the wait status of an ended process that need not be our child: its reaper may not have come yet, or come just now."""
    for status in (exit_status(pidfd), zombie_status(pid)):
        if status != UNKNOWN:
            return status
    return exit_status(pidfd)


def peer(sock: _socket.socket) -> int:
    """Give the pid of who is at the other end of an AF_UNIX socket, or listened there."""
    return _credentials(sock)[0]


def peer_uid(sock: _socket.socket) -> int:
    """Give the effective uid of who is at the other end of an AF_UNIX socket, or listened there, at that time."""
    return _credentials(sock)[1]


def open_peer(sock: _socket.socket, pid: int = 0) -> int:
    """Give a pidfd of `pid`, or of the process at the other end of an AF_UNIX socket; -1 when it is gone."""
    try:
        return os.pidfd_open(pid or peer(sock))
    except OSError:
        return -1


def wait_for_end(pidfd: int) -> bool:
    """Wait until a process has ended, and given its children to others; a second at most. Whether it has, as -1, none, always has."""
    due = time.monotonic() + 1.0
    while pidfd >= 0:
        left = max(0.0, due - time.monotonic())
        waiting = select.poll()
        waiting.register(pidfd, select.POLLIN)
        try:
            if waiting.poll(left * 1000):
                return True
        except OSError:
            time.sleep(_LOOK_SECONDS)  # there is no memory to wait with
        if not left:
            return False
    return True


def be_subreaper() -> bool:
    """Become the one to whom descendants go whose parent died (prctl(2), PR_SET_CHILD_SUBREAPER); whether it worked.

    The only call for which there is no module but the one beneath ctypes, which itself would take 2 ms to import and 0.3 MB.
    """
    try:
        import _ctypes

        prctl = _ctypes.dlsym(_ctypes.dlopen(None, 0), "prctl")  # type: ignore[arg-type]
        return bool(_ctypes.call_function(prctl, (36, 1, 0, 0, 0)) == 0)
    except (ImportError, OSError, AttributeError):
        return False


def send(pid: int, number: int, *, with_group: bool) -> None:
    """Send a signal to a process, and with it to the process group that it leads, if it does. OSError."""
    if with_group and os.getpgid(pid) == pid:
        os.killpg(pid, number)
    else:
        os.kill(pid, number)


def send_to(pidfd: int, number: int) -> None:
    """Send a signal to a process, if it is there still; -1 is none."""
    if pidfd >= 0:
        try:
            _signal.pidfd_send_signal(pidfd, number)
        except ProcessLookupError:
            pass


def send_since(pid: int, start: int, *numbers: int) -> None:
    """Send signals to the process `pid` that started then, if it is there still, and we may."""
    try:
        pidfd = open_since(pid, start)
    except OSError:
        return
    try:
        for number in numbers:
            send_to(pidfd, number)
    except OSError:
        pass
    finally:
        if pidfd >= 0:
            os.close(pidfd)


def threads(pid: int) -> list[int]:
    """Give the threads of a process; none of one that is gone."""
    try:
        return [int(thread) for thread in os.listdir(f"/proc/{pid}/task")]
    except OSError:
        return []


def environment(pid: int) -> list[bytes]:
    """Give what a process, or the one of a thread, was executed with, `NAME=VALUE` each.

    Nothing of one that is gone, or none of our business, nor by the first thread of a process when that has ended.
    """
    try:
        fd = os.open(f"/proc/{pid}/environ", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        text = os.read(fd, _PIECE)
        if len(text) == _PIECE:
            text += os.read(fd, _MOST_ENVIRONMENT)
        return text.split(b"\0")
    except OSError:
        return []
    finally:
        os.close(fd)


def descriptors(pid: int, file: tuple[int, int] | None) -> list[str]:
    """Give the descriptors of `pid` that lead to `file` (device, inode); none of a process that is gone, or none of our business.

    OSError when that cannot be known now.
    """
    found = []
    try:
        listed = os.listdir(f"/proc/{pid}/fd")
    except OSError as error:
        if error.errno in NOT_NOW:
            raise
        return []
    for fd in listed:
        try:
            known = os.stat(f"/proc/{pid}/fd/{fd}")
        except OSError:
            continue  # it was closed just now
        if (known.st_dev, known.st_ino) == file:
            found.append(fd)
    return found


def open_files(pid: int) -> Iterator[tuple[str, str]]:
    """Give each descriptor of a process, as a path, and the path of what it leads to, though that may be removed. OSError."""
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            leads_to = os.readlink(f"/proc/{pid}/fd/{fd}")
        except FileNotFoundError:
            continue  # it was closed just now
        yield f"/proc/{pid}/fd/{fd}", leads_to.removesuffix(DELETED)


def close_inherited() -> None:
    """Close every descriptor from 3 on that this process was started with."""
    try:
        listed = os.listdir("/proc/self/fd")
    except OSError:
        close_all_but()  # which misses those beyond a limit that was lowered since
        return
    for fd in map(int, listed):
        try:
            if fd > 2:
                os.close(fd)
        except OSError:
            continue  # the one that /proc was read by


def close_all_but(*kept: int) -> None:
    """Close every descriptor from 3 on that is not in `kept`."""
    previous = 2
    for fd in sorted(fd for fd in kept if fd > 2):
        os.closerange(previous + 1, fd)
        previous = fd
    os.closerange(previous + 1, os.sysconf("SC_OPEN_MAX"))


def take_streams_and_environment(fds: list[int]) -> None:
    """Let what this process starts from now on have other streams, fds[:3], and another environment, a memory file, fds[3]."""
    for number in range(3):
        os.dup2(fds[number], number)
    size = os.fstat(fds[3]).st_size
    pairs = [entry.partition(b"=")[::2] for entry in os.pread(fds[3], size, 0).split(b"\0") if entry]
    for name in list(os.environb):
        if name:
            del os.environb[name]
    for name, value in pairs:
        if name:
            os.environb[name] = value


def default_signals() -> None:
    """Undo what Python does to signals: what nobody catches has its default action, as in any program."""
    for number in (_signal.SIGINT, _signal.SIGPIPE, _signal.SIGXFSZ):
        _signal.signal(number, _signal.SIG_DFL)


def _credentials(sock: _socket.socket) -> tuple[int, int, int]:
    pid, uid, gid = struct.unpack("iII", sock.getsockopt(_SOL_SOCKET, _SO_PEERCRED, 12))
    return pid, uid, gid


def _stat(pid: int) -> list[bytes]:
    """Give the fields of /proc/PID/stat behind the name, none when there is no such process.

    OSError when that cannot be known now: who took a process for gone would start it a second time.
    """
    # The name in parentheses may hold anything, parentheses and blanks too.
    return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()


def _read(path: str) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in NOT_NOW:
            raise
        return b""
    try:
        return os.read(fd, 4096)
    except ProcessLookupError:
        return b""
    finally:
        os.close(fd)
