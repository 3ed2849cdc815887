"""What processes of a tree say to each other fails, once or for seconds: nobody is taken for gone, and nothing is left half done."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle, versions
from support.injected import injected
from support.supervision import (
    Tree,
    has_open,
    letter,
    log_in_pool,
    opened,
    said,
    service,
    started,
    stat,
    text_of,
    tree,
    up,
)
from support.waiting import until

from runit_provision.host import shipped

ONCE = ":when=1"


@pytest.fixture
def running(runtime: Path, home: Path, tmp_path: Path) -> Iterator[Tree]:
    """A tree whose service runs, and whose holder has what is open of it."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as made:
        made.start()
        up(home)
        until(lambda: is_held(made, home), what="it is held")
        yield made


@contextmanager
def failing(pid: int, calls: str, fault: str, trace: Path, *options: str) -> Iterator[None]:
    """Let calls of a process fail meanwhile, and see that one has."""
    with injected(pid, calls, fault, trace, *options):
        yield
        until(lambda: "INJECTED" in text_of(trace), what="a call has failed")


def is_held(running: Tree, home: Path) -> bool:
    """Whether the one holder has what is open of a service."""
    holders = running.named("holder")
    return len(holders) == 1 and has_open(holders[0], home / "supervise/ok")


def logged(path: Path, runtime: Path) -> Path:
    """Make a service whose one line is kept by the pool."""
    home = service(path, "echo $$ >>started\necho line\nexec sleep 1000", log="exit 1")
    log_in_pool(home, runtime)
    return home


def restarts(home: Path) -> None:
    """See that a service that is killed is started again, once."""
    before = started(home)
    os.kill(before[-1], signal.SIGKILL)
    until(lambda: len(started(home)) > len(before), what="it is started again")
    assert [*before, up(home)] == started(home)


def test_who_cannot_be_reached_for_a_moment_is_not_taken_for_gone(runtime: Path, home: Path, tmp_path: Path) -> None:
    """There is no descriptor for a socket while a stand-in takes up the tree: pool and holder are met later."""
    talker = service(home.parent / "talks", 'while :; do echo "$((i=i+1))"; sleep 0.02; done', log="exit 1")
    log_in_pool(talker, runtime)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        pid = up(home)
        until(lambda: is_held(running, home) and is_held(running, talker), what="all is held")
        until(lambda: stat(talker / "log") == "run" and text_of(talker / "log/main/current"), what="it is logged")
        others = (running.named("pool"), running.named("holder"))
        with failing(running.keeper(), "socket", "error=ENFILE", tmp_path / "trace", "-f"):
            running.kill()
            said(running, "runsv: warning: unable to meet a holder, trying again: system cannot open more files\n")
            said(running, "runsv: warning: unable to start loggers, sleeping: system cannot open more files\n")
        before = text_of(talker / "log/main/current")
        until(lambda: text_of(talker / "log/main/current") != before, what="it is logged")
        (holder,) = others[1]
        until(lambda: all(has_open(holder, of / "supervise/lock") for of in (home, talker)), what="all is given to it again")
        new = logged(tmp_path / "new", runtime)
        running.start()
        until(lambda: running.supervises(home, talker), what="the next one supervises")
        new = new.rename(home.parent / "new")
        until(lambda: text_of(new / "log/main/current") == "line\n" and is_held(running, new), what="it is logged and held")
        assert (running.named("pool"), running.named("holder")) == others
        until(lambda: is_held(running, home) and is_held(running, talker) and stat(talker / "log") == "run", what="all is held")
        lines = [int(line) for line in text_of(talker / "log/main/current").split()]
        assert lines == [*range(1, len(lines) + 1)]
        assert started(home) == [pid]


@pytest.mark.parametrize("victim", ["supervisor", "keeper"])
def test_what_cannot_be_received_now_is_not_the_end(running: Tree, home: Path, tmp_path: Path, victim: str) -> None:
    """No second keeper is made, nor a second supervisor."""
    there = {role: running.named(role) for role in ("supervisor", "keeper")}
    (pid,) = there[victim]
    with failing(pid, "recvmsg", "error=ENOMEM" + ONCE, tmp_path / "trace"):
        letter(home, "c")
    restarts(home)
    assert {role: running.named(role) for role in there} == there
    said(running, "runsv: warning: unable to receive from a process of the tree, trying again: out of memory\n")
    assert running.stderr.read_text().count("unable to receive") == 1


