"""What a short-lived tool and its caller say to each other: words in, text out, an interrupt."""

from __future__ import annotations

import posix
import sys
from _signal import SIG_DFL, SIGINT, SIGPIPE, default_int_handler, getsignal, signal

_STANDARD_ERROR = 2


def encode(word: str) -> bytes:
    """Give the bytes that the caller wrote for an argument."""
    return word.encode(sys.getfilesystemencoding(), "surrogateescape")


def write(descriptor: int, text: bytes) -> None:
    """Write all of `text`; end as the signal would when the reader has gone.

    Text that has no place (a full disk, a closed descriptor) is dropped, as C's tools drop it: what was asked for goes on.
    """
    try:
        while text:
            text = text[posix.write(descriptor, text) :]
    except BrokenPipeError:
        signal(SIGPIPE, SIG_DFL)
        posix.kill(posix.getpid(), SIGPIPE)
    except OSError:
        pass


def occupy_standard_streams(*, for_all: bool = False) -> None:
    """Open what the caller closed of descriptors 0 to 2, so that nothing opened later gets what is written there, or is read.

    Reading there goes on to be an error, as of a closed descriptor. for_all: also for what this process executes.
    """
    try:
        while (descriptor := posix.open(b"/dev/null", posix.O_WRONLY | posix.O_CLOEXEC)) <= _STANDARD_ERROR:
            if for_all:
                posix.set_inheritable(descriptor, True)
        posix.close(descriptor)
    except OSError:
        pass


def end_on_interrupt() -> None:
    """Let the user's Ctrl-C end the process as it ends a C program, not with a traceback."""
    if getsignal(SIGINT) is default_int_handler:
        signal(SIGINT, SIG_DFL)


def explain(number: int | None) -> bytes:
    """Give `: ` and the words for an errno, nothing for 0."""
    if not number:
        return b""
    from ..wire import errors

    return b": " + errors.text(number)
