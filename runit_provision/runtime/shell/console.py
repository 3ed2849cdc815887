"""What a short-lived tool and its caller say to each other: words in, text out, an interrupt."""

from __future__ import annotations

import posix
import sys
from _signal import SIG_DFL, SIGINT, SIGPIPE, default_int_handler, getsignal, signal


def encode(word: str) -> bytes:
    """Give the bytes that the caller wrote for an argument."""
    return word.encode(sys.getfilesystemencoding(), "surrogateescape")


def write(descriptor: int, text: bytes) -> None:
    """Write all of `text`; end as the signal would when the reader has gone."""
    try:
        while text:
            text = text[posix.write(descriptor, text) :]
    except BrokenPipeError:
        signal(SIGPIPE, SIG_DFL)
        posix.kill(posix.getpid(), SIGPIPE)


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