def test_an_end_that_cannot_be_told_now_is_told_later(running: Tree, home: Path, tmp_path: Path) -> None:
    with failing(running.keeper(), "sendmsg", "error=EACCES" + ONCE, tmp_path / "trace"):
        restarts(home)
    said(running, "runsv: warning: unable to send to a process of the tree, trying again: access denied\n")


def test_a_supervisor_that_cannot_be_welcomed_now_is_welcome_later(running: Tree, home: Path, tmp_path: Path) -> None:
    with failing(running.keeper(), "sendmsg", "error=EACCES" + ONCE, tmp_path / "trace"):
        running.kill()
    restarts(home)
    running.start()
    until(lambda: running.supervises(home), what="the next one supervises")
    restarts(home)


def test_what_follows_from_a_letter_happens_though_it_cannot_be_told_at_once(running: Tree, home: Path, tmp_path: Path) -> None:
    (pid,) = started(home)
    with failing(running.pid, "sendmsg", "error=EACCES" + ONCE, tmp_path / "trace"):
        letter(home, "d")
    until(lambda: stat(home) == "down", what="it is down")
    letter(home, "u")
    assert [pid, up(home)] == started(home)


def test_a_pool_says_later_what_it_cannot_say_now(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    first = logged(tmp_path / "first", runtime).rename(home.parent / "first")
    until(lambda: stat(first / "log") == "run", what="it is logged")
    second = logged(tmp_path / "second", runtime)
    (pool,) = running.named("pool")
    with failing(pool, "sendto", "error=EIO" + ONCE, tmp_path / "trace", "-f"):
        second = second.rename(home.parent / "second")
    until(lambda: stat(second / "log") == "run", what="it is known to be logged")
    said(running, "log-pool: warning: unable to send to the supervisor, trying again: input/output error\n")


def test_what_a_pool_cannot_hear_now_it_hears_later(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    log = logged(tmp_path / "log", runtime).rename(home.parent / "log")
    until(lambda: text_of(log / "log/main/current") == "line\n", what="it is logged")
    (pool,) = running.named("pool")
    with failing(pool, "recvmsg", "error=ENOMEM" + ONCE, tmp_path / "trace", "-f"):
        letter(log / "log", "a")
    until(lambda: [text_of(path) for path in (log / "log/main").glob("@*.s")] == ["line\n"], what="it is rotated")


def test_the_logs_of_a_pool_that_died_are_all_given_to_the_next_one(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    homes = [logged(tmp_path / name, runtime).rename(home.parent / name) for name in "abc"]
    until(lambda: all(stat(each / "log") == "run" for each in homes), what="all are logged")
    (pool,) = running.named("pool")
    # What one of them is told with cannot be sent at all.
    with failing(running.pid, "sendmsg", "error=EINVAL:when=3", tmp_path / "trace"):
        os.kill(pool, signal.SIGKILL)
    until(lambda: running.named("pool") not in ([], [pool]), what="there is another pool")
    until(lambda: all(stat(each / "log") == "run" for each in homes), what="all are logged again")
    for each in homes:
        restarts(each)
        until(lambda each=each: text_of(each / "log/main/current") == "line\nline\n", what="it is read")  # type: ignore[misc]


def test_a_keeper_without_memory_for_what_it_knows_stays_what_it_is(home: Path, tmp_path: Path) -> None:
    """It says so at once to who has told it to become another version; who would wait for half a minute else."""
    prefix = versions.install(tmp_path)
    with tree(prefix / "bin/runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        pid = up(home)
        keeper = running.keeper()
        versions.switch(prefix, versions.NEW)
        with failing(keeper, "memfd_create", "error=ENFILE" + ONCE, tmp_path / "trace"):
            os.kill(running.pid, signal.SIGUSR2)
        until(lambda: running.named("keeper") not in ([], [keeper]), deadline=20, what="another keeper takes its place")
        library = prefix / shipped.LIBRARY / versions.NEW
        said(running, f"runsvdir: keeper: unable to become {library}: system cannot open more files\n")
        assert started(home) == [pid]
        restarts(home)


@pytest.mark.parametrize(("calls", "fault"), [("sendmsg", "error=EACCES:when=2"), ("fcntl", "error=EMFILE:when=1")])
def test_a_new_holder_is_given_what_there_is(running: Tree, home: Path, tmp_path: Path, calls: str, fault: str) -> None:
    """Though it cannot be told who the keeper is, or nobody can tell what room there is."""
    (before,) = running.named("holder")
    with failing(running.pid, calls, fault, tmp_path / "trace"):
        os.kill(before, signal.SIGKILL)
    until(lambda: running.named("holder") != [before] and is_held(running, home), what="it is held again")


def test_a_holder_answers_later_when_there_is_no_memory(running: Tree, home: Path, tmp_path: Path) -> None:
    """It would be taken for stopped else, or the end of a process that it watches would be known to nobody."""
    (holder,) = running.named("holder")
    with failing(holder, "sendto", "error=ENOBUFS" + ONCE, tmp_path / "trace"):
        service(tmp_path / "new", "exec sleep 1000").rename(home.parent / "new")
        until(lambda: re.search(r"(?m)^sendto.* = \d+$", text_of(tmp_path / "trace")), what="it has answered")
    first, second = [line.partition("=")[0].split('"')[1] for line in text_of(tmp_path / "trace").splitlines()[:2]]
    assert first == second


def test_a_holder_that_has_no_descriptor_for_who_comes_lets_him_in_later(running: Tree, home: Path, tmp_path: Path) -> None:
    there = running.named("holder")
    with failing(there[0], "accept4", "error=ENFILE" + ONCE, tmp_path / "trace"):
        running.kill()
    restarts(home)
    assert (is_held(running, home), running.named("holder")) == (True, there)


def test_no_descriptor_is_left_by_a_log_that_cannot_be_closed_now(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    log = logged(tmp_path / "log", runtime).rename(home.parent / "log")
    until(lambda: stat(log / "log") == "run" and up(log), what="it is logged")
    letter(log, "d")
    until(lambda: stat(log) == "down", what="it is down")
    ends = pipes_of(running.pid, log)
    with failing(running.pid, "sendmsg", "error=EINVAL", tmp_path / "trace"):
        letter(log, "x")
        until(lambda: running.stderr.read_text().count("unable to close the log") == 3, what="it is tried again")
    assert pipes_of(running.pid, log) == ends


def pipes_of(pid: int, home: Path) -> int:
    return sum(at.startswith(str(home / "log/supervise")) and at.endswith("pipe") for at in opened(pid).values())


def test_no_descriptor_is_left_by_a_writer_that_cannot_be_made_now(runtime: Path, home: Path, running: Tree, tmp_path: Path) -> None:
    first = logged(tmp_path / "first", runtime).rename(home.parent / "first")
    until(lambda: stat(first / "log") == "run", what="it is logged")
    (pool,) = running.named("pool")
    with tempfile.TemporaryDirectory(dir="/dev/shm") as elsewhere:
        second = logged(tmp_path / "second", runtime)
        (second / "log/env/RSVLOG_DIR").write_text(f"{elsewhere}\n")
        before = events_of(pool)
        with injected(pool, "epoll_create1", "error=EMFILE", tmp_path / "trace", "-f"):
            second = second.rename(home.parent / "second")
            until(lambda: text_of(tmp_path / "trace").count("INJECTED") == 3, what="it is tried again")
        assert events_of(pool) <= before + 1
        until(lambda: text_of(Path(elsewhere, "current")) == "line\n", what="it is logged")
        assert events_of(pool) == before + 1


def events_of(pid: int) -> int:
    return sum(at == "anon_inode:[eventfd]" for at in opened(pid).values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a directory for another account")
@pytest.mark.parametrize(
    ("calls", "fault"),
    [("openat", "error=ENFILE:when=2"), ("fchown,fchownat", "error=EIO:signal=KILL:when=1")],
)
def test_a_log_directory_is_its_accounts_though_to_make_it_failed(runtime: Path, tmp_path: Path, calls: str, fault: str) -> None:
    strace = oracle.program("strace", package="strace")
    with tempfile.TemporaryDirectory(dir="/var/lib", prefix="rsvlog-test-") as base:
        made = Path(base, "made")
        made.parent.chmod(0o755)
        (tmp_path / "log/env").mkdir(parents=True)
        (tmp_path / "log/env/RSVLOG_DIR").write_text(f"{made}\n")
        (tmp_path / "log/env/RSVLOG_USER").write_text("nobody\n")
        words = ["-P", "made", "-P", ".rsvlog-made", "-P", str(made), "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}"]
        make = [str(runtime / "rsvlog"), "-p"]
        failed = subprocess.run([strace, "-qq", "-o", str(tmp_path / "trace"), *words, *make], cwd=tmp_path / "log", check=False)
        assert failed.returncode != 0
        subprocess.run(make, cwd=tmp_path / "log", check=True)
        assert [(path.name, path.owner()) for path in Path(base).iterdir()] == [("made", "nobody")]
