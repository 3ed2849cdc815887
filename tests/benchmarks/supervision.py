"""runsvdir side by side: C runit's and ours on the same service sets. Prints a table; nothing passes or fails.

    .venv-test/bin/python tests/benchmarks/supervision.py [--services 900] [--plain]     (as root or not; --plain: without logs)

Each is asked by its own sv. Services are `sleep`s; C's logs are svlogds, ours the shipped rsvlog in a pool. Memory is PSS and page
tables of all but the services. Directories lie in memory. New directories come at any moment of the five seconds between C's looks.
"""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.crowd import in_memory
from support.supervision import Tree, is_alive, pid_of, script, stat, tree
from support.waiting import until

from runit_provision.host import interpreter, package

Figures = dict[str, float]
MOMENTS = random.Random(1)


def lay(folder: Path, count: int, rsvlog: Path | None, *, logged: bool) -> list[Path]:
    """Write the services; give their directories."""
    homes = []
    for number in range(count):
        home = folder.parent / "definitions" / f"s{number:04}"
        home.mkdir(parents=True)
        script(home / "run", "exec sleep 100000")
        if logged:
            (home / "log").mkdir()
            (home / "log/main").mkdir()
            if rsvlog is None:
                script(home / "log/run", "exec svlogd -tt ./main")
            else:
                (home / "log/run").symlink_to(rsvlog)
                (home / "log/env").mkdir()
                (home / "log/env/RSVLOG_DIR").write_text("main\n")
        (folder / home.name).symlink_to(home)
        homes.append(home)
    return homes


def waited(folder: Path, act: Callable[[], None], seen: Callable[[], bool], patience: float = 120.0) -> float:
    """Do `act`; give the seconds from before it until `seen`, looked at whenever something in `folder` changes.

    From before: on a busy machine what follows from it may be over when it returns. Who looked all the time would take a processor.
    """
    with changes(folder) as wait:
        start = time.perf_counter()
        act()
        while not seen():
            assert time.perf_counter() - start < patience
            wait()
        return time.perf_counter() - start


