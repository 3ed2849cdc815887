"""runsvchdir switches run levels as C's does, and is never without a current one."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle, waiting
from support.locked import NOBODY, locked
from support.programs import Said, run

Play = Callable[[str, Path, list[str]], Said]


@pytest.fixture
def play(runtime: Path) -> Play:
    """Run an implementation over levels; C's knows only /etc/runit/runsvdir, so it gets a mount namespace with the levels there."""

    def play(implementation: str, levels: Path, words: list[str]) -> Said:
        if implementation == "ours":
            return run(runtime / "runsvchdir", words, env={"RUNSVDIR": str(levels), "PATH": "/usr/bin:/bin"})
        oracle.root("C's runsvchdir knows one directory only")
        program = oracle.program("runsvchdir", package="runit")
        script = 'mount --bind "$1" /etc/runit/runsvdir && shift && exec "$@"'
        done = run("unshare", ["--mount", "sh", "-c", script, "sh", str(levels), program, *words])
        return done._replace(err=done.err.replace(program.encode(), b"runsvchdir"))

    return play


def lay(levels: Path, *, current: str | None = "a") -> Path:
    for name in ("a", "b"):
        (levels / name).mkdir(parents=True)
    (levels / "file").touch()
    if current:
        (levels / "current").symlink_to(current)
    return levels


def tree(levels: Path) -> dict[str, str]:
    return {
        path.name: str(path.readlink()) if path.is_symlink() else "folder" if path.is_dir() else "file" for path in levels.iterdir()
    }


@pytest.mark.covers("runsvchdir", "exit 0", "exit 111")
@pytest.mark.parametrize(
    "words",
    [[], ["b"], ["a"], ["current"], ["nope"], [".b"], ["./b"], [""], ["b", "ignored"], ["b/"], ["/"], ["x" * 300]],
    ids=repr,
)
def test_it_says_and_leaves_the_same(play: Play, tmp_path: Path, words: list[str]) -> None:
    heard = []
    for implementation in ("C", "ours"):
        levels = lay(tmp_path / implementation)
        heard.append((play(implementation, levels, words), tree(levels)))
    assert heard[1] == heard[0]


@pytest.mark.covers("runsvchdir", "current and previous")
def test_there_and_back_again(play: Play, tmp_path: Path) -> None:
    heard = []
    for implementation in ("C", "ours"):
        levels = lay(tmp_path / implementation)
        said = [play(implementation, levels, [level]) for level in ("b", "previous", "a", "a", "b")]
        heard.append((said, tree(levels)))
    assert heard[1] == heard[0]


@pytest.mark.parametrize("obstacle", ["previous", "current.new"])
def test_a_directory_in_the_way_leaves_current_as_it_was(play: Play, tmp_path: Path, obstacle: str) -> None:
    for implementation in ("C", "ours"):
        levels = lay(tmp_path / implementation)
        (levels / obstacle).mkdir()
        said = play(implementation, levels, ["b"])
        assert (said.code, said.out) == (111, b"")
        assert tree(levels)["current"] == "a"


def test_without_current_it_fails(play: Play, tmp_path: Path) -> None:
    said = [play(implementation, lay(tmp_path / implementation, current=None), ["b"]) for implementation in ("C", "ours")]
    assert said[1] == said[0]
    assert said[1].code == 111


def test_a_file_is_no_level(play: Play, tmp_path: Path) -> None:
    said = play("ours", lay(tmp_path), ["file"])
    assert said == Said(111, b"", b"runsvchdir: fatal: file: not a directory.\n")


def test_a_missing_directory_of_levels_fails(play: Play, tmp_path: Path) -> None:
    said = play("ours", tmp_path / "nope", ["a"])
    assert said == Said(111, b"", b"runsvchdir: fatal: unable to chdir: %s: file does not exist\n" % bytes(tmp_path / "nope"))


@pytest.mark.covers("runsvchdir", "atomic")
@pytest.mark.covers("runsvchdir", "$RUNSVDIR")
def test_there_is_a_current_level_at_any_moment(runtime: Path, tmp_path: Path) -> None:
    levels = lay(tmp_path)
    seen: set[str] = set()
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            try:
                seen.add(str((levels / "current").readlink()))
            except FileNotFoundError:
                seen.add("none")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    env = {"RUNSVDIR": str(levels), "PATH": "/usr/bin:/bin"}
    try:
        processes = [
            subprocess.Popen([runtime / "runsvchdir", "ab"[turn % 2]], env=env, stdout=subprocess.DEVNULL) for turn in range(20)
        ]
        codes = {process.wait(waiting.DEADLINE) for process in processes}
    finally:
        over.set()
        watcher.join()
    assert codes == {0}
    assert seen <= {"a", "b"}
    shutil.rmtree(levels)


def test_nobody_who_reads_the_directory_keeps_it_from_being_switched(play: Play, tmp_path: Path) -> None:
    oracle.root("locks as somebody else")
    levels = lay(tmp_path / "levels")
    for folder in (levels, *levels.parents[:3]):
        folder.chmod(0o755)
    with locked(levels):
        assert play("ours", levels, ["b"]) == Said(0, b"runsvchdir: b: now current.\n", b"")
    assert tree(levels) == {"a": "folder", "b": "folder", "file": "file", "current": "b", "previous": "a"}


def test_a_lock_that_another_account_has_laid_is_none(play: Play, tmp_path: Path) -> None:
    oracle.root("locks as somebody else")
    levels = lay(tmp_path / "levels")
    for folder in (levels, *levels.parents[:3]):
        folder.chmod(0o755)
    (levels / ".lock").touch(mode=0o600)
    os.chown(levels / ".lock", NOBODY, NOBODY)
    with locked(levels / ".lock", how=fcntl.LOCK_EX):
        assert play("ours", levels, ["b"]) == Said(0, b"runsvchdir: b: now current.\n", b"")


def test_it_waits_for_another_of_its_account_says_so_and_gives_up(play: Play, tmp_path: Path) -> None:
    levels = lay(tmp_path)
    (levels / ".lock").touch(mode=0o600)
    with locked(levels / ".lock", uid=os.getuid(), how=fcntl.LOCK_EX) as pid:
        said = play("ours", levels, ["b"])
    waits = f"runsvchdir: warning: waiting for the lock of .lock, which process {pid} has\n"
    assert said == Said(111, b"", f"{waits}runsvchdir: fatal: unable to lock: .lock: temporary failure\n".encode())
    assert tree(levels)["current"] == "a"
