"""Supervisors side by side on the same services, and how each grows: tables with versions, and a plot.

    python3 -m venv .venv-benchmark && .venv-benchmark/bin/pip install '.[benchmark]'       # supervisord, circus, matplotlib
    .venv-benchmark/bin/python tests/benchmarks/peers.py [--services 10,100,900,3000,10000 --rounds 3 --plot growth.svg]

C runit, s6 and daemontools are the distribution's (apt-get install runit s6 daemontools); what is not installed is left out. Of more
than 1,000 services, where C runit and daemontools end, s6 is asked for 3,000, which makes 9,000 processes, and none but ours for more.
A service is a program of some 200 bytes that tells a FIFO its pid, so that no looking for processes takes the time that is measured;
half of them have a log. Memory is PSS and page tables of all but the services. Nothing passes or fails. x86-64 only.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import select
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.pop(0)  # this folder, whose logging.py matplotlib would find
sys.path.insert(0, str(Path(__file__).parents[1]))

from support.crowd import Crowd, cpu, in_memory, memory
from support.supervision import script, tree

from runit_provision.host import package

ROWS = (
    "boot until all run, s",
    "CPU of that, s",
    "memory, MB",
    "memory per service, KB",
    "processes beside the services",
    "killed -> next one runs, ms",
)
Figures = dict[str, float]


class Peer:
    """A supervisor: its command, how its logs run, the most services that it is asked for; write: makes a configuration of a crowd."""

    def __init__(
        self, name: str, command: str, *, log: str = "", most: int = 10_000, write: Callable[[Path, Crowd], None] | None = None
    ):
        self.name = name
        self.command = command
        self.log = log
        self.most = most
        self.write = write


def supervisord(place: Path, crowd: Crowd) -> None:
    """Write supervisord's configuration."""
    logged = {log.parent for log in crowd.logs}
    text = f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\nminfds=20000\n"
    for home in crowd.homes:
        log = f"{place}/logs/{home.name}/current" if home in logged else "NONE"
        text += f"[program:{home.name}]\ncommand={home}/run\nstartsecs=0\nredirect_stderr=true\nstdout_logfile={log}\n"
    (place / "configuration").write_text(text)


def circus(place: Path, crowd: Crowd) -> None:
    """Write circus' configuration."""
    logged = {log.parent for log in crowd.logs}
    text = f"[circus]\nendpoint=ipc://{place}/endpoint\npubsub_endpoint=ipc://{place}/events\ncheck_delay=1\n"
    for home in crowd.homes:
        text += f"[watcher:{home.name}]\ncmd={home}/run\ncopy_env=True\n"
        if home in logged:
            text += f"stdout_stream.class=FileStream\nstdout_stream.filename={place}/logs/{home.name}/current\n"
    (place / "configuration").write_text(text)


def peers(prefix: Path) -> list[Peer]:
    """Give those that are installed; ours is the last, which the others are compared with."""
    here = Path(sys.executable).parent
    known = [
        Peer("C runit", "runsvdir {services}", log="exec svlogd -tt {}", most=1000),
        Peer("s6", "s6-svscan -c 10000 {services}", log="exec s6-log T s1000000 n5 {}", most=3000),
        Peer("daemontools", "svscan {services}", log="exec multilog t s1000000 n5 {}", most=1000),
        Peer("supervisord", f"{here}/supervisord -c {{place}}/configuration", write=supervisord, most=1000),
        Peer("circus", f"{here}/circusd {{place}}/configuration", write=circus, most=100),
        Peer("ours", f"{prefix}/bin/runsvdir {{services}}"),
    ]
    return [peer for peer in known if shutil.which(peer.command.split()[0])]


