"""A FIFO as every client of a supervisor meets it: somebody reads it, or nobody supervises."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
from pathlib import Path


def is_read(path: Path) -> bool:
    """Whether somebody reads a FIFO."""
    fd = _writer(path)
    if fd is None:
        return False
    os.close(fd)
    return True


def tell(path: Path, letters: bytes) -> bool:
    """Write to a FIFO; False while nobody reads, there is none, or it is full."""
    fd = _writer(path)
    if fd is None:
        return False
    try:
        os.write(fd, letters)
    except (BrokenPipeError, BlockingIOError):
        return False
    finally:
        os.close(fd)
    return True


def unread(pipe: int) -> int:
    """Give how many bytes wait in a pipe or FIFO that is open."""
    return int(struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0])


def _writer(path: Path) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ENXIO:
            return None
        raise
