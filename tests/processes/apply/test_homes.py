"""Users' directories, provisioned by root while their owners do what they can."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support import oracle, waiting
from support.faults import UNTOUCHED, interrupted
from support.places import Place
from support.trees import Unit, grow, join

from runit_provision import apply, plan
from runit_provision.errors import HostError
from runit_provision.host import hand
from runit_provision.model.tree import Effect, Owner, Realm, RenderedTree

USER = "nobody"
SECRET = "what only root may read"
ALL = os.environ.get("HARNESS") == "all"


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
        os.waitpid(self.as_user(work), 0)

    def unharmed(self) -> None:
        """Nothing outside was touched, and nothing in the home belongs to anybody else."""
        assert self.state() == self.before
        owners = {path.lstat().st_uid for path in self.home.rglob("*")}
        assert owners <= {self.user.pw_uid}


@pytest.fixture
def home() -> Iterator[Home]:
    oracle.root("other accounts' files")
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folder is for its user alone
        Path(folder).chmod(0o755)
        yield Home(Path(folder))


def test_what_lies_in_a_home_is_made_by_its_owner(home: Home) -> None:
    assert home.apply(home.tree()).ok
    assert (home.home / "sv/a/run").read_bytes() == Unit("a").run
    assert home.plan(home.tree()).empty
    home.unharmed()


def test_rollback_and_removal_work_in_a_home_too(home: Home) -> None:
    home.apply(home.tree())
    before = home.listing()
    home.apply(home.tree(Unit("a", run=b"other"), Unit("c")))
    assert home.rollback().ok
    assert {path: what for path, what in home.listing().items() if ".runit-provision" not in path} == before
    assert home.apply(home.tree(Unit("c"))).ok
    assert not (home.home / "sv/a").exists()
    home.unharmed()


def test_the_owner_of_a_log_directory_writes_its_config(home: Home) -> None:
    system = grow(home.base / "system", [Unit("a")])
    (home.base / "system").mkdir()
    place = f"{home.base}/system/sv/a/main"
    directory, run, *rest = (node for node in system.nodes if node.path.endswith(("/a", "/run")))
    made = [type(directory)(place, directory.entry, directory.realm, Owner(USER), directory.origin, "a")]
    made.append(type(run)(f"{place}/config", run.entry, Realm(USER, place), None, run.origin, "a"))
    assert rest
    nodes = [*(node for node in system.nodes if not node.live), *made, *(node for node in system.nodes if node.live)]
    tree = RenderedTree(tuple(nodes), system.services, system.scanned)
    assert home.apply(tree).ok
    assert Path(place, "config").owner() == USER
    assert home.plan(tree).empty


def test_a_users_service_is_started_restarted_and_taken_down_with_the_users_credentials(home: Home) -> None:
    program = oracle.program("runsvdir", package="runit")
    tree = home.tree(Unit("a"))
    report = home.apply(tree)
    assert report.notes == [f"no runsvdir looks after {home.home}/service yet: what is there starts when one does"]
    supervisor = subprocess.Popen([program, f"{home.home}/service"], user=USER, group=home.user.pw_gid, extra_groups=[])
    try:
        pid = home.home / "sv/a/supervise/pid"
        waiting.until(lambda: pid.exists() and pid.read_text())
        before = pid.read_text()
        assert Path(f"/proc/{before.strip()}").stat().st_uid == home.user.pw_uid
        report = home.apply(home.tree(Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n"), Unit("b")))
        assert report.ok, report.problems
        assert [(call.service.id, call.verb.value) for call in report.calls] == [(f"{USER}/a", "restart"), (f"{USER}/b", "start")]
        assert pid.read_text() not in ("", before)
        report = home.apply(home.tree(Unit("b")))
        assert report.ok, report.problems
        assert not (home.home / "sv/a").exists()
        home.unharmed()
    finally:
        last = (home.home / "sv/b/supervise/pid").read_text().strip()
        supervisor.send_signal(signal.SIGHUP)
        supervisor.wait(30)
        waiting.until(lambda: not Path(f"/proc/{last}").exists())


def test_a_restart_that_a_killed_apply_owes_is_not_forgotten_while_the_home_is_bad(home: Home) -> None:
    program = oracle.program("runsvdir", package="runit")
    home.apply(home.tree(Unit("a")))
    supervisor = subprocess.Popen([program, f"{home.home}/service"], user=USER, group=home.user.pw_gid, extra_groups=[])
    pid = home.home / "sv/a/supervise/pid"
    new = home.tree(Unit("a", run=b"#!/bin/sh\nexec sleep 2000\n"))
    try:
        waiting.until(lambda: pid.exists() and pid.read_text())
        before = pid.read_text()
        for at in itertools.count():
            # Hands of one that was killed hold the lock until they are gone.
            interrupted(lambda: home.apply(new, lock_timeout=60), at=at, late=True)
            if (home.home / "sv/a/run").read_bytes().endswith(b"2000\n"):
                break
        assert pid.read_text() == before
        home.home.chmod(0o777)
        assert [problem.message for problem in home.apply(new, lock_timeout=60).problems] == ["can be written by all"]
        home.home.chmod(0o755)
        assert pid.read_text() == before
        assert [call.verb.value for call in home.apply(new).calls] == ["restart"]
        assert pid.read_text() not in ("", before)
        assert home.plan(new).empty
    finally:
        last = pid.read_text().strip()
        supervisor.send_signal(signal.SIGHUP)
        supervisor.wait(30)
        waiting.until(lambda: not Path(f"/proc/{last}").exists())


def link_home(home: Home) -> None:
    home.home.rmdir()
    home.home.symlink_to(home.outside)


def open_home(home: Home) -> None:
    home.home.chmod(0o777)


def take_home(home: Home) -> None:
    os.chown(home.home, 0, 0)


def lose_home(home: Home) -> None:
    home.home.rmdir()


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (link_home, "is no directory: a symbolic link is not followed; give the directory itself; it has to be nobody's"),
        (open_home, "can be written by all"),
        (take_home, "belongs to uid 0, not to 65534"),
        (lose_home, "does not exist, and files of nobody are to lie in it; make it, owned by nobody, or correct the path"),
    ],
)
def test_a_home_that_is_not_as_it_has_to_be_fails_alone_and_all_else_is_done(
    home: Home, deed: Callable[[Home], None], message: str
) -> None:
    deed(home)
    system = home.base / "system"
    system.mkdir()
    report = home.apply(join(grow(system, [Unit("x")]), home.tree()))
    assert [str(problem) for problem in report.problems] == [f"data.yaml:3:1: runit.services: {home.home}: {message}"]
    assert (system / "service/x").exists()
    assert home.state() == home.before


@pytest.mark.parametrize("name", ["sv", "service", "sv/a", "sv/a/env"])
def test_a_link_in_the_place_of_a_directory_is_not_followed(home: Home, name: str) -> None:
    path = home.home / name

    def play() -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(home.outside / Path(name).name)

    home.user_does(play)
    (problem,) = home.apply(home.tree()).problems
    assert str(problem).split("; ")[0] == f"data.yaml:3:1: runit.services: {path}: a symbolic link is in the place of a directory"
    home.unharmed()


def test_a_home_that_turned_bad_loses_nothing_and_is_as_the_data_says_once_it_is_mended(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    before = join(grow(system, [Unit("x")]), home.tree(Unit("a"), Unit("b")))
    after = join(grow(system, [Unit("x", run=b"new")]), home.tree(Unit("a", run=b"new")))
    assert home.apply(before).ok
    home.home.chmod(0o777)
    report = home.apply(after)
    assert [problem.path for problem in report.problems] == [str(home.home)]
    assert [step.path for step in report.paths] == [f"{system}/sv/x/run"]
    home.home.chmod(0o755)
    assert (home.home / "sv/a/run").read_bytes() == Unit("a").run
    report = home.apply(after)
    assert report.ok
    assert [(step.change.value, step.path.removeprefix(f"{home.home}/")) for step in report.paths] == [
        ("-", "service/b"),
        ("-", "sv/b/run"),
        ("-", "sv/b"),
        ("~", "sv/a/run"),
    ]
    assert home.plan(after).empty
    home.unharmed()


def test_all_or_nothing_is_nothing_when_a_home_is_bad(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    home.home.chmod(0o777)
    tree = join(grow(system, [Unit("x")]), home.tree())
    with home.machine() as machine, machine.lock(), pytest.raises(HostError, match="can be written by all") as caught:
        apply.apply_or_undo(plan.decide(tree, machine.observe(tree)), machine)
    assert caught.value.untouched
    assert list(system.iterdir()) == []


def test_rollback_passes_a_home_that_turned_bad_by_and_says_so(home: Home) -> None:
    system = home.base / "system"
    system.mkdir()
    home.apply(join(grow(system, [Unit("x")]), home.tree(Unit("a"))))
    home.apply(join(grow(system, [Unit("x", run=b"new")]), home.tree(Unit("a", run=b"new"))))
    home.home.chmod(0o777)
    report = home.rollback()
    assert [problem.path for problem in report.problems] == [str(home.home)]
    home.home.chmod(0o755)
    assert (system / "sv/x/run").read_bytes() == Unit("x").run
    assert (home.home / "sv/a/run").read_bytes() == b"new"
    assert home.plan(join(grow(system, [Unit("x")]), home.tree(Unit("a", run=b"new")))).empty


def test_a_home_that_went_with_its_account_is_forgotten(home: Home) -> None:
    home.apply(home.tree())
    shutil.rmtree(home.home)
    nothing = RenderedTree((), (), ())
    assert home.plan(nothing).empty
    report = home.apply(nothing)
    assert (report.ok, report.paths) == (True, [])
    assert json.loads((home.library / "manifest.json").read_text())["records"] == {}


def fifo(path: Path, home: Home) -> None:
    os.mkfifo(path)


def link_out(path: Path, home: Home) -> None:
    path.symlink_to(home.outside / "shadow")


def loop(path: Path, home: Home) -> None:
    path.symlink_to(path)


def dangling(path: Path, home: Home) -> None:
    path.symlink_to(home.outside / "new")


def huge(path: Path, home: Home) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def hard_link(path: Path, home: Home) -> None:
    os.link(home.outside / "sv/a/run", path)


def unreadable(path: Path, home: Home) -> None:
    path.write_text("mine")
    path.chmod(0)


@pytest.mark.parametrize("trap", [fifo, link_out, loop, dangling, huge, hard_link, unreadable], ids=lambda trap: trap.__name__)
@pytest.mark.parametrize("name", ["sv/a/run", "sv/a/env/ONE", ".runit-provision", "sv/a/.runit-provision.run", "sv/.runit-provision.b"])
def test_a_trap_in_the_place_of_a_file_catches_nobody(home: Home, trap: Callable[[Path, Home], None], name: str) -> None:
    home.apply(home.tree(Unit("a", files={"env/ONE": (b"0\n", Effect.RESTART)})))
    path = home.home / name

    def play() -> None:
        path.unlink(missing_ok=True)
        trap(path, home)

    home.user_does(play)
    began = time.monotonic()
    try:
        home.apply(home.tree())
    except HostError as error:
        assert str(home.home) in str(error)  # refused, and it says where
    assert time.monotonic() - began < 20
    home.unharmed()


@pytest.mark.parametrize("number", [(1, 5), (1, 7), (5, 0)], ids=["zero", "full", "tty"])
def test_a_device_in_the_place_of_a_file_is_not_opened(home: Home, number: tuple[int, int]) -> None:
    home.apply(home.tree())
    path = home.home / "sv/a/run"
    path.unlink()
    os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(*number))
    os.chown(path, home.user.pw_uid, home.user.pw_gid)
    assert home.apply(home.tree()).ok
    assert path.read_bytes() == Unit("a").run
    home.unharmed()


@pytest.mark.parametrize("options", ["size=16k,mode=755", "ro,mode=755"], ids=["full", "read-only"])
def test_a_home_on_another_filesystem_that_takes_nothing_fails_alone(home: Home, options: str) -> None:
    mount = f"mount -t tmpfs -o {options},uid={home.user.pw_uid},gid={home.user.pw_gid} none {home.home}"
    system = home.base / "system"
    system.mkdir()
    reader, writer = os.pipe()
    if not os.fork():
        try:
            os.close(reader)
            ctypes.CDLL(None).unshare(0x00020000)  # CLONE_NEWNS
            subprocess.run(["sh", "-c", f"mount --make-rprivate / && {mount}"], check=True)
            large = Unit("a", files={"large": (b"x" * 100_000, Effect.NOTHING)})
            report = home.apply(join(grow(system, [Unit("x")]), home.tree(large)))
            os.write(writer, json.dumps([[problem.path, problem.message] for problem in report.problems]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as told:
        ((path, message),) = json.loads(told.read())
    assert path.startswith(str(home.home))
    assert message in ("No space left on device", "Read-only file system")
    assert (system / "service/x").is_symlink()
    home.unharmed()


def test_root_escapes_nobody_while_the_user_swaps_directories_for_links(home: Home) -> None:
    home.apply(home.tree())
    shelves = {name: home.home / name for name in ("sv", "sv/a", "sv/a/env", "service", "sv/b")}

    def swap() -> None:
        while True:
            for name, path in shelves.items():
                try:
                    path.rename(home.home / "aside")
                    path.symlink_to(home.outside / name.removeprefix("sv/a/"))
                    path.unlink()
                    (home.home / "aside").rename(path)
                except OSError:
                    pass

    player = home.as_user(swap)
    refused = 0
    try:
        for turn in range(3000 if ALL else 150):
            units = [Unit("a", run=b"%d" % turn, files={"env/ONE": (b"%d\n" % turn, Effect.RESTART)})]
            if turn % 3:
                units.append(Unit("b", run=b"%d" % turn))
            try:
                refused += not home.apply(home.tree(*units)).ok
            except HostError:
                refused += 1
    finally:
        os.kill(player, signal.SIGKILL)
        os.waitpid(player, 0)
    assert refused, "the player never won, so nothing was shown"
    home.unharmed()


def test_a_hand_that_its_account_stops_is_not_waited_for(home: Home) -> None:
    with home.machine() as machine:
        lent = machine.hand(home.realm)
        assert isinstance(lent, hand.LentHand)
        assert lent.call("exists", []) == []  # it has become the account
        home.user_does(lambda: os.kill(lent.pid, signal.SIGSTOP))
        with pytest.raises(OSError, match=r"nothing moved for 0.5 s"):
            lent.call("exists", [], patience=0.5)


def test_a_hand_dies_with_the_one_who_applies_and_the_lock_is_free_then(home: Home) -> None:
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        with home.machine() as machine, machine.lock():
            lent = machine.hand(home.realm)
            assert isinstance(lent, hand.LentHand)
            assert lent.call("exists", []) == []
            os.write(writer, b"%d" % lent.pid)
            signal.pause()
    lent_pid = int(os.read(reader, 20))
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    waiting.until(lambda: not Path(f"/proc/{lent_pid}").exists(), what="the end of the hand")
    with home.machine() as machine, machine.lock(timeout=20):
        assert machine.hand(home.realm).call("exists", [f"{home.home}/sv"]) == [False]


def test_a_hand_holds_nothing_open_of_the_one_who_applies_but_the_lock(home: Home) -> None:
    with home.machine() as machine, (home.outside / "shadow").open(), home.machine() as second, second.lock():
        machine.hand(home.realm)
        lent = second.hand(home.realm)
        assert isinstance(lent, hand.LentHand)
        assert lent.call("exists", []) == []
        held = {str(path.readlink()) for path in Path(f"/proc/{lent.pid}/fd").iterdir() if int(path.name) > 2}
        assert {re.sub(r"pipe:.*", "pipe", what) for what in held} == {"pipe", str(home.base), f"{home.library}/lock"}
        assert len(held) == 4


def test_a_hand_can_be_neither_traced_nor_read_by_its_account(home: Home) -> None:
    with home.machine() as machine:
        lent = machine.hand(home.realm)
        assert isinstance(lent, hand.LentHand)
        assert lent.call("exists", [f"{home.home}/sv"]) == [False]
        told = home.base / "told"
        told.touch(mode=0o666)
        told.chmod(0o666)

        def pry() -> None:
            found = []
            for name in ("mem", "environ", "fd"):
                try:
                    path = f"/proc/{lent.pid}/{name}"
                    list(Path(path).iterdir()) if name == "fd" else os.close(os.open(path, os.O_RDONLY))
                    found.append(name)
                except PermissionError:
                    pass
            told.write_text(json.dumps(found))

        home.user_does(pry)
        assert json.loads(told.read_text()) == []


@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_whatever_change_its_hand_is_killed_at_the_next_apply_completes(home: Home, late: bool) -> None:
    def tree(text: bytes) -> RenderedTree:
        files = {"env/ONE": (text, Effect.RESTART)}
        return join(grow(home.base / "system", [Unit("x", run=text)]), home.tree(Unit("a", run=text, files=files), Unit("c")))

    (home.base / "system").mkdir()
    home.apply(tree(b"0"))
    for at in itertools.count():
        wanted = tree(b"%d" % (at + 1))
        status = interrupted(lambda wanted=wanted: home.apply(wanted), at=at, late=late, below=True)  # type: ignore[misc]
        assert (home.base / "system/sv/x/run").read_bytes() == b"%d" % (at + 1), "the system's part is done all the same"
        assert home.apply(wanted).ok
        assert home.plan(wanted).empty
        assert (home.home / "sv/a/run").read_bytes() == b"%d" % (at + 1)
        assert not [path for path in home.home.rglob(".runit-provision.*") if path.parent.name != ".runit-provision"]
        home.unharmed()
        if status == UNTOUCHED:
            break
    assert at > 8


def test_modes_and_groups_are_those_of_the_account(home: Home) -> None:
    home.apply(home.tree(Unit("a", mode=0o700, secret=True)))
    seen = (home.home / "sv/a/run").stat()
    assert (stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid) == (0o700, home.user.pw_uid, home.user.pw_gid)
