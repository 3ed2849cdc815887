"""What the runsvs of C still supervise, when their runsvdir is gone, is taken over with all that runs."""

from __future__ import annotations

import fcntl
import os
import random
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import oracle, supervision
from support.draws import draws, seed
from support.instants import FLOCK, numbers
from support.interrupt import Interrupter
from support.programs import run, started
from support.supervision import Tree, letter, pid_of, send, service, stat, tree
from support.waiting import DEADLINE, until, written

from runit_provision.runtime.shell import process

ALL = os.environ.get("HARNESS") == "all"
PIDFD_SEND_SIGNAL = 424
"""The first is the SIGSTOP for a runsv that is to be taken over from."""
MOST = 2000
"""System calls of a runsvdir that takes a tree over, at most."""
SAYS = """\
trap 'n=$((n+1)); echo $n' USR1
trap 'kill -9 $!; exit 0' TERM
n=0; echo $$ >>starts; : >ready
while :; do sleep 1000 & wait $!; kill -9 $! 2>/dev/null; done"""
"""KILL, since TERM is lost on a child of the shell's that has not become sleep yet: it would keep the pipe to the log for 1000 s."""
STARTS = "echo $$ >>starts; exec sleep 1000"
THREADS = """
import ctypes, threading, time
def last():
    open("ready", "w").close()
    time.sleep(1000)
threading.Thread(target=last).start()
ctypes.CDLL(None).pthread_exit(None)"""


@pytest.fixture
def left(tmp_path: Path, runtime: Path) -> Iterator[Tree]:
    """A tree for C's runsvdir, and then for ours; each test says what of. `take` starts ours there."""
    oracle.program("runsv", package="runit")
    with tree(oracle.program("runsvdir", package="runit"), tmp_path / "services", tmp_path / "state", "-P") as running:
        yield running


def take(running: Tree, runtime: Path) -> None:
    running.program = str(runtime / "runsvdir")
    running.start()


def taken(running: Tree, *folders: Path) -> None:
    until(lambda: all(map(running.supervises, folders)) and not runsvs(running) & {*folders}, what="ours supervises all")


def runsvs(running: Tree) -> set[Path]:
    """Give the directories of services that a runsv of C's supervises."""
    found = set()
    for pid in running.processes():
        with suppress(FileNotFoundError):  # it has ended meanwhile
            if supervision.name(pid) == "runsv":
                found.add(Path(f"/proc/{pid}/cwd").readlink())
    return found


def says(home: Path, number: int) -> None:
    """Let the service say its next number, and wait for it in the log."""
    send(home, signal.SIGUSR1)
    until(lambda: numbers(home / "lines") == list(range(1, number + 1)), what=f"{home.name}: line {number}")


def talker(home: Path) -> Path:
    return service(home, SAYS, log="exec sh -c 'while IFS= read -r l; do echo \"$l\"; done >>../lines'", finish="echo $1 $2 >>finished")


@pytest.mark.covers("runsvdir", "over what C's has left, and the other way round")
def test_each_goes_on_as_it_is_and_ends_in_order(left: Tree, runtime: Path) -> None:
    talks = talker(left.services / "talks")
    others = {name: service(left.services / name, STARTS) for name in ("once", "paused", "stopped")}
    idle = service(left.services / "idle", STARTS)
    (idle / "down").touch()
    left.start()
    runs = [talks, talks / "log", *others.values()]
    until(lambda: all(stat(home) == "run" for home in runs) and stat(idle) == "down" and (talks / "ready").exists(), what="C's is up")
    said = {"once": ("o", "run, want down"), "paused": ("p", "run, paused"), "stopped": ("d", "down")}
    for name, (word, means) in said.items():
        letter(others[name], word)
        until(lambda name=name, means=means: stat(others[name]) == means, what=f"{name}: {means}")  # type: ignore[misc]
    says(talks, 1)
    homes = [talks, talks / "log", *others.values(), idle]
    before = {home: (pid_of(home), stat(home)) for home in homes}
    left.kill()
    take(left, runtime)
    taken(left, *homes)
    assert {home: (pid_of(home), stat(home)) for home in homes} == before
    assert runsvs(left) == set()
    told = left.stderr.read_text()
    assert re.search(r"^runsv talks: info: taking over from process \d+, whose runsvdir is gone; what runs goes on$", told, re.M)
    says(talks, 2)
    assert run(runtime / "sv", ["restart", str(talks)]).code == 0
    until(lambda: len(numbers(talks / "starts")) == 2, what="it is started again by ours")
    assert left.kill(signal.SIGHUP) == 111
    until(lambda: left.processes() == [], what="all have ended")
    assert (talks / "finished").read_text().splitlines()[-1] == "0 0"
    assert [len(numbers(home / "starts")) for home in (talks, *others.values())] == [2, 1, 1, 1]


