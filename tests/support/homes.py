"""A user's home, and what is root's beside it: for tests in which root works where another may do what he likes."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable
from pathlib import Path

from runit_provision.apply import Report
from runit_provision.host import nursery
from runit_provision.model.tree import Effect, Realm, RenderedTree

from . import waiting
from .places import Place
from .trees import Unit, grow

USER = "nobody"
SECRET = "what only root may read"


class Home(Place):
    """A user's home, and beside it what is root's: `outside` has to stay as it is."""

    def __init__(self, base: Path) -> None:
        super().__init__(base)
        self.user = pwd.getpwnam(USER)
        self.home = base / "home"
        self.home.mkdir(mode=0o755)
        os.chown(self.home, self.user.pw_uid, self.user.pw_gid)
        self.realm = Realm(USER, str(self.home))
        self.outside = base / "outside"
        for folder in ("sv/a", "service", "env"):
            (self.outside / folder).mkdir(parents=True)
        (self.outside / "sv/a/run").write_text(SECRET)
        (self.outside / "shadow").write_text(SECRET)
        (self.outside / "shadow").chmod(0o600)
        self.before = self.state()

    def tree(self, *units: Unit) -> RenderedTree:
        return grow(self.home, units or [Unit("a", files={"env/ONE": (b"1\n", Effect.RESTART)}), Unit("b")], realm=self.realm)

    def apply_with_children_of(self, more: int, tree: RenderedTree) -> Report:
        """Apply `tree`, with children that may have so many bytes more than this process has; proc_pid_status(5)."""
        told = dict(line.split(":\t") for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
        nursery._MEMORY = (int(told["VmData"].split()[0]) << 10) + more
        return self.apply(tree)

    def state(self) -> list[tuple[str, os.stat_result | str]]:
        """Everything outside, with its inode, mode, owner, times of change, and links count."""
        found = []
        for path in (self.outside, *sorted(self.outside.rglob("*"))):
            seen = path.lstat()
            found.append((str(path), f"{seen.st_ino} {seen.st_mode} {seen.st_uid} {seen.st_gid} {seen.st_mtime_ns} {seen.st_ctime_ns}"))
        return found  # type: ignore[return-value]

    def as_user(self, work: Callable[[], object]) -> int:
        """Run `work` in a child with the user's credentials; give its pid."""
        pid = os.fork()
        if pid == 0:
            try:
                os.setgroups([])
                os.setresgid(*[self.user.pw_gid] * 3)
                os.setresuid(*[self.user.pw_uid] * 3)
                work()
            finally:
                os._exit(0)
        return pid

    def user_does(self, work: Callable[[], object]) -> None:
        waiting.ended(self.as_user(work), what="what the user does")

    def unharmed(self) -> None:
        """Nothing outside was touched, and nothing in the home belongs to anybody else."""
        assert self.state() == self.before
        owners = {path.lstat().st_uid for path in self.home.rglob("*")}
        assert owners <= {self.user.pw_uid}
