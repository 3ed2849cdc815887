"""Logs whose directory, or whose account's number, is asked of what does not answer: nobody but they wait."""

from __future__ import annotations

import os
import pwd
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import apart, oracle, supervision
from support.disk import mount_disk
from support.hanging import hanging
from support.supervision import Tree, pid_of, service, stat
from support.waiting import DEADLINE, until

NOBODY = pwd.getpwnam("nobody")
USUAL = "run: it: (pid N) Ns; run: log: (pid N) Ns\n"


@pytest.fixture(autouse=True)
def others() -> None:
    oracle.root("other accounts' logs, and what hangs is mounted")


class Lab:
    """A tree of `plain`, without a log, `good`, with one of root's, and `it`, whose log is to be written by `user` in `place`."""

    def __init__(self, base: Path, runtime: Path, place: Path, user: str) -> None:
        base.chmod(0o755)  # for those who are not root
        self.sv = runtime / "sv"
        self.tree = Tree(runtime / "runsvdir", base / "services", base / "state")
        self.tree.extra["RUNSVDIR_HUP_SECONDS"] = "1"
        self.plain = service(base / "services/plain", "exec sleep 1000")
        self.good, self.it = (
            service(base / "services" / name, "echo a line; exec sleep 1000", log="exit 1") for name in ("good", "it")
        )
        for home in (self.good, self.it):
            supervision.log_in_pool(home, runtime)
        (self.it / "log/env/RSVLOG_DIR").write_text(str(place))
        (self.it / "log/env/RSVLOG_USER").write_text(user)
        self.place = place

    @contextmanager
    def running(self) -> Iterator[Tree]:
        try:
            self.tree.start()
            yield self.tree
        except BaseException:
            print(self.tree.describe())
            raise
        finally:
            self.tree.end()

    def status(self) -> str:
        told = subprocess.run([self.sv, "status", self.it], capture_output=True, text=True, check=False).stdout
        return re.sub(r"[0-9]+", "N", told.replace(str(self.it), "it"))

    def others_go_on(self) -> None:
        """Restart the one, and see that the other logs what it says."""
        until(lambda: stat(self.plain) == "run" and stat(self.good / "log") == "run", what="the others run")
        before = pid_of(self.plain)
        supervision.letter(self.plain, "t")
        until(lambda: pid_of(self.plain) not in {0, before}, what="a service is restarted")
        lines = (self.good / "log/main/current").read_text()
        supervision.letter(self.good, "t")
        until(lambda: (self.good / "log/main/current").read_text() == lines + "a line\n", what="what it says is logged")

    def is_logged(self) -> None:
        until(lambda: self.status() == USUAL, what="it runs and is logged")
        until(lambda: (self.place / "current").read_text().endswith("a line\n"), what="what it says is there")

    def says(self, text: str) -> None:
        until(lambda: text in self.tree.stderr.read_text(), what=text)

    def ends_with_the_kill(self, says: str = "log waits") -> bool:
        """Whether the tree, whose log is shown as one that waits, has ended when KILL was sent; a crowded machine is late."""
        until(lambda: says in self.status(), what="that it waits is said")
        os.kill(self.tree.pid, signal.SIGHUP)
        self.says("warning: still there, sending KILL: it\n")
        begun = time.monotonic()
        assert self.tree.kill(0) == 111
        return time.monotonic() - begun < 4

    def ends_log(self) -> None:
        supervision.letter(self.it / "log", "d")
        until(lambda: stat(self.it / "log") == "down", what="its log is down")


def tell_accounts_by(file: Path) -> None:
    subprocess.run(["mount", "--bind", file, "/etc/passwd"], check=True)


def tell_accounts() -> None:
    subprocess.run(["umount", "--lazy", "/etc/passwd"], check=True)


def alone(work: Callable[[], None]) -> None:
    """Work where what is mounted is in nobody's way, with room in /mnt that only root can write."""
    apart.told(work, mounts="mount -t tmpfs -o mode=755 tmpfs /mnt", deadline=4 * DEADLINE)


@pytest.mark.parametrize("user", ["", "nobody"])
def test_a_directory_that_hangs_holds_up_its_own_log_alone(runtime: Path, tmp_path: Path, user: str) -> None:
    hung = tmp_path / "hung"
    hung.mkdir()
    os.chown(hung, NOBODY.pw_uid, NOBODY.pw_gid)
    lab = Lab(tmp_path, runtime, hung / "logs", user)

    def work() -> None:
        with lab.running():
            with hanging(hung, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid):
                lab.others_go_on()
                waits = "run: it: (pid N) Ns, log waits Ns: its disk does not answer; down: log: Ns, normally up, want up\n"
                until(lambda: lab.status() == waits, what="that it waits is said")
                lab.tree.kill()
                lab.tree.start()
                until(lambda: lab.tree.supervises(lab.it), what="it is adopted")
                lab.others_go_on()
            lab.is_logged()

    alone(work)


