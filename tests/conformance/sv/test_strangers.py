"""Root's sv runs another account's ./check, and shows what that says, yet gives it nothing of root's terminal or environment."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import fifo, oracle, supervision
from support.programs import run, started
from support.supervised import FakeSupervisor
from support.waiting import DEADLINE, heard, until, written

from runit_provision.runtime.wire import status as wire

NOBODY = 65534
NO_ACCOUNT = 1_712_345
"""A uid that passwd does not know."""
UP = wire.pack(wire.Status(since_ns=0, pid=7, state=wire.RUN, want=wire.WANT_UP))
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
TRIES = f"""{PYTHON} -c '
import fcntl, os, termios

def works(call, *words):
    try:
        call(*words)
    except OSError:
        return False
    return True

opened = [fd for fd in range(64) if works(os.fstat, fd)]
typed = [fd for fd in opened if works(fcntl.ioctl, fd, termios.TIOCSTI, b"x")]
terminals = [fd for fd in opened if os.isatty(fd)]
print(os.getuid(), typed, terminals, works(os.open, "/dev/tty", os.O_RDWR), file=os.fdopen(2, "w"))'
"""


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Path]:
    """A service of another account, whose ./check is yet to be written."""
    oracle.root("services of other users")
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    supervisor = FakeSupervisor(tmp_path / "a", UP)
    os.chown(tmp_path / "a", NOBODY, NOBODY)
    yield tmp_path / "a"
    supervisor.stop()


@contextmanager
def at_a_terminal(*words: str | Path) -> Iterator[tuple[int, int, subprocess.Popen[bytes]]]:
    """Run a command in a session that has a terminal, open as one more descriptor too; give both ends of that, and the process."""
    master, slave = os.openpty()
    more = os.dup(slave)
    try:
        command = ["setsid", "--ctty", "--fork", "--wait", *words]
        with started(command, stdin=slave, stdout=slave, stderr=slave, pass_fds=[more]) as process:
            yield master, slave, process
    finally:
        for fd in (master, slave, more):
            os.close(fd)


@pytest.mark.parametrize(("exits", "code", "begins"), [(0, 0, b"ok: run: "), (1, 1, b"timeout: run: ")])
def test_the_check_of_another_account_reaches_no_terminal_and_is_heard(
    runtime: Path, service: Path, exits: int, code: int, begins: bytes
) -> None:
    supervision.script(service / "check", f"{TRIES}exit {exits}")
    with at_a_terminal(runtime / "sv", "-w", "4", "check", service) as (master, slave, process):
        assert process.wait(DEADLINE) == code
        said = heard(master)
        assert fifo.unread(slave) == 0, "something was typed"
    assert said.startswith(b"65534 [] [] False\r\n")
    assert said.splitlines()[-1].startswith(begins)


def test_what_a_check_leaves_behind_is_not_waited_for_and_all_that_it_said_is_shown(runtime: Path, service: Path) -> None:
    supervision.script(service / "check", "sleep 1000 & echo $! >&2; yes 0123456789abcde | head -c 1000000 >&2")
    said = run(runtime / "sv", ["check", str(service)])
    pid, _, rest = said.err.partition(b"\n")
    os.kill(int(pid), signal.SIGKILL)
    assert (said.code, len(rest)) == (0, 1_000_000)


def test_an_interrupt_ends_the_check_too(runtime: Path, service: Path) -> None:
    supervision.script(service / "check", "echo $$ >pid; exec sleep 1000")
    with at_a_terminal(runtime / "sv", "check", service) as (master, _slave, process):
        pid = int(written(service / "pid"))
        os.write(master, b"\x03")
        assert process.wait(DEADLINE) != 0
    until(lambda: not supervision.is_alive(pid), what="it has ended")


def test_the_check_of_another_account_gets_none_of_roots_secrets(runtime: Path, service: Path) -> None:
    supervision.script(service / "check", "env >&2")
    given = {"PATH": os.environ["PATH"], "LC_TIME": "C", "LANG": "C", "TZ": "UTC", "TOKEN": "secret", "HOME": "/root", "SVDIR": "/"}
    said = run(runtime / "sv", ["check", str(service)], env=given)
    account = pwd.getpwuid(NOBODY)
    own = {"HOME": account.pw_dir, "SHELL": account.pw_shell, "USER": account.pw_name, "LOGNAME": account.pw_name}
    got = dict(line.split("=", 1) for line in said.err.decode().splitlines())
    for of_the_shell in ("PWD", "OLDPWD", "SHLVL", "_"):
        got.pop(of_the_shell, None)
    assert got == {name: given[name] for name in ("PATH", "LC_TIME", "LANG", "TZ")} | own


def test_the_check_of_an_account_without_an_entry_has_no_group_of_roots(runtime: Path, service: Path) -> None:
    """As `chown 12345` leaves it: the group of directory and script is still root's."""
    supervision.script(service / "check", "id -G >&2; id -u >&2")
    os.chown(service, NO_ACCOUNT, 0)
    os.chown(service / "check", NO_ACCOUNT, 0)
    said = run(runtime / "sv", ["check", str(service)])
    assert (said.code, said.err) == (0, b"%d\n%d\n" % (NO_ACCOUNT, NO_ACCOUNT))