@contextmanager
def changes(folder: Path) -> Iterator[Callable[[], object]]:
    """Give what waits for the next change in `folder`, a second at most; fcntl(2), F_NOTIFY."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGIO})
    watched = os.open(folder, os.O_RDONLY)
    fcntl.fcntl(watched, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_MODIFY | fcntl.DN_RENAME | fcntl.DN_MULTISHOT)
    try:
        yield lambda: signal.sigtimedwait({signal.SIGIO}, 1.0)
    finally:
        os.close(watched)
        while signal.sigtimedwait({signal.SIGIO}, 0):
            pass
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def memory(running: Tree) -> float:
    """Give MB of PSS and page tables of everything but the services."""
    total = 0
    for pid in running.processes():
        try:
            if Path(f"/proc/{pid}/comm").read_text() == "sleep\n":
                continue
            rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        total += int(rollup.split("\nPss:")[1].split()[0]) + int(status.split("VmPTE:")[1].split()[0])
    return total / 1024


def cpu(running: Tree) -> float:
    """Give the CPU seconds of everything but the services."""
    ticks = 0
    for pid in running.processes():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if "(sleep)" not in fields:
            ticks += sum(map(int, fields.rpartition(")")[2].split()[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(program: str, rsvlog: Path | None, count: int, *, logged: bool) -> Figures:
    """Boot a tree of `count` services, and take every figure from it."""
    place = in_memory("supervision-")
    services = place / "services"
    services.mkdir()
    homes = lay(services, count, rsvlog, logged=logged)
    figures: Figures = {}
    try:
        with tree(program, services, place / "state") as running:
            start = time.perf_counter()
            running.start()
            logs = [home / "log" for home in homes] if logged else []
            for folder in (*homes, *logs):
                while stat(folder) != "run":
                    time.sleep(0.001)
            figures["boot until all run, s"] = time.perf_counter() - start
            time.sleep(2)
            figures["memory, MB"] = memory(running)
            figures["killed -> new pid, ms"] = statistics.median(killed(home) for home in homes[:25]) * 1000
            sv = str(Path(program).with_name("sv"))
            figures["bare Python start, ms"] = timed([str(interpreter.default()), "-IS", "-c", "pass"], 20)
            links = [str(services / home.name) for home in homes]
            figures["sv status of one, ms"] = timed([sv, "status", links[0]], 20, running.environment())
            figures["sv status of all, ms"] = timed([sv, "status", *links], 20, running.environment())
            restarts = [timed([sv, "restart", str(home)], 1) for home in homes[-5:]]
            figures["sv restart of one, ms"] = statistics.median(restarts)
            figures["new directory -> runs, ms"] = statistics.median(appears(services, place, n) for n in range(9)) * 1000
            before = cpu(running)
            time.sleep(10)
            figures["idle CPU, ms per 10 s"] = (cpu(running) - before) * 1000
            # C's runsv processes do not know of runsvdir's death, and none of them is ever adopted.
            obeyed = [left_alone(running, home) for home in homes[30:35]] if rsvlog is not None else []
            figures["supervisor killed -> obeys, ms"] = statistics.median(obeyed or [math.nan]) * 1000
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return figures


def killed(home: Path) -> float:
    """Kill a service that runs longer than a second; give the seconds until its next pid stands in supervise/pid."""
    pid = pid_of(home)
    return waited(home / "supervise", lambda: os.kill(pid, signal.SIGKILL), lambda: pid_of(home) not in {0, pid})


def left_alone(running: Tree, home: Path) -> float:
    """Kill the supervisor and tell a service to restart; give the seconds until its next pid stands in supervise/pid."""
    pid = pid_of(home)

    def act() -> None:
        os.kill(running.pid, signal.SIGKILL)
        (home / "supervise/control").write_bytes(b"t")

    taken = waited(home / "supervise", act, lambda: pid_of(home) not in {0, pid})
    assert running.process is not None
    running.process.wait()
    running.start()
    until(lambda: running.supervises(home), what="the next runsvdir has it")
    return taken


def appears(services: Path, place: Path, number: int) -> float:
    """Link a new service; give the seconds until it runs."""
    home = place / "new" / f"n{number}"
    # Made here, or nothing could be watched until it is.
    (home / "supervise").mkdir(parents=True, mode=0o700)
    script(home / "run", "exec sleep 100000")
    time.sleep(MOMENTS.uniform(5, 10))
    return waited(
        home / "supervise",
        lambda: (services / home.name).symlink_to(home),
        lambda: stat(home) == "run" and is_alive(pid_of(home)),
    )


def timed(command: list[str], times: int, environment: dict[str, str] | None = None) -> float:
    """Give the median milliseconds of a command."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=False, env=environment)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken) * 1000


def main() -> None:
    """Measure both, and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--services", type=int, default=900)
    parser.add_argument("--plain", action="store_true")
    options = parser.parse_args()
    prefix = Path(tempfile.mkdtemp(prefix="runtime-"))
    package.install(prefix=prefix)
    programs = [("C runit", shutil.which("runsvdir"), None), ("ours", str(prefix / "bin/runsvdir"), prefix / "bin/rsvlog")]
    taken = {
        name: measure(program, rsvlog, options.services, logged=not options.plain) for name, program, rsvlog in programs if program
    }
    kind = "plain" if options.plain else "logged"
    print(f"{options.services} {kind} services{'':<20}{''.join(f'{name:>12}' for name in taken)}{'ratio':>10}")
    for row in next(iter(taken.values())):
        values = [figures[row] for figures in taken.values()]
        ratio = f"{values[-1] / values[0]:>10.3f}" if len(values) > 1 and values[0] else f"{'-':>10}"
        print(f"{row:<40}{''.join(f'{value:>12.2f}' for value in values)}{ratio}")
    shutil.rmtree(prefix, ignore_errors=True)


if __name__ == "__main__":
    main()
