"""The children in which root works with an account's credentials: what that account can do to them."""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import re
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from support import apart, waiting
from support.faults import UNTOUCHED, interrupted
from support.homes import USER, Home
from support.locked import locked
from support.trees import Unit, grow, join

from runit_provision import apply, plan
from runit_provision.host import Machine, hand
from runit_provision.model.tree import Effect, RenderedTree


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
    lent_pid = int(waiting.heard(reader, what="the hand's pid"))
    os.kill(pid, signal.SIGKILL)
    waiting.ended(pid)
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


def test_where_the_account_itself_applies_at_the_moment_root_does_not_and_does_all_else(home: Home) -> None:
    (home.base / "system").mkdir()
    wanted = join(grow(home.base / "system", [Unit("x")]), home.tree())
    heard, tell = os.pipe()
    mine = home.base / "mine"
    mine.mkdir()
    os.chown(mine, home.user.pw_uid, home.user.pw_gid)

    def apply_and_stay() -> None:
        with Machine(place=mine / "library") as machine, machine.lock():
            tree = home.tree(Unit("own"))
            assert apply.apply(plan.decide(tree, machine.observe(tree, user=USER)), machine).ok
            os.write(tell, b".")
            signal.pause()

    pid = home.as_user(apply_and_stay)
    try:
        waiting.heard(heard, what="the account's own apply")
        report = home.apply(wanted)
    finally:
        os.kill(pid, signal.SIGKILL)
        waiting.ended(pid)
    assert [str(problem) for problem in report.problems] == [
        f"{home.home}: another apply works in it; apply again when that one is done"
    ]
    assert ((home.base / "system/service/x").is_symlink(), (home.home / "sv/a").exists()) == (True, False)
    assert home.apply(wanted).ok
    assert home.plan(wanted).empty


def test_nobody_who_reads_a_home_keeps_an_apply_from_it(home: Home) -> None:
    """Nor one of whom nothing is known, in another container: /proc/locks does not tell."""
    with locked(home.home, how=fcntl.LOCK_EX, uid=61013):
        assert apart.told(lambda: said(home.apply(home.tree())), mounts="mount --bind /dev/null /proc/locks") == []
    lock = home.home / ".runit-provision/lock"
    assert [(oct(path.stat().st_mode), path.owner()) for path in (lock.parent, lock)] == [("0o40700", USER), ("0o100600", USER)]


def test_a_lock_that_is_replaced_while_it_is_waited_for_is_not_taken_for_the_one_that_all_know(home: Home) -> None:
    lock = home.home / ".runit-provision/lock"
    home.user_does(lambda: lock.parent.mkdir(0o700))
    home.user_does(lambda: lock.touch(0o600))
    with ExitStack() as first, ExitStack() as second:
        pid = first.enter_context(locked(lock, how=fcntl.LOCK_EX, uid=home.user.pw_uid))
        waiter = apart.begun(lambda: said(home.apply(home.tree())))
        waiting.until(lambda: having_open(lock) - {pid}, what="another who waits for the lock")
        lock.unlink()
        home.user_does(lambda: lock.touch(0o600))
        second.enter_context(locked(lock, how=fcntl.LOCK_EX, uid=home.user.pw_uid))
        first.close()
        assert apart.given(waiter) == [f"{home.home}: another apply works in it; apply again when that one is done"]
    assert home.apply(home.tree()).ok


def having_open(path: Path) -> set[int]:
    """Give the pids of those who have it open."""
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            if link.samefile(path):
                found.add(int(link.parts[2]))
    return found


@pytest.mark.parametrize(
    ("play", "where", "why"),
    [
        (lambda lock: lock.symlink_to("mine"), "/lock", "is in the place of a lock, and none: move it away"),
        (os.mkfifo, "/lock", "is in the place of a lock, and none: move it away"),
        (Path.mkdir, "/lock", "is in the place of a lock, and none: move it away"),
        (lambda lock: lock.hardlink_to(lock.with_name("mine")), "/lock", "is in the place of a lock, and none: move it away"),
        (lambda lock: os.close(os.open(lock, os.O_CREAT, 0o604)), "/lock", "is open to others (mode 0604): `chmod go=` shuts it"),
        (lambda lock: lock.parent.chmod(0o777), "", "is open to others (mode 0777): `chmod go=` shuts it"),
    ],
    ids=["link", "fifo", "directory", "hard link", "readable", "writable directory"],
)
def test_what_others_could_hold_is_no_lock(home: Home, play: Callable[[Path], None], where: str, why: str) -> None:
    (home.base / "system").mkdir()
    wanted = join(grow(home.base / "system", [Unit("x")]), home.tree())
    store = home.home / ".runit-provision"

    def prepare() -> None:
        store.mkdir(0o700)
        (store / "mine").touch(0o600)
        play(store / "lock")

    home.user_does(prepare)
    assert said(home.apply(wanted)) == [f"{store}{where}: {why}"]
    assert ((home.base / "system/service/x").is_symlink(), (home.home / "sv").exists()) == (True, False)
    home.unharmed()


def said(report: apply.Report) -> list[str]:
    return [str(problem) for problem in report.problems]


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
