"""Programs that nobody here wrote and that know the right answer. On CI a missing one is a failure, never a skip."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from pathlib import Path

import pytest


def program(name: str, *, package: str) -> str:
    """Give the path of the program `name`; skip the test when it is missing, or fail it on CI."""
    found = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
    return found or absent(f"{name} is not installed (package {package})")


def faketime() -> str:
    """Give the library that lets a program see another time; skip the test when it is missing, or fail it on CI."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    _forget_dead_clocks()
    return str(found[0]) if found else absent("libfaketime is not installed (package faketime)")


def _forget_dead_clocks() -> None:
    """Remove what libfaketime shares by process number and a killed process leaves: who gets that number again sees the true time.

    Not what is young: its process may live in a pid namespace of its own.
    """
    for path in Path("/dev/shm").glob("*faketime_s[eh]m_*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > 600 and not Path("/proc", path.name.rpartition("_")[2]).exists():
                path.unlink()


def root(why: str) -> None:
    """Skip the test unless root runs it, or fail it on CI."""
    if os.geteuid() != 0:
        absent(f"needs root: {why}")


def absent(reason: str) -> str:
    """Skip the test for `reason`, or fail it on CI."""
    if os.environ.get("CI"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
