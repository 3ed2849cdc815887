"""What the processes of a tree say, on stderr, which may lead to the log in runsvdir's title, and to a reader that hangs or has gone.

Nobody waits for that reader, nor dies with it: what finds no room is counted, and the next message that finds some tells how many there
were. Stderr is shared with services, so it is not made non-blocking for them: each write is.
"""

from __future__ import annotations

import _signal
import posix
import select
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_STDERR = 2
_AT_ONCE = 4000
"""Bytes: with what was lost before it is less than PIPE_BUF, which a pipe takes whole or not at all."""
_IFMT, _IFIFO, _IFSOCK = 0o170000, 0o010000, 0o140000
_NOWAIT = getattr(posix, "RWF_NOWAIT", 0)
"""0: this Python's C library does not know it."""
_ENOSYS, _EOPNOTSUPP = 38, 95
_FAILED = 111


class _Lost:
    """How many messages of the process `pid` were lost since one was written; a fork has lost none."""

    pid = 0
    count = 0


def report_to_stderr(program: str) -> Callable[[str], None]:
    """Give a report that writes lines to stderr, as `program` where they name none."""

    def report(text: str) -> None:
        line = text if text.startswith("runsv") else f"{program}: {text}"
        write_to_stderr(encoded(line) + b"\n")

    return report


class Trouble:
    """What cannot be done now, and is tried again: each reason is told once, until it is over."""

    __slots__ = ("_report", "_told")

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._told: set[str] = set()

    def tell(self, text: str) -> None:
        """Say why it cannot be done, unless that was said."""
        if text not in self._told:
            self._told.add(text)
            self._report(text)

    def over(self) -> bool:
        """It is done; whether anything had been told."""
        was_told = bool(self._told)
        self._told.clear()
        return was_told


def be_child(program: str, work: Callable[[], object]) -> NoReturn:
    """Do `work` in a child that was forked for it, and end with it: with 0, or with 111 when it failed, which is said as `program`."""
    status = _FAILED
    try:
        work()
        status = 0
    except BaseException as error:
        report_to_stderr(program)(f"{type(error).__name__}: {error}")
    finally:
        posix._exit(status)


def encoded(text: str) -> bytes:
    """Give the bytes of a message, in which names of files are as os.fsdecode gives them."""
    try:
        return text.encode(sys.getfilesystemencoding(), "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def printable(text: bytes) -> bytes:
    """Give a text of somebody else's with what could end a line of ours, or move a terminal's cursor, escaped."""
    signs = text.decode("utf-8", "backslashreplace")
    return "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in signs).encode()


def write_to_stderr(text: bytes, patience: float = 0.0) -> None:
    """Write lines to stderr as far as there is room; never raises.

    patience: seconds to wait for room for each 4 KB, unless what came before was lost.
    """
    while text:
        piece, text = _split(text)
        lost = _Lost.count if _Lost.pid == posix.getpid() else 0
        notice = b"runsv: warning: unable to write earlier messages: %d\n" % lost if lost else b""
        if _write(notice + piece, 0.0 if lost else patience):
            _Lost.count = 0
        else:
            _Lost.pid, _Lost.count = posix.getpid(), lost + max(1, piece.count(b"\n"))


def outlive_readers() -> None:
    """Let a write that nobody can read any more fail, which would end this process; what it executes is not concerned."""
    _signal.signal(_signal.SIGPIPE, _nothing)


def _split(text: bytes) -> tuple[bytes, bytes]:
    end = len(text) if len(text) <= _AT_ONCE else text.rfind(b"\n", 0, _AT_ONCE) + 1 or _AT_ONCE
    return text[:end], text[end:]


def _write(piece: bytes, patience: float) -> bool:
    try:
        return _write_at_once(piece) or (patience > 0 and _has_room(patience) and _write_at_once(piece))
    except OSError:
        return False  # there is no stderr, or nobody reads it, or its disk is full


def _write_at_once(piece: bytes) -> bool:
    """Whether there was room."""
    kind = posix.fstat(_STDERR).st_mode & _IFMT
    if kind not in {_IFIFO, _IFSOCK}:
        return _write_if_room(piece)
    try:
        if _NOWAIT:
            posix.pwritev(_STDERR, [piece], -1, _NOWAIT)
            return True
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in {_ENOSYS, _EOPNOTSUPP}:
            raise
    # A FIFO that was opened by name; and anything before Linux 6.4.
    return _write_to_fifo(piece) if kind == _IFIFO else _write_if_room(piece)


def _write_to_fifo(piece: bytes) -> bool:
    """Write by an open file description of our own: between a look for room and a write, others may take the room."""
    try:
        own = posix.open(f"/proc/self/fd/{_STDERR}", posix.O_WRONLY | posix.O_NONBLOCK | posix.O_CLOEXEC)
    except OSError:
        return _write_if_room(piece)  # another user's, or nobody reads it
    try:
        posix.write(own, piece)
        return True
    except BlockingIOError:
        return False
    finally:
        posix.close(own)


def _write_if_room(piece: bytes) -> bool:
    if not _has_room(0.0):
        return False
    posix.write(_STDERR, piece)
    return True


def _has_room(seconds: float) -> bool:
    waiting = select.poll()
    waiting.register(_STDERR, select.POLLOUT)
    return bool(waiting.poll(seconds * 1000))


def _nothing(_number: int, _frame: object) -> None:
    """The error of the write tells all."""
