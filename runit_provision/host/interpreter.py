"""Which python3 the runtime's tools start with, and whether it is new enough.

Nothing of an image (`root`) is ever run: what its interpreter is, its file names tell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from runit_provision.errors import HostError, Problem
from runit_provision.host.rooted import on_host, resolve

PYTHON = "/usr/bin/python3"
OLDEST = (3, 11)
_HINT = "name another interpreter with --python"
_SHEBANG = 127
"""The longest first line of a script that every kernel reads (execve(2))."""


@dataclass(frozen=True, slots=True)
class Interpreter:
    """path: what the tools' first line names. version: (major, minor). compiler: a program of that version that runs here, or None."""

    path: str
    version: tuple[int, int]
    compiler: str | None


def find(path: str, *, root: Path) -> Interpreter:
    """Examine the interpreter `path` of the host whose root directory is `root`; HostError when it cannot run the tools."""
    if not path.startswith("/") or re.search(r"\s", path) or len(path) > _SHEBANG - len("#! -IS\n"):
        raise _unfit(path, "not an absolute path that the first line of a script can name")
    file = on_host(root, path)
    if root == Path("/"):
        version = _ask(path)
        compiler: str | None = path
    else:
        version = _read(path, root)
        compiler = _same_version(version)
    if version < OLDEST:
        raise _unfit(str(file), f"is Python {dotted(version)}; the runtime needs {dotted(OLDEST)} or later")
    return Interpreter(path=path, version=version, compiler=compiler)


def default() -> str:
    """Give the system's python3 when it will do, else the interpreter that runs this, without its virtual environment."""
    try:
        return find(PYTHON, root=Path("/")).path
    except HostError:
        return str(getattr(sys, "_base_executable", sys.executable))


def _ask(path: str) -> tuple[int, int]:
    question = "import sys; print(*sys.version_info[:2])"
    try:
        answer = subprocess.run([path, "-IS", "-c", question], capture_output=True, check=True, text=True, timeout=60).stdout
        major, minor = answer.split()
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not a Python interpreter"
        raise _unfit(path, str(reason)) from error


def _read(path: str, root: Path) -> tuple[int, int]:
    """Tell the version of an image's interpreter: `python3` is a link to `python3.N`, or lib/python3.N lies beside its bin."""
    target = resolve(root, path)
    if target is None or not os.access(on_host(root, target), os.X_OK):
        raise _unfit(str(on_host(root, path)), "No such program")
    names = [Path(target).name]
    library = on_host(root, str(Path(target).parents[1])) / "lib"
    if library.is_dir():
        names += sorted((name for name in os.listdir(library)), key=len, reverse=True)
    for name in names:
        if found := re.fullmatch(r"python(\d+)\.(\d+)", name):
            return int(found[1]), int(found[2])
    raise _unfit(str(on_host(root, path)), "neither its name nor a lib/python3.N beside it tells its version")


def _same_version(version: tuple[int, int]) -> str | None:
    """Give an interpreter of this machine that compiles for `version`."""
    if sys.version_info[:2] == version:
        return sys.executable
    found = shutil.which(f"python{dotted(version)}")
    try:
        # A version manager's shim has the name of an interpreter that may not be there.
        return found if found and _ask(found) == version else None
    except HostError:
        return None


def dotted(version: tuple[int, int]) -> str:
    """Give a version as people write it."""
    return ".".join(map(str, version))


def _unfit(path: str, message: str) -> HostError:
    return HostError(Problem(message, path=path, hint=_HINT))
