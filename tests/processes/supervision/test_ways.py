"""The way to the directory of a tree: what is replaced or mounted there is noticed at once, where C's runsvdir needs five seconds."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import Tree, pid_of, service, stat, tree
from support.waiting import until

SLEEPER = "exec sleep 1000"


def exchange(tmp_path: Path) -> None:
    """Put another directory in the place of the one that stands two above the services."""
    (tmp_path / "above").rename(tmp_path / "before")
    (tmp_path / "other").rename(tmp_path / "above")


def exchange_a_link(tmp_path: Path) -> None:
    """Lead the link that stands two above the services elsewhere, as `ln -sfn` does."""
    (tmp_path / "new").symlink_to("other")
    (tmp_path / "new").rename(tmp_path / "link")


def runs_alone(running: Tree, name: str) -> bool:
    return stat(running.services / name) == "run" and running.commands().count("sleep 1000") == 1


@pytest.mark.parametrize(("above", "change"), [("above", exchange), ("link", exchange_a_link)])
def test_a_directory_high_above_is_exchanged(runtime: Path, tmp_path: Path, above: str, change: Callable[[Path], None]) -> None:
    old = service(tmp_path / "above/in/services/old", SLEEPER)
    service(tmp_path / "other/in/services/new", SLEEPER)
    (tmp_path / "link").symlink_to("above")
    with tree(runtime / "runsvdir", tmp_path / above / "in/services", tmp_path / "state") as running:
        running.start()
        until(lambda: stat(old) == "run" and pid_of(old), what="it runs")
        change(tmp_path)
        until(lambda: runs_alone(running, "new"), what="the new one alone runs")


def test_a_directory_that_was_moved_to_another_place_of_the_same_name_is_watched_there(runtime: Path, tmp_path: Path) -> None:
    old = service(tmp_path / "above/services/old", SLEEPER)
    service(tmp_path / "other/new", SLEEPER)
    with tree(runtime / "runsvdir", tmp_path / "above/services", tmp_path / "state") as running:
        running.start()
        until(lambda: stat(old) == "run" and pid_of(old), what="it runs")
        (tmp_path / "above").rename(tmp_path / "before")
        (tmp_path / "above").mkdir()
        (tmp_path / "before/services").rename(tmp_path / "above/services")
        until(lambda: supervision.is_asleep(running.pid), what="that is seen to")
        (tmp_path / "above/services").rename(tmp_path / "gone")
        (tmp_path / "other").rename(tmp_path / "above/services")
        until(lambda: runs_alone(running, "new"), what="the new one alone runs")


COMES = """
import os, sys
from runit_provision.runtime.shell.supervisor.scan import Watch

class Late(Watch):
    def renew_above(self):
        is_there = super().renew_above()
        os.makedirs(sys.argv[1], exist_ok=True)
        return is_there

watch = Late(sys.argv[1])
for _ in range(2):
    watch.renew()
    print(watch.polls)
"""


def test_a_directory_that_comes_while_it_is_looked_for_is_looked_at_once_more(tmp_path: Path) -> None:
    """By a process of its own, which gets the signals: what stands above it is not watched at first, and it might be moved away."""
    words = [sys.executable, "-P", "-c", COMES, str(tmp_path / "services")]
    assert subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout == "True\nFalse\n"


def test_what_has_gone_holds_no_filesystem(runtime: Path, tmp_path: Path) -> None:
    oracle.root("mounts a filesystem")
    place = tmp_path / "mounted"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", str(place)], check=True)
    try:
        home = service(place / "in/services/it", SLEEPER)
        with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
            running.start()
            pid = until(lambda: stat(home) == "run" and pid_of(home), what="it runs")
            shutil.rmtree(home)
            until(lambda: not supervision.is_alive(pid), what="it has ended")
            shutil.rmtree(place / "in")
            until(lambda: subprocess.run(["umount", str(place)], check=False).returncode == 0, what="it can be unmounted")
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def test_what_is_mounted_over_it_counts_until_it_is_unmounted(runtime: Path, tmp_path: Path) -> None:
    oracle.root("mounts a filesystem")
    services = tmp_path / "services"
    service(services / "beneath", SLEEPER)
    service(tmp_path / "other/above", SLEEPER)
    with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
        running.start()
        until(lambda: stat(services / "beneath") == "run", what="it runs")
        subprocess.run(["mount", "--bind", str(tmp_path / "other"), str(services)], check=True)
        try:
            until(lambda: runs_alone(running, "above"), what="the other one alone runs")
        finally:
            subprocess.run(["umount", "--lazy", str(services)], check=True)
        until(lambda: runs_alone(running, "beneath"), what="the first one is back")


def test_the_way_up_leads_where_the_kernel_goes(runtime: Path, tmp_path: Path) -> None:
    real = service(tmp_path / "real/services/it", SLEEPER)
    service(tmp_path / "near/services/it", SLEEPER)
    (tmp_path / "real/in").mkdir()
    (tmp_path / "near/link").symlink_to(tmp_path / "real/in")
    with tree(runtime / "runsvdir", tmp_path / "near/link/../services", tmp_path / "state") as running:
        running.start()
        until(lambda: stat(real) == "run", what="it runs")
        assert not (tmp_path / "near/services/it/supervise").exists()


def test_from_a_directory_that_was_removed_no_relative_one_is_found(runtime: Path, tmp_path: Path) -> None:
    line = 'mkdir "$1/gone"; cd "$1/gone"; rmdir "$1/gone"; exec "$2" services'
    words = ["sh", "-ec", line, "sh", str(tmp_path), str(runtime / "runsvdir")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (100, "runsvdir services: fatal: unable to tell where that is: file does not exist\n")
