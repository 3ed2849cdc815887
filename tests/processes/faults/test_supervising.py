"""Who supervises meets a call that fails amid taking up, or when its keeper dies: nothing is forgotten, and nothing started twice."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import oracle, supervision, versions
from support.injected import injected
from support.supervision import (
    Tree,
    is_alive,
    is_asleep,
    letter,
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

from runit_provision.runtime.wire import holder as wire
from runit_provision.runtime.wire import records


def idle(running: Tree, home: Path) -> int:
    """Start a tree, and wait until it has nothing to do; give its service's process."""
    running.start()
    pid = up(home)
    running.keeper()
    until(lambda: running.named("holder") and running.supervises(home), what="it is held")
    until(lambda: is_asleep(running.pid), what="it has nothing to do")
    return pid


def has_failed(trace: Path) -> None:
    until(lambda: "INJECTED" in text_of(trace), what="a call has failed")


def is_started_anew_once(home: Path, pid: int) -> None:
    """See that a service whose process is killed is started again, once."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: started(home) == [pid, pid_of(home)] and stat(home) == "run", what="it is started again, once")
    assert is_alive(pid_of(home))


def faulty(running: Tree, words: str, trace: Path) -> str:
    """Give a program that is the tree's with a fault, as strace has it."""
    strace = oracle.program("strace", package="strace")
    program = trace.with_name("faulty")
    script(program, f'exec {strace} -D -qq -o {trace} {words} {running.program} "$@"')
    return str(program)


