"""How a tree of ten thousand services fares: boot, idle, orders to all, deaths of who supervises; and what one order takes meanwhile.

    .venv-test/bin/python tests/benchmarks/capacity.py [--services 10000 --descriptors 20000 --user nobody]

Each line is a step: its seconds, and what somebody meets meanwhile, in milliseconds (median, 99th of a hundred, longest, how many):
from a letter `t` to a service until its next process runs, `sv restart` of one, `sv status` of one. After each step every service is
to be up, supervised, locked, and, where nobody told it to end, to have its pid; else the run ends with exit status 1. x86-64, and
root, who starts it as --user.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pwd
import resource
import select
import shutil
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import supervision
from support.crowd import Crowd, cpu, in_memory, memory
from support.supervision import Tree, letter, pid_of, script, stat, tree

from runit_provision.host import package
from runit_provision.runtime.wire import status as wire

T = TypeVar("T")
ROLES = {"supervisor": "runsvdir", "keeper": "runsvdir-keeper", "holders": "fifo-holder", "pool": "log-pool"}
DEATHS = (
    ("supervisor",),
    ("keeper",),
    ("pool",),
    ("holders",),
    ("supervisor", "keeper"),
    ("supervisor", "holders"),
    ("keeper", "holders"),
)
PROBES = 100
PATIENCE = 600.0
LOST = 60
"""Seconds after which an order is taken for lost, shown as inf."""


class Probes:
    """Services that nothing happens to but what is measured: one is restarted, and asked about, after the other."""

    def __init__(self, sv: Path, homes: list[Path], told: int) -> None:
        self._sv = sv
        self._homes = homes
        self._told = told
        self._turn = 0
        self._ends = threading.Event()
        self._taken: dict[str, list[float]] = {}
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Measure until `end`."""
        self._ends.clear()
        self._taken = {"next": [], "restart": [], "status": []}
        self._thread = threading.Thread(target=self._measure)
        self._thread.start()

    def _measure(self) -> None:
        while True:
            self._next(self._home())
            self._sv_takes("restart", self._home())
            self._sv_takes("status", self._home())
            if self._ends.is_set():
                return

    def _home(self) -> Path:
        """Give one that has run for longer than a second."""
        while True:
            self._turn += 1
            home = self._homes[self._turn % len(self._homes)]
            try:
                found = wire.unpack((home / "supervise/status").read_bytes())
            except (FileNotFoundError, ValueError):
                continue
            if found.state == wire.RUN and time.time_ns() - found.since_ns > 1_100_000_000:
                return home

    def _next(self, home: Path) -> None:
        while select.select([self._told], [], [], 0)[0]:
            os.read(self._told, 65536)
        began = time.perf_counter()
        try:
            letter(home, "t")
        except AssertionError:
            self._taken["next"].append(float("inf"))
            return
        # A letter that waits in the instant when supervisor and holder are killed together is lost.
        there = select.select([self._told], [], [], LOST)[0]
        self._taken["next"].append(time.perf_counter() - began if there else float("inf"))

    def _sv_takes(self, what: str, home: Path) -> None:
        began = time.perf_counter()
        done = subprocess.run([self._sv, "-w", f"{LOST}", what, home], capture_output=True, text=True, check=False)
        self._taken[what].append(time.perf_counter() - began if done.returncode == 0 else float("inf"))

    def end(self) -> str:
        """Give what was measured, for people."""
        assert self._thread is not None
        self._ends.set()
        self._thread.join()
        return " | ".join(f"{what} {shown(taken)}" for what, taken in self._taken.items())


def shown(taken: list[float]) -> str:
    """Give median, 99th of a hundred and the longest of what took so many seconds, in ms."""
    ordered = [seconds * 1e3 for seconds in sorted(taken)]
    last = ordered[int(len(ordered) * 0.99)]
    return f"{statistics.median(ordered):.1f} {last:.1f} {ordered[-1]:.1f} ({len(ordered)})"


