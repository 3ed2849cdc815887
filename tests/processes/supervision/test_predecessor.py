"""Init starts a runsvdir of another version: it is tried first, and one that dies, hangs or fails in taking over changes nothing."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from support import oracle, supervision, versions
from support.supervision import Tree, is_alive, pid_of, tree
from support.versions import NEW, edit, folders, loses_no_line, of_version, own, package_version, pid_in, started, switch
from support.waiting import until

from runit_provision.host import shipped

TAKEOVER, KEEPER, POOL = "shell/supervisor/takeover.py", "shell/keeper/keeper.py", "shell/handover.py"
_SLOT = "            self._pending.discard(slot)\n"
HERE = {
    "dies": (TAKEOVER, _SLOT, f"{_SLOT}            if slot > 1:\n                raise RuntimeError('bad luck')\n"),
    "hangs": (TAKEOVER, _SLOT, f"{_SLOT}            while slot > 1:\n                pass\n"),
    "fails at a service": (
        "shell/supervisor/adoption.py",
        "        content = os.pread(",
        "        assert slot < 3, 'bad luck'\n        content = os.pread(",
    ),
}
"""What is wrong with a version only where there are more services than the one of a trial."""
IN_TRIAL = {
    "in what it takes over": "it ended, exit status 1, when it was to take over a service that runs: ",
    "as the next pool": "it did not keep what it had taken over",
    "other records": "it cannot read this version's records; services must be ended and started again",
    "never takes over": "it did not take over a service that runs within",
    "as the next keeper": "it did not take over a service that runs within",
}
SLOW = {"never takes over", "as the next keeper"}
"""What shows only when patience ends."""


def restart(running: Tree, number: int = signal.SIGKILL) -> None:
    """Do what init does, or an administrator with its help."""
    running.kill(number)
    running.start()


def is_said(running: Tree, text: str) -> bool:
    """Whether the tree's log has `text`; as init, start what has died before that."""
    assert running.process is not None
    if running.process.poll() is not None:
        running.start()
    return text in running.stderr.read_text()


def goes_on(running: Tree, before: dict[Path, bytes], pids: dict[str, int], version: str) -> None:
    """The tree is of that version, and has the services, keeper and pool that it had; all obey."""
    until(lambda: of_version(running, version), what=f"all of it is {version}")
    assert own(running).items() >= {name: pid for name, pid in pids.items() if name != "runsvdir"}.items()
    assert {folder: pid_of(folder) for folder in folders(running)} == {folder: pid_in(status) for folder, status in before.items()}
    loses_no_line(running)
    plain = running.services / "plain"
    told = subprocess.run([oracle.program("sv", package="runit"), "restart", str(plain)], capture_output=True, text=True, check=False)
    assert told.stdout.startswith("ok: run: "), told
    # What began within the same second sv takes for begun anew.
    until(lambda: pid_of(plain) not in {0, pid_in(before[plain])}, what="it is another process")
    before[plain] = supervision.status(plain)


@pytest.mark.parametrize("kind", [kind for kind in IN_TRIAL if kind not in SLOW or os.environ.get("HARNESS") == "all"])
def test_a_version_that_init_starts_is_tried_and_when_it_is_broken_the_one_before_supervises_on(
    prefix: Path, services: Path, tmp_path: Path, kind: str
) -> None:
    old = package_version(prefix)
    versions.break_(prefix / shipped.LIBRARY / NEW, kind)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        restart(running, signal.SIGTERM)
        until(
            lambda: is_said(running, f"warning: the version now installed is not taken, {old} goes on: "),
            what="it is said",
            deadline=90,
        )
        assert IN_TRIAL[kind] in running.stderr.read_text()
        goes_on(running, before, pids, old)


@pytest.mark.parametrize("by_init", [True, False], ids=["started by init", "told by USR2"])
@pytest.mark.parametrize("kind", HERE)
def test_a_version_that_fails_only_in_this_tree_leaves_it_to_the_one_before_until_a_mended_one_comes(
    prefix: Path, services: Path, tmp_path: Path, kind: str, by_init: bool
) -> None:
    old, library = package_version(prefix), prefix / shipped.LIBRARY
    edit(library / NEW, *HERE[kind])
    edit(library / NEW, "shell/supervisor/predecessor.py", "SECONDS = 60\n", "SECONDS = 2\n")
    said = f"warning: the version now installed is not taken, {old} goes on: {NEW} was killed, gave up or lost itself when it took over"
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        if by_init:
            restart(running)
        else:
            os.kill(running.pid, signal.SIGUSR2)
        until(lambda: is_said(running, said), what="it is said")
        goes_on(running, before, pids, old)
        restart(running)
        until(lambda: running.stderr.read_text().count(said) == 2, what="it is said to who comes next, and not tried again")
        goes_on(running, before, pids, old)
        mended = library / "10.0"
        shutil.copytree(library / old, mended)
        switch(prefix, mended.name)
        os.kill(running.keeper(), signal.SIGUSR2)
        goes_on(running, before, pids, mended.name)
        assert not list(running.state.glob("trees/*/takeover"))


