"""What a service leaves behind, and `kill-orphans`: nothing remains after sv down, nothing of one run when the next starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle
from support.injected import injected
from support.oracle import root
from support.supervision import Tree, environment, is_alive, name, pid_of, send, service, stat, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.shell.process import threads

DAEMON = """
import os, sys, time
told, tells = os.pipe()
if os.fork():
    os.close(tells)
    os.read(told, 1)
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
with open(sys.argv[1], "a") as pids:
    pids.write(f"{os.getpid()}\\n")
os.close(tells)
time.sleep(1000)
"""
"""Forks itself away twice, as daemons do, in a session of its own; who starts it goes on when its pid is written."""


@pytest.fixture
def leaving(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "daemon.py").write_text(DAEMON)
    run = f"python3 {tmp_path}/daemon.py daemons\nexec sleep 1000"
    home = service(tmp_path / "services/it", run, finish=f'echo "$1 $2" >>ended; python3 {tmp_path}/daemon.py of-finish')
    (home / "kill-orphans").touch()
    yield home
    for path in sorted((path for group in groups(tmp_path) for path in (group, *group.iterdir()) if path.is_dir()), reverse=True):
        until(lambda path=path: not (path / "cgroup.procs").read_text(), what=f"{path} is empty")  # type: ignore[misc]
        path.rmdir()


def groups(tmp_path: Path) -> list[Path]:
    """Give the groups of this test's trees."""
    found = (tmp_path / "services/it").stat() if (tmp_path / "services/it").exists() else tmp_path.stat()
    marks = (str(tmp_path).strip("/").replace("/", "+"), f"{found.st_dev:x}-{found.st_ino:x}")
    paths = (Path(place, folder) for place, folders, _files in os.walk(GROUPS) for folder in folders)  # others may go meanwhile
    return [path for path in paths if path.name.startswith("runit-") and any(mark in path.name for mark in marks)]


def pids(home: Path, name: str = "daemons") -> list[int]:
    path = home / name
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def started(home: Path, count: int = 1) -> int:
    """Wait until it has left so many daemons, the last of which lives, and who started that has gone on; give that."""
    until(lambda: len(pids(home)) == count and stat(home) == "run" and name(pid_of(home)) == "sleep", what=f"{count} daemons")
    assert is_alive(pids(home)[-1])
    return pids(home)[-1]


def in_a_group(pid: int) -> bool:
    return b"/runit-" in Path(f"/proc/{pid}/cgroup").read_bytes()


def without_groups(running: Tree) -> Tree:
    """Let the tree see no control groups: the mount is hidden from it."""
    running.program, running.arguments = "unshare", ("-m", "sh", "-c", HIDE, "sh", running.program)
    return running


GROUPS = Path("/sys/fs/cgroup")
HIDE = "for at in $(awk '/ - cgroup2 / {print $5}' /proc/self/mountinfo); do umount -l $at || exit 99; done; exec \"$@\""


@pytest.mark.parametrize("groups", [True, False], ids=["by group", "by mark"])
@pytest.mark.parametrize("program", ["runsv", "runsvdir"])
def test_nothing_remains_after_down(runtime: Path, leaving: Path, tmp_path: Path, program: str, groups: bool) -> None:
    root("control groups, or hiding them")
    target = leaving if program == "runsv" else leaving.parent
    with tree(runtime / program, target, tmp_path / "state") as running:
        (running if groups else without_groups(running)).start()
        daemon = started(leaving)
        assert in_a_group(daemon) == groups
        done = subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not any(is_alive(pid) for pid in (daemon, *pids(leaving, "of-finish")))
        assert len(pids(leaving, "of-finish")) == 1
        assert (leaving / "ended").read_text() == "-1 15\n"
        assert f"it: warning: killing what was left behind: {daemon} python3\n" in running.stderr.read_text()


def test_without_the_file_a_daemon_lives_on_as_under_runsv(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    (leaving / "kill-orphans").unlink()
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        daemon = started(leaving)
        assert subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, check=False).returncode == 0
        assert is_alive(daemon)


