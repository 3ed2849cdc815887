"""runsvdir -P: the leader of a session that service and logger share may die or be stopped, and goes when nobody needs it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support import oracle, supervision, waiting
from support.supervision import Tree, pid_of, service, tree
from support.waiting import until, written

LEADER = "runsv-session"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return service(tmp_path / "services/it", "exec sleep 1000", log="exec cat >/dev/null")


def leaders(running: Tree) -> list[int]:
    return [pid for pid in running.processes() if supervision.name(pid) == LEADER and supervision.is_alive(pid)]


def up(running: Tree, home: Path) -> int:
    """Start the tree with -P; give the pid of the leader."""
    running.start()
    until(lambda: pid_of(home) and pid_of(home / "log") and len(leaders(running)) == 1, what="service, logger and leader")
    (leader,) = leaders(running)
    assert {os.getsid(pid_of(home)), os.getsid(pid_of(home / "log"))} == {leader}
    return leader


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_leader_that_cannot_fork_is_replaced(runtime: Path, home: Path, tmp_path: Path, number: int) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        before = pid_of(home)
        os.kill(leader, number)
        supervision.letter(home, "t")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        until(lambda: leaders(running) not in ([], [leader]), what="another leader, and the old one is gone")
        assert leaders(running) == [os.getsid(pid_of(home))]
        assert os.getsid(pid_of(home / "log")) == leader


def test_what_a_leader_forked_that_did_not_answer_in_time_never_runs(runtime: Path, tmp_path: Path) -> None:
    strace = oracle.program("strace", package="strace")
    home = service(tmp_path / "services/it", "echo $$ >>starts; exec sleep 1000", log="exec cat >/dev/null")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        until(lambda: written(home / "starts"))
        late = "inject=sendto:delay_enter=3000000"
        slow = subprocess.Popen([strace, "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", late, "-p", str(leader)])
        until(lambda: b"TracerPid:\t0" not in Path(f"/proc/{leader}/status").read_bytes(), what="it is traced")
        before = pid_of(home)
        os.kill(before, signal.SIGKILL)
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        until(lambda: slow.poll() is not None or len(written(home / "starts").split()) > 2, what="all that was traced has ended")
        until(lambda: written(home / "starts").split() == [str(before), str(pid_of(home))], what="it was started once")


# In a namespace of its own, where it can be said which process number is next: two services of a tree are down, so that their session's
# number is free, and somebody else gets it.
_NUMBER_OF_A_LEADER = """
"$1/runsvdir" -P "$2" & tree=$!
leader() { grep -lx runsv-session /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3; }
until [ "$(cat "$2/it/supervise/stat" "$2/it/log/supervise/stat" 2>/dev/null)" = "$(printf 'run\nrun')" ]; do sleep 0.05; done
number=$(leader)
kill -KILL "$number"
until [ ! -e "/proc/$number" ]; do sleep 0.05; done
"$1/sv" -w 100 down "$2/it" "$2/it/log" >/dev/null
until [ "${innocent:-}" = "$number" ]; do
  echo $((number - 1)) >/proc/sys/kernel/ns_last_pid
  sleep 1000 & innocent=$!
done
"$1/sv" -w 100 up "$2/it" >/dev/null
until [ -n "$(leader)" ]; do sleep 0.05; done
kill -TERM "$innocent"
wait "$innocent" || echo $?
kill -HUP "$tree"
wait "$tree" || :
"""


def test_who_has_the_number_that_a_leader_had_is_not_killed(runtime: Path, home: Path, tmp_path: Path) -> None:
    unshare = [oracle.program("unshare", package="util-linux"), "--pid", "--fork", "--mount-proc", "--kill-child"]
    words = [*unshare, "sh", "-ec", _NUMBER_OF_A_LEADER, "sh", str(runtime), str(home.parent)]
    environment = os.environ | {"RUNIT_PROVISION_STATE": str(tmp_path / "state")}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=waiting.DEADLINE, check=False)
    assert (done.stdout, done.returncode) == (f"{128 + signal.SIGTERM}\n", 0), done.stderr


def test_a_leader_ends_with_its_keeper_and_with_its_service(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        pids = pid_of(home), pid_of(home / "log")
        os.kill(running.keeper(), signal.SIGKILL)
        until(lambda: leaders(running) == [], what="the leader is gone")
        assert (pid_of(home), pid_of(home / "log")) == pids
        supervision.letter(home, "t")
        until(lambda: len(leaders(running)) == 1, what="another leader for the next run")
        assert leaders(running) != [leader]
        home.rename(tmp_path / "elsewhere")
        until(lambda: leaders(running) == [], what="the leader went with the service")


def test_a_session_outlives_the_supervisor_and_starts_with_the_next_ones_environment(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", 'echo "$NEW" >told; exec sleep 1000', log="exec cat >/dev/null")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state", "-P") as running:
        leader = up(running, home)
        before = pid_of(home)
        running.kill()
        running.extra = {"NEW": "here"}
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has taken over")
        supervision.letter(home, "t")
        until(lambda: pid_of(home) not in {0, before}, what="the service runs again")
        until(lambda: (home / "told").read_text() == "here\n", what="it has the new environment")
        assert leaders(running) == [leader] == [os.getsid(pid_of(home))]
