"""What a user can put in root's way: each trap catches nobody, and nothing outside of the home is touched."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from support import apart, waiting
from support.homes import Home
from support.trees import Unit, grow, join

from runit_provision.errors import HostError
from runit_provision.model.tree import Effect

ALL = os.environ.get("HARNESS") == "all"


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
    try:
        home.apply(home.tree())
    except HostError as error:
        assert str(home.home) in str(error)  # refused, and it says where
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
    mounts = f"mount -t tmpfs -o {options},uid={home.user.pw_uid},gid={home.user.pw_gid} none {home.home}"
    system = home.base / "system"
    system.mkdir()
    large = Unit("a", files={"large": (b"x" * 100_000, Effect.NOTHING)})

    def work() -> list[list[str]]:
        report = home.apply(join(grow(system, [Unit("x")]), home.tree(large)))
        return [[problem.path, problem.message] for problem in report.problems]

    ((path, message),) = apart.told(work, mounts=mounts)
    assert path.startswith(str(home.home))
    assert message in ("No space left on device", "Read-only file system")
    assert (system / "service/x").is_symlink()
    home.unharmed()


def test_a_name_that_a_user_chose_is_not_a_command_to_roots_terminal(home: Home) -> None:
    home.apply(home.tree())
    home.user_does((home.home / "sv/b/\x1b[2Jnotes\n").touch)
    report = home.apply(home.tree(Unit("a")))
    assert report.lines()[0] == f"{home.home}/sv/b stays: it holds what was not made here (\\x1b[2Jnotes\\n)"


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
        for turn in range(3000 if ALL else 50):
            units = [Unit("a", run=b"%d" % turn, files={"env/ONE": (b"%d\n" % turn, Effect.RESTART)})]
            if turn % 3:
                units.append(Unit("b", run=b"%d" % turn))
            try:
                refused += not home.apply(home.tree(*units)).ok
            except HostError:
                refused += 1
    finally:
        os.kill(player, signal.SIGKILL)
        waiting.ended(player)
    assert refused, "the player never won, so nothing was shown"
    home.unharmed()