@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_what_runsvs_of_ours_have_left_goes_on(left: Tree, runtime: Path, killed: bool) -> None:
    """C's runsvdir starts ours where its PATH leads to them first."""
    talks, paused = talker(left.services / "talks"), service(left.services / "paused", STARTS)
    left.extra["PATH"] = f"{runtime}:{os.environ['PATH']}"
    left.start()
    homes = [talks, talks / "log", paused]
    until(lambda: all(stat(home) == "run" for home in homes) and (talks / "ready").exists(), what="all run")
    letter(paused, "p")
    until(lambda: stat(paused) == "run, paused", what="it is paused")
    says(talks, 1)
    before = {home: (pid_of(home), stat(home)) for home in homes}
    ours = [pid for pid in left.processes() if supervision.name(pid) == "runsv"]
    assert all(process.program(pid).startswith("python") for pid in ours)
    left.kill()
    for pid in ours if killed else []:
        os.kill(pid, signal.SIGKILL)
    take(left, runtime)
    taken(left, *homes)
    assert {home: (pid_of(home), stat(home)) for home in homes} == before
    until(lambda: not list(left.state.glob("services/*")), what="it is written down by ours alone")
    says(talks, 2)
    assert run(runtime / "sv", ["restart", str(talks)]).code == 0
    until(lambda: len(numbers(talks / "starts")) == 2, what="it is started again")
    assert left.kill(signal.SIGHUP) == 111
    until(lambda: left.processes() == [], what="all have ended")
    assert [len(numbers(home / "starts")) for home in (talks, paused)] == [2, 1]


def test_what_a_killed_runsvdir_has_left_is_not_started_by_a_runsv(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(home) == "run" and written(home / "starts"), what="it runs")
        pid = pid_of(home)
        running.kill_with_keeper()
        what = f"a process of it runs, or begins, that the runsvdir of {home.parent} has started, which is to supervise it"
        refused = run(runtime / "runsv", [str(home)], env=running.environment())
        assert (refused.code, refused.err.decode()) == (111, f"runsv {home}: fatal: {what}\n")
        running.start()
        until(lambda: running.supervises(home), what="it is supervised again")
        assert pid_of(home) == pid
        assert (home / "starts").read_text() == f"{pid}\n"
        letter(home, "d")
        until(lambda: stat(home) == "down", what="it is down")
        running.kill_with_keeper()
        with started([runtime / "runsv", home], env=running.environment()) as alone:
            until(lambda: stat(home) == "run" and pid_of(home) != pid, what="what was down is anybody's")
            alone.terminate()
            assert alone.wait(DEADLINE) == 0


def end_all(running: Tree) -> None:
    """Kill all of a tree, services too: what is written down of them stays."""
    running.kill_with_keeper()
    running.end()


