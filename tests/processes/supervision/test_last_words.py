"""How a service ended is known, though the keeper dies that was to hear of it; and what is sent to what it has left is not lost."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.interrupt import Interrupter
from support.oracle import root
from support.supervision import Tree, begun_at, is_alive, pid_of, service, stat, text_of, tree
from support.waiting import until

from runit_provision.runtime.shell.process import UNKNOWN, starttime, zombie_status
from runit_provision.runtime.shell.supervisor.orphans import Orphans
from runit_provision.runtime.wire import records


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    home = service(tmp_path / "services/it", "exec sleep 1000", finish='echo "$1 $2" >>ended')
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as prepared:
        prepared.start()
        until(lambda: stat(home) == "run", what="it runs")
        until(lambda: "_ctypes" in Path(f"/proc/{prepared.pid}/maps").read_text(), what="the supervisor takes orphans in")
        yield prepared


@pytest.mark.parametrize("stopped", [True, False])
def test_finish_learns_it_though_the_keeper_dies_before_it_has_asked(running: Tree, stopped: bool) -> None:
    home = running.services / "it"
    for count in range(1, 4):
        pid = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
        keeper = running.keeper()
        if stopped:
            os.kill(keeper, signal.SIGSTOP)
        os.kill(pid, signal.SIGTERM)
        if stopped:
            until(lambda pid=pid: not is_alive(pid), what="it has ended")  # type: ignore[misc]
        os.kill(keeper, signal.SIGKILL)
        ended = until(lambda: text_of(home / "ended").splitlines()[count - 1 :], what="./finish")  # noqa: B023
        assert ended == ["-1 15"]
        until(lambda pid=pid: pid_of(home) not in {0, pid}, what="it runs again")  # type: ignore[misc]


def test_finish_learns_it_at_whatever_system_call_the_keeper_dies(running: Tree) -> None:
    home = running.services / "it"
    struck = 0
    for count in range(1, 16):
        pid = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
        interrupter = Interrupter(keeper := running.keeper(), [keeper], count)
        try:
            os.kill(pid, signal.SIGTERM)
            ended = until(lambda: text_of(home / "ended").splitlines()[count - 1 :], what="./finish")  # noqa: B023
            until(lambda pid=pid: stat(home) == "run" and pid_of(home) != pid, what="it runs again")  # type: ignore[misc]
        finally:
            struck += interrupter.end() is not None
        assert ended == ["-1 15"]
    assert struck == 15


def test_how_a_process_of_another_account_ended_is_not_guessed() -> None:
    root("two accounts")
    with subprocess.Popen(["sh", "-c", "exit 3"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
        assert zombie_status(ended.pid) == 3 << 8
        asks = os.fork()
        if asks == 0:
            os.setresuid(61015, 61015, 61015)
            os._exit(zombie_status(ended.pid) == UNKNOWN)
        assert os.waitstatus_to_exitcode(os.waitpid(asks, 0)[1]) == 1


def stranger() -> int:
    """Start a process that is no child of ours, and give its pid."""
    done = subprocess.run(["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"], stdout=subprocess.PIPE, text=True, check=True)
    pid = int(done.stdout)
    until(lambda: begun_at(pid), what="it is there")
    return pid


def test_signals_that_find_no_descriptor_are_sent_later_in_their_order() -> None:
    later: list[Callable[[], None]] = []
    ends: list[int] = []
    loop: Any = SimpleNamespace(after=lambda _seconds, what: later.append(what))
    room: Any = SimpleNamespace(has=lambda _fd, _share: False)
    holders: Any = SimpleNamespace(watch=lambda *_arguments: True)
    table = os.memfd_create("table")
    pid = stranger()
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        orphans = Orphans(loop, table, lambda _slot, _key, pid, _status: ends.append(pid), room, holders)
        orphans.examine(1, records.MAIN, records.Process(pid=pid, life=records.LIVE, starttime=starttime(pid), started=1))
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, limits[1]))
        try:
            counts = [orphans.signal(1, records.MAIN, number) for number in (signal.SIGSTOP, signal.SIGTERM)]
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        assert counts == [0, 0]
        assert is_alive(pid)
        assert len(later) == 1
        later.pop()()
        os.kill(pid, signal.SIGCONT)
        until(lambda: not is_alive(pid), what="it has got both")
        assert records.unpack_process(os.pread(table, 2 * records.SIZE, 0)[records.SIZE :], records.MAIN).signals == 2
        orphans.ended(1, records.MAIN, 0)
        assert ends == [pid]
    finally:
        os.close(table)
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
