"""Another version takes over a running tree: services, loggers and logs go on, with their pids; a version that is broken does not."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from support import oracle, supervision, versions
from support.command import PROGRAM, runit_provision
from support.supervision import Tree, pid_of, service, tree
from support.versions import (
    BROKEN,
    NEW,
    break_,
    folders,
    is_on_trial,
    loses_no_line,
    of_version,
    own,
    package_version,
    pid_in,
    started,
    switch,
)
from support.waiting import DEADLINE, until

from runit_provision.errors import HostError
from runit_provision.host import interpreter, package, shipped
from runit_provision.runtime.shell.process import environment
from runit_provision.runtime.shell.supervisor import trial

UPGRADES = 20 if os.environ.get("HARNESS") == "all" else 3
KILLED = [
    ("runsvdir",),
    ("runsvdir-keeper",),
    ("log-pool",),
    ("runsvdir", "runsvdir-keeper"),
    ("runsvdir", "log-pool"),
    ("runsvdir-keeper", "log-pool"),
]


def test_a_tree_becomes_the_installed_version_and_nothing_is_noticed(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        until(lambda: own(running) == pids, what="the processes are the same")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        loses_no_line(running)
        supervision.letter(services / "plain", "t")
        supervision.letter(services / "pooled/log", "a")
        until(lambda: supervision.status(services / "plain") != before[services / "plain"], what="letters are obeyed")
        assert running.stderr.read_text() == f"runsvdir {services}: info: {NEW} has taken over; its services go on\n"
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left")


def test_a_tree_whose_state_lies_where_nothing_may_be_executed_becomes_the_installed_version(
    prefix: Path, services: Path, tmp_path: Path
) -> None:
    oracle.root("mounts what many a host has as /run")
    state = tmp_path / "state"
    state.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec,mode=0700", "tmpfs", str(state)], check=True)
    try:
        with started(prefix / "bin/runsvdir", services, state) as (running, _before, pids):
            switch(prefix, NEW)
            os.kill(running.pid, signal.SIGUSR2)
            until(lambda: of_version(running, NEW), what="all of it is the new version")
            until(lambda: own(running) == pids, what="the processes are the same")
            assert running.stderr.read_text() == f"runsvdir {services}: info: {NEW} has taken over; its services go on\n"
    finally:
        subprocess.run(["umount", "--lazy", str(state)], check=True)


@pytest.mark.parametrize("roles", KILLED, ids="+".join)
def test_whoever_is_killed_meanwhile_it_becomes_that_version(
    prefix: Path, services: Path, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    both = [NEW, package_version(prefix)]
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        pids = {folder: pid_of(folder) for folder in folders(running) if folder.name != "log"}
        for turn in range(UPGRADES):
            switch(prefix, both[turn % 2])
            os.kill(running.pid, signal.SIGUSR2)
            # From before it is tried out until after keeper and pool have followed.
            time.sleep(1.2 * turn / UPGRADES)
            struck = [pid for pid in running.processes() if supervision.name(pid) in set(roles) - {"runsvdir"}]
            for pid in (pid for pid in struck if not is_on_trial(pid)):
                with suppress(ProcessLookupError):  # the trial has ended meanwhile
                    os.kill(pid, signal.SIGKILL)
            if "runsvdir" in roles:
                running.kill()
                running.start()
            until(lambda: versions.is_supervised(running), what="all is supervised")
            until(lambda: renewed(running, both[turn % 2]), what=f"all of it is {both[turn % 2]}")  # noqa: B023
            assert {folder: pid_of(folder) for folder in pids} == pids
            loses_no_line(running)


def renewed(running: Tree, version: str) -> bool:
    """Whether all is of that version; who was killed before it knew of it is told again, as by who installs it."""
    if of_version(running, version):
        return True
    os.kill(running.pid, signal.SIGUSR2)
    time.sleep(0.05)
    return False


def test_sv_is_answered_all_the_time(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        sv = oracle.program("sv", package="runit")
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        upgraded = False
        while not upgraded:
            upgraded = of_version(running, NEW)  # before it is asked: so the new one is asked too
            told = subprocess.run([sv, "-v", "cont", str(services / "plain")], capture_output=True, text=True, check=False)
            assert (told.returncode, told.stdout[:4]) == (0, "ok: "), told


REASONS = {
    "syntax": "SyntaxError: ",
    "import": "ModuleNotFoundError: No module named 'no_such_module'",
    "at the start": "RuntimeError: bad luck",
    "in the keeper": "it did not run a service within",
    "never runs a service": "it did not run a service within",
    "in what it takes over": "it ended, exit status 1, when it was to take over a service that runs: ",
    "never takes over": "it did not take over a service that runs within",
    "as the next keeper": "it did not take over a service that runs within",
    "as the next pool": "it did not keep what it had taken over",
    "other records": "it cannot read this version's records; services must be ended and started again",
}


SLOW = {"in the keeper", "never runs a service", "never takes over", "as the next keeper"}
"""What shows only when patience ends."""


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind not in SLOW or os.environ.get("HARNESS") == "all"])
def test_a_version_that_is_broken_is_noticed_and_the_old_one_stays(prefix: Path, services: Path, tmp_path: Path, kind: str) -> None:
    break_(prefix / shipped.LIBRARY / NEW, kind)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.keeper(), signal.SIGUSR2)
        until(lambda: "goes on" in running.stderr.read_text(), what="it says that it goes on")
        said = running.stderr.read_text()
        assert f"warning: the version now installed is not taken, {package_version(prefix)} goes on: " in said
        assert REASONS[kind] in said
        until(lambda: own(running) == pids, what="who tried it has ended, and all others are as they were")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        until(lambda: not list(running.state.glob("trees/*/trial")), what="nothing is left of the trial")
        loses_no_line(running)


def test_a_trial_whose_watcher_is_killed_proves_nothing_and_leaves_nothing(prefix: Path, services: Path, tmp_path: Path) -> None:
    # It never runs its service, so that the trial lasts.
    break_(prefix / shipped.LIBRARY / NEW, "never runs a service")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: "runsvdir-keeper" in map(supervision.name, filter(is_on_trial, running.processes())), what="it is tried out")
        (watcher,) = (pid for pid in running.processes() if supervision.parent(pid) == running.pid and pid not in pids.values())
        os.kill(watcher, signal.SIGKILL)
        until(lambda: "goes on: who tried it was killed" in running.stderr.read_text(), what="it says that it goes on")
        assert list(filter(is_on_trial, running.processes())) == []
        assert not list(running.state.glob("trees/*/trial"))
        until(lambda: own(running) == pids, what="who cleaned up has ended, and all others are as they were")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_a_trial_that_nobody_waits_for_any_more_ends(prefix: Path, services: Path, tmp_path: Path, number: int) -> None:
    break_(prefix / shipped.LIBRARY / NEW, "never runs a service")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: "runsvdir-keeper" in map(supervision.name, filter(is_on_trial, running.processes())), what="it is tried out")
        running.kill(number)
        long_before = trial.SECONDS * 2 / 3
        until(lambda: not list(filter(is_on_trial, running.processes())), what="it ends", deadline=long_before)
        until(lambda: not list(running.state.glob("trees/*/trial")), what="nothing is left of it")


@pytest.mark.parametrize("seconds", [0, 0.002, 0.004, 0.008, 0.016])
def test_a_trial_that_had_hardly_begun_leaves_nothing_of_it(prefix: Path, services: Path, tmp_path: Path, seconds: float) -> None:
    break_(prefix / shipped.LIBRARY / NEW, "never runs a service")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        time.sleep(seconds)  # when it is struck is the point; nothing waits for this
        running.kill()
        until(lambda: len(running.supervisors()) == 2, what="a stand-in, and the keeper")
        until(lambda: not list(filter(is_on_trial, running.processes())), what="no process is left of it")
        until(lambda: not list(running.state.glob("trees/*/trial")), what="no file is left of it")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_runsvdir_that_init_starts_again_brings_its_version_along(prefix: Path, services: Path, tmp_path: Path, number: int) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        running.kill(number)
        running.start()
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        del pids["runsvdir"]
        until(lambda: own(running).items() >= pids.items(), what="the other processes are the same")
        assert {folder: pid_of(folder) for folder in folders(running)} == {folder: pid_in(status) for folder, status in before.items()}
        loses_no_line(running)


def test_upgrade_renews_the_trees_of_all_users(prefix: Path, services: Path, tmp_path: Path) -> None:
    oracle.root("a tree of another user")
    laid = package_version(prefix)
    switch(prefix, NEW)
    theirs = tmp_path / "theirs"
    service(theirs / "services/plain", "exec sleep 1000")
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, 65534, 65534)
    state = theirs / "state"
    with (
        started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids),
        tree(prefix / "bin/chpst", theirs / "services", state, "-u", ":65534:65534", str(prefix / "bin/runsvdir")) as other,
    ):
        other.start()
        until(lambda: pid_of(theirs / "services/plain") and len(other.supervisors()) == 2, what="the other tree runs")
        their_status = supervision.status(theirs / "services/plain")
        result = runit_provision("runtime", "upgrade", "--prefix", prefix, "--python", interpreter.default())
        assert (result.status, result.out, result.err) == (0, f"runtime {laid} installed; 2 of 2 running trees run it\n", "")
        until(lambda: of_version(running, laid), what="pools too")
        until(lambda: own(running) == pids, what="the processes are the same")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        assert supervision.status(theirs / "services/plain") == their_status
        again = runit_provision("runtime", "upgrade", "--prefix", prefix, "--python", interpreter.default())
        assert again.out == f"runtime {laid} is installed already; 2 of 2 running trees run it\n"


def test_remove_names_the_trees_that_run_from_it_and_they_go_on(prefix: Path, services: Path, tmp_path: Path) -> None:
    laid = package_version(prefix)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, _pids):
        result = runit_provision("runtime", "remove", "--prefix", prefix)
        assert result.status == 0
        user = pwd.getpwuid(os.getuid()).pw_name
        assert result.err == (
            f"warning: {services} ({user}, keeper {running.keeper()}): still runs version {laid}, whose files go; "
            "its services go on; once it has ended, it cannot be started again without a runtime\n"
        )
        assert {folder: supervision.status(folder) for folder in folders(running)} == before


@contextmanager
def pretender(library: Path, version: str) -> Iterator[int]:
    """Let another account have a process that looks like a keeper, whose command line nobody has got to read yet."""
    code = "import sys, time; open('/proc/self/comm', 'w').write('runsvdir-keeper'); print(flush=True); time.sleep(1000)"
    folder = os.open(library / version, os.O_PATH)
    command = [interpreter.default(), "-c", code]
    with subprocess.Popen(command, cwd="/", user=65534, pass_fds=[folder], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"\n"
            yield process.pid
        finally:
            os.close(folder)
            process.kill()


def test_no_account_holds_up_who_looks_for_trees(prefix: Path, services: Path, tmp_path: Path) -> None:
    """To read how a process was called can hang for as long as its account likes (FUSE): as here, where who reads it stops."""
    oracle.root("a process of another user")
    laid = package_version(prefix)
    with (
        started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids),
        pretender(prefix / shipped.LIBRARY, laid) as pid,
    ):
        stops = [f"--trace-path=/proc/{pid}/cmdline", "-e", "inject=openat:signal=SIGSTOP"]
        strace = [oracle.program("strace", package="strace"), "-f", "-qq", "-o", str(tmp_path / "trace"), *stops]
        remove = [PROGRAM, "runtime", "remove", "--prefix", str(prefix)]
        done = subprocess.run([*strace, *remove], capture_output=True, text=True, timeout=DEADLINE, check=False)
        assert done.returncode == 0
        assert "cmdline" in (tmp_path / "trace").read_text()
        told = [line.partition(": still runs")[0] for line in done.stderr.splitlines()]
        user = pwd.getpwuid(65534).pw_name
        assert told == [f"warning: {services} (root, keeper {running.keeper()})", f"warning: ? ({user}, keeper {pid})"]


def test_upgrade_leaves_alone_what_runs_in_a_container_by_the_same_path(prefix: Path, services: Path, tmp_path: Path) -> None:
    oracle.root("mounts another prefix")
    copy = tmp_path / "copy"
    enter = tmp_path / "enter"
    supervision.script(enter, f'mount --bind {copy} {prefix}\nexec {prefix}/bin/runsvdir "$@"')
    with tree(oracle.program("unshare", package="util-linux"), services, tmp_path / "state", "-m", str(enter)) as running:
        shutil.copytree(prefix, copy, symlinks=True)
        running.start()
        until(lambda: pid_of(services / "plain") and running.keeper(), what="it runs")
        laid = package_version(prefix)
        result = runit_provision("runtime", "upgrade", "--prefix", prefix, "--python", interpreter.default())
        assert (result.status, result.out) == (0, f"runtime {laid} is installed already; 0 of 0 running trees run it\n")


def test_a_broken_version_is_not_installed_by_upgrade(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = prefix / shipped.LIBRARY
    current = (library / "current").readlink()
    sources = shipped.sources()
    sources["runit_provision/runtime/shell/supervisor/runsvdir.py"] += b"\nraise RuntimeError('bad luck')\n"
    monkeypatch.setattr(package, "sources", lambda: sources)
    with pytest.raises(
        HostError,
        match="did not prove itself, and is not taken: it ended, exit status 1, when it was to run a service: RuntimeError: bad luck",
    ):
        package.install(prefix=prefix, python=interpreter.default(), tried=True)
    assert (library / "current").readlink() == current


def test_an_upgrade_whose_trial_is_killed_leaves_nothing_of_it(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = shipped.sources()
    name, right, wrong = BROKEN["never runs a service"]  # so that the trial lasts
    name = f"runit_provision/runtime/{name}"
    sources[name] = sources[name].replace(right.encode(), wrong.encode(), 1)
    monkeypatch.setattr(package, "sources", lambda: sources)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def tried() -> list[int]:
        mark = f"RUNIT_PROVISION_STATE={scratch}".encode()
        return [pid for path in Path("/proc").glob("[0-9]*") if mark in b"".join(environment(pid := int(path.name)))]

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(package.install, prefix=prefix, python=interpreter.default(), tried=True)
        until(lambda: "runsvdir-keeper" in map(supervision.name, tried()), what="it is tried out")
        (trial,) = {supervision.parent(pid) for pid in tried()} - set(tried())
        os.kill(trial, signal.SIGKILL)
        with pytest.raises(HostError, match="did not prove itself, and is not taken: signal 9 ended the trial"):
            done.result()
    assert (tried(), list(scratch.iterdir())) == ([], [])


def test_it_is_taken_over_where_the_state_was_removed_and_made_anew(prefix: Path, services: Path, tmp_path: Path) -> None:
    shutil.rmtree(services / "pooled")  # an older pool is met by nobody
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, processes):
        shutil.rmtree(running.state / "trees")
        os.kill(processes["runsvdir-keeper"], signal.SIGKILL)
        until(lambda: list(running.state.glob("trees/*/socket")), what="another keeper makes it anew")
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: versions.is_supervised(running) and NEW in supervision.command(running.keeper()), what="it is the new version")
        assert {folder: pid_of(folder) for folder in folders(running)} == {folder: pid_in(said) for folder, said in before.items()}
        loses_no_line(running)
