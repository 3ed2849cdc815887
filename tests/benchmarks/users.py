"""Many users' trees on one host: what each costs, and whether one disturbs another.

    .venv-test/bin/python tests/benchmarks/users.py [--trees 500 --services 4 --logged 2]

Each tree is a runsvdir under a uid of its own, with its private state below its home, as `runsvdir-USER` starts it. Printed are boot,
memory (PSS and page tables of all but the services, by role), CPU of ten idle seconds, and the milliseconds (median, 99th of a hundred,
longest) from a signal that kills a service until supervise/pid has the next one: alone, and while a tenth of the trees are killed whole
and started again, one after the other, two services flood and two crash. At the end every other process of the other trees has the pid
that it had, or the run ends with exit status 1. x86-64, and root.
"""

from __future__ import annotations

import argparse
import os
import select
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import supervision
from support.crowd import Crowd, cpu, in_memory, memory
from support.supervision import MARK, script

from runit_provision.host import package

UID = 700_000
ROLES = {"runsvdir": "supervisor", "runsvdir-keeper": "keeper", "fifo-holder": "holder", "log-pool": "pool"}
PATIENCE = 300.0
PROBES = 100
SETTLES = 5.0
"""Seconds after the boot, in which each tree looks once more at what it has started."""


class User:
    """The tree of one user, which is not started yet."""

    def __init__(self, place: Path, number: int, services: int, logged: int, tools: Path) -> None:
        self.uid = UID + number
        self.home = place / f"user{number:03}"
        self.home.mkdir(mode=0o755)
        self.crowd = Crowd(self.home, services, logged=logged, rsvlog=tools / "rsvlog", tells=place / "told")
        self.crowd.link(self.crowd.homes)
        subprocess.run(["chown", "-hR", f"{self.uid}:{self.uid}", self.home], check=True)
        self._command = [tools / "runsvdir", self.crowd.services]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, mark: str) -> None:
        """Start its runsvdir."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], MARK: mark}
        self.process = subprocess.Popen(
            self._command,
            env=environment,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            user=self.uid,
            group=self.uid,
            extra_groups=[],
        )


class Host:
    """All trees, and what is known of their processes."""

    def __init__(self, place: Path, users: list[User], told: int) -> None:
        self.users = users
        self.told = told
        self.mark = place.name

    def start(self, users: list[User]) -> None:
        """Start those, and wait until all their services run."""
        for user in users:
            user.start(self.mark)
        self.wait(sum(len(user.crowd.homes) for user in users))

    def wait(self, count: int) -> None:
        """Wait until so many processes of services have begun to run."""
        seen = 0
        while seen < count:
            if not select.select([self.told], [], [], PATIENCE)[0]:
                raise AssertionError(f"{seen} of {count} run")
            seen += len(os.read(self.told, 65536)) // 4

    def processes(self) -> dict[int, tuple[int, str]]:
        """Give the uid and the name of each process of a tree."""
        found = {}
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                try:
                    uid = entry.stat().st_uid
                    if UID <= uid < UID + len(self.users):
                        found[int(entry.name)] = (uid, supervision.name(int(entry.name)))
                except OSError:
                    continue
        return found

    def end(self) -> None:
        """End every process of every tree."""
        while left := self.processes():
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for user in self.users:
                if user.process is not None:
                    user.process.poll()


def replaced(users: list[User]) -> list[float]:
    """Kill a service of each in turn that has run for longer than a second; give the seconds until the next pid is told."""
    taken = []
    for user in users[:PROBES]:
        home = user.crowd.homes[-1]
        before = supervision.pid_of(home)
        began = time.perf_counter()
        os.kill(before, signal.SIGKILL)
        while supervision.pid_of(home) in {0, before}:
            if time.perf_counter() > began + PATIENCE:
                raise AssertionError(f"{home} does not come again")
            time.sleep(0.0002)
        taken.append(time.perf_counter() - began)
    return taken


def shown(taken: list[float]) -> str:
    """Give median, 99th of a hundred and the longest, in ms."""
    ordered = [seconds * 1e3 for seconds in sorted(taken)]
    return f"{statistics.median(ordered):.1f} {ordered[int(len(ordered) * 0.99)]:.1f} {ordered[-1]:.1f} ({len(ordered)})"


def costs(host: Host) -> str:
    """Give memory by role and in all, in KB a tree."""
    by_role = dict.fromkeys(ROLES.values(), 0)
    for pid, (_uid, name) in host.processes().items():
        if name in ROLES:
            by_role[ROLES[name]] += memory(pid)
    count = len(host.users)
    return f"{sum(by_role.values()) / count:.0f} KB a tree: " + ", ".join(f"{role} {kb / count:.0f}" for role, kb in by_role.items())


def idle(host: Host) -> float:
    """Give the CPU seconds of ten seconds in which nothing happens."""
    pids = [pid for pid, (_uid, name) in host.processes().items() if name in ROLES]
    before = sum(map(cpu, pids))
    time.sleep(10)
    return sum(map(cpu, pids)) - before


class Trouble:
    """Trees that are killed whole and started again until `end`; services of theirs flood and crash."""

    def __init__(self, host: Host, users: list[User]) -> None:
        self._host = host
        self._users = users
        self._ends = threading.Event()
        self.deaths = 0
        for user in users[:2]:
            for name, text in (("floods", "exec yes"), ("crashes", "exit 1")):
                home = user.home / name
                home.mkdir()
                script(home / "run", text)
                subprocess.run(["chown", "-R", str(user.uid), home], check=True)
                (user.crowd.services / name).symlink_to(home)
        self._thread = threading.Thread(target=self._kill)
        self._thread.start()

    def _kill(self) -> None:
        while not self._ends.is_set():
            for user in self._users[2:]:
                for pid, (uid, _name) in self._host.processes().items():
                    if uid == user.uid:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)
                assert user.process is not None
                user.process.wait(PATIENCE)
                user.start(self._host.mark)
                self.deaths += 1

    def end(self) -> None:
        """Leave them alone, once each supervises: before it has begun to, HUP ends a runsvdir as it does any program."""
        self._ends.set()
        self._thread.join()
        waiting = {user.uid for user in self._users}
        while waiting:
            time.sleep(0.01)
            waiting -= {uid for uid, name in self._host.processes().values() if ROLES.get(name) == "keeper"}


def run(place: Path, trees: int, services: int, logged: int) -> None:
    """Do it in `place`."""
    package.install(prefix=place / "runtime")
    os.mkfifo(place / "told")
    (place / "told").chmod(0o666)
    told = os.open(place / "told", os.O_RDWR)
    users = [User(place, number, services, logged, place / "runtime/bin") for number in range(trees)]
    host = Host(place, users, told)
    print(f"{trees} trees of {services} services, {logged} logged; load {os.getloadavg()[0]:.1f}")
    try:
        began = time.monotonic()
        host.start(users[:1])
        print(f"first tree                   {time.monotonic() - began:.2f} s")
        host.start(users[1:])
        print(f"boot of all                  {time.monotonic() - began:.2f} s")
        time.sleep(SETTLES)
        print(f"memory                       {costs(host)}")
        print(f"idle, 10 s                   {idle(host) * 1000:.0f} ms CPU", flush=True)
        troubled, others = users[::10], [user for number, user in enumerate(users) if number % 10]
        print(f"killed -> next, ms           {shown(replaced(others))}", flush=True)
        uids = {user.uid for user in others}
        before = {pid: uid for pid, (uid, _name) in host.processes().items() if uid in uids}
        time.sleep(1)  # a run that is shorter is followed by a pause
        trouble = Trouble(host, troubled)
        taken = replaced(others)
        trouble.end()
        print(f"the same beside trouble      {shown(taken)}; {trouble.deaths} trees killed whole")
        left = host.processes()
        gone = [pid for pid in before if pid not in left]
        assert len(gone) == len(taken), f"{len(gone)} processes of trees that nobody touched are gone"
        began = time.monotonic()
        for user in users:
            assert user.process is not None
            user.process.send_signal(signal.SIGHUP)
        assert all(user.process is not None and user.process.wait(PATIENCE) == 111 for user in users)
        while host.processes():
            time.sleep(0.01)
        print(f"HUP until nothing is left    {time.monotonic() - began:.2f} s")
    finally:
        host.end()


def main() -> None:
    """Measure, and leave nothing behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--services", type=int, default=4)
    parser.add_argument("--logged", type=int, default=2)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    place = in_memory("users-")
    try:
        run(place, options.trees, options.services, options.logged)
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    main()
