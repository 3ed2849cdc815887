"""sv for an ordinary user: what C's sv says, and services that their owner lets the user control."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle
from support.programs import Said
from support.supervised import FakeSupervisor, Supervised

from runit_provision.runtime.wire import status as wire

NOBODY = 65534
UP = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))


def as_nobody(sv: Path, words: list[str], env: dict[str, str], cwd: Path | None = None) -> Said:
    done = subprocess.run(
        [sv, *words],
        env=env,
        cwd=cwd,
        user=NOBODY,
        group=NOBODY,
        extra_groups=(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A directory that everybody can reach."""
    oracle.root("becomes an ordinary user")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    return tmp_path


@pytest.mark.covers("sv", "$SVDIR", "$SVWAIT")
@pytest.mark.parametrize("word", ["status", "up", "hup", "exit"])
@pytest.mark.parametrize("closed", ["a", "a/supervise", "a/supervise/ok", "a/supervise/status", "a/supervise/control"])
def test_what_is_not_for_the_user_is_told_the_same(both: tuple[Path, Path], open_path: Path, word: str, closed: str) -> None:
    supervisor = FakeSupervisor(open_path / "a", UP.replace(b"u", b"d"))
    for name in ("ok", "control"):
        (open_path / "a/supervise" / name).chmod(0o622)
    (open_path / closed).chmod(0o700 if (open_path / closed).is_dir() else 0o600)
    said = [as_nobody(sv, [word, "a"], {"SVDIR": str(open_path), "SVWAIT": "0"}) for sv in both]
    supervisor.stop()
    ages = [each._replace(out=each.out.split(b"(pid")[0]) for each in said]
    assert ages[1] == ages[0]


def test_a_user_who_may_not_list_supervise_waits_all_the_same(
    runtime: Path, open_path: Path, runsv: Path, worlds: Callable[[str, Path], Supervised]
) -> None:
    world = worlds("services", runsv)
    folder = world.add("a")
    (folder / "supervise").chmod(0o711)
    for name in ("ok", "control"):
        (folder / "supervise" / name).chmod(0o622)
    (folder / "supervise/status").chmod(0o644)
    world.age()
    before = world.pid("a")
    said = as_nobody(runtime / "sv", ["restart", "a"], {"SVDIR": str(world.directory)})
    assert said.code == 0, said
    assert world.pid("a") != before


@pytest.mark.covers("sv", "exit 151")
def test_a_current_directory_that_may_not_be_read_is_no_hindrance(both: tuple[Path, Path], open_path: Path) -> None:
    supervisor = FakeSupervisor(open_path / "a", UP)
    for name in ("", "ok", "control"):
        (open_path / "a/supervise" / name).chmod(0o755 if not name else 0o622)
    closed = open_path / "closed"
    closed.mkdir(mode=0o711)
    said = []
    for number, sv in enumerate(both):
        script = open_path / str(number) / "a"
        script.parent.mkdir()
        script.symlink_to(sv)
        said.append([as_nobody(program, ["status", "a"], {"SVDIR": str(open_path)}, cwd=closed) for program in (sv, script)])
    supervisor.stop()
    fatal = b"fatal: unable to open current directory: access denied\n"
    assert [(each.code, each.out, each.err == fatal) for each in said[0]] == [(100, b"", True), (151, b"", True)]
    assert [(each.code, each.out[:16], each.err) for each in said[1]] == [(0, b"run: a: (pid 7) ", b"")] * 2


def test_a_users_services_are_in_the_home_directory(runtime: Path, open_path: Path) -> None:
    supervisor = FakeSupervisor(open_path / "service/mine", UP)
    supervise = open_path / "service/mine/supervise"
    for path in (supervise, *supervise.iterdir()):
        os.chown(path, NOBODY, NOBODY)
    said = as_nobody(runtime / "sv", ["status", "mine"], {"HOME": str(open_path)})
    supervisor.stop()
    assert said.out.startswith(b"run: mine: (pid 7) ")