@pytest.mark.parametrize("whose", ["C's", "ours", "killed"])
def test_what_another_one_has_started_since_a_tree_died_with_all_its_services_goes_on(
    runtime: Path, tmp_path: Path, whose: str
) -> None:
    """What is written down is older than that: whoever went by it would start the service a second time, or wait for ever."""
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(home) == "run" and written(home / "starts"), what="it runs")
        end_all(running)
        running.program = oracle.program("runsvdir", package="runit")
        tools = Path(running.program).parent if whose == "C's" else runtime
        running.extra["PATH"] = f"{tools}:{os.environ['PATH']}"
        running.start()
        pid = until(lambda: len(numbers(home / "starts")) == 2 and stat(home) == "run" and pid_of(home), what="it runs again")
        (runsv,) = [pid for pid in running.processes() if supervision.name(pid) == "runsv"]
        running.kill()
        if whose == "killed":
            os.kill(runsv, signal.SIGKILL)
        take(running, runtime)
        until(lambda: running.supervises(home), what="ours supervises it")
        assert (pid_of(home), stat(home)) == (pid, "run")
        assert "taking over" in running.stderr.read_text()
        assert run(runtime / "sv", ["restart", str(home)]).code == 0
        until(lambda: len(numbers(home / "starts")) == 3, what="it obeys")
        assert not supervision.is_alive(pid)
        assert numbers(home / "starts")[1] == pid


@draws
def test_what_is_older_than_what_a_runsv_has_left_is_believed_by_nobody_whenever_who_takes_over_is_killed(
    runtime: Path, tmp_path: Path
) -> None:
    """What is written down in the tree stays so until the runsv has ended, and is not true: from call 21 on, to 35 or so."""
    drawn = random.Random(seed("INSTANTS_SEED"))
    home = service(tmp_path / "services/it", STARTS)
    struck = missed = 0
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra["PATH"] = f"{runtime}:{os.environ['PATH']}"
        for at in range(1, MOST) if ALL else [25, *(16 + int(drawn.random() * 70) for _ in range(3))]:
            count = len(numbers(home / "starts")) if struck + missed else 0
            take(running, runtime)
            until(lambda: len(numbers(home / "starts")) == count + 1, what="it runs")  # noqa: B023 - called at once
            until(lambda: running.supervises(home) and stat(home) == "run", what="ours has it")
            end_all(running)
            running.program = oracle.program("runsvdir", package="runit")
            running.start()
            until(lambda: len(numbers(home / "starts")) == count + 2, what="it runs again")  # noqa: B023
            pid = until(lambda: stat(home) == "run" and pid_of(home) == numbers(home / "starts")[-1] and pid_of(home), what="it is up")
            running.kill()
            take(running, runtime)
            interrupter = Interrupter(running.pid, [running.pid], at, after=PIDFD_SEND_SIGNAL)
            first = running.process
            assert first is not None
            until(lambda: first.poll() is not None or running.supervises(home), what="taken over, or killed")  # noqa: B023
            if interrupter.end() is not None:
                first.wait(DEADLINE)
                struck, missed = struck + 1, 0
                running.start()
            else:
                missed += 1
            until(lambda: running.supervises(home), what="taken over")
            assert (pid_of(home), numbers(home / "starts")[count + 1 :]) == (pid, [pid]), f"system call {at}"
            end_all(running)
            if ALL and missed == 3:
                break
    print(f"struck {struck}")