def test_a_service_whose_record_cannot_be_read_is_not_started_a_second_time(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        running.kill_with_keeper()
        (table,) = running.state.glob("trees/*/records")
        # Calls before it see whether what is written down is of now, and which slots there are.
        fault = f"-P {table} -e trace=pread64 -e inject=pread64:error=EIO:when=8"
        running.program = faulty(running, fault, tmp_path / "trace")
        running.start()
        until(lambda: running.supervises(home), what="it supervises")
        assert re.search(rf", {records.SIZE}, {records.offset(1)}\) *= -1 EIO", text_of(tmp_path / "trace"))
        assert (stat(home), pid_of(home)) == ("run", pid)
        is_started_anew_once(home, pid)


def test_there_is_a_keeper_again_though_its_end_cannot_be_waited_for(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        keeper = running.keeper()
        with injected(running.pid, "poll", "error=ENOMEM:when=1..3", tmp_path / "trace"):
            os.kill(keeper, signal.SIGKILL)
            has_failed(tmp_path / "trace")
            is_started_anew_once(home, pid)
        assert len(running.supervisors()) == 2


def test_a_keeper_that_closes_the_conversation_and_lives_is_ended_before_there_is_another(
    runtime: Path, home: Path, tmp_path: Path
) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        keeper = running.keeper()
        os.kill(keeper, signal.SIGSTOP)
        # What came is taken for the end.
        with injected(running.pid, "recvmsg", "retval=0:when=1", tmp_path / "trace"):
            os.kill(pid, signal.SIGKILL)
            letter(home, "t")
            has_failed(tmp_path / "trace")
        until(lambda: not is_alive(keeper), what="it is ended")
        until(lambda: started(home) == [pid, pid_of(home)] and stat(home) == "run", what="it is started again, once")
        assert len(running.supervisors()) == 2


def test_a_service_whose_record_cannot_be_read_when_the_keeper_dies_is_heard_of(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        with injected(running.pid, "pread64", "error=EIO:when=1", tmp_path / "trace"):
            os.kill(running.keeper(), signal.SIGKILL)
            said(running, "runsv it: warning: unable to find out what runs, sleeping: input/output error\n")
        is_started_anew_once(home, pid)


@contextmanager
def another_is_installed(tmp_path: Path) -> Iterator[tuple[Tree, dict[Path, int]]]:
    """A tree of six services, which tells their pids, and of whose version another one is installed."""
    prefix = versions.install(tmp_path)
    homes = [service(tmp_path / "services" / name, "echo $$ >>started\nexec sleep 1000") for name in "abcdef"]
    with tree(prefix / "bin/runsvdir", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        before = {home: up(home) for home in homes}
        running.keeper()
        versions.switch(prefix, versions.NEW)
        yield running, before


def test_the_keeper_of_the_version_before_is_met_again_as_soon_as_there_is_a_descriptor(tmp_path: Path) -> None:
    with another_is_installed(tmp_path) as (running, before):
        keeper = running.keeper()
        with injected(running.pid, "memfd_create", "error=ENFILE:when=2..4", tmp_path / "trace"):
            os.kill(running.pid, signal.SIGUSR2)
            said(running, f"runsvdir {running.services}: info: {versions.NEW} has taken over; its services go on\n")
        has_failed(tmp_path / "trace")
        assert (running.keeper(), {home: pid_of(home) for home in before}) == (keeper, before)
        is_started_anew_once(*next(iter(before.items())))


def test_the_keeper_of_the_version_before_that_cannot_be_met_again_is_replaced(tmp_path: Path) -> None:
    with another_is_installed(tmp_path) as (running, before):
        keeper = running.keeper()
        with injected(running.pid, "memfd_create", "error=EPERM:when=2+", tmp_path / "trace"):
            os.kill(running.pid, signal.SIGUSR2)
            said(running, "runsvdir: warning: unable to meet the keeper again, ending it: permission denied\n")
            until(lambda: len(running.supervisors()) == 2 and not is_alive(keeper), what="there is another")
        assert {home: pid_of(home) for home in before} == before
        is_started_anew_once(*next(iter(before.items())))


def test_a_service_whose_directory_cannot_be_looked_at_now_goes_on(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        with injected(running.pid, "newfstatat", "error=EIO:when=1", tmp_path / "trace", "-P", home.name):
            (home.parent / ".changed").touch()
            said(running, f"runsvdir {home.parent}: warning: unable to stat it: input/output error\n")
        up(service(tmp_path / "new", "exec sleep 1000").rename(home.parent / "new"))
        assert (stat(home), started(home), is_alive(pid)) == ("run", [pid], True)
        gone = home.rename(tmp_path / "gone")
        until(lambda: not running.supervises(gone), what="one that is gone ends")
        assert not is_alive(pid)


def test_a_keeper_for_which_there_was_no_descriptor_is_woken_when_it_does_not_answer(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        idle(running, home)
        keeper = running.keeper()
        with injected(running.pid, "pidfd_open", "error=ENFILE:when=1", tmp_path / "trace"):
            os.kill(keeper, signal.SIGKILL)
            has_failed(tmp_path / "trace")
            keeper = until(lambda: next((pid for pid in running.named("keeper") if pid != keeper), 0), what="there is another")
            until(lambda: "pidfd" in "".join(supervision.opened(running.pid).values()), what="it has a handle of it")


def test_a_runsvdir_that_cannot_tell_the_holder_that_it_has_all_goes_on(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        running.kill_with_keeper()
        # What it says before is who the keeper is, that it asks for letters, and what the service has open.
        running.program = faulty(running, "-e trace=sendmsg -e inject=sendmsg:error=EACCES:when=4", tmp_path / "trace")
        running.start()
        has_failed(tmp_path / "trace")
        assert re.search(rf'iov_base="\\{wire.SETTLED}\\.* = -1 EACCES', text_of(tmp_path / "trace"))
        until(lambda: running.supervises(home), what="it supervises")
        up(service(tmp_path / "new", "exec sleep 1000").rename(home.parent / "new"))
        assert started(home) == [pid]


def test_a_service_has_exited_though_others_cannot_be_told_that_it_has(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        pid = idle(running, home)
        until(lambda: time.time() > (home / "started").stat().st_mtime + 1.1, what="it has run for long enough to exit at once")
        letter(home, "d")
        until(lambda: stat(home) == "down", what="it is down")
        until(lambda: is_asleep(running.pid), what="it has nothing to do")
        with injected(running.pid, "sendmsg", "error=EACCES:when=1", tmp_path / "trace"):
            letter(home, "x")
            has_failed(tmp_path / "trace")
            until(lambda: len(started(home)) == 2, what="it is met anew")
        assert started(home) == [pid, up(home)]


def test_a_runsvdir_that_is_told_to_end_does_so_though_nothing_can_be_told_to_the_keeper(
    runtime: Path, home: Path, tmp_path: Path
) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = "0"
        idle(running, home)
        with injected(running.pid, "sendmsg,pidfd_send_signal", "error=EPERM:when=1+", tmp_path / "trace"):
            assert running.kill(signal.SIGHUP) == 111
