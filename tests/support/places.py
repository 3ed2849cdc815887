"""A directory that is provisioned, seen as its user sees it."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from runit_provision import apply, host, plan
from runit_provision.apply import Progress, Report
from runit_provision.model.plan import Plan
from runit_provision.model.tree import RenderedTree

from . import waiting


class Place:
    """`base` is what is provisioned, `library` (in it) remembers what was. settle: seconds, see apply.calls.SETTLE."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.library = base / "library"

    def machine(self) -> host.Machine:
        """The machine, to be closed by a with statement."""
        return host.Machine(place=self.library)

    def plan(self, tree: RenderedTree) -> Plan:
        """What an apply of `tree` would do."""
        with self.machine() as machine:
            return plan.decide(tree, machine.observe(tree))

    def apply(
        self, tree: RenderedTree, *, timeout: float = waiting.DEADLINE, lock_timeout: float = 0.0, progress: Progress | None = None
    ) -> Report:
        """Apply `tree`."""
        with self.machine() as machine, machine.lock(timeout=lock_timeout):
            return apply.apply(plan.decide(tree, machine.observe(tree)), machine, timeout=timeout, progress=progress)

    def rollback(self, *, lock_timeout: float = 0.0) -> Report:
        """Undo the last apply."""
        with self.machine() as machine, machine.lock(timeout=lock_timeout, command="rollback"):
            return apply.rollback(machine)

    def copy(self, other: Path) -> Place:
        """The same, elsewhere. Only for trees that name no absolute path."""
        shutil.copytree(self.base, other, symlinks=True)
        return Place(other)

    def listing(self) -> dict[str, str]:
        """Everything there is but the library and what runsv keeps: path, mode with owner, and content or target."""
        found = {}
        for folder, folders, files in os.walk(self.base):
            folders[:] = [name for name in folders if name != "supervise" and Path(folder, name) != self.library]
            for name in (*folders, *files):
                path = Path(folder, name)
                seen = path.lstat()
                what = (
                    str(path.readlink()) if path.is_symlink() else path.read_bytes().decode(errors="replace") if path.is_file() else ""
                )
                found[str(path.relative_to(self.base))] = f"{stat.filemode(seen.st_mode)} {what}"
        return found

    def everything(self) -> dict[str, tuple[int, ...]]:
        """Everything there is, the library included, with inode, mode and times; that of access for files only."""
        every = (self.base, *self.base.rglob("*"))
        seen = {str(path): path.lstat() for path in every}
        return {
            path: (at.st_ino, at.st_mode, at.st_atime_ns if stat.S_ISREG(at.st_mode) else 0, at.st_mtime_ns, at.st_ctime_ns)
            for path, at in seen.items()
        }

    def kept(self) -> set[str]:
        """The contents that are kept in the library."""
        store = self.library / "kept"
        return {kept.read_bytes().decode(errors="replace") for kept in store.iterdir() if kept.is_file()} if store.is_dir() else set()
