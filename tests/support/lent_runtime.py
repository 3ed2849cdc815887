"""The shipped runtime on many hosts: laid on the first of a kind by the command itself, and copied from there to the next.

Byte-compiling it takes most of a second, and a hundred tests begin with a host that has it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from .command import runit_provision

_kept: dict[tuple[str, str], Path] = {}
_place = tempfile.TemporaryDirectory(prefix="runtimes-")


def lay_runtime(root: Path, *, prefix: str = "/usr/local") -> None:
    """Let the image at `root` have the runtime, as `runtime install --root` lays it."""

    def install() -> None:
        done = runit_provision("runtime", "install", "--root", root, "--prefix", prefix)
        assert done.status == 0, done.err

    lend(root, prefix, install, kind=str((root / "usr/bin/python3").readlink()))


def lend(root: Path, prefix: str, install: Callable[[], object], *, kind: str) -> None:
    """Let `install` lay the runtime below `prefix` of what is at `root`, or copy what it has laid on another host of the same kind."""
    laid = root / prefix.lstrip("/")
    kept = _kept.get((prefix, kind))
    if kept is not None:
        shutil.copytree(kept, laid, symlinks=True, dirs_exist_ok=True)
        return
    install()
    kept = Path(_place.name) / str(len(_kept))
    shutil.copytree(laid, kept, symlinks=True)
    _kept[prefix, kind] = kept
