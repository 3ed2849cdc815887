"""A package removes the files of the version that runs, as dpkg and rpm do before they tell anybody of the next: all of it goes on."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
from support import oracle, supervision, versions
from support.supervision import Tree, is_alive, pid_of, service, stat
from support.versions import COUNTS, NEW, folders, loses_no_line, of_version, own, pid_in, started
from support.waiting import until, written

from runit_provision.host import shipped, trees

ROLES = ("runsvdir-keeper", "log-pool", "fifo-holder", "runsvdir")


def pids(running: Tree) -> dict[Path, int]:
    """Give the processes of services, without those of logs."""
    return {folder: pid_of(folder) for folder in folders(running) if folder.name != "log"}


def is_said(running: Tree, text: str) -> bool:
    return text in running.stderr.read_text()


def starts_anew(home: Path) -> None:
    """The service, told to, ends and runs as another process."""
    before = until(lambda: pid_of(home), what=f"{home.name} runs")
    supervision.letter(home, "t")
    until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what=f"{home.name} runs anew")


def test_usr2_brings_the_installed_version_which_was_tried_without_the_one_before(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, processes):
        old = versions.replace(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        until(lambda: own(running) == processes, what="the processes are the same")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        said = f"warning: {old}, which runs here, is not installed any more: {NEW} was tried without it"
        taken = f"info: {NEW} has taken over; its services go on"
        assert running.stderr.read_text() == f"runsvdir {services}: {said}\nrunsvdir {services}: {taken}\n"
        assert not list(running.state.glob("trees/*/trial"))
        loses_no_line(running)
        starts_anew(services / "plain")


def test_a_broken_version_is_noticed_by_its_own_trial_and_what_runs_goes_on(prefix: Path, services: Path, tmp_path: Path) -> None:
    versions.break_(prefix / shipped.LIBRARY / NEW, "at the start")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, processes):
        old = versions.replace(prefix, NEW)
        os.kill(running.keeper(), signal.SIGUSR2)
        said = (
            f"warning: the version now installed is not taken, {old} goes on: it ended, exit status 1, when it was to run a service: "
        )
        until(lambda: is_said(running, said), what="it is said")
        assert is_said(running, "RuntimeError: bad luck")
        until(lambda: own(running) == processes, what="who tried it has ended, and all others are as they were")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        assert not list(running.state.glob("trees/*/trial"))
        loses_no_line(running)


def test_a_version_that_cannot_be_imported_is_noticed_too(prefix: Path, services: Path, tmp_path: Path) -> None:
    versions.edit(prefix / shipped.LIBRARY / NEW, "shell/supervisor/trial.py", "def run(", "def run")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, processes):
        old = versions.replace(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: is_said(running, f"is not taken, {old} goes on: SyntaxError: "), what="it is said")
        until(lambda: own(running) == processes, what="who tried it has ended")


@pytest.mark.parametrize("role", ROLES)
def test_whoever_is_killed_then_all_goes_on_and_ends_when_told(prefix: Path, services: Path, tmp_path: Path, role: str) -> None:
    leaving = service(services / "leaving", "sleep 1000 & echo $! >left; exec sleep 1000")
    (leaving / "kill-orphans").touch()
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, processes):
        left = int(written(leaving / "left"))
        shutil.rmtree(prefix / shipped.LIBRARY / (prefix / shipped.LIBRARY / "current").readlink())
        os.kill(processes[role], signal.SIGKILL)
        if role == "runsvdir":
            until(lambda: stand_in(running, processes, services), what="a stand-in supervises")
        else:
            until(lambda: own(running).get(role) not in {None, processes[role]}, what="there is another")
        starts_anew(leaving)
        until(lambda: not is_alive(left), what="what it left is killed")
        starts_anew(services / "plain")
        logged = ("piped", "pooled")
        assert {name: pid_of(services / name) for name in logged} == {name: pid_in(before[services / name]) for name in logged}
        loses_no_line(running)
        os.kill(stand_in(running, processes, services) if role == "runsvdir" else running.pid, signal.SIGHUP)
        until(lambda: [pid for pid in running.processes() if pid != running.pid] == [], what="nothing is left")
        assert "rror" not in running.stderr.read_text()


def stand_in(running: Tree, processes: dict[str, int], services: Path) -> int:
    """Give the stand-in that supervises; 0 for none yet."""
    there = [pid for pid in running.supervisors() if pid not in processes.values()]
    return next((pid for pid in there if supervision.has_open(pid, services / "plain/supervise/ok")), 0)


def test_a_keeper_that_began_after_the_removal_is_found_and_told_of_the_next_version(
    prefix: Path, services: Path, tmp_path: Path
) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, processes):
        before = pids(running)
        versions.replace(prefix, NEW)
        os.kill(processes["runsvdir-keeper"], signal.SIGKILL)
        until(lambda: own(running).get("runsvdir-keeper") not in {None, processes["runsvdir-keeper"]}, what="there is another")
        (found,) = (tree for tree in trees.find(prefix / shipped.LIBRARY) if tree.path == str(services))
        trees.ask([found], prefix / shipped.LIBRARY)
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        assert pids(running) == before


def test_a_pool_that_a_renewed_tree_cannot_make_any_more_is_told_and_comes_with_the_next_version(
    prefix: Path, services: Path, tmp_path: Path
) -> None:
    library = prefix / shipped.LIBRARY
    shutil.copytree(library / NEW, library / "10.0")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, processes):
        before = pids(running)
        for version in (NEW, "10.0"):
            versions.replace(prefix, version)
            if version == NEW:
                os.kill(running.pid, signal.SIGUSR2)
                until(lambda: of_version(running, NEW), what="all of it is the new version")
        os.kill(processes["log-pool"], signal.SIGKILL)
        said = f"({NEW}, which runs here, is not installed any more; USR2 lets runsvdir become the one that is)"
        until(lambda: is_said(running, said), what="it is said")
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: of_version(running, "10.0"), what="all of it is the next version")
        assert pids(running) == before
        loses_no_line(running)


def test_what_was_never_needed_before_and_is_removed_is_told_and_comes_with_the_next_version(
    prefix: Path, services: Path, tmp_path: Path
) -> None:
    oracle.root("a log of another user")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _processes):
        before = pids(running)
        old = versions.replace(prefix, NEW)
        home = service(tmp_path / "theirs", COUNTS, log="exit 1")
        supervision.log_in_pool(home, prefix / "bin")
        (home / "log/env/RSVLOG_USER").write_text("nobody\n")
        for path in (tmp_path, home, home / "log", home / "log/main"):
            path.chmod(0o755)
        os.chown(home / "log/main", 65534, 65534)
        (services / "theirs").symlink_to(home)
        said = f"({old}, which runs here, is not installed any more; USR2 lets runsvdir become the one that is)"
        until(lambda: is_said(running, said), what="it is said")
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: versions.lines(home / "log/main/current"), what="it is logged")
        assert versions.lines(home / "log/main/current")[0] == "0"
        assert pids(running) == before


def test_a_keeper_that_cannot_begin_says_why(prefix: Path, services: Path, tmp_path: Path) -> None:
    versions.break_(prefix / shipped.LIBRARY / (prefix / shipped.LIBRARY / "current").readlink(), "in the keeper")
    with supervision.tree(prefix / "bin/runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: running.stderr.exists() and is_said(running, "runsvdir: keeper: RuntimeError: bad luck\n"), what="it is said")
