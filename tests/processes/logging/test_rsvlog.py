"""rsvlog makes a service's log directory, safely, and logs into it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

import pytest
from support import oracle

NOBODY = pwd.getpwnam("nobody")


@pytest.fixture
def log() -> Iterator[Path]:
    """A service's log/, below a directory that only its owner can write, all the way up from /."""
    top = Path(mkdtemp(dir="/var/lib" if os.geteuid() == 0 else Path.home(), prefix="rsvlog-test-"))
    top.chmod(0o755)
    log = top / "worker" / "log"
    log.mkdir(parents=True)
    log.joinpath("env").mkdir()
    yield log
    shutil.rmtree(top)


def run(runtime: Path, log: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[bytes]:
    for name, value in settings.items():
        log.joinpath("env", f"RSVLOG_{name}").write_text(value)
    environment = {"PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [runtime / "rsvlog", *arguments], cwd=log, input=b"a line\n", capture_output=True, check=False, env=environment
    )


def test_a_directory_beneath_log_is_made_and_written(runtime: Path, log: Path) -> None:
    done = run(runtime, log, DIR="main/deep", OPTIONS="-r _")
    assert (done.returncode, done.stderr) == (0, b"")
    assert log.joinpath("main/deep/current").read_bytes() == b"a line\n"


def test_lines_have_a_stamp_unless_told_otherwise(runtime: Path, log: Path) -> None:
    assert run(runtime, log, DIR="main").returncode == 0
    assert len(log.joinpath("main/current").read_bytes()) == 26 + len("a line\n")


@pytest.mark.covers("rsvlog", "configured by the environment", "as nsvlog")
def test_an_env_file_wins_over_the_environment_and_an_empty_one_is_the_default(runtime: Path, log: Path) -> None:
    log.joinpath("env/RSVLOG_OPTIONS").write_bytes(b"")
    log.joinpath("env/RSVLOG_DIR").write_bytes(b"chosen  \nignored\n")
    environment = {"PATH": "/usr/bin:/bin", "RSVLOG_OPTIONS": "-v", "RSVLOG_DIR": "other"}
    done = subprocess.run([runtime / "nsvlog"], cwd=log, input=b"a line\n", capture_output=True, check=False, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(log.joinpath("chosen/current").read_bytes()) == 26 + len("a line\n")


@pytest.mark.covers("rsvlog", "the directory from the service's name")
def test_without_a_directory_the_services_name_tells_where(runtime: Path, log: Path) -> None:
    oracle.root("another /var/log and /etc/passwd")
    script = """
        mount -t tmpfs none /var/log
        mount -t tmpfs none /mnt
        mkdir -p /mnt/home/logs
        chown -R 4242 /mnt/home
        echo them:x:4242:4242::/mnt/home:/bin/sh >/mnt/passwd
        mount --bind /mnt/passwd /etc/passwd
        echo one | "$1/rsvlog"
        echo two | "$1/chpst" -u them "$1/rsvlog"
        cut -d' ' -f2 /var/log/runit/worker/current /mnt/home/logs/worker/current
    """
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-ec", script, "sh", runtime], cwd=log, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("one\ntwo\n", "")


def test_a_user_who_has_only_a_number_logs_where_the_environment_says_home_is(runtime: Path, log: Path) -> None:
    oracle.root("a user without an account")
    home = log.parents[1] / "home"
    for made in (home, home / "logs"):
        made.mkdir()
        os.chown(made, 61013, 61013)

    def said(environment: dict[str, str]) -> tuple[int, str]:
        words = ["setpriv", "--reuid=61013", "--regid=61013", "--clear-groups", str(runtime / "rsvlog")]
        done = subprocess.run(words, cwd=log, input="a line\n", capture_output=True, text=True, check=False, env=environment)
        return done.returncode, done.stderr

    assert said({}) == (111, "rsvlog: fatal: RSVLOG_DIR: missing, and this user has no home\n")
    assert said({"HOME": str(home)}) == (0, "")
    assert home.joinpath("logs/worker/current").read_text().endswith(" a line\n")


def test_with_p_the_directory_is_only_made(runtime: Path, log: Path) -> None:
    assert run(runtime, log, "-p", DIR="main").returncode == 0
    assert list(log.joinpath("main").iterdir()) == []


def test_what_makes_no_sense_is_told(runtime: Path, log: Path) -> None:
    for settings, told in [
        ({"OPTIONS": "-x"}, b"rsvlog: fatal: RSVLOG_OPTIONS: rsvlog: illegal option -- x\n"),
        ({"OPTIONS": "somewhere"}, b"rsvlog: fatal: RSVLOG_OPTIONS: not an option: 'somewhere'\n"),
        ({"OPTIONS": "-tt", "USER": "no-such-account"}, b"rsvlog: fatal: RSVLOG_USER: no such account: 'no-such-account'\n"),
        ({"USER": "", "DIR": "/proc/1/nothing"}, b"rsvlog: fatal: /proc/1/nothing: file does not exist\n"),
    ]:
        done = run(runtime, log, **settings)
        assert (done.returncode, done.stderr) == (111, told)


def test_the_owner_gets_the_directory_and_writes_it(runtime: Path, log: Path) -> None:
    oracle.root("another account's log")
    target = log.parents[1] / "logs" / "worker"
    done = run(runtime, log, DIR=str(target), USER="nobody", OPTIONS="-r _")
    assert (done.returncode, done.stderr) == (0, b"")
    owners = [path.stat().st_uid for path in (target.parent, target, target / "current", target / "lock")]
    assert owners == [0, NOBODY.pw_uid, NOBODY.pw_uid, NOBODY.pw_uid]


@pytest.mark.covers("rsvlog", "as the user who owns the directory")
def test_root_goes_into_a_users_directory_only_as_that_user(runtime: Path, log: Path) -> None:
    oracle.root("another account's log")
    home = log.parents[1] / "home"
    home.mkdir()
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    done = run(runtime, log, DIR=str(home / "logs/worker"), USER="nobody", OPTIONS="-r _")
    assert (done.returncode, done.stderr) == (0, b"")
    assert (home / "logs").stat().st_uid == NOBODY.pw_uid
    assert (home / "logs/worker/current").read_bytes() == b"a line\n"


@pytest.mark.parametrize("user", ["", "daemon"])
def test_no_link_is_followed_in_a_directory_that_others_can_write(runtime: Path, log: Path, user: str) -> None:
    oracle.root("another account's directory")
    home = log.parents[1] / "home"
    target = log.parents[1] / "target"
    home.mkdir()
    target.mkdir()
    home.joinpath("logs").symlink_to(target)
    os.chown(home, NOBODY.pw_uid, NOBODY.pw_gid)
    done = run(runtime, log, DIR=str(home / "logs"), USER=user)
    assert done.returncode == 111
    assert done.stderr == b"rsvlog: fatal: " + bytes(home / "logs") + b": symbolic link loop\n"
    assert list(target.iterdir()) == []


def test_no_link_is_followed_inside_a_log_directory_that_others_can_write(runtime: Path, log: Path) -> None:
    oracle.root("another account's directory")
    main = log / "main"
    main.mkdir()
    main.joinpath("lock").symlink_to(log / "victim")
    os.chown(main, NOBODY.pw_uid, NOBODY.pw_gid)
    done = run(runtime, log, DIR="main")
    assert done.returncode == 111
    assert not log.joinpath("victim").exists()


def test_a_link_that_root_made_is_followed(runtime: Path, log: Path) -> None:
    target = log.parents[1] / "target"
    target.mkdir()
    log.joinpath("main").symlink_to("../../target")
    assert run(runtime, log, DIR="main/inner").returncode == 0
    assert target.joinpath("inner/current").exists()
