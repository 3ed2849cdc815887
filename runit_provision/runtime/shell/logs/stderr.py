"""What a logger has to say."""

from __future__ import annotations

import posix

_STDERR = 2


def print_error(text: bytes) -> None:
    """Write to stderr, as far as it goes."""
    view = memoryview(text)
    try:
        while view:
            view = view[posix.write(_STDERR, view) :]
    except OSError:
        pass  # there is nobody to tell