class World:
    """The tree, its services, and what is known of them."""

    def __init__(self, running: Tree, crowd: Crowd, probes: Probes, told: int) -> None:
        self.running = running
        self.homes = crowd.homes
        self.logs = set(crowd.logs)
        self.told = told
        self.probes = probes
        self.pids: dict[Path, int] = {}

    def step(self, name: str, act: Callable[[], None], seen: Callable[[], bool], *, stays: bool = False) -> None:
        """Do something, and wait until it is seen and all is well; stays: every pid is as before."""
        if name != "boot":
            self.probes.begin()
        began = time.monotonic()
        act()
        try:
            wait(seen, name)
            wait(lambda: not self.faults(), f"{name}: all is well", self.faults)
            taken = time.monotonic() - began
        finally:
            meanwhile = self.probes.end() if name != "boot" else ""
        pids = {home: pid_of(home) for home in self.homes}
        lost = [home.name for home in self.homes if stays and self.pids[home] != pids[home]]
        assert not lost, f"{name}: another pid: {lost}"
        self.pids = pids
        print(f"{name:32} {taken:7.1f} s   {meanwhile}", flush=True)

    def faults(self) -> list[str]:
        """Give the services and logs that are not up, not supervised or not locked, and why."""
        found = []
        for home in self.homes:
            for folder in (home, home / "log") if home / "log" in self.logs else (home,):
                reason = fault(folder)
                if reason:
                    found.append(f"{folder.parent.name}/{folder.name}: {reason}")
        return found

    def starts(self, count: int) -> Callable[[], bool]:
        """Give what tells whether so many services, or more, have begun to run since."""
        seen = 0

        def all_there() -> bool:
            nonlocal seen
            if select.select([self.told], [], [], 0.2)[0]:
                seen += len(os.read(self.told, 65536)) // 4
            return seen >= count

        return all_there

    def kill(self, roles: Iterable[str]) -> None:
        """Kill them all at once; start the next runsvdir where it was among them, as init does."""
        victims = [pid for role in roles for pid in self.own(role)]
        assert len(victims) >= len(list(roles))
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        if "supervisor" in roles:
            self.running.kill()
            self.running.start()

    def own(self, role: str) -> list[int]:
        """Give the pids of a role."""
        return [pid for pid in self.running.processes() if supervision.name(pid) == ROLES[role]]


