"""How much memory templates may take: a mistake in one of them is an error then, and not the end of the machine."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_MOST = 256 << 20
_OF_ONE_SERVICE = 256 << 10
"""Bytes; what a service needs is a tenth of that."""


@contextmanager
def bounded(services: int = 0) -> Iterator[None]:
    """Let whatever wants far more memory than so many services need have a MemoryError; setrlimit(2), RLIMIT_DATA."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    try:
        held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    except OSError:  # an image is built where /proc is not mounted: nobody can tell what is held already
        yield
        return
    bound = held + _MOST + services * _OF_ONE_SERVICE
    resource.setrlimit(resource.RLIMIT_DATA, (bound if soft == resource.RLIM_INFINITY else min(bound, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
