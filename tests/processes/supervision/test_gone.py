"""A service whose directory was removed, or exchanged, ends over any change of supervisor; a log that has lost less goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import supervision, versions
from support.supervision import Tree, is_alive, pid_of, service, stat, tree
from support.waiting import until

Removal = Callable[[Path, Path], None]
GONE = "runsv it: warning: its directory is gone, ending it\n"
NEW = versions.NEW


def exchange(home: Path, _entry: Path) -> None:
    new = shutil.copytree(home, home.with_name("new"), ignore=shutil.ignore_patterns("supervise"))
    shutil.rmtree(home)
    new.rename(home)


def remove(home: Path, _entry: Path) -> None:
    shutil.rmtree(home)


def remove_with_entry(home: Path, entry: Path) -> None:
    entry.unlink()
    shutil.rmtree(home)


def kill(running: Tree) -> None:
    running.kill()


def kill_both(running: Tree) -> None:
    running.kill_with_keeper()


def leave(running: Tree) -> None:
    os.kill(running.pid, signal.SIGCONT)
    assert running.kill(signal.SIGTERM) == 0


@pytest.fixture
def services(tmp_path: Path) -> Path:
    path = tmp_path / "services"
    path.mkdir()
    return path


def begin(running: Tree, home: Path) -> tuple[Path, int]:
    """Start a tree with a service, by a link, and another; give the link, and the service's pid once it has said that it is there."""
    service(running.services / "other", "exec sleep 1000")
    entry = running.services / "it"
    entry.symlink_to(home)
    running.start()
    until(lambda: stat(home) == "run" and (home.parent / "starts").exists(), what="it runs")
    until(lambda: not (home / "log").exists() or stat(home / "log") == "run", what="so does its log")
    return entry, pid_of(home)


def log_elsewhere(home: Path, runtime: Path, main: Path) -> None:
    """Let the pool keep the log of a service in a directory that is not removed with it."""
    supervision.log_in_pool(home, runtime)
    (home / "log/main").rename(main)
    (home / "log/env/RSVLOG_DIR").write_text(f"{main}\n")


def change(running: Tree, removal: Removal, home: Path, entry: Path, how: Callable[[Tree], None]) -> None:
    """Let a supervisor be gone, and the next one come, which did not see the removal."""
    os.kill(running.pid, signal.SIGSTOP)
    removal(home, entry)
    how(running)
    succeed(running)


def succeed(running: Tree) -> None:
    running.start()
    until(lambda: running.supervises(running.services / "other"), what="the next one is there")


def ends(running: Tree) -> None:
    assert running.kill(signal.SIGHUP) == 111
    until(lambda: running.processes() == [], what="nothing is left")


@pytest.mark.parametrize(
    ("removal", "how"),
    [
        *((removal, how) for removal in (exchange, remove) for how in (kill, kill_both, leave)),
        (remove_with_entry, kill),
        (remove_with_entry, kill_both),
    ],
)
def test_it_ends_and_only_what_is_there_runs(
    runtime: Path, services: Path, tmp_path: Path, removal: Removal, how: Callable[[Tree], None]
) -> None:
    home = service(tmp_path / "made/it", "echo $$ >>../starts\nexec sleep 1000")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        entry, pid = begin(running, home)
        change(running, removal, home, entry, how)
        until(lambda: not is_alive(pid), what="it has ended")
        if removal is exchange:
            until(lambda: stat(home) == "run" and running.supervises(home), what="the new one runs")
            until(lambda: (home.parent / "starts").read_text() == f"{pid}\n{pid_of(home)}\n", what="it was started once")
        said = running.stderr.read_text()
        assert GONE in said and "another one" not in said
        ends(running)


def test_it_ends_when_another_version_takes_over(prefix: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "made/it", "echo $$ >>../starts\nexec sleep 1000")
    (tmp_path / "own").mkdir()
    with tree(prefix / "bin/runsvdir", tmp_path / "own", tmp_path / "state") as running:
        entry, pid = begin(running, home)
        exchange(home, entry)
        versions.replace(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: not is_alive(pid), what="it has ended")
        until(lambda: stat(home) == "run", what="the new one runs")
        assert GONE in running.stderr.read_text()
        ends(running)


@pytest.mark.parametrize("kind", ["in a pool", "of its own"])
def test_its_log_has_what_it_says_at_its_end_and_then_ends_too(runtime: Path, services: Path, tmp_path: Path, kind: str) -> None:
    says = "trap 'echo bye; exit' TERM\necho $$ >>../starts\nwhile :; do sleep 0.05; done"
    home = service(tmp_path / "made/it", says, log=f"exec cat >>{tmp_path}/logged")
    logged = tmp_path / "logged"
    if kind == "in a pool":
        log_elsewhere(home, runtime, tmp_path / "main")
        logged = tmp_path / "main/current"
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        entry, pid = begin(running, home)
        until(logged.exists, what="its log is open")
        change(running, remove, home, entry, kill)
        until(lambda: logged.read_text() == "bye\n", what="its last words are logged")
        until(lambda: not is_alive(pid), what="it has ended")
        until(lambda: not any(command.startswith("cat") for command in running.commands()), what="a logger of its own has ended")
        ends(running)
        assert logged.read_text() == "bye\n"
        assert "still there" not in running.stderr.read_text()


