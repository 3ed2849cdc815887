"""Running trees of the shipped runtime, of all users for root: which version each runs, and asking it to become the installed one.

Users are hostile: nothing of theirs is opened, and nothing that may hang is waited for. A tree is found by its keeper in /proc, told by
a signal that its owner could send it as well, and watched until it runs the other version. Whoever pretends to be a keeper gets a
signal, and is listed.
"""

from __future__ import annotations

import os
import pwd
import select
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from runit_provision.host.processes import uids, words, words_in_time

KEEPER = "runsvdir-keeper"
_AGAIN_SECONDS = 0.02
_TITLE_SECONDS, _TITLES_SECONDS = 1.0, 5.0
"""For another account's keeper to say which directory it looks after, and for all of them together."""


@dataclass(frozen=True, slots=True)
class Tree:
    """pid: the keeper's, which stays the same; version: the folder's name of what it runs; path: of its services, as it says, or ?."""

    pid: int
    uid: int
    path: str
    version: str

    def __str__(self) -> str:
        try:
            user = pwd.getpwuid(self.uid).pw_name
        except KeyError:
            user = str(self.uid)
        return f"{self.path} ({user}, keeper {self.pid})"


def find(library: Path) -> list[Tree]:
    """Give the trees that run a version from `library`, PREFIX/lib/runit-provision; only one's own for who is not root."""
    ends = time.monotonic() + _TITLES_SECONDS
    found = []
    for pid in map(int, filter(str.isdigit, os.listdir("/proc"))):
        examined = _examine(pid, library.resolve())
        if examined is not None:
            uid, version = examined
            found.append(Tree(pid, uid, _path(pid, uid, ends), version))
    return sorted(found, key=lambda tree: (tree.uid, tree.path))


def ask(trees: Iterable[Tree], library: Path) -> None:
    """Ask each tree to become what is installed now."""
    for tree in trees:
        try:
            process = os.pidfd_open(tree.pid)
        except OSError:
            continue
        try:
            # Looked at again behind the handle: from here on it cannot be another process.
            if _examine(tree.pid, library.resolve()) is not None:
                signal.pidfd_send_signal(process, signal.SIGUSR2)
        except OSError:
            continue  # it has just ended, or is another user's
        finally:
            os.close(process)


def watch(trees: Iterable[Tree], library: Path, *, version: str, patience: float) -> list[Tree]:
    """Wait until every tree runs `version` or has ended, at most `patience` seconds; give those that do not, as they are now."""
    left = list(trees)
    end = time.monotonic() + patience
    while left and time.monotonic() < end:
        select.select([], [], [], _AGAIN_SECONDS)
        now = [(tree, _examine(tree.pid, library.resolve())) for tree in left]
        left = [replace(tree, version=examined[1]) for tree, examined in now if examined is not None and examined[1] != version]
    return left


def _path(pid: int, uid: int, ends: float) -> str:
    """Give which directory a keeper says that it looks after, asked at the latest when it is `ends`, a monotonic time."""
    is_trusted = uid in {0, os.geteuid()}
    title = words(pid) if is_trusted else words_in_time(pid, min(_TITLE_SECONDS, ends - time.monotonic()))
    return os.fsdecode(title[1]) if len(title) > 1 else "?"


def _examine(pid: int, library: Path) -> tuple[int, str] | None:
    """Give uid and version of the keeper that `pid` is; None when it is no keeper that runs from `library`."""
    process = Path(f"/proc/{pid}")
    try:
        if (process / "comm").read_text(errors="replace").strip() != KEEPER:
            return None
        has = uids(pid)
        # Not one that somebody runs with more rights than his own; nor a program that is not python.
        if len(has) != 1 or not (process / "exe").readlink().name.startswith("python"):
            return None
        for descriptor in (process / "fd").iterdir():
            opened = descriptor.readlink()
            if opened.parent == library and _is_here(opened, descriptor.name, process):
                return has.pop(), opened.name
    except OSError:
        pass
    return None


def _is_here(opened: Path, number: str, process: Path) -> bool:
    """Whether what a process has open by this path is what has it here: a container may have the same path, and is not ours to renew.

    What a package has removed cannot be compared. Inodes alone are asked for, of /proc: what it has open may be on a disk that hangs.
    """
    try:
        ours = os.open(opened, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return True
    try:
        return _inode(Path("/proc/self"), str(ours)) == _inode(process, number)
    finally:
        os.close(ours)


def _inode(process: Path, number: str) -> str:
    """Give the line of the inode of what a process has open; nothing before Linux 5.14. OSError."""
    lines = (process / "fdinfo" / number).read_text().splitlines()
    return next((line for line in lines if line.startswith("ino:")), "")
