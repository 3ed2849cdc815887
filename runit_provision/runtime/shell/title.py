"""What ps, pgrep and pidof show of this process, and runsvdir's readproctitle log in it; runsvdir(8).

The arguments of a process lie in its own memory, between arg_start and arg_end (/proc/PID/stat, proc(5)); who writes there changes what
others read. There is room for as much as the process was started with.
"""

from __future__ import annotations

import posix

LOG_MIN = 7
"""A log argument shorter than this has no room; runsvdir(8)."""
_KEPT = 5
"""Bytes at the beginning of the log argument that do not roll: `log: `."""


class Title:
    """The arguments of this process, as others see them."""

    def __init__(self) -> None:
        self._start, self._room = _area()
        self._log_at = 0
        self._log = b""

    def show(self, arguments: list[bytes]) -> None:
        """Show `arguments`, cut to the room that there is."""
        shown = b"\0".join(arguments) + b"\0"
        self._write(0, shown[: self._room].ljust(self._room, b"\0"))

    def show_with_log(self, arguments: list[bytes]) -> bool:
        """Show `arguments`, the last of which is the rolling log; False when it is too short for one."""
        if len(arguments[-1]) < LOG_MIN:
            return False
        self.show(arguments)
        self._log = arguments[-1]
        self._log_at = sum(len(argument) + 1 for argument in arguments[:-1])
        return True

    def roll(self, text: bytes) -> None:
        """Add `text` at the right end of the log; what was there moves to the left."""
        if not self._log:
            return
        rolling = self._log[_KEPT:] + text.replace(b"\0", b"")
        self._log = self._log[:_KEPT] + rolling[len(rolling) - (len(self._log) - _KEPT) :]
        self._write(self._log_at, self._log)

    def _write(self, at: int, content: bytes) -> None:
        content = content[: max(0, self._room - at)]
        if not content:
            return
        try:
            memory = posix.open("/proc/self/mem", posix.O_WRONLY | posix.O_CLOEXEC)
        except OSError:
            return
        try:
            posix.pwrite(memory, content, self._start + at)
        except OSError:
            pass
        finally:
            posix.close(memory)


def name_process(name: bytes) -> None:
    """Set the name by which killall and `ps -C` find this process; at most 15 bytes."""
    try:
        fd = posix.open("/proc/self/comm", posix.O_WRONLY | posix.O_CLOEXEC)
    except OSError:
        return
    try:
        posix.write(fd, name)
    except OSError:
        pass
    finally:
        posix.close(fd)


def _area() -> tuple[int, int]:
    """Give where this process's arguments are and how much room they have; 0, 0 where the kernel does not say."""
    try:
        fd = posix.open("/proc/self/stat", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return 0, 0
    try:
        fields = posix.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        posix.close(fd)
    start, end = int(fields[45]), int(fields[46])
    return (start, end - start) if start else (0, 0)
