"""Readers: what looks at many accounts' realms has each one's credentials while it does, and none of them has power over it."""

from __future__ import annotations

import os
import pwd
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from support import oracle, waiting

from runit_provision.host import channel, hand, readers
from runit_provision.host.nursery import Nursery, Work

USERS = ("nobody", "daemon", "bin")


def told(_: str, descriptors: object) -> None:
    """Stand in for a reader: never answer."""
    signal.pause()


@pytest.fixture
def homes() -> Iterator[Path]:
    oracle.root("other accounts' files")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        for name in USERS:
            user = pwd.getpwnam(name)
            (base / name).mkdir(mode=0o700)
            (base / name / "own").write_text(name)
            for path in (base / name, base / name / "own"):
                os.chown(path, user.pw_uid, user.pw_gid)
        yield base


def errand(base: Path, name: str, path: Path) -> readers.Errand:
    user = pwd.getpwnam(name)
    look = (str(path), path.stat().st_size, "", -1, True, True)
    return readers.Errand(str(base / name), (user.pw_uid, user.pw_gid, (user.pw_gid,)), [("look", ([look],))])


def ask(errands: list[readers.Errand], *, job: Work = readers.work, patience: float = 60.0) -> list[readers.Found]:
    nursery = Nursery({hand.HAND: hand.work, readers.READER: job})
    root = os.open("/", os.O_PATH)
    try:
        return list(readers.ask(nursery, root, errands, patience=channel.Patience(patience)))
    finally:
        nursery.close()
        os.close(root)


def test_each_sees_what_its_own_account_may_see_and_nothing_of_another(homes: Path) -> None:
    secret = homes / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    for name in USERS:
        os.link(secret, homes / name / "trap")
    errands = [errand(homes, name, homes / name / what) for what in ("own", "trap") for name in USERS * 20]
    found = ask(errands)
    own, traps = found[: len(found) // 2], found[len(found) // 2 :]
    assert [each[0][0][-1] for each in own if isinstance(each, list)] == list(USERS * 20)
    assert [(each.errno, each.filename) for each in traps if isinstance(each, OSError)] == [
        (13, str(homes / name / "trap")) for name in USERS * 20
    ]
    assert len(own) == len(traps)


def test_a_home_of_another_is_refused_and_the_next_is_looked_at(homes: Path) -> None:
    os.chown(homes / "daemon", 0, 0)
    first, second, third = ask([errand(homes, name, homes / name / "own") for name in USERS])
    assert isinstance(second, OSError)
    assert second.strerror == f"belongs to uid 0, not to {pwd.getpwnam('daemon').pw_uid}"
    assert [isinstance(each, list) for each in (first, third)] == [True, True]


def test_one_that_hangs_is_ended_and_another_goes_on_behind_it_and_waits_less_after_some(homes: Path) -> None:
    errands = [errand(homes, name, homes / name / "own") for name in USERS]
    found = ask(errands, job=told, patience=0.6)
    assert [(each.strerror, each.filename) for each in found if isinstance(each, OSError)] == [
        (f"nothing moved for {seconds} s", str(homes / name)) for seconds, name in zip((0.6, 0.6, 0.05), USERS, strict=True)
    ]


def forked(work: Callable[[], object]) -> int:
    """Do `work` in a child, whose pid is given."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return pid


def test_no_account_can_signal_or_trace_the_one_that_has_its_credentials(homes: Path) -> None:
    user = pwd.getpwnam("nobody")
    ready, tell = os.pipe()
    seen, show = os.pipe()

    def act() -> None:
        with readers.acting_as((user.pw_uid, user.pw_gid, (user.pw_gid,))):
            os.write(tell, f"{os.geteuid()} {os.getegid()} {os.getgroups()}".encode())
            signal.pause()

    def pry() -> None:
        os.setgroups([])
        os.setresgid(*[user.pw_gid] * 3)
        os.setresuid(*[user.pw_uid] * 3)
        deeds: dict[str, Callable[[], object]] = {
            **{number.name: partial(os.kill, actor, number) for number in (signal.SIGSTOP, signal.SIGKILL, signal.SIGTERM)},
            **{name: partial(os.open, f"/proc/{actor}/{name}", os.O_RDONLY) for name in ("mem", "environ", "maps", "cwd", "root")},
        }
        won = []
        for name, deed in deeds.items():
            try:
                deed()
                won.append(name)
            except PermissionError:
                pass
        os.write(show, f"{len(deeds)} tried, won: {won}".encode())

    actor = forked(act)
    try:
        assert waiting.heard(ready).decode() == f"{user.pw_uid} {user.pw_gid} {[user.pw_gid]}"
        waiting.ended(forked(pry))
        assert waiting.heard(seen) == b"8 tried, won: []"
    finally:
        os.kill(actor, signal.SIGKILL)
        waiting.ended(actor)