def test_the_next_run_finds_nothing_of_the_one_that_crashed(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        first = started(leaving)
        send(leaving, signal.SIGKILL)
        second = started(leaving, 2)
        assert (is_alive(first), is_alive(second)) == (False, True)


def test_others_are_left_alone(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    other = service(tmp_path / "services/other", f"python3 {tmp_path}/daemon.py daemons\nexec sleep 1000", log="exec cat >>lines")
    (other / "kill-orphans").touch()
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        started(leaving)
        left = [started(other), pid_of(other), until(lambda: pid_of(other / "log"), what="its logger")]
        assert subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, check=False).returncode == 0
        assert all(is_alive(pid) for pid in left)


def test_who_is_asked_first_may_end_in_order(runtime: Path, tmp_path: Path) -> None:
    polite = "trap 'echo bye >bye; exit' TERM; touch there; while :; do sleep 0.05; done"
    home = service(tmp_path / "services/it", f'setsid sh -c "{polite}" &\nexec sleep 1000')
    (home / "kill-orphans").write_text("60000\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (home / "there").exists() and stat(home) == "run", what="it runs, and its child")
        assert subprocess.run([runtime / "sv", "-w", "120", "down", home], capture_output=True, check=False).returncode == 0
        assert (home / "bye").read_text() == "bye\n"


@pytest.mark.parametrize("groups", [True, False], ids=["by group", "by mark"])
@pytest.mark.parametrize("victims", [("supervisor",), ("keeper",), ("keeper", "supervisor")], ids="+".join)
def test_they_are_found_after_the_death_of(
    runtime: Path, leaving: Path, tmp_path: Path, victims: tuple[str, ...], groups: bool
) -> None:
    root("control groups, or hiding them")
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        (running if groups else without_groups(running)).start()
        daemon = started(leaving)
        before = running.keeper()
        # What is needed only when the keeper dies is loaded a moment after the start; who leaves a dead keeper earlier becomes init's.
        until(lambda: "_ctypes" in Path(f"/proc/{running.pid}/maps").read_text(), what="the supervisor takes orphans in")
        for victim in victims:
            os.kill(running.pid if victim == "supervisor" else before, signal.SIGKILL)
        if "supervisor" in victims:
            assert running.process is not None
            running.process.wait(DEADLINE)
            running.start()
            until(lambda: running.supervises(leaving), what="the next runsvdir has it")
        else:
            until(lambda: running.keeper() != before, what="another keeper")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not is_alive(daemon)


@pytest.mark.parametrize("grouped", [True, False], ids=["by group", "by mark"])
@pytest.mark.parametrize("killed", [False, True], ids=["alive", "killed"])
def test_they_are_found_where_a_runsv_of_its_own_has_left_them(
    runtime: Path, leaving: Path, tmp_path: Path, killed: bool, grouped: bool
) -> None:
    """runsvdir takes over the service with all that runs, and so what that is going to leave behind; so does the next runsvdir."""
    root("control groups, or hiding them")
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        *before, _runsvdir = [running.program] if grouped else [without_groups(running).program, *running.arguments]
        alone = ["setsid", "--fork", *before, str(runtime / "runsv"), str(leaving)]
        subprocess.run(alone, env=running.environment(), stderr=subprocess.DEVNULL, check=True)
        daemon, run = started(leaving), pid_of(leaving)
        assert in_a_group(daemon) == grouped
        if killed:
            (runsv,) = (pid for pid in running.processes() if name(pid) == "runsv")
            os.kill(runsv, signal.SIGKILL)
        for _ in range(2):
            running.start()
            until(lambda: running.supervises(leaving), what="runsvdir has it")
            assert pid_of(leaving) == run
            running.kill_with_keeper()
        running.start()
        until(lambda: running.supervises(leaving), what="the last one has it")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert not any(is_alive(pid) for pid in (daemon, *pids(leaving, "of-finish")))
        assert f"it: warning: killing what was left behind: {daemon} python3\n" in running.stderr.read_text()
        leaving.rename(tmp_path / "gone")
        until(lambda: not groups(tmp_path) and not list(running.state.glob("trees/*/left-*")), what="its groups are gone")


STRANGER = """
import os, sys, time
marked = {**os.environ, "RUNIT_SERVICE": sys.argv[1]}
def another(): return os.posix_spawn(sys.argv[2], [sys.argv[2], "1000"], marked)
there = [another() for _ in range(20)]
print(flush=True)
while time.sleep(0.0005) is None:
    there.append(another())
    os.kill(there[0], 9)
    os.waitpid(there.pop(0), 0)
"""
"""Has children that carry a mark, and at any time new ones."""
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


@contextmanager
def marked(mark: str, user: str) -> Iterator[subprocess.Popen[bytes]]:
    """Let `user` have processes that carry a mark."""
    command = [PYTHON, "-c", STRANGER, mark, "/bin/sleep"]
    with subprocess.Popen(command, cwd="/", user=user, stdout=subprocess.PIPE, start_new_session=True) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == b"\n"
        try:
            yield stranger
        finally:
            os.killpg(stranger.pid, signal.SIGKILL)


def mark_of(pid: int) -> str:
    return next(entry for entry in environment(pid) if entry.startswith(b"RUNIT_SERVICE=")).partition(b"=")[2].decode()


def test_no_other_account_has_its_processes_waited_for(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    root("another account, and hiding control groups")
    other = service(tmp_path / "services/other", "exec sleep 1000")
    (other / "kill-orphans").touch()
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        without_groups(running).start()
        first = started(leaving)
        until(lambda: pid_of(other) and name(pid_of(other)) == "sleep", what="the other runs")
        found = leaving.stat()
        for count, guess in enumerate((f"{found.st_dev}:{found.st_ino}", mark_of(pid_of(other))), 2):
            assert guess != mark_of(first)
            with marked(guess, "nobody") as stranger:
                done = subprocess.run([runtime / "sv", "-w", "120", "down", leaving], capture_output=True, text=True, check=False)
                assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
                assert stranger.poll() is None
            assert "still there" not in running.stderr.read_text()
            assert f"killing what was left behind: {first} python3\n" in running.stderr.read_text()
            subprocess.run([runtime / "sv", "start", leaving], capture_output=True, check=False)
            first = started(leaving, count)


def test_the_mark_is_the_same_whoever_has_died(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    root("hiding control groups")
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        without_groups(running).start()
        before = mark_of(started(leaving))
        os.kill(running.keeper(), signal.SIGKILL)
        running.kill()
        running.start()
        until(lambda: running.supervises(leaving), what="the next runsvdir has it")
        send(leaving, signal.SIGKILL)
        assert mark_of(started(leaving, 2)) == before


def test_no_other_account_holds_up_who_looks_for_what_was_left(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    """To read an environment can hang for as long as its account likes (FUSE): as here, where who reads it stops."""
    root("another account, and hiding control groups")
    trace = tmp_path / "trace"
    with (
        tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running,
        subprocess.Popen(["sleep", "1000"], cwd="/", user="nobody") as stranger,
    ):
        try:
            without_groups(running).start()
            daemon = started(leaving)
            # Every child of the keeper stops that opens it.
            path = f"/proc/{stranger.pid}/environ"
            with injected(running.keeper(), "openat", "signal=SIGSTOP", trace, "-f", f"--trace-path={path}"):
                done = subprocess.run([runtime / "sv", "-w", "60", "down", leaving], capture_output=True, text=True, check=False)
            assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
            assert not any(is_alive(pid) for pid in (daemon, *pids(leaving, "of-finish")))
            assert stranger.poll() is None
            told = f"it: warning: unable to tell whether they were left behind: {stranger.pid} sleep\n"
            # After ./run and after ./finish; not each time that it is looked who is left.
            assert running.stderr.read_text().count(told) == 2
            assert trace.read_text().count("environ") == 2
        finally:
            stranger.kill()


# In a namespace of its own, where it can be said which process number is next: the sweeper stops as it says what it is going to kill,
# that ends, and somebody else gets its number.
NUMBER_OF_AN_ORPHAN = """
it=$2/it
"$1/runsvdir" "$2" & tree=$!
until [ "$(cat "$it/supervise/stat" 2>/dev/null)" = run ] && [ -s "$it/orphan" ]; do sleep 0.05; done
orphan=$(cat "$it/orphan")
keeper=$(grep -lx runsvdir-keeper /proc/[0-9]*/comm | cut -d/ -f3)
"$4" -f -qq -o "$3" --trace-path="/proc/$orphan/comm" -e inject=openat:signal=SIGSTOP -p "$keeper" & strace=$!
until grep -q "^TracerPid:.$strace$" "/proc/$keeper/status"; do sleep 0.05; done
printf d >"$it/supervise/control"
until grep -q "stopped by SIGSTOP" "$3"; do sleep 0.05; done
kill -KILL "$orphan"
until [ ! -e "/proc/$orphan" ]; do sleep 0.05; done
until [ "${innocent:-}" = "$orphan" ]; do
  echo $((orphan - 1)) >/proc/sys/kernel/ns_last_pid
  sleep 1000 & innocent=$!
done
kill -CONT "$(sed -n 's/ .*stopped by SIGSTOP.*//p' "$3")"
until [ "$(cat "$it/supervise/stat")" = down ]; do sleep 0.05; done
kill -TERM "$innocent"
wait "$innocent" || echo $?
kill -HUP "$tree"
wait "$tree" || :
"""


def test_who_has_the_number_that_something_left_had_is_not_killed(runtime: Path, tmp_path: Path) -> None:
    root("process numbers, and hiding control groups")
    home = service(tmp_path / "services/it", "setsid sleep 1000 & echo $! >orphan\nexec sleep 1000")
    (home / "kill-orphans").touch()
    unshare = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    words = [str(runtime), str(home.parent), str(tmp_path / "trace"), oracle.program("strace", package="strace")]
    done = subprocess.run(
        [*unshare, "sh", "-c", HIDE, "sh", "sh", "-ec", NUMBER_OF_AN_ORPHAN, "sh", *words],
        env=os.environ | {"RUNIT_PROVISION_STATE": str(tmp_path / "state")},
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert "killing what was left behind" in done.stderr
    assert (done.stdout, done.returncode) == (f"{128 + signal.SIGTERM}\n", 0), done.stderr


FORGING = r"""open("/proc/self/comm", "w").write("a\nb\x1b[2J"); import time; time.sleep(1000)"""


@pytest.mark.long
def test_what_cannot_be_killed_holds_up_for_a_while_and_forges_no_line(runtime: Path, tmp_path: Path) -> None:
    root("another account, capabilities, and hiding control groups")
    home = service(tmp_path / "services/it", f"chpst -u nobody setsid {PYTHON} -c '{FORGING}' & echo $! >pid\nexec sleep 1000")
    (home / "kill-orphans").touch()
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        *hidden, program = without_groups(running).arguments
        running.arguments = (*hidden, "setpriv", "--bounding-set=-kill", program)
        running.start()
        until(lambda: stat(home) == "run" and name(pid_of(home)) == "sleep" and name(pids(home, "pid")[0])[:1] == "a", what="both run")
        done = subprocess.run([runtime / "sv", "-w", "120", "down", home], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        what = rf"{pids(home, 'pid')[0]} a\nb\x1b[2J"
        assert running.stderr.read_text().splitlines() == [
            f"runsv it: warning: killing what was left behind: {what}",
            f"runsv it: warning: still there after KILL, waiting: {what}",
            f"runsv it: warning: still there after KILL, going on: {what}",
        ]


DEAF = "trap '' TERM; echo $$ >pid; touch deaf; while :; do sleep 0.05; done"


@pytest.fixture
def deaf(tmp_path: Path) -> Path:
    """A service that leaves behind what ignores TERM, and may do so for a minute."""
    home = service(tmp_path / "services/it", f'setsid sh -c "{DEAF.replace("$", chr(92) + "$")}" &\nexec sleep 1000')
    (home / "kill-orphans").write_text("60000\n")
    return home


def left(home: Path) -> int:
    """Wait until it runs, and what it is going to leave behind; give that."""
    until(lambda: (home / "deaf").exists() and stat(home) == "run" and name(pid_of(home)) == "sleep", what="both run")
    return int((home / "pid").read_text())


def test_a_sweeper_that_is_killed_is_followed_by_another(runtime: Path, deaf: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", deaf.parent, tmp_path / "state") as running:
        running.start()
        orphan, run = left(deaf), pid_of(deaf)
        send(deaf, signal.SIGTERM)
        sweeper = until(lambda: pid_of(deaf) if stat(deaf) == "finish" and pid_of(deaf) != run else 0, what="it is swept")
        os.kill(sweeper, signal.SIGKILL)
        until(lambda: stat(deaf) == "finish" and pid_of(deaf) not in {0, sweeper}, what="another sweeper")
        assert is_alive(orphan)
        message = "it: warning: what was left behind may be there still, since its sweeper ended: signal 9; trying again\n"
        assert message in running.stderr.read_text()
        os.kill(orphan, signal.SIGKILL)
        until(lambda: stat(deaf) == "run" and pid_of(deaf) != run, what="the next run")


def test_at_the_end_of_its_time_hup_kills_what_was_left_behind_too(runtime: Path, deaf: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", deaf.parent, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = "1"
        running.start()
        orphan = left(deaf)
        assert running.kill(signal.SIGHUP) == 111
        assert not is_alive(orphan)


THREADED = """
import ctypes, platform, sys, threading, time
threading.Thread(target=time.sleep, args=(1000,)).start()
open("threaded", "w").close()
ctypes.CDLL(None).syscall({"x86_64": 60, "aarch64": 93}[platform.machine()], 0)
"""
"""Its first thread ends (_exit(2)), and another goes on."""


def test_what_has_lost_its_first_thread_is_found_by_its_mark(runtime: Path, tmp_path: Path) -> None:
    root("hiding control groups")
    (tmp_path / "threaded.py").write_text(THREADED)
    home = service(tmp_path / "services/it", f"setsid {PYTHON} {tmp_path}/threaded.py & echo $! >pid\nexec sleep 1000")
    (home / "kill-orphans").touch()
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        without_groups(running).start()
        until(lambda: (home / "threaded").exists() and stat(home) == "run", what="both run")
        (left,) = pids(home, "pid")
        until(lambda: not is_alive(left), what="its first thread has ended")
        assert len(threads(left)) == 2
        done = subprocess.run([runtime / "sv", "-w", "120", "down", home], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout[:8]) == (0, "ok: down")
        assert len(threads(left)) < 2  # a zombie at most
        assert f"it: warning: killing what was left behind: {left} " in running.stderr.read_text()


def test_a_keeper_that_dies_while_something_is_swept_is_missed_at_once(runtime: Path, deaf: Path, tmp_path: Path) -> None:
    other = service(tmp_path / "services/other", "exec sleep 1000")
    with tree(runtime / "runsvdir", deaf.parent, tmp_path / "state") as running:
        running.start()
        orphan, before = left(deaf), until(lambda: pid_of(other), what="another runs")
        run, keeper = pid_of(deaf), running.keeper()
        send(deaf, signal.SIGTERM)
        until(lambda: stat(deaf) == "finish" and pid_of(deaf) not in {0, run}, what="it is swept")
        os.kill(keeper, signal.SIGKILL)
        until(lambda: "the keeper is gone" in running.stderr.read_text(), deadline=20, what="it is missed")
        os.kill(before, signal.SIGKILL)
        until(lambda: pid_of(other) not in {0, before} and stat(other) == "run", what="the other is started again")
        assert (stat(deaf), is_alive(orphan)) == ("finish", True)
        os.kill(orphan, signal.SIGKILL)


def test_groups_go_with_their_services(runtime: Path, leaving: Path, tmp_path: Path) -> None:
    root("control groups")
    with tree(runtime / "runsvdir", leaving.parent, tmp_path / "state") as running:
        running.start()
        daemon = started(leaving)
        assert groups(tmp_path)
        leaving.rename(tmp_path / "gone")
        until(lambda: not is_alive(daemon), what="it is gone")
        until(lambda: not groups(tmp_path), what="its group is gone")