def test_a_log_in_the_title_shows_that_the_one_before_goes_on(prefix: Path, services: Path, tmp_path: Path) -> None:
    edit(prefix / shipped.LIBRARY / NEW, *HERE["dies"])
    with tree(prefix / "bin/runsvdir", services, tmp_path / "state") as running:
        running.after = ("log: " + "." * 400,)
        running.start()
        until(lambda: versions.is_supervised(running), what="all is supervised")
        switch(prefix, NEW)
        restart(running)

        def is_shown() -> bool:
            is_said(running, "")
            return f"is not taken, {package_version(prefix)} goes on: {NEW} was killed" in supervision.command(running.pid)

        until(is_shown, what="it is shown")


def test_that_neither_version_can_supervise_is_said_and_the_stand_in_goes_on(prefix: Path, services: Path, tmp_path: Path) -> None:
    old, library = package_version(prefix), prefix / shipped.LIBRARY
    edit(library / NEW, *HERE["dies"])
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, _pids):
        switch(prefix, NEW)
        versions.break_(library / old, "syntax")
        restart(running)
        until(lambda: is_said(running, f"{NEW} could not take over, and {old}, which runs here, does not start any more: its stand-in"))
        supervision.letter(services / "plain", "t")
        until(lambda: pid_of(services / "plain") not in {0, pid_in(before[services / "plain"])}, what="letters are obeyed")
        loses_no_line(running)


@pytest.mark.parametrize("how", ["raise RuntimeError('bad luck')", "time.sleep(1000)"])
def test_a_keeper_that_cannot_become_that_version_here_is_replaced(prefix: Path, services: Path, tmp_path: Path, how: str) -> None:
    library = prefix / shipped.LIBRARY / NEW
    resume = "    keeper.resume(known)\n"
    # In a trial there are but a service and its pool.
    edit(library, KEEPER, resume, f"    if len(known['children']) > 2:\n        {how}\n{resume}")
    edit(library, "shell/supervisor/parents.py", "_RENEWAL_SECONDS = 30.0\n", "_RENEWAL_SECONDS = 1.0\n")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        restart(running)
        until(lambda: is_said(running, "the keeper is gone, starting another; its services go on"), what="it is said")
        del pids["runsvdir-keeper"]
        goes_on(running, before, pids, NEW)


def test_init_may_start_it_again_and_again_while_it_is_tried(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
            restart(running, number)
            until(lambda: any(map(versions.is_on_trial, running.processes())), what="it is tried")
        goes_on(running, before, pids, NEW)
        assert not re.search("fatal|error|not taken", running.stderr.read_text())
        until(lambda: not any(map(versions.is_on_trial, running.processes())), what="nothing is left of it")


def test_a_version_that_is_not_installed_any_more_does_not_try_the_next(prefix: Path, services: Path, tmp_path: Path) -> None:
    old = package_version(prefix)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        shutil.rmtree(prefix / shipped.LIBRARY / old)
        restart(running)
        until(
            lambda: is_said(running, f"{old}, which runs here, is not installed any more: {NEW} takes over untried"), what="it is said"
        )
        goes_on(running, before, pids, NEW)


def test_a_version_that_another_account_may_have_changed_is_not_executed(prefix: Path, services: Path, tmp_path: Path) -> None:
    oracle.root("gives a file away")
    old = package_version(prefix)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        theirs = prefix / shipped.LIBRARY / old / "runit_provision/runtime/cli/runsvdir.py"
        os.chown(theirs, 65534, 65534)
        restart(running)
        said = f"{old}, which runs here, is not executed ({theirs} belongs to user 65534): {NEW} takes over untried"
        until(lambda: is_said(running, said), what="it is said")
        goes_on(running, before, pids, NEW)


def test_a_version_that_does_not_start_any_more_does_not_try_the_next(prefix: Path, services: Path, tmp_path: Path) -> None:
    old = package_version(prefix)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        versions.break_(prefix / shipped.LIBRARY / old, "syntax")
        restart(running)
        until(lambda: is_said(running, f"{old}, which runs here, does not start any more: {NEW} takes over untried"), what="it is said")
        goes_on(running, before, pids, NEW)


def test_records_that_nobody_can_read_any_more_are_left_until_what_they_are_about_has_ended(
    prefix: Path, services: Path, tmp_path: Path
) -> None:
    old = package_version(prefix)
    versions.break_(prefix / shipped.LIBRARY / NEW, "other records")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        shutil.rmtree(prefix / shipped.LIBRARY / old)
        restart(running)
        until(
            lambda: is_said(running, f"{NEW} cannot read the records of {old}: waiting until its services have ended"),
            what="it is said",
        )
        assert {folder: pid_of(folder) for folder in folders(running)} == {folder: pid_in(status) for folder, status in before.items()}
        known = {running.pid, pids["runsvdir-keeper"]}

        def standing_in() -> list[int]:
            there = [pid for pid in running.supervisors() if pid not in known]
            return [pid for pid in there if supervision.has_open(pid, services / "plain/supervise/ok")]

        until(standing_in, what="a stand-in supervises")
        assert running.kill(signal.SIGHUP) == 111
        assert not any(is_alive(pid_in(status)) for status in before.values())
        running.start()
        until(lambda: of_version(running, NEW), what="all of it is new")
        assert not {pid_of(folder) for folder in folders(running)} & {pid_in(status) for status in before.values()}
