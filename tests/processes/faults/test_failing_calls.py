"""System calls fail, now and then or for seconds: it is said with its cause, tried again, and nothing is started twice or lost."""

from __future__ import annotations

import errno
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle
from support.checked_log import CheckedLog
from support.draws import draws
from support.injected import injected
from support.supervision import (
    COUNTS,
    ROLES,
    Tree,
    is_alive,
    letter,
    log_in_pool,
    name,
    pid_of,
    said,
    script,
    service,
    started,
    stat,
    text_of,
    tree,
    up,
)
from support.waiting import until

from runit_provision.runtime.wire import errors, records

ERRORS = ("ENFILE", "ENOMEM", "EIO", "ENOSPC", "EROFS")
OPENS = "openat,renameat,unlinkat,mkdirat,pipe2,getdents64"
TALKS = f"echo $$ >>started\n{COUNTS}"


@contextmanager
def failing_calls(pid: int, calls: str, error: str, when: str, trace: Path) -> Iterator[None]:
    """Let calls of a process fail meanwhile, of a pool those of its threads; when: which of them, as strace counts."""
    # What the keeper forks is a service.
    threads = ["-f"] if name(pid) == ROLES["pool"] else []
    with injected(pid, calls, f"error={error}:when={when}", trace, *threads):
        yield


def process_of(running: Tree, victim: str) -> int:
    if victim == "supervisor":
        return running.pid
    return until(lambda: next((pid for pid in running.processes() if name(pid) == ROLES[victim]), 0), what=f"a {victim}")


def talks(path: Path, runtime: Path) -> Path:
    """Make a service that counts to the pool, into files of some thousand lines, until it finds `stop`."""
    home = service(path, TALKS, log="exit 1")
    log_in_pool(home, runtime, config="s8000\nn0\n")
    return home


def all_is_logged(home: Path) -> None:
    """Let one that talks come to its end: each of its lines is there, once."""
    (home / "stop").touch()
    count = int(until(lambda: text_of(home / "last"), what="it says how many"))
    log = CheckedLog(home / "log/main", lambda number: b"%d" % number)
    until(lambda: log.ends_with(count - 1), what="the last line is logged")
    log.take_all()
    assert log.lines == count


@draws
@pytest.mark.parametrize(
    ("victim", "error"),
    [
        *((victim, error) for victim in ("supervisor", "keeper", "pool") for error in (*ERRORS, "EINTR")),
        ("holder", "ENOMEM"),
    ],
)
def test_calls_that_fail_now_and_then(runtime: Path, home: Path, tmp_path: Path, victim: str, error: str) -> None:
    talker = talks(home.parent / "talks", runtime)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        until((talker / "log/main/current").exists, what="it is logged")
        # Not epoll_wait, which signals interrupt anyhow: one that strace has taken away and leaves behind fails by ENOSYS.
        calls = OPENS if error != "EINTR" else "openat,read,write,waitid,wait4"
        # A holder makes no other call that can fail than to take what it is given.
        calls = "recvmsg" if victim == "holder" else calls
        with failing_calls(process_of(running, victim), calls, error, "1+2", tmp_path / "trace"):
            # A keeper that lacks files or memory makes three vain attempts at each start, as every second of both calls that it takes
            # fails, and five seconds pass after each.
            kills = 1 if victim == "keeper" and error in ("ENFILE", "ENOMEM") else 3
            for _ in range(kills):
                before = len(started(home))
                os.kill(started(home)[-1], signal.SIGKILL)
                until(lambda before=before: len(started(home)) > before, what="it is started again")  # type: ignore[misc]
            new = service(tmp_path / "new", "echo line\nexec sleep 1000", log="exit 1")
            log_in_pool(new, runtime)
            new = new.rename(home.parent / "new")
            if victim == "holder":
                until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="its call has failed")
        # The call that strace has taken away when it goes fails for good: one that told of a change in the directory, for one.
        (home.parent / ".changed").touch()
        up(new)
        until(lambda: text_of(new / "log/main/current") == "line\n", what="it is logged")
        until(lambda: stat(home) == "run" and pid_of(home) == started(home)[-1], what="the status is right")
        assert [is_alive(process) for process in started(home)] == [False] * kills + [True]
        until(lambda: started(talker) == [pid_of(talker)], what="the status of what was let alone is right")
        all_is_logged(talker)
        assert running.keeper()


