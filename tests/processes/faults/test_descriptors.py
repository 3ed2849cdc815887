"""No descriptor is to be had: it is said, tried again, and over as soon as there is one; nothing is started twice."""

from __future__ import annotations

import os
import re
import resource
import signal
from pathlib import Path

import pytest
from support.supervision import (
    Tree,
    is_alive,
    letter,
    log_in_pool,
    name,
    pid_of,
    said,
    script,
    service,
    started,
    stat,
    status,
    text_of,
    tree,
    up,
)
from support.waiting import until

NO_MORE_FILES = "process cannot open more files"


@pytest.mark.parametrize("victim", ["supervisor", "keeper"])
def test_no_descriptor_to_be_had(runtime: Path, home: Path, tmp_path: Path, victim: str) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        pid = running.pid if victim == "supervisor" else running.keeper()
        limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        os.kill(before, signal.SIGKILL)
        service(tmp_path / "new", "exec sleep 1000").rename(home.parent / "new")
        said(running, NO_MORE_FILES if victim == "supervisor" else f"runsv it: warning: unable to fork, sleeping: {NO_MORE_FILES}")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: pid_of(home) not in {0, before} and stat(home) == "run", what="it runs again")
        up(home.parent / "new")
        until(lambda: started(home) == [before, pid_of(home)], what="it was started once more, and no more")


def test_a_letter_is_obeyed_though_no_descriptor_is_to_be_had(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        before = up(home)
        limits = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (3, limits[1]))
        letter(home, "k")
        until(lambda: not is_alive(before), what="it is killed")
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limits)
        until(lambda: started(home) == [before, up(home)], what="it runs again, once")
        assert "internal error" not in running.stderr.read_text()


def test_no_descriptor_to_be_had_for_a_log(runtime: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", tmp_path / "services", tmp_path / "state") as running:
        first = service(running.services / "first", "exec sleep 1000")
        running.start()
        until(lambda: pid_of(first) and len(running.supervisors()) == 2, what="supervisor and keeper are at work")
        for pid in (running.keeper(), running.pid):
            limits = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, limits[1]))
            home = service(tmp_path / str(pid), "echo line\nexec sleep 1000", log="exit 1")
            log_in_pool(home, runtime)
            home = home.rename(running.services / str(pid))
            said(running, f"runsv {pid}: warning: unable to fork, sleeping: {NO_MORE_FILES}" if pid != running.pid else NO_MORE_FILES)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, limits)
            until(lambda home=home: "line" in text_of(home / "log/main/current"), what="its line is there")  # type: ignore[misc]


def test_no_descriptor_to_be_had_for_a_log_in_its_pool(runtime: Path, tmp_path: Path) -> None:
    """What is sent to a pool that may open no more comes without its descriptors; it is told, and over when there is room again."""
    first = service(tmp_path / "services/first", "echo line\nexec sleep 1000", log="exit 1")
    log_in_pool(first, runtime)
    with tree(runtime / "runsvdir", first.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: "line" in text_of(first / "log/main/current") and pid_of(first / "log"), what="its line is there")
        pool = pid_of(first / "log")
        limits = resource.prlimit(pool, resource.RLIMIT_NOFILE)
        resource.prlimit(pool, resource.RLIMIT_NOFILE, (3, limits[1]))
        home = service(tmp_path / "new", "echo line\nexec sleep 1000", log="exit 1")
        log_in_pool(home, runtime)
        home = home.rename(first.parent / "new")
        said(running, f"runsv new: warning: log: no room in its log-pool, waiting until there is: {NO_MORE_FILES}")
        until(lambda: stat(home / "log") == "down", what="its log is shown as it is")
        running.kill_with_keeper()
        for holder in running.named("holder"):
            os.kill(holder, signal.SIGKILL)
        running.start()
        until(lambda: running.supervises(home, home / "log") and stat(home / "log") == "down", what="it is shown by the next one")
        letter(home / "log", "d")
        until(lambda: status(home / "log")[17:18] == b"d", what="what it wants is shown")
        letter(home / "log", "u")
        resource.prlimit(pool, resource.RLIMIT_NOFILE, limits)
        until(lambda: "line" in text_of(home / "log/main/current"), what="its line is there")
        until(lambda: pid_of(home / "log") == pool and stat(home / "log") == "run", what="it is logged in the same pool")
        assert running.stderr.read_text().count("no room") == 1
        assert running.kill(signal.SIGHUP) == 111


@pytest.mark.parametrize(("limit", "count"), [(64, 8), (128, 24)])
def test_a_hard_limit_of_few_descriptors(runtime: Path, tmp_path: Path, limit: int, count: int) -> None:
    homes = [service(tmp_path / f"services/it{number}", "echo line\nexec sleep 1000", log="exit 1") for number in range(count)]
    for home in homes:
        log_in_pool(home, runtime)
    limited = tmp_path / "limited"
    script(limited, f'ulimit -n {limit}; exec {runtime}/runsvdir "$@"')
    with tree(limited, tmp_path / "services", tmp_path / "state") as running:
        running.start()
        for home in homes:
            until(lambda home=home: "line" in text_of(home / "log/main/current"), what=f"{home.name} is logged")  # type: ignore[misc]
        pids = [up(home) for home in homes]
        until(lambda: pid_of(homes[0] / "log"), what="its logger is shown")
        os.kill(pid_of(homes[0] / "log"), signal.SIGKILL)
        letter(homes[-1], "t")
        until(lambda: text_of(homes[-1] / "log/main/current").count("line") == 2, what="another pool goes on")
        running.kill()
        running.start()
        until(lambda: name(running.pid) == "runsvdir", what="another supervisor")
        letter(homes[0], "t")
        until(lambda: text_of(homes[0] / "log/main/current").count("line") == 2, what="another supervisor goes on")
        until(lambda: sorted(running.supervisors()) == sorted([running.pid, running.keeper()]), what="nobody else supervises")
        assert [pid_of(home) for home in homes[1:-1]] == pids[1:-1]
        assert running.kill(signal.SIGHUP) == 111


def test_no_descriptor_to_be_had_at_any_step_of_taking_a_service(runtime: Path, home: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home)
        limits = resource.prlimit(running.pid, resource.RLIMIT_NOFILE)
        opened = descriptors(running.pid)
        os.kill(running.keeper(), signal.SIGSTOP)
        for more in range(3, 16):
            resource.prlimit(running.pid, resource.RLIMIT_NOFILE, (opened + more, limits[1]))
            made = service(tmp_path / f"new{more}", "echo $$ >>started\nexec sleep 1000", log="exec cat >>all")
            said_before = len(running.stderr.read_text())
            new = made.rename(home.parent / made.name)
            tried(running, new, said_before)
            opened = descriptors(running.pid)
        os.kill(running.keeper(), signal.SIGCONT)
        resource.prlimit(running.pid, resource.RLIMIT_NOFILE, limits)
        for new in home.parent.glob("new*"):
            pid = up(new)
            assert started(new) == [pid]


def tried(running: Tree, home: Path, said_before: int) -> None:
    """Wait until the supervisor has met a service, and taken or refused it, or could not even look for it, which it says once."""

    def is_so() -> bool:
        said = running.stderr.read_text()
        news, last = said[said_before:], said.splitlines()[-1:]
        blind = any(re.search("unable to (open|read) directory", line) for line in (news, *last))
        return blind or (home / "supervise/lock").exists() or f"runsv {home.name}: " in news

    until(is_so, what="it was tried")


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