def versions() -> str:
    """Give the versions of what is compared."""
    found = [f"{datetime.date.today():%Y-%m-%d}"]
    for name in ("runit", "s6", "daemontools"):
        asked = subprocess.run(["dpkg-query", "-Wf", "${Version}", name], capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            found.append(f"{name} {asked.stdout}")
    for tool, word in (("supervisord", "supervisord"), ("circusd", "circus")):
        path = Path(sys.executable).with_name(tool)
        if path.exists():
            found.append(f"{word} {subprocess.run([path, '--version'], capture_output=True, text=True, check=False).stdout.strip()}")
    machine = f"Linux {os.uname().release} {os.uname().machine}, {os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}"
    return ", ".join([*found, f"Python {platform.python_version()}", machine])


class Told:
    """A FIFO that services tell their pids to."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        path.chmod(0o666)
        self._fd = os.open(path, os.O_RDWR)

    def pids(self, count: int, patience: float) -> list[int]:
        """Wait for `count` pids, `patience` seconds for each.

        Raises: TimeoutError.
        """
        found: list[int] = []
        while len(found) < count:
            if not select.select([self._fd], [], [], patience)[0]:
                raise TimeoutError(f"{len(found)} of {count} run, and no other for {patience} s")
            found += (pid for (pid,) in struct.iter_unpack("i", os.read(self._fd, 4 * 1024)))
        return found

    def close(self) -> None:
        """End it."""
        os.close(self._fd)


def measure(peer: Peer, services: int, prefix: Path) -> Figures:
    """Let `peer` run as many services, and take every figure."""
    place = in_memory("peers-")
    told = Told(place / "told")
    try:
        rsvlog = prefix / "bin/rsvlog" if peer.name == "ours" else None
        crowd = Crowd(place, services, logged=services // 2, rsvlog=rsvlog, log_run=peer.log, tells=place / "told")
        if peer.write is not None:
            peer.write(place, crowd)
        else:
            crowd.link(crowd.homes)
        script(place / "start", f"exec {peer.command.format(services=crowd.services, place=place)}")
        with tree(place / "start", crowd.services, place / "state") as running:
            began = time.perf_counter()
            running.start()
            pids = told.pids(services, 120)
            boot = time.perf_counter() - began
            used = sum(map(cpu, running.processes()))
            time.sleep(2)  # each of them waits before it starts what ran less than a second
            rest = set(running.processes()) - set(pids)
            total = sum(map(memory, rest))
            killed = statistics.median(replaced(pids, told))
        return dict(zip(ROWS, (boot, used, total / 1024, total / services, len(rest), killed * 1000), strict=True))
    finally:
        told.close()
        shutil.rmtree(place, ignore_errors=True)


def replaced(pids: list[int], told: Told) -> Iterator[float]:
    """Kill services, up to 25 and for four seconds; give the seconds until the next process of each runs."""
    until = time.perf_counter() + 4
    for pid in pids[:: max(1, len(pids) // 25)]:
        began = time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        told.pids(1, 30)
        ended = time.perf_counter()
        yield ended - began
        if ended > until:
            return


def show(title: str, taken: dict[str, Figures]) -> None:
    """Print a table: each figure, and in brackets how many times ours it is."""
    print(f"\n{title}\n{'':32}" + "".join(f"{name:>20}" for name in taken))
    for row in ROWS:
        ours = taken["ours"][row]
        cells = [
            f"{each[row]:.2f}" + (f" ({each[row] / ours:.2f}x)" if ours and name != "ours" else "") for name, each in taken.items()
        ]
        print(f"{row:32}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def plot(growth: dict[str, dict[int, Figures]], path: Path) -> None:
    """Draw memory and boot by number of services, both logarithmic."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.family": "sans-serif"})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for axis, row in zip(axes, ("memory, MB", "boot until all run, s"), strict=True):
        for name, points in growth.items():
            sizes = sorted(points)
            look = {"color": "black", "linewidth": 2.8, "zorder": 3} if name == "ours" else {"linewidth": 1.4}
            axis.plot(sizes, [points[size][row] for size in sizes], marker="o", markersize=4, label=name, **look)
        axis.set(xscale="log", yscale="log", xlabel="services, half of them with a log", title=row)
        axis.set_xticks([10, 100, 1000, 10_000], ["10", "100", "1,000", "10,000"])
        axis.yaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3, linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.suptitle("\n".join(textwrap.wrap(versions(), 110)), fontsize=8)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="10,100", help="how many, with commas (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="where to draw growth: an SVG or PNG")
    options = parser.parse_args()
    prefix = Path(tempfile.mkdtemp(prefix="runtime-"))
    prefix.chmod(0o755)
    growth: dict[str, dict[int, Figures]] = {}
    try:
        package.install(prefix=prefix)
        print(versions())
        for size in map(int, options.services.split(",")):
            # In turn, so that a busy moment meets all of them.
            rounds = [
                {peer.name: measure(peer, size, prefix) for peer in peers(prefix) if size <= peer.most} for _ in range(options.rounds)
            ]
            taken = {name: {row: statistics.median(each[name][row] for each in rounds) for row in ROWS} for name in rounds[0]}
            load = os.getloadavg()[0]
            show(f"{size} services, {size // 2} logged; medians of {options.rounds}; in brackets times ours; load {load:.1f}", taken)
            for name, figures in taken.items():
                growth.setdefault(name, {})[size] = figures
            if options.plot:
                plot(growth, options.plot)
    finally:
        shutil.rmtree(prefix, ignore_errors=True)


if __name__ == "__main__":
    main()