def test_hup_waits_for_one_that_ignores_term_and_kills_it_then(runtime: Path, services: Path, tmp_path: Path) -> None:
    ignores = f"cd /\ntrap '' TERM\necho $$ >>{tmp_path}/made/starts\nwhile :; do sleep 0.05; done"
    home = service(tmp_path / "made/it", ignores)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.extra["RUNSVDIR_HUP_SECONDS"] = "1"
        entry, pid = begin(running, home)
        change(running, remove_with_entry, home, entry, kill)
        until(lambda: GONE in running.stderr.read_text(), what="it is told to end")
        running.kill()
        succeed(running)
        assert is_alive(pid)
        ends(running)
        said = running.stderr.read_text()
        assert said.count(GONE) == 1
        assert "still there, sending KILL: it\n" in said and "Errno" not in said


def test_one_whose_supervise_cannot_be_had_runs_on_and_ends_with_hup(runtime: Path, services: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "made/it", "echo $$ >>../starts\nexec sleep 1000")
    (tmp_path / "run").mkdir()
    (home / "supervise").symlink_to(tmp_path / "run/it")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        entry, pid = begin(running, home)
        change(running, lambda _home, _entry: shutil.rmtree(tmp_path / "run"), home, entry, kill)
        said = "runsv it: warning: it cannot be taken up now, waiting: unable to open supervise/lock: file does not exist\n"
        until(lambda: said in running.stderr.read_text(), what="it is said")
        assert is_alive(pid)
        ends(running)
        assert "leaving it" not in running.stderr.read_text()


def test_it_ends_also_when_its_log_has_died_with_its_pool(runtime: Path, services: Path, tmp_path: Path) -> None:
    ignores = "trap '' TERM\necho $$ >>../starts\nwhile ! [ -e ../end ]; do sleep 0.05; done"
    home = service(tmp_path / "made/it", ignores, log="exit 1")
    log_elsewhere(home, runtime, tmp_path / "main")
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        entry, pid = begin(running, home)
        change(running, remove, home, entry, kill)
        until(lambda: GONE in running.stderr.read_text(), what="it is told to end")
        (pool,) = (pid for pid in running.processes() if supervision.name(pid) == "log-pool")
        os.kill(pool, signal.SIGKILL)
        until(lambda: "is gone, killed by signal 9" in running.stderr.read_text(), what="its death is told")
        assert is_alive(pid)
        (tmp_path / "made/end").touch()
        until(lambda: not is_alive(pid), what="it has ended")
        ends(running)
        assert "fatal" not in running.stderr.read_text()


@pytest.mark.parametrize("letter", ["d", ""])
def test_a_lone_runsv_supervises_what_has_taken_the_place(runtime: Path, tmp_path: Path, letter: str) -> None:
    starts = tmp_path / "starts"
    home = service(tmp_path / "made/it", f"cd /\necho $$ >>{starts}\nexec sleep 1000")
    with tree(runtime / "runsv", home, tmp_path / "state") as running:
        running.start()
        until(lambda: starts.exists() and starts.read_text().endswith("\n"), what="it runs")
        pid = until(lambda: pid_of(home), what="its pid is told")
        supervision.letter(home, letter)
        until(lambda: stat(home) == ("down" if letter else "run"), what="it is as it is to be")
        running.kill()
        # As if it had been deleted, and the new one had got its inode.
        shutil.rmtree(home / "supervise")
        running.start()
        until(lambda: starts.read_text() == f"{pid}\n{pid_of(home)}\n", what="the new one runs")
        until(lambda: not is_alive(pid), what="the one before has ended")
        done = subprocess.run([runtime / "sv", "-w", "120", "exit", home], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done
        assert running.process is not None and running.process.wait(120) == 0
        until(lambda: running.processes() == [], what="nothing is left")
        assert len(starts.read_text().splitlines()) == 2


@pytest.mark.parametrize("kind", ["in a pool", "of its own", "in a pool, by a link"])
def test_a_log_whose_supervise_is_removed_goes_on_with_the_next_run(runtime: Path, services: Path, tmp_path: Path, kind: str) -> None:
    says = "echo $$ >>../starts\ni=0; while :; do echo $$ $i; i=$((i+1)); sleep 0.02; done"
    home = service(tmp_path / "made/it", says, log=f"exec cat >>{tmp_path}/logged")
    logged, left = tmp_path / "logged", home / "log/supervise"
    if kind != "of its own":
        supervision.log_in_pool(home, runtime)
        logged = home / "log/main/current"
    if kind == "in a pool, by a link":
        (tmp_path / "run").mkdir()
        left.symlink_to(tmp_path / "run/it")

    def lines(pid: int) -> list[str]:
        return [line for line in logged.read_text().splitlines() if line.startswith(f"{pid} ")]

    def take_away(_home: Path, _entry: Path) -> None:
        left.unlink() if left.is_symlink() else shutil.rmtree(left)

    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        entry, pid = begin(running, home)
        until(lambda: logged.exists() and lines(pid), what="it is logged")
        change(running, take_away, home, entry, kill)
        until(lambda: running.supervises(home, home / "log"), what="the next one has it")
        running.kill()
        succeed(running)
        until(lambda: running.supervises(home, home / "log"), what="the one after it has it too")
        if kind != "in a pool, by a link":  # there the FIFO that it writes to leads nowhere
            count = len(lines(pid))
            until(lambda: len(lines(pid)) > count, what="it is logged still")
            assert lines(pid) == [f"{pid} {number}" for number in range(len(lines(pid)))]
            assert pid_of(home) == pid
        subprocess.run([runtime / "sv", "-w", "120", "restart", home], capture_output=True, check=True)
        until(lambda: pid_of(home) not in {0, pid} and lines(pid_of(home)), what="the next run is logged")
        ends(running)