@pytest.mark.parametrize(
    ("victim", "calls", "error"),
    [
        *(("supervisor", OPENS, error) for error in ERRORS),
        *(("supervisor", "renameat", error) for error in ("EIO", "ENOSPC", "EROFS")),
        *(("supervisor", "mkdirat", error) for error in ("ENOSPC", "EROFS")),
        *(("supervisor", "mknodat", error) for error in ("ENOSPC", "EROFS")),
        ("supervisor", "getdents64", "EIO"),
        *((victim, "pwrite64", error) for victim in ("supervisor", "keeper") for error in ("EIO", "ENOSPC", "EROFS")),
        *(("keeper", OPENS, error) for error in ERRORS),
        ("keeper", "clone,clone3,fork,vfork", "ENOMEM"),
        *(("pool", OPENS, error) for error in ERRORS),
        *(("pool", "fsync", error) for error in ("EIO", "ENOSPC")),
        ("pool", "fallocate", "ENOSPC"),
        ("holder", "recvmsg", "ENOMEM"),
    ],
)
def test_calls_that_fail_for_seconds_are_told_with_their_cause(
    runtime: Path, home: Path, tmp_path: Path, victim: str, calls: str, error: str
) -> None:
    """In the tree's log, and not again and again; it is over as soon as the fault is, without a loss."""
    talker = talks(home.parent / "talks", runtime)
    number = getattr(errno, error)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        until(lambda: list((talker / "log/main").glob("@*.s")), what="it is logged, in more files than one")
        with failing_calls(process_of(running, victim), calls, error, "1+", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            new = service(tmp_path / "new", "echo $$ >>started\necho line\nexec sleep 1000", log="exit 1")
            log_in_pool(new, runtime)
            new = new.rename(home.parent / "new")
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
            # A holder that a call fails ends, by Python's words; another one takes its place.
            said(running, errors.text(number).decode() if victim != "holder" else os.strerror(number))
            time.sleep(3)  # for which it goes on: what is told, and tried, meanwhile has an end
            count = len(running.stderr.read_text().splitlines())
            assert count < 30, running.stderr.read_text()
            assert text_of(tmp_path / "trace").count("INJECTED") < 500
        (home.parent / ".changed").touch()
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        pid = up(new)
        until(lambda: started(new) == [pid], what="the new one runs, once")
        until(lambda: text_of(new / "log/main/current") == "line\n", what="it is logged")
        assert started(talker) == [pid_of(talker)]
        all_is_logged(talker)


def test_a_letter_is_obeyed_though_it_cannot_be_written_down(runtime: Path, home: Path, tmp_path: Path) -> None:
    """Where the disk that the records are mapped from takes nothing, read(2) gives EFAULT, and would do so again at once."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(running.pid, "readv,pwrite64", "EFAULT", "1+", tmp_path / "trace"):
            letter(home, "d")
            until(lambda: stat(home) == "down", what="it is down")
            letter(home, "u")
            until(lambda: started(home) == [before, up(home)], what="it runs again")
            time.sleep(3)  # for which it goes on: what is told, and tried, meanwhile has an end
            assert text_of(tmp_path / "trace").count("INJECTED") < 100
        said(running, "runsv: info: what runs is written down again")
        pid = up(home)
        running.kill_with_keeper()
        running.start()
        until(lambda: running.supervises(home), what="the next one has it")
        assert (stat(home), started(home)) == ("run", [before, pid])


NO_ROOM = {"ENOMEM": "out of memory", "ENOSPC": "fs.epoll.max_user_watches is reached"}
"""What epoll_ctl(2) fails with that has no room for one descriptor more, and what is said then."""


def begins(running: Tree, home: Path) -> None:
    """A new service is met."""
    service(running.state.with_name("new"), "echo $$ >>started\nexec sleep 1000").rename(home.parent / "new")


def says_when_ready(running: Tree, home: Path) -> None:
    """A service that tells when it is ready is started again."""
    (home / "notification-fd").write_text("3\n")
    os.kill(pid_of(home), signal.SIGKILL)


def stands_in(running: Tree, home: Path) -> None:
    """The keeper makes a stand-in."""
    running.kill()


def comes_next(running: Tree, home: Path) -> None:
    """The next runsvdir comes to a keeper that has made one."""
    running.start()


def goes_on(running: Tree, *homes: Path) -> None:
    """See that each service runs, once, and is started again, once, when it has been killed; it obeys, and says that it is ready."""
    for home in homes:
        before = up(home)
        count = len(started(home))
        os.kill(before, signal.SIGKILL)
        until(lambda home=home, count=count: len(started(home)) > count, what="it is started again")  # type: ignore[misc]
        assert len(started(home)) == count + 1
        assert started(home)[-2:] == [before, up(home)]
        letter(home, "d")
        until(lambda home=home: stat(home) == "down", what="it obeys")  # type: ignore[misc]


@pytest.mark.parametrize("error", NO_ROOM)
@pytest.mark.parametrize(
    ("happens", "victim", "when"),
    # Calls before it are about what is watched already, which takes no room.
    [
        (begins, "supervisor", 1),
        (says_when_ready, "supervisor", 3),
        (stands_in, "keeper", 2),
        (comes_next, "keeper", 1),
        (stands_in, "holder", 1),
    ],
)
def test_what_the_kernel_has_no_room_to_watch_is_not_lost(
    runtime: Path,
    home: Path,
    tmp_path: Path,
    happens: Callable[[Tree, Path], None],
    victim: str,
    when: int,
    error: str,
) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        running.keeper()
        if happens is comes_next:
            running.kill()
            until(lambda: len(running.named("supervisor")) == 1, what="a stand-in is there")
        with failing_calls(process_of(running, victim), "epoll_ctl", error, str(when), tmp_path / "trace"):
            happens(running, home)
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="the call has failed")
        assert re.search("EPOLL_CTL_ADD.*INJECTED", text_of(tmp_path / "trace"))
        said(running, f"warning: unable to wait for events, looking for them each second: {NO_ROOM[error]}\n")
        if happens is comes_next:
            until(lambda: running.supervises(home), what="it supervises")
        goes_on(running, *home.parent.iterdir())
        assert running.stderr.read_text().count("unable to wait for events") == 1


@pytest.mark.parametrize("error", NO_ROOM)
@pytest.mark.parametrize(("who", "when"), [("a log", 1), ("who supervises next", 2)])
def test_what_the_pool_has_no_room_to_watch_is_not_lost(runtime: Path, tmp_path: Path, who: str, when: int, error: str) -> None:
    quiet = service(tmp_path / "services/quiet", "echo $$ >>started\nexec sleep 1000", log="exit 1")
    log_in_pool(quiet, runtime)
    new = talks(tmp_path / "new", runtime)
    with tree(runtime / "runsvdir", quiet.parent, tmp_path / "state") as running:
        running.start()
        up(quiet)
        pool = process_of(running, "pool")
        until(lambda: pid_of(quiet / "log"), what="it is logged")
        with failing_calls(pool, "epoll_ctl", error, str(when), tmp_path / "trace"):
            if who == "a log":
                new = new.rename(quiet.parent / "new")
            else:
                running.kill()
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="the call has failed")
        assert re.search("EPOLL_CTL_ADD.*INJECTED", text_of(tmp_path / "trace"))
        if who != "a log":
            running.start()
            new = new.rename(quiet.parent / "new")
        until(lambda: text_of(new / "log/main/current"), what="it is read")
        all_is_logged(new)
        goes_on(running, quiet)
        assert process_of(running, "pool") == pool
        told = f"log-pool: warning: unable to wait for events, looking for them each second: {NO_ROOM[error]}\n"
        assert running.stderr.read_text().count(told) == 1


@pytest.mark.parametrize("when", range(1, 7))
def test_what_the_next_supervisor_has_no_room_to_watch_is_not_lost(runtime: Path, home: Path, tmp_path: Path, when: int) -> None:
    """One of the first descriptors that it waits for, when it takes up what supervisor and keeper have left."""
    strace = oracle.program("strace", package="strace")
    faulty = tmp_path / "faulty"
    fault = f"-e trace=epoll_ctl -e inject=epoll_ctl:error=ENOMEM:when={when}"
    script(faulty, f'exec {strace} -D -qq -o {tmp_path}/trace {fault} {runtime}/runsvdir "$@"')
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        running.keeper()
        running.kill_with_keeper()
        running.program = str(faulty)
        running.start()
        until(lambda: running.supervises(home), what="it supervises")
        assert re.search("EPOLL_CTL_ADD.*INJECTED", text_of(tmp_path / "trace"))
        said(running, f"warning: unable to wait for events, looking for them each second: {NO_ROOM['ENOMEM']}\n")
        assert started(home) == [before]
        goes_on(running, home)


@pytest.mark.parametrize(
    ("victim", "calls", "error", "told"),
    [
        ("supervisor", "unlinkat", "EROFS", "runsv: warning: unable to start a holder, sleeping: read-only file system\n"),
        ("keeper", "clone,clone3,fork,vfork", "ENOMEM", "runsvdir: keeper: unable to start a holder: out of memory\n"),
    ],
)
def test_that_no_holder_can_be_started_is_told_once_each_time(
    runtime: Path, home: Path, tmp_path: Path, victim: str, calls: str, error: str, told: str
) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        for count in (1, 2):
            trace, holder = tmp_path / f"trace-{count}", process_of(running, "holder")
            with failing_calls(process_of(running, victim), calls, error, "1+", trace):
                os.kill(holder, signal.SIGKILL)
                # The first ones come at once.
                until(lambda trace=trace: text_of(trace).count("INJECTED") > 8, what="it was tried again and again")  # type: ignore[misc]
                assert running.stderr.read_text().count(told) == count
            process_of(running, "holder")
        letter(home, "d")
        until(lambda: stat(home) == "down", what="it obeys")


def test_that_nobody_can_be_asked_for_an_account_is_told_once(runtime: Path, home: Path, tmp_path: Path) -> None:
    oracle.root("a log that names its account")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with failing_calls(running.pid, "clone,clone3,fork,vfork", "EAGAIN", "1+", tmp_path / "trace"):
            new = service(tmp_path / "new", "exec sleep 1000", log="exit 1")
            log_in_pool(new, runtime)
            (new / "log/env/RSVLOG_USER").write_text("root\n")
            new = new.rename(home.parent / "new")
            until(lambda: text_of(tmp_path / "trace").count("INJECTED") > 3, what="it was tried several times")
            assert running.stderr.read_text().count("unable to look up 'root', its logs wait: temporary failure\n") == 1
        until(lambda: stat(new / "log") == "run", what="it is logged")


def test_the_place_of_one_whose_end_could_not_be_written_down_is_used_again(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        with failing_calls(running.pid, "pwrite64", "EIO", "1+", tmp_path / "trace"):
            shutil.rmtree(home)
            blank = rf'pwrite64\(\d+, "\\0", 1, {records.offset(1)}\) .*INJECTED'
            until(lambda: len(re.findall(blank, text_of(tmp_path / "trace"))) > 1, what="it has ended, and is tried to be forgotten")
        said(running, "runsv: info: what runs is written down again")
        up(service(home.with_name("new"), "exec sleep 1000"))
        (table,) = running.state.glob("trees/*/records")
        known = records.unpack_identity(table.read_bytes()[records.offset(1) : records.offset(2)])
        assert known is not None
        assert known.name == b"new"


@pytest.mark.parametrize("error", ["ENOBUFS", "ENOMEM"])
@pytest.mark.parametrize("victim", ["supervisor", "keeper"])
def test_what_one_of_the_trees_own_cannot_send_to_the_other_is_sent_later(
    runtime: Path, home: Path, tmp_path: Path, victim: str, error: str
) -> None:
    """That the kernel has no memory for a message is over soon, and no end and no start is lost (sendmsg(2))."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(process_of(running, victim), "sendmsg,sendto", error, "1", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            until(lambda: "INJECTED" in text_of(tmp_path / "trace"), what="a call has failed")
        until(lambda: len(started(home)) > 1, deadline=30, what="it is started again")
        assert started(home) == [before, up(home)]


def test_a_process_that_may_not_be_asked_for_is_asked_for_again(runtime: Path, home: Path, tmp_path: Path) -> None:
    """What may be sent to others is also for security modules to say (selinux(8), apparmor(7))."""
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(running.pid, "sendmsg", "EACCES", "1", tmp_path / "trace"):
            os.kill(before, signal.SIGKILL)
            said(running, "runsv it: warning: unable to fork, sleeping: access denied\n")
        until(lambda: len(started(home)) > 1, what="it is started again")
        assert started(home) == [before, up(home)]


def test_a_control_script_that_may_not_be_asked_for_has_failed(runtime: Path, home: Path, tmp_path: Path) -> None:
    """As one that cannot be started: what it was to do instead is done."""
    (home / "control").mkdir()
    script(home / "control/t", "exit 0")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(running.pid, "sendmsg", "EACCES", "1", tmp_path / "trace"):
            letter(home, "t")
            said(running, "runsv it: warning: unable to fork, sleeping: access denied\n")
        until(lambda: len(started(home)) > 1, what="it is told to end, and started again")
        assert started(home) == [before, up(home)]


def test_a_service_that_exits_while_no_file_can_be_opened_has_exited(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        with failing_calls(running.pid, "openat", "ENFILE", "1+", tmp_path / "trace"):
            letter(home, "x")
            until(lambda: not is_alive(before), what="it is taken down")
            until(lambda: not running.supervises(home), what="it is let go of")
        until(lambda: running.supervises(home), what="it is met anew")
        assert up(home) != before
        assert "internal error" not in running.stderr.read_text()