@pytest.mark.parametrize("user", ["", "nobody"])
def test_a_log_whose_directory_hangs_holds_up_the_end_until_the_kill_and_no_longer(runtime: Path, tmp_path: Path, user: str) -> None:
    hung = tmp_path / "hung"
    hung.mkdir()
    os.chown(hung, NOBODY.pw_uid, NOBODY.pw_gid)
    lab = Lab(tmp_path, runtime, hung / "logs", user)

    def work() -> None:
        def ends_at_once() -> bool:
            with lab.running(), hanging(hung, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid):
                return lab.ends_with_the_kill()

        until(ends_at_once, what="it ends with the KILL")

    alone(work)


def test_a_log_whose_disk_hangs_holds_up_the_end_until_the_kill_and_no_longer(runtime: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, runtime, Path("/mnt/disk/logs"), "")

    def work() -> None:
        disk = mount_disk(Path("/mnt"))
        try:
            until(lambda: ends_at_once(disk), what="it ends with the KILL")
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)

    def ends_at_once(disk: Path) -> bool:
        with lab.running():
            lab.is_logged()
            subprocess.run(["fsfreeze", "--freeze", disk], check=True)
            try:
                supervision.letter(lab.it, "t")
                return lab.ends_with_the_kill()
            finally:
                subprocess.run(["fsfreeze", "--unfreeze", disk], check=True)

    alone(work)


def test_an_account_that_is_asked_for_in_vain_holds_up_the_end_until_the_kill_and_no_longer(runtime: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, runtime, Path("/mnt/logs"), "nobody")
    silent = tmp_path / "passwd"
    os.mkfifo(silent)

    def work() -> None:
        def ends_at_once() -> bool:
            with lab.running():
                return lab.ends_with_the_kill(says="down: log:")

        tell_accounts_by(silent)
        until(ends_at_once, what="it ends with the KILL")

    alone(work)


def test_a_directory_that_hangs_when_its_pool_was_killed_holds_up_its_own_log_alone(runtime: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    lab = Lab(tmp_path, runtime, home / "logs", "nobody")

    def work() -> None:
        with lab.running():
            lab.is_logged()
            with hanging(home, uid=NOBODY.pw_uid, gid=NOBODY.pw_gid):
                supervision.send(lab.it / "log", signal.SIGKILL)
                until(lambda: stat(lab.it / "log") == "down", what="its end is known")
                lab.others_go_on()
            lab.is_logged()

    alone(work)


def test_an_account_that_is_asked_for_in_vain_holds_up_its_own_log_alone(runtime: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, runtime, Path("/mnt/logs"), "nobody")
    silent = tmp_path / "passwd"
    os.mkfifo(silent)

    def work() -> None:
        # Who looks in there waits for somebody who writes.
        tell_accounts_by(silent)
        with lab.running():
            lab.others_go_on()
            assert lab.status() == "run: it: (pid N) Ns; down: log: Ns, normally up, want up\n"
            tell_accounts()
            # Whoever waits there is let go, may close it before anything could be written, and looks where the accounts are.
            os.close(os.open(silent, os.O_WRONLY))
            lab.is_logged()
            tell_accounts_by(silent)
            pool = pid_of(lab.it / "log")
            lab.tree.kill()
            lab.tree.start()
            until(lambda: lab.tree.supervises(lab.it), what="it is adopted")
            lab.others_go_on()
            assert pid_of(lab.it / "log") == pool
            lab.ends_log()
            tell_accounts()
            supervision.letter(lab.it / "log", "u")
            lab.is_logged()
            assert pid_of(lab.it / "log") == pool

    alone(work)


def test_an_account_that_comes_later_or_gets_another_number_is_noticed(runtime: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, runtime, Path("/mnt/logs"), "latecomer")
    known, accounts = Path("/etc/passwd").read_text(), tmp_path / "passwd"
    accounts.write_text(known)

    def work() -> None:
        tell_accounts_by(accounts)
        with lab.running():
            lab.says("runsv it: warning: log: RSVLOG_USER: no such account: 'latecomer'\n")
            accounts.write_text(f"{known}latecomer:x:4242:4242::/:/bin/sh\n")
            lab.is_logged()
            assert lab.place.stat().st_uid == 4242
            lab.ends_log()
            accounts.write_text(f"{known}latecomer:x:4243:4243::/:/bin/sh\n")
            for path in (lab.place, *lab.place.iterdir()):
                os.chown(path, 4243, 4243)
            supervision.letter(lab.it / "log", "u")
            lab.says("RSVLOG_USER: this pool writes as uid 4242, not 4243\n")
            lab.is_logged()
            assert lab.place.stat().st_uid == 4243

    alone(work)


def test_a_directory_that_only_root_can_make_or_nobody_may_write_is_the_accounts_or_told(runtime: Path, tmp_path: Path) -> None:
    lab = Lab(tmp_path, runtime, Path("/mnt/closed/logs"), "nobody")

    def work() -> None:
        with lab.running():
            lab.is_logged()
            assert (lab.place.parent.stat().st_uid, lab.place.stat().st_uid) == (0, NOBODY.pw_uid)
            lab.place.parent.chmod(0o700)
            supervision.letter(lab.it / "log", "t")
            lab.says(f"runsv it: warning: log: {lab.place}: access denied\n")
            lab.place.parent.chmod(0o755)
            lab.is_logged()

    alone(work)
