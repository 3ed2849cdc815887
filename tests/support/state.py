"""The state of a process as the kernel tells it, for two processes to be compared."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from . import waiting

PROGRAM = Path(shutil.which("sleep") or "/bin/sleep").resolve()
"""What the processes become: it reads nothing, writes nothing, and stays."""


def jail(folder: Path) -> Path:
    """Lay the program and its libraries under `folder`, to be changed root into."""
    needed = subprocess.run(["ldd", PROGRAM], capture_output=True, check=True, text=True).stdout.split()
    for path in [PROGRAM, *(Path(word) for word in needed if word.startswith("/"))]:
        copy = folder / path.relative_to("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (folder / "inner").mkdir()
    return folder


def become(words: Sequence[str | bytes | Path], *, cwd: Path, env: Mapping[bytes, bytes], **options: Any) -> dict[str, object]:
    """Run `words`, which end with the program, until they have become it or have ended; give the state or how they ended."""
    process = subprocess.Popen(
        [os.fsencode(word) for word in words],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        **options,
    )
    proc = Path(f"/proc/{process.pid}")

    def settled() -> bool:
        return process.poll() is not None or has_become(proc)

    try:
        waiting.until(settled, what=f"{words} to become {PROGRAM}")
        if process.poll() is None:
            return observe(proc)
        out, err = process.communicate(timeout=waiting.DEADLINE)
        return {"code": process.returncode, "out": out, "err": err}
    finally:
        process.kill()
        process.communicate()


def has_become(proc: Path) -> bool:
    """Whether a process in /proc is the program, and waits: what it was called with is there only some time after its name."""
    try:  # in a jail the link names a copy of the program, elsewhere the program
        return (proc / "exe").readlink().name == PROGRAM.name and "nanosleep" in (proc / "wchan").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False  # it has just ended


def observe(proc: Path) -> dict[str, object]:
    """Give what of a process in /proc is not by chance."""
    status = dict(line.split(":\t", 1) for line in (proc / "status").read_text().splitlines() if ":\t" in line)
    stat = (proc / "stat").read_text().rpartition(")")[2].split()
    pid = int(proc.name)
    kept = ("Uid", "Gid", "Groups", "Umask", "SigIgn", "SigBlk", "NoNewPrivs", "CapEff")
    return {
        **{key: status[key].strip() for key in kept},
        "nice": int(stat[16]),
        "leads a group": int(stat[2]) == pid,
        "leads a session": int(stat[3]) == pid,
        "limits": (proc / "limits").read_text().splitlines(),
        "environment": sorted((proc / "environ").read_bytes().split(b"\0")),
        "words": (proc / "cmdline").read_bytes().split(b"\0"),
        "directory": (proc / "cwd").readlink(),
        "root": (proc / "root").readlink(),
        "descriptors": {int(fd.name): _target(fd) for fd in (proc / "fd").iterdir()},
    }


def _target(fd: Path) -> str:
    return fd.readlink().name.partition(":")[0]
