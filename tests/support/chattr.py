"""Paths that nobody may change, root included; chattr(1)."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import oracle, waiting


@contextmanager
def immutable(path: Path) -> Iterator[None]:
    """Let nobody change `path`."""
    chattr = oracle.program("chattr", package="e2fsprogs")
    if subprocess.run([chattr, "+i", str(path)], capture_output=True, check=False, timeout=waiting.DEADLINE).returncode:
        oracle.absent(f"the filesystem of {path} knows no immutable files")
    try:
        yield
    finally:
        subprocess.run([chattr, "-i", str(path)], check=True, timeout=waiting.DEADLINE)
