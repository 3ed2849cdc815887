"""Logs of the shipped rsvlog are kept by a pool, which may die too, as may everybody at once."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import fifo, oracle, supervision
from support.supervision import Tree, has_open, log_in_pool, pid_of, said, service, stat, tree
from support.waiting import until, written

COUNTER = "i=0; while [ $i -lt {count} ]; do echo $i; i=$((i+1)); done; echo done >>../told; exec sleep 1000"


@pytest.fixture
def services(runtime: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "services"
    for name in ("one", "two"):
        home = service(folder / name, f"cd log && {COUNTER.format(count=4000)}")
        (home / "log" / "env").mkdir(parents=True)
        (home / "log" / "run").symlink_to(runtime / "rsvlog")
        (home / "log" / "env" / "RSVLOG_DIR").write_text("main\n")
        (home / "log" / "env" / "RSVLOG_OPTIONS").write_text("-b 1024\n")
    return folder


def lines(folder: Path) -> list[str]:
    current = folder / "log/main/current"
    return current.read_text().split() if current.exists() else []


def pools(running: Tree) -> list[int]:
    return [pid for pid in running.processes() if supervision.name(pid) == "log-pool"]


def kept(pool: int, place: Path) -> list[str]:
    """Give what a pool has open below `place`, FIFOs and logs."""
    return [path for path in supervision.opened(pool).values() if path.startswith(f"{place.resolve()}/")]


def all_lines(services: Path) -> bool:
    return all(len(lines(services / name)) >= 4000 for name in ("one", "two"))


def test_a_pool_keeps_the_logs_and_their_status_bears_its_pid(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services), what="all lines are logged")
        until(lambda: {pid_of(services / name / "log") for name in ("one", "two")} == set(pools(running)), what="the pool's pid")
        assert lines(services / "one") == [str(number) for number in range(4000)]
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="the pool has ended too")


def test_no_line_is_lost_or_doubled_whoever_is_killed(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: pid_of(services / "one/log"), what="a pool")
        until(lambda: len(lines(services / "one")) > 100, what="lines come")
        for pid in pools(running):
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(lines(services / "one")) > 1000, what="lines come again")
        running.kill()
        running.start()
        os.kill(running.keeper(), signal.SIGKILL)
        until(lambda: all_lines(services), what="all lines are logged")
        for name in ("one", "two"):
            assert lines(services / name) == [str(number) for number in range(4000)]
            assert len(list((services / name / "log/told").parent.glob("told"))) <= 1
        until(lambda: stat(services / "one/log") == "run" and supervision.is_alive(pid_of(services / "one/log")))


@pytest.mark.parametrize("name", ["log-pool", "fifo-holder"])
def test_one_that_is_killed_as_soon_as_it_is_there_has_a_successor_at_once(
    runtime: Path, services: Path, tmp_path: Path, name: str
) -> None:
    """While it is not there supervisor and the other one may not both die: no second passes, as it does for a run that ends at once."""
    fifos = [services / each / "log/supervise/pipe" for each in ("one", "two")]

    def there(running: Tree) -> int:
        """Give the pid of the only one, once it has what it is there for."""
        named = [pid for pid in running.processes() if supervision.name(pid) == name]
        return named[0] if len(named) == 1 and all(has_open(named[0], fifo) for fifo in fifos) else 0

    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        last = until(lambda: there(running), what="it is there")

        def fourth_came_at_once() -> bool:
            nonlocal last
            # One that has lasted is the first of a new row.
            until(lambda: time.clock_gettime(time.CLOCK_BOOTTIME) - supervision.begun_at(last) > 0.5, what="it has lasted")
            for _ in range(4):
                killed, begun = last, supervision.begun_at(last)
                os.kill(killed, signal.SIGKILL)
                last = until(lambda: there(running) not in {0, killed} and there(running), what="another one is there")  # noqa: B023
            return supervision.begun_at(last) - begun < 0.95

        # A crowded machine is late; who waits for a second after the one before has begun is so each time.
        until(fourth_came_at_once, what="the fourth of a row comes at once")


def test_exit_drains_a_pooled_log(runtime: Path, services: Path, tmp_path: Path) -> None:
    last = service(tmp_path / "definitions/last", "trap 'echo last words; exit' TERM; echo ready >ready; while :; do sleep 0.02; done")
    (last / "log/env").mkdir(parents=True)
    (last / "log/run").symlink_to(runtime / "rsvlog")
    (last / "log/env/RSVLOG_DIR").write_text("main\n")
    (last / "log/env/RSVLOG_OPTIONS").write_text("-b 1024\n")
    (services / "last").symlink_to(last)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: (last / "ready").exists() and pid_of(last / "log"), what="it runs and is logged")
        (services / "last").unlink()
        until(lambda: stat(last / "log") == "down", what="its log is down")
        assert (last / "log/main/current").read_text() == "last words\n"


def test_exit_drains_a_log_whose_pool_has_died_too(runtime: Path, services: Path, tmp_path: Path) -> None:
    says = "trap 'echo last words; exit' TERM; echo ready >ready; while :; do sleep 0.02; done"
    last = service(tmp_path / "definitions/last", says, log="")
    log_in_pool(last, runtime)
    (services / "last").symlink_to(last)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: (last / "ready").exists() and pid_of(last / "log"), what="it runs and is logged")

        def rests() -> bool:
            # One that is killed soon after its start is followed only after a pause.
            for pid in pools(running):
                os.kill(pid, signal.SIGKILL)
            return stat(last / "log") == "down"

        until(rests, what="nobody keeps its log for a while")
        (services / "last").unlink()
        until(lambda: not fifo.is_read(last / "supervise/ok"), what="nobody supervises it")
        assert (last / "log/main/current").read_text() == "last words\n"


def test_letters_to_a_pooled_log(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services) and pid_of(services / "one/log") and pid_of(services / "two/log"), what="both are logged")
        other = pid_of(services / "two/log")
        supervision.letter(services / "one/log", "d")
        until(lambda: stat(services / "one/log") == "down", what="one log is down")
        assert pid_of(services / "two/log") == other
        supervision.letter(services / "one/log", "u")
        until(lambda: stat(services / "one/log") == "run", what="it is up again")


def test_a_pool_that_nobody_has_talked_to_yet_is_found_again(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services) and pid_of(services / "one/log"), what="all lines are logged")
        (old,) = pools(running)
        keeper = running.keeper()
        (socket,) = running.state.glob(f"trees/*/pool-{os.geteuid()}")
        listened = socket.stat().st_ctime_ns
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(old, signal.SIGKILL)
        until(lambda: not Path(f"/proc/{old}").exists(), what="the keeper took leave of the pool")
        os.kill(keeper, signal.SIGSTOP)
        os.kill(running.pid, signal.SIGCONT)
        until(lambda: socket.exists() and socket.stat().st_ctime_ns != listened, what="the supervisor asks for another")
        until(lambda: Path(f"/proc/{running.pid}/stat").read_text().rpartition(") ")[2].startswith("S"), what="it has asked")
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(keeper, signal.SIGCONT)
        until(lambda: set(pools(running)) - {old}, what="another pool, which the supervisor has not heard of")
        os.kill(keeper, signal.SIGKILL)
        running.kill()
        running.start()
        until(lambda: [pid_of(services / name / "log") for name in ("one", "two")] == pools(running) * 2, what="one pool keeps both")
        supervision.letter(services / "one", "t")
        until(lambda: len(lines(services / "one")) >= 8000, what="what came later is logged")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: pools(running) == [], what="the pool has ended too")


def test_a_pool_outlives_keeper_and_supervisor(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services) and pid_of(services / "one/log"), what="all lines are logged")
        before = pools(running)
        for _ in range(2):
            os.kill(running.keeper(), signal.SIGKILL)
            running.kill()
            running.start()
            until(lambda: running.supervises(services / "one/log"), what="it is adopted")
        supervision.letter(services / "one/log", "d")
        until(lambda: stat(services / "one/log") == "down", what="one log is down")
        assert pools(running) == before
        assert pid_of(services / "two/log") == before[0]
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: pools(running) == [], what="the pool has ended too")


def test_a_log_whose_end_nobody_has_heard_of_does_not_take_in_the_next_services_lines(
    runtime: Path, services: Path, tmp_path: Path
) -> None:
    left = "(trap '' TERM; exec sh -c 'echo $$ >left; exec sleep 1000') & exec sleep 1000"
    first = service(tmp_path / "first", left, log="")
    second = service(tmp_path / "second", "echo the second; exec sleep 1000", log="")
    for home in (first, second):
        log_in_pool(home, runtime)
    (services / "first").symlink_to(first)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: pid_of(first / "log"), what="it runs and is logged")
        left_behind = int(written(first / "left"))
        (services / "first").unlink()
        until(
            lambda: kept(pools(running)[0], first) and stat(first) == "down", what="it is down, and its log waits for what it has left"
        )
        (pool,) = pools(running)
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(left_behind, signal.SIGKILL)
        until(lambda: not kept(pool, first), what="its log has ended")
        running.kill()
        running.start()
        until(lambda: stat(first / "log") == "down", what="it is told")
        (services / "second").symlink_to(second)
        until(lambda: pid_of(second / "log") == pool, what="the second one is logged")
        until(lambda: (second / "log/main/current").read_text() == "the second\n", what="into its own log")
        assert kept(pool, first) == []


def end_one_unheard(running: Tree, services: Path) -> int:
    """Tell the first log to end while its pool, whose pid is given, is stopped."""
    until(lambda: all_lines(services) and pid_of(services / "one/log"), what="all lines are logged")
    (pool,) = pools(running)
    os.kill(pool, signal.SIGSTOP)
    supervision.letter(services / "one/log", "d")
    until(lambda: "got TERM" in stat(services / "one/log"), what="it is told to end")
    return pool


def test_a_log_that_was_told_to_end_is_down_also_where_nobody_has_heard_of_its_end(
    runtime: Path, services: Path, tmp_path: Path
) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        pool = end_one_unheard(running, services)
        os.kill(running.pid, signal.SIGSTOP)
        os.kill(pool, signal.SIGCONT)
        until(lambda: not kept(pool, services / "one"), what="it has ended")
        running.kill()
        running.start()
        until(lambda: stat(services / "one/log") == "down", what="it is down")
        supervision.letter(services / "two/log", "d")
        until(lambda: stat(services / "two/log") == "down", what="so is the other")
        assert kept(pool, services) == []


def age(path: Path) -> float:
    """Give the seconds since a file changed."""
    return time.time() - path.stat().st_mtime


def test_a_log_that_is_told_to_end_before_its_pool_is_there_ends(runtime: Path, services: Path, tmp_path: Path) -> None:
    current = services / "one/log/main/current"
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services) and pid_of(services / "one/log"), what="all lines are logged")
        until(lambda: age(services / "one/log/supervise/status") > 1.1, what="it is not to rest for a second before it starts again")
        (pool,) = pools(running)
        os.kill(running.keeper(), signal.SIGSTOP)
        os.kill(pool, signal.SIGKILL)
        # Until it has closed all it may be joined once more, and die once more.
        until(lambda: not supervision.is_alive(pool) and supervision.is_asleep(running.pid), what="its death is seen to")
        until(lambda: stat(services / "one/log") == "down", what="no other pool can be had now")
        current.unlink()
        supervision.letter(services / "one/log", "ud")
        with (services / "one/log/supervise/control").open("r+b", buffering=0) as control:
            until(lambda: not fifo.unread(control.fileno()), what="they are read")
        os.kill(running.keeper(), signal.SIGCONT)
        until(current.exists, what="another pool has taken it up")
        (pool,) = pools(running)
        until(lambda: not kept(pool, services / "one"), what="it has ended")
        until(lambda: stat(services / "one/log") == "down", what="its end is told")


def test_what_a_log_was_told_counts_also_where_its_pool_and_supervisor_die_at_once(
    runtime: Path, services: Path, tmp_path: Path
) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        pool = end_one_unheard(running, services)
        os.kill(pool, signal.SIGKILL)
        running.kill()
        running.start()
        until(lambda: pid_of(services / "two/log") in set(pools(running)) - {pool}, what="another pool keeps the other log")
        until(lambda: stat(services / "one/log") == "down", what="it is down")
        supervision.letter(services / "one/log", "u")
        until(lambda: stat(services / "one/log") == "run", what="it is up again")


def test_a_pool_of_another_account_is_known_by_its_name(runtime: Path, services: Path, tmp_path: Path) -> None:
    oracle.root("a log of another account")
    tmp_path.chmod(0o755)
    main = services / "two/log/main"
    main.mkdir()
    os.chown(main, 65534, 65534)
    (services / "two/log/env/RSVLOG_USER").write_text("nobody\n")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services), what="all is logged")
        titles = {Path(f"/proc/{pid}").stat().st_uid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in pools(running)}
        assert {uid: title.split(b"\0")[:2] for uid, title in titles.items()} == {
            0: [b"log-pool", b"0"],
            65534: [b"log-pool", b"65534"],
        }


def test_the_death_of_a_holder_is_told_and_of_several_once(runtime: Path, services: Path, tmp_path: Path) -> None:
    fifo = services / "one/log/supervise/pipe"

    def holders(running: Tree) -> list[int]:
        named = (pid for pid in running.processes() if supervision.name(pid) == "fifo-holder")
        return [pid for pid in named if has_open(pid, fifo)]

    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        for _ in range(3):
            (pid,) = until(lambda: holders(running), what="it holds")
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: pid not in holders(running), what="it is gone")  # type: ignore[misc]
        said(running, "runsv: warning: a fifo-holder is gone; another takes its place\n")
        until(lambda: holders(running), what="another one holds")
        assert running.kill(signal.SIGHUP) == 111
        assert running.stderr.read_text().count("fifo-holder") == 1


@pytest.mark.parametrize(("times", "how"), [(3, ", killed by signal 9"), (1, "")], ids=["child", "orphan"])
def test_the_death_of_a_pool_is_told_and_of_several_once(runtime: Path, services: Path, tmp_path: Path, times: int, how: str) -> None:
    """How a pool ended only its parent knows, the keeper that made it."""
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: all_lines(services), what="all lines are logged")
        if not how:
            os.kill(running.keeper(), signal.SIGKILL)
            said(running, "the keeper is gone")
        for _ in range(times):
            (pid,) = until(lambda: logging_pools(running, services), what="a pool keeps the logs")
            os.kill(pid, signal.SIGKILL)
            until(lambda pid=pid: pid not in pools(running), what="it is gone")  # type: ignore[misc]
        said(running, f"runsv: warning: the log-pool of uid {os.getuid()} is gone{how}; another goes on with its logs\n")
        until(lambda: logging_pools(running, services), what="a pool keeps the logs")
        assert running.stderr.read_text().count("is gone" + how + ";") == 1
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="all has ended")
        assert running.stderr.read_text().count("log-pool of uid") == 1


def logging_pools(running: Tree, services: Path) -> list[int]:
    """Give the pool, once it has both logs."""
    there = pools(running)
    return there if [pid_of(services / name / "log") for name in ("one", "two")] == 2 * there else []


def test_a_stopped_pool_is_told_when_something_is_wanted_of_its_services(runtime: Path, services: Path, tmp_path: Path) -> None:
    def status() -> str:
        return subprocess.run([runtime / "sv", "status", services / "one"], capture_output=True, text=True, check=False).stdout

    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        (pid,) = until(lambda: logging_pools(running, services), what="a pool keeps the logs")
        os.kill(pid, signal.SIGSTOP)
        supervision.letter(services / "one", "1")
        said(running, f"runsv: warning: the log-pool of uid {os.getuid()} does not answer; its logs wait until it does, or is killed\n")
        until(lambda: "s: its log-pool does not answer; run: log: " in status(), what="status tells it")
        os.kill(pid, signal.SIGCONT)
        said(running, f"runsv: the log-pool of uid {os.getuid()} answers again\n")
        until(lambda: "waits" not in status(), what="status tells nothing any more")
        assert pools(running) == [pid]


@pytest.mark.parametrize("orphan", [False, True], ids=["child", "orphan"])
def test_a_tree_whose_pool_is_stopped_ends_and_loses_no_line(runtime: Path, services: Path, tmp_path: Path, orphan: bool) -> None:
    home = service(services / "late", "while [ ! -e go ]; do sleep 0.02; done; seq 1000; echo done >told; exec sleep 1000", log="")
    supervision.log_in_pool(home, runtime)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        (pid,) = until(lambda: logging_pools(running, services), what="a pool keeps the logs")
        until(lambda: pid_of(home / "log") == pid and all_lines(services), what="all three are logged")
        if orphan:
            os.kill(running.keeper(), signal.SIGKILL)
            said(running, "the keeper is gone")
        os.kill(pid, signal.SIGSTOP)
        (home / "go").touch()
        until((home / "told").exists, what="lines wait in the FIFO")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left behind")
        assert "still there, sending KILL" not in running.stderr.read_text()
        said(running, "does not answer, killed it; another goes on with its logs\n")
        assert lines(home) == [str(number) for number in range(1, 1001)]


def test_a_stopped_pool_that_has_no_log_any_more_is_left_behind_by_no_tree(runtime: Path, services: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        (pid,) = until(lambda: logging_pools(running, services), what="a pool keeps the logs")
        for name in ("one", "two"):
            (services / name).rename(tmp_path / name)
        until(lambda: all(stat(tmp_path / name / "log") == "down" for name in ("one", "two")), what="both are gone")
        os.kill(pid, signal.SIGSTOP)
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left behind")


def test_logs_go_on_where_no_file_may_be_as_long_as_the_journal(runtime: Path, tmp_path: Path) -> None:
    """A file that may grow no more is full: the next one begins, at the end of a line once that length is known."""
    home = service(tmp_path / "services/it", "seq -w 1 50000; exec sleep 1000", log="")
    supervision.log_in_pool(home, runtime)
    limited = tmp_path / "limited"
    supervision.script(limited, f'ulimit -f 200; exec {runtime}/runsvdir "$@"')  # 102,400 bytes
    with tree(limited, tmp_path / "services", tmp_path / "state") as running:
        running.start()
        main = home / "log/main"

        def text() -> str:
            while True:
                try:
                    return "".join(path.read_text() for path in [*sorted(main.glob("@*")), main / "current"])
                except FileNotFoundError:  # it was renamed meanwhile, or is not there yet
                    continue

        until(lambda: text().endswith("50000\n"), what="all is logged")
        until(lambda: not [*main.glob("*.u")], what="old files are safe")
        old = sorted(main.glob("@*"))
        assert text().split() == [f"{number:05}" for number in range(1, 50001)]
        assert old[0].stat().st_size == 102400
        assert all(path.read_text().endswith("\n") and path.stat().st_size <= 102400 for path in old[1:])
        said(running, "runsv: svlogd: warning: unable to keep a journal, lines are lost if the log-pool is killed: file too big\n")
        (pid,) = pools(running)
        os.kill(pid, signal.SIGKILL)
        until(lambda: pid_of(home / "log") not in {0, pid}, what="another pool keeps the log")
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="all has ended")