@pytest.mark.parametrize("mode", [0o1777, 0o775])
def test_root_runs_no_check_as_root_from_where_others_can_write(runtime: Path, service: Path, mode: int) -> None:
    """A directory of root's that a group or everybody may put a ./check in: it counts as none that cannot be run."""
    supervision.script(service / "check", "echo ran >&2; exit 1")
    os.chown(service, 0, NOBODY)
    service.chmod(mode)
    said = run(runtime / "sv", ["check", str(service)])
    assert (said.code, said.err) == (0, b"warning: others can write there, not running %b/check\n" % bytes(service))


@pytest.mark.parametrize("kind", ["the file", "where a link leads"])
def test_a_script_that_another_account_may_write_is_run_as_that_one(runtime: Path, service: Path, tmp_path: Path, kind: str) -> None:
    """In a directory that is root's alone."""
    os.chown(service, 0, 0)
    theirs = service / "check" if kind == "the file" else tmp_path / "theirs/health"
    theirs.parent.mkdir(exist_ok=True)
    supervision.script(theirs, "id -u >&2")
    if kind == "the file":
        os.chown(theirs, NOBODY, NOBODY)
    else:
        os.chown(theirs.parent, NOBODY, NOBODY)
        (service / "check").symlink_to(theirs)
    said = run(runtime / "sv", ["check", str(service)])
    assert (said.code, said.err) == (0, b"%d\n" % NOBODY)


@pytest.fixture
def linked(service: Path, tmp_path: Path) -> Path:
    """A script that tells who runs it: root's own, linked to by root's ./check through a second link, in folders of root's."""
    os.chown(service, 0, 0)
    (tmp_path / "outer/inner").mkdir(parents=True)
    (tmp_path / "links").mkdir()
    script = tmp_path / "outer/inner/health"
    supervision.script(script, "id -u >&2")
    (tmp_path / "links/health").symlink_to("../outer/inner/health")
    (service / "check").symlink_to(tmp_path / "links/health")
    return script


@pytest.mark.parametrize("place", ["outer", "outer/inner", "links", "outer/inner/health"])
def test_a_check_that_a_link_leads_to_is_run_as_whoever_could_exchange_it(
    runtime: Path, service: Path, linked: Path, tmp_path: Path, place: str
) -> None:
    def says() -> bytes:
        said = run(runtime / "sv", ["check", str(service)])
        assert said.code == 0
        return said.err

    assert says() == b"0\n"
    os.chown(tmp_path / place, NOBODY, NOBODY)
    assert says() == b"%d\n" % NOBODY
    os.chown(tmp_path / place, 0, NOBODY)
    (tmp_path / place).chmod(0o775)
    assert says() == b"warning: others can write there, not running %b/check\n" % bytes(service)


def test_in_a_folder_like_tmp_only_the_owner_of_what_is_there_could_exchange_it(
    runtime: Path, service: Path, linked: Path, tmp_path: Path
) -> None:
    for place in ("outer", "outer/inner", "links"):
        (tmp_path / place).chmod(0o1777)
    assert run(runtime / "sv", ["check", str(service)]).err == b"0\n"
    os.chown(tmp_path / "links/health", NOBODY, NOBODY, follow_symlinks=False)
    assert run(runtime / "sv", ["check", str(service)]).err == b"%d\n" % NOBODY


def test_why_the_owner_of_a_check_cannot_be_found_is_told(runtime: Path, service: Path, linked: Path) -> None:
    strace = oracle.program("strace", package="strace")
    fails = ["-o", "/dev/null", "-e", "trace=readlinkat", "-e", "inject=readlinkat:error=EIO"]
    said = run(strace, [*fails, str(runtime / "sv"), "-w", "0", "check", str(service)])
    assert said.code == 1
    assert {*said.err.splitlines()} == {b"warning: unable to find the owner of %b/check: input/output error" % bytes(service)}


def test_what_the_check_of_another_account_says_is_read_as_one_text(runtime: Path, service: Path) -> None:
    """However it comes: a sign in two pieces is whole, one that never ends is escaped, and columns stay columns."""
    write = "for piece in (b'a\\tb\\xc3', b'\\xa9\\n', b'\\xe2\\x82'):\n    os.write(2, piece)\n    while unread(): time.sleep(0.001)"
    unread = "unread = lambda: any(fcntl.ioctl(2, termios.FIONREAD, bytes(4)))"
    supervision.script(service / "check", f'{PYTHON} -c "\nimport fcntl, os, termios, time\n{unread}\n{write}"')
    said = run(runtime / "sv", ["check", str(service)])
    assert (said.code, said.err) == (0, "a\tbé\n\\xe2\\x82".encode())


def test_what_the_check_of_another_account_says_moves_no_terminal(runtime: Path, service: Path) -> None:
    supervision.script(service / "check", "printf '\\033[c\\303\\251\\nok: forged\\n' >&2")
    said = run(runtime / "sv", ["check", str(service)])
    assert (said.code, said.err) == (0, "\\x1b[cé\nok: forged\n".encode())