def fault(folder: Path) -> str:
    """Say what is wrong with the service or log directory, nothing if it is up, supervised and locked."""
    if stat(folder) != "run":
        return stat(folder) or "no stat"
    try:
        os.close(os.open(folder / "supervise/ok", os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return "not supervised"
    with (folder / "supervise/lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ""
    return "not locked"


def wait(seen: Callable[[], bool], what: str, why: Callable[[], list[str]] = list) -> None:
    """Wait until it is seen."""
    end = time.monotonic() + PATIENCE
    while not seen():
        if time.monotonic() > end:
            left = why()
            raise AssertionError(f"not within {PATIENCE:.0f} s: {what}; {len(left)}: {left[:5]}")
        time.sleep(0.05)


def each(act: Callable[[T], None], those: Iterable[T]) -> None:
    """Do it to each."""
    for one in those:
        act(one)


def fifo(path: Path) -> int:
    """Make a FIFO that holds a quarter of a million pids, open."""
    os.mkfifo(path)
    fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, 1 << 20)
    return fd


def footprint(running: Tree) -> str:
    """Give memory, CPU and descriptors of each process that is no service."""
    lines = []
    for pid in running.processes():
        name = supervision.name(pid)
        if name in ROLES.values():
            fds = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - twenty thousand Paths
            lines.append(f"{name} {memory(pid) / 1024:.1f} MB, {cpu(pid):.1f} s, {fds} descriptors")
    return "; ".join(sorted(lines))


SHELL = {
    "floods": "exec yes a line that is neither short nor long, and comes again and again",
    "crashes": "exit 1",
    "hangs": "trap '' TERM; while :; do sleep 1; done",
}


class Nuisances:
    """A service that floods its log, one that ends at once, and one that ignores TERM and is told to end."""

    def __init__(self, place: Path, services: Path, rsvlog: Path) -> None:
        self._links = []
        for name, text in SHELL.items():
            home = place / "nuisances" / name
            home.mkdir(parents=True)
            script(home / "run", text)
            (home / "timeout-kill").write_text("15000\n")
            self._links.append(services / name)
        flooded = place / "nuisances/floods/log"
        (flooded / "main").mkdir(parents=True)
        (flooded / "run").symlink_to(rsvlog)
        (flooded / "env").mkdir()
        (flooded / "env/RSVLOG_DIR").write_text("main\n")
        self._homes = place / "nuisances"

    def begin(self) -> None:
        """Let them be services."""
        for link in self._links:
            link.symlink_to(self._homes / link.name)
        wait(lambda: stat(self._homes / "hangs") == "run", "it hangs")
        letter(self._homes / "hangs", "t")

    def end(self) -> None:
        """Remove them."""
        for link in self._links:
            link.unlink()
        wait(lambda: all(stat(self._homes / link.name) == "down" for link in self._links), "they are gone")


def main() -> None:
    """Take every step, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=10_000)
    parser.add_argument("--logged", type=int)
    parser.add_argument("--descriptors", type=int, default=20_000)
    parser.add_argument("--user", default="root")
    parser.add_argument("--steps", default="", help="only those whose names have one of these words, and boot")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing is left behind
    if subprocess.run(["sh", "-c", f"ulimit -n {options.descriptors}"], stderr=subprocess.DEVNULL, check=False).returncode != 0:
        parser.error(f"--descriptors {options.descriptors}: this host allows {resource.getrlimit(resource.RLIMIT_NOFILE)[1]}")
    logged = options.services // 2 if options.logged is None else options.logged
    place = in_memory("capacity-")
    try:
        run(place, options.services, logged, options.descriptors, options.user, options.steps)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def run(place: Path, services: int, logged: int, descriptors: int, user: str, only: str) -> None:
    """Do it in `place`."""
    package.install(prefix=place / "runtime")
    tools = place / "runtime/bin"
    (place / "crowd").mkdir()
    (place / "probes").mkdir()
    crowd = Crowd(place / "crowd", services - PROBES, logged=logged - PROBES // 2, rsvlog=tools / "rsvlog", tells=place / "told")
    probes = Crowd(place / "probes", PROBES, logged=PROBES // 2, rsvlog=tools / "rsvlog", tells=place / "probed")
    crowd.link(crowd.homes)
    for home in probes.homes:
        (crowd.services / f"probe-{home.name}").symlink_to(home)
    told, probed = fifo(place / "told"), fifo(place / "probed")
    nuisances = Nuisances(place, crowd.services, tools / "rsvlog")
    subprocess.run(["chown", "-hR", user, place], check=True)
    account = pwd.getpwnam(user)
    drop = "" if user == "root" else f"setpriv --reuid {account.pw_uid} --regid {account.pw_gid} --clear-groups "
    script(place / "start", f'ulimit -n {descriptors}; exec {drop}{tools / "runsvdir"} "$@"')
    print(f"{services} services, {logged} logged, {descriptors} descriptors per process, {user}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':44}meanwhile, ms: median, 99th, longest (how many)")
    with tree(place / "start", crowd.services, place / "state") as running:
        world = World(running, crowd, Probes(tools / "sv", probes.homes, probed), told)
        steps(world, crowd, nuisances, only.split(","))


def steps(world: World, crowd: Crowd, nuisances: Nuisances, only: list[str]) -> None:
    """Take the steps whose names have one of the words in `only`."""
    running, count = world.running, len(crowd.homes)

    def take(name: str, act: Callable[[], None], seen: Callable[[], bool] = lambda: True, *, stays: bool = False) -> None:
        if name == "boot" or any(word in name for word in only):
            world.step(name, act, seen, stays=stays)

    take("boot", running.start, world.starts(count))
    print(f"  {footprint(running)}")
    before = {pid: cpu(pid) for role in ROLES for pid in world.own(role)}
    time.sleep(10)
    print(f"  idle: {sum(cpu(pid) - each for pid, each in before.items()) * 1000:.0f} ms CPU in 10 s")
    take("nothing happens, 10 s", lambda: time.sleep(10), stays=True)
    nuisances.begin()
    take("one floods, crashes, hangs, 10 s", lambda: time.sleep(10), stays=True)
    nuisances.end()
    for roles in DEATHS:
        take(f"killed: {' and '.join(roles)}", lambda roles=roles: world.kill(roles), stays=True)  # type: ignore[misc]
    take("term to all", lambda: each(lambda home: letter(home, "t"), crowd.homes), world.starts(count))
    take("storm of exits", lambda: each(lambda pid: os.kill(pid, signal.SIGKILL), world.pids.values()), world.starts(count))
    print(f"  {footprint(running)}")
    half, world.homes = world.homes[::2], world.homes[1::2]
    take(
        "removal of half",
        lambda: each(lambda home: (crowd.services / home.name).unlink(), half),
        lambda: all(stat(home) == "down" for home in half),
        stays=True,
    )
    began = time.monotonic()
    if any(word in "HUP" for word in only):
        assert running.process is not None
        running.process.send_signal(signal.SIGHUP)
        assert running.process.wait(PATIENCE) == 111
        wait(lambda: not running.processes(), "HUP: nothing is left")
        print(f"{'HUP':32} {time.monotonic() - began:7.1f} s")


if __name__ == "__main__":
    main()
