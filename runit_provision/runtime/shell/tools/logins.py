"""utmpset's hands: a login's end written into utmp and wtmp; utmpset(8)."""

from __future__ import annotations

import posix
import sys
from time import time

from ...wire import utmp
from . import locks

UTMP = b"/var/run/utmp"
WTMP = b"/var/log/wtmp"


class LoginFileError(Exception):
    """A login file cannot be had; `text` says which and what was to be done, `number` is the errno."""

    def __init__(self, text: bytes, number: int | None) -> None:
        super().__init__(text)
        self.text = text
        self.number = number


def layout() -> utmp.Layout:
    """Give the form of this machine's records."""
    return utmp.Layout(posix.uname().machine, sys.byteorder)


def log_out(line: bytes) -> bool:
    """End the login on `line` in utmp; False when nobody is logged in there. Raises LoginFileError."""
    form = layout()
    descriptor = _locked(UTMP, posix.O_RDWR, colon=b":")
    try:
        offset = 0
        while len(record := posix.pread(descriptor, form.size, offset)) == form.size:
            if form.is_login(record, line):
                return posix.pwrite(descriptor, form.logged_out(record, now=int(time())), offset) == form.size
            offset += form.size
        return False
    finally:
        posix.close(descriptor)


def note_logout(line: bytes) -> None:
    """Append the logout from `line` to wtmp, whole or not at all. Raises LoginFileError; OSError when it cannot be written."""
    form = layout()
    descriptor = _locked(WTMP, posix.O_WRONLY | posix.O_NONBLOCK | posix.O_APPEND | posix.O_CREAT, colon=b"")
    try:
        size = posix.fstat(descriptor).st_size
        if posix.write(descriptor, form.logout(line, now=int(time()))) != form.size:
            posix.ftruncate(descriptor, size)
            raise OSError(28, "")
    finally:
        posix.close(descriptor)


def _locked(path: bytes, flags: int, *, colon: bytes) -> int:
    operation = b"unable to open "
    try:
        descriptor = posix.open(path, flags | posix.O_CLOEXEC, 0o600)
        operation = b"unable to lock%s " % colon
        locks.take(descriptor, path, b"utmpset")  # which everybody may read, and so lock
    except OSError as error:
        raise LoginFileError(operation + path, error.errno) from None
    return descriptor