def test_what_a_tree_has_started_since_a_runsv_was_killed_is_not_started_by_the_next_runsv(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        with started([runtime / "runsv", home], env=running.environment()):
            until(lambda: stat(home) == "run" and written(home / "starts"), what="it runs")
        send(home, signal.SIGKILL)
        running.start()
        until(lambda: running.supervises(home) and len(numbers(home / "starts")) == 2, what="a tree has it")
        running.kill_with_keeper()
        refused = run(runtime / "runsv", [str(home)], env=running.environment())
        assert refused.code == 111
        assert b"a process of it runs, or begins, that the runsvdir of" in refused.err
        assert supervision.is_alive(numbers(home / "starts")[-1])
        assert len(numbers(home / "starts")) == 2


@pytest.mark.parametrize("told", [False, True])
def test_a_runsv_that_knows_a_service_does_not_wait_for_who_has_it(runtime: Path, tmp_path: Path, told: bool) -> None:
    home = service(tmp_path / "services/it", STARTS)
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        with started([runtime / "runsv", home], env=running.environment()):
            until(lambda: stat(home) == "run" and written(home / "starts"), what="it runs")
        send(home, signal.SIGKILL)
        with started([oracle.program("runsv", package="runit"), home], env=running.environment()) as others:
            until(lambda: len(numbers(home / "starts")) == 2, what="C's has it")
            with started([runtime / "runsv", home], env=running.environment(), stderr=subprocess.PIPE, text=True) as ours:
                if told:
                    until(lambda: any(path.endswith("/records") for path in supervision.opened(ours.pid).values()), what="it begins")
                    ours.terminate()
                assert ours.wait(DEADLINE) in ({111, -signal.SIGTERM} if told else {111})
                assert ours.stderr is not None
                assert told or "another one supervises it, leaving it: unable to lock supervise/lock" in ours.stderr.read()
            assert others.poll() is None
        assert len(numbers(home / "starts")) == 2


@pytest.mark.parametrize("logged", [True, False])
def test_a_service_whose_first_thread_has_ended_runs(left: Tree, runtime: Path, tmp_path: Path, logged: bool) -> None:
    """Such a process looks like a zombie, and its files are those of its other threads."""
    program = tmp_path / "threads.py"
    program.write_text(THREADS)
    home = service(left.services / "it", f"echo $$ >>starts; exec {sys.executable} -IS {program}", log="exec cat >/dev/null")
    left.start()
    until(lambda: stat(home) == "run" and (home / "ready").exists(), what="C's is up")
    pid = pid_of(home)
    until(lambda: not supervision.is_alive(pid), what="its first thread has ended")
    if not logged:
        letter(home / "log", "d")
        until(lambda: stat(home / "log") == "down", what="nobody reads its log")
    left.kill()
    take(left, runtime)
    taken(left, home, home / "log")
    assert (pid_of(home), stat(home), numbers(home / "starts")) == (pid, "run", [pid])


def test_a_service_does_not_end_with_the_log_that_had_the_pipe_to_it(left: Tree, runtime: Path) -> None:
    home = talker(left.services / "talks")
    left.start()
    until(lambda: stat(home / "log") == "run" and (home / "ready").exists(), what="C's is up")
    says(home, 1)
    service_pid = pid_of(home)
    left.kill()
    take(left, runtime)
    taken(left, home, home / "log")
    log_pid = send(home / "log", signal.SIGKILL)
    until(lambda: pid_of(home / "log") not in {0, log_pid}, what="another log")
    says(home, 2)
    # Nobody reads, and the supervisor dies: what is said meanwhile waits.
    letter(home / "log", "d")
    until(lambda: stat(home / "log") == "down", what="no log")
    left.kill()
    assert send(home, signal.SIGUSR1) == service_pid
    left.start()
    taken(left, home)
    letter(home / "log", "u")
    until(lambda: numbers(home / "lines") == [1, 2, 3], what="what was said meanwhile")
    assert pid_of(home) == service_pid
    assert numbers(home / "starts") == [service_pid]


def test_a_runsv_that_is_about_something_does_it_first(left: Tree, runtime: Path) -> None:
    hung = "echo >>asked; until [ -e go ]; do sleep 0.01; done"
    busy = service(left.services / "busy", f"exec >>lines\n{SAYS}", control__h=hung)
    other = service(left.services / "other", STARTS)
    left.start()
    until(lambda: stat(busy) == stat(other) == "run" and (busy / "ready").exists(), what="C's is up")
    before = pid_of(busy)
    letter(busy, "h1")  # the second is not read before the control script for the first one has ended
    until((busy / "asked").exists, what="its control script runs")
    left.kill()
    take(left, runtime)
    until(lambda: "busy: warning: unable to take over from process" in left.stderr.read_text(), what="it is said who has to wait")
    taken(left, other)
    assert runsvs(left) == {busy}
    (busy / "go").touch()
    taken(left, busy)
    until(lambda: numbers(busy / "lines") == [1], what="what was asked for meanwhile")
    assert (pid_of(busy), (busy / "asked").read_text()) == (before, "\n")
    assert runsvs(left) == set()


def test_a_service_that_has_been_forked_and_is_nothing_yet_is_waited_for(left: Tree, runtime: Path) -> None:
    """Its stdout need not be the pipe to the log yet: taken for one that has none it would die with its log."""
    home = talker(left.services / "talks")
    with unopened(home / "run"):
        left.start()
        until(lambda: stat(home) == stat(home / "log") == "run", what="C's tells of it")
        before = pid_of(home)
        runsv = process.parent(before)
        left.kill()
        take(left, runtime)
        until(lambda: "unable to take over from process" in left.stderr.read_text(), what="it is said who has to wait")
        assert f"runsv talks: warning: unable to take over from process {runsv} yet" in left.stderr.read_text()
        assert process.name(runsv) == b"runsv"
    taken(left, home, home / "log")
    until((home / "ready").exists, what="it is what it is for")
    says(home, 1)
    log_pid = send(home / "log", signal.SIGKILL)
    until(lambda: pid_of(home / "log") not in {0, log_pid}, what="another log")
    says(home, 2)
    assert (pid_of(home), numbers(home / "starts")) == (before, [before])


@contextmanager
def unopened(file: Path) -> Iterator[None]:
    """Let nobody open or execute the file meanwhile: who tries waits until the lease on it is given up (fcntl(2), F_SETLEASE)."""
    told = signal.signal(signal.SIGIO, signal.SIG_IGN)
    fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(fd)
        signal.signal(signal.SIGIO, told)


@draws
@pytest.mark.parametrize("whose", ["C's", "ours"])
def test_nothing_runs_twice_whenever_who_takes_over_is_killed(left: Tree, runtime: Path, whose: str) -> None:
    drawn = random.Random(f"{seed('INSTANTS_SEED')} {whose}")
    if whose == "ours":
        left.extra["PATH"] = f"{runtime}:{os.environ['PATH']}"
    homes = [talker(left.services / "talks"), service(left.services / "plain", STARTS)]
    struck = missed = 0
    ours, c = str(runtime / "runsvdir"), left.program
    step = 1 if whose == "C's" else 3  # of ours it looks at more
    for at in range(1, MOST, step) if ALL else [1 + int(drawn.random() * 400) for _ in range(3)]:
        left.program = c
        left.start()
        until(lambda: all(stat(home) == "run" for home in (*homes, homes[0] / "log")), what="C's is up")
        before = {home: pid_of(home) for home in (*homes, homes[0] / "log")}
        # Until then it has a pid, and has said nothing of its start.
        until(lambda: all(numbers(home / "starts")[-1:] == [before[home]] for home in homes), what="all have told of their start")  # noqa: B023
        left.kill()
        take(left, runtime)
        interrupter = Interrupter(left.pid, [left.pid], at, after=FLOCK)
        assert left.process is not None
        running = left.process
        until(lambda: running.poll() is not None or all(map(left.supervises, before)), what="taken over, or killed")  # noqa: B023
        if interrupter.end() is not None:
            running.wait(DEADLINE)
            struck += 1
            missed = 0
            left.start()
        else:
            missed += 1
        taken(left, *before)
        assert {home: pid_of(home) for home in before} == before, f"system call {at}"
        assert runsvs(left) == set()
        assert left.program == ours
        assert left.kill(signal.SIGHUP) == 111
        until(lambda: left.processes() == [], what="all have ended")
        for home in homes:
            starts = numbers(home / "starts")
            assert starts[-1:] == [before[home]], f"system call {at}: {home.name} was started again"
        if ALL and missed == 3:
            break
    print(f"struck {struck}")


def test_what_waits_for_somebody_s_runsv_is_taken_over_when_its_runsvdir_is_gone(left: Tree, runtime: Path, tmp_path: Path) -> None:
    home = service(left.services / "once", STARTS)
    left.start()
    until(lambda: stat(home) == "run", what="C's is up")
    (tmp_path / "others").mkdir()
    (tmp_path / "others/once").symlink_to(home)
    with tree(runtime / "runsvdir", tmp_path / "others", tmp_path / "other-state") as waiting:
        waiting.start()
        until(lambda: "runsv once: fatal: unable to lock" in waiting.stderr.read_text(), what="it is somebody's")
        left.kill()
        until(lambda: waiting.supervises(home), what="it is taken over")
        assert "taking over from process" in waiting.stderr.read_text()
        assert numbers(home / "starts") == [pid_of(home)]
        assert waiting.kill(signal.SIGHUP) == 111


def test_what_a_runsvdir_that_is_a_containers_first_process_supervises_is_left_to_it(runtime: Path, tmp_path: Path) -> None:
    oracle.root("makes a pid namespace")
    contain = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    enter, c = oracle.program("nsenter", package="util-linux"), oracle.program("runsvdir", package="runit")
    home = service(tmp_path / "services/once", STARTS)
    (tmp_path / "others").mkdir()
    with started([*contain, c, home.parent]) as container:
        until(lambda: stat(home) == "run", what="C's is up")
        first = process.children(container.pid)[0]
        assert (supervision.name(first), supervision.parent(first)) == ("runsvdir", container.pid)
        inside = ("--pid", "--mount", f"--target={first}", str(runtime / "runsvdir"))
        with tree(enter, tmp_path / "others", tmp_path / "state", *inside) as waiting:
            (waiting.services / "once").symlink_to(home)
            waiting.start()
            said = written(waiting.stderr)
            assert said.startswith("runsv once: fatal: unable to lock supervise/lock: "), said
            assert [supervision.name(pid) for pid in process.children(first)] == ["runsv"]
            assert len(numbers(home / "starts")) == 1


def test_a_runsv_that_is_not_seen_to_be_one_for_a_moment_is_taken_over_all_the_same(left: Tree, runtime: Path, tmp_path: Path) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(left.services / "once", STARTS)
    left.start()
    until(lambda: stat(home) == "run", what="C's is up")
    (runsv,) = [pid for pid in left.processes() if supervision.name(pid) == "runsv"]
    left.kill()
    left.program = strace
    program = f"/proc/{runsv}/exe"
    left.arguments = ("-D", "-o", str(tmp_path / "calls"), "-P", program, "-e", "inject=?readlink,?readlinkat:error=ENOENT:when=1")
    left.arguments += (str(runtime / "runsvdir"),)
    left.start()
    taken(left, home)
    assert "= -1 ENOENT (No such file or directory) (INJECTED)" in (tmp_path / "calls").read_text()
    assert numbers(home / "starts") == [pid_of(home)]


def test_a_service_of_another_tree_is_taken_up_when_that_lets_it_go_and_asked_for_cheaply_until_then(
    runtime: Path, tmp_path: Path
) -> None:
    """Who has it is looked for once, not at each try: 50 such services took a fifth of a processor for ever."""
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "one/shared", STARTS)
    (tmp_path / "two").mkdir()
    (tmp_path / "two/shared").symlink_to(home)
    calls = tmp_path / "calls"
    with tree(runtime / "runsvdir", tmp_path / "one", tmp_path / "state-of-one") as one:
        one.start()
        until(lambda: one.supervises(home) and stat(home) == "run", what="one has it")
        traced = ("-D", "-o", str(calls), "-e", "trace=openat", str(runtime / "runsvdir"))
        with tree(strace, tmp_path / "two", tmp_path / "state-of-two", *traced) as two:
            two.start()
            until(lambda: calls.exists() and calls.read_text().count('"supervise/lock", O_WRONLY') > 3, what="two tries again")
            looks = [line for line in calls.read_text().splitlines() if '"/proc", ' in line]
            assert len(looks) <= 2, "one for another keeper of the tree, one for a runsv that has the lock"
            assert one.kill(signal.SIGHUP) == 111
            until(lambda: two.supervises(home) and stat(home) == "run", what="two has it")
            assert len(numbers(home / "starts")) == 2
            assert two.kill(signal.SIGHUP) == 111
