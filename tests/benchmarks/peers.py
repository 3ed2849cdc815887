"""Supervisors side by side on the same services and the same streams of lines, and how each grows: tables with versions, and a plot.

    python3 -m venv .venv-benchmark && .venv-benchmark/bin/pip install '.[benchmark]'       # supervisord, circus, matplotlib
    .venv-benchmark/bin/python tests/benchmarks/peers.py [--services 10,100,900,3000,10000 --streams 100 --rounds 3 --plot growth.svg]

C runit, s6 and daemontools are the distribution's (apt-get install runit s6 daemontools); what is not installed is left out. Who ends
at some number of services, or would by its growth so far take minutes to start them or half of all the processes that the kernel
allows, is not asked for more, and that is said. --figures FILE keeps what was measured, and a later run draws it too: a whole one takes
half an hour.

A service is a program of some 200 bytes that tells a FIFO its pid, so that no looking for processes takes the time that is measured;
half of them have a log. Memory is PSS and page tables of all but the services. Streams: as many services write 20,000 lines each, all
at once, to logs that rotate at 1 MB; the time ends when each log has its last line. Nothing passes or fails. x86-64 only.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
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
from contextlib import contextmanager
from pathlib import Path

sys.path.pop(0)  # this folder, whose logging.py matplotlib would find
sys.path.insert(0, str(Path(__file__).parents[1]))

from support import supervision
from support.crowd import Crowd, cpu, in_memory, memory
from support.supervision import Tree, script, tree

from runit_provision.host import package

ROWS = (
    "boot until all run, s",
    "CPU of that, s",
    "memory, MB",
    "memory per service, KB",
    "processes beside the services",
    "killed -> next one runs, ms",
)
STREAM_ROWS = ("lines, MB/s", "CPU of that, s", "lines with a stamp, MB/s", "CPU of that with a stamp, s")
LINE = b"%08d 2005-12-18 tcpsvd: info: pid 1977 from 10.4.1.14, a line as services write them, of a hundred bytes or so\n"
LAST = b"the end\n"
LINES = 20_000
"""Of each service: neither plain nor with a stamp do they end near a rotation."""
PATIENCE = 120.0
"""Seconds that a boot may take, by what the number of services before took."""
Figures = dict[str, float]


class Peer:
    """A supervisor: its command, how its logs run, plain and with a stamp, the most services that it takes.

    write: makes a configuration of a crowd; these know no stamp.
    """

    def __init__(
        self,
        name: str,
        command: str,
        *,
        log: str = "",
        stamp: str = "",
        most: int = 10**9,
        write: Callable[[Path, Crowd], None] | None = None,
    ):
        self.name = name
        self.command = command
        self.log = log
        self.stamp = stamp
        self.most = most
        self.write = write

    def refusal(self, services: int, before: dict[int, Figures]) -> str:
        """Say why it is not asked for so many services; nothing if it is. before: what was measured of fewer."""
        if services > self.most:
            return f"takes {self.most:,} at most"
        if before:
            fewer = max(before)
            boot, processes = (before[fewer][row] * services / fewer for row in (ROWS[0], ROWS[4]))
            if boot > PATIENCE:
                return f"would take {boot:.0f} s to start them, by {fewer:,}"
            allowed = int(Path("/proc/sys/kernel/pid_max").read_text())
            if processes + services > allowed / 2:
                return f"would be {processes + services:,.0f} processes with them, of {allowed:,} that this kernel allows"
        return ""


def supervisord(place: Path, crowd: Crowd) -> None:
    """Write supervisord's configuration."""
    logged = {log.parent for log in crowd.logs}
    text = f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\npidfile={place}/pid\nminfds=20000\n"
    rotation = "stdout_logfile_maxbytes=1000000\nstdout_logfile_backups=5\n"
    for home in crowd.homes:
        log = f"{place}/logs/{home.name}/current" if home in logged else "NONE"
        text += f"[program:{home.name}]\ncommand={home}/run\nstartsecs=0\nredirect_stderr=true\nstdout_logfile={log}\n{rotation}"
    (place / "configuration").write_text(text)


def circus(place: Path, crowd: Crowd) -> None:
    """Write circus' configuration."""
    logged = {log.parent for log in crowd.logs}
    text = f"[circus]\nendpoint=ipc://{place}/endpoint\npubsub_endpoint=ipc://{place}/events\ncheck_delay=1\n"
    for home in crowd.homes:
        text += f"[watcher:{home.name}]\ncmd={home}/run\ncopy_env=True\n"
        if home in logged:
            text += f"stdout_stream.class=FileStream\nstdout_stream.filename={place}/logs/{home.name}/current\n"
            text += "stdout_stream.max_bytes=1000000\nstdout_stream.backup_count=5\n"
    (place / "configuration").write_text(text)


def peers(prefix: Path) -> list[Peer]:
    """Give those that are installed; ours is the last, which the others are compared with."""
    here = Path(sys.executable).parent
    known = [
        Peer("C runit", "runsvdir {services}", log="exec svlogd{stamp} {{}}", stamp=" -tt", most=1000),
        Peer("s6", "s6-svscan -c 20000 {services}", log="exec s6-log{stamp} s1000000 n5 {{}}", stamp=" T"),
        Peer("daemontools", "svscan {services}", log="exec multilog{stamp} s1000000 n5 {{}}", stamp=" t", most=1000),
        Peer("supervisord", f"{here}/supervisord -c {{place}}/configuration", write=supervisord),
        Peer("circus", f"{here}/circusd {{place}}/configuration", write=circus),
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
        """Wait for `count` pids, `patience` seconds in all.

        Raises: TimeoutError.
        """
        found: list[int] = []
        until = time.perf_counter() + patience
        while len(found) < count:
            if not select.select([self._fd], [], [], max(0.0, until - time.perf_counter()))[0]:
                raise TimeoutError(f"{len(found):,} of {count:,} within {patience:.0f} s")
            found += (pid for (pid,) in struct.iter_unpack("i", os.read(self._fd, 4 * 1024)))
        return found

    def close(self) -> None:
        """End it."""
        os.close(self._fd)


@contextmanager
def laid(
    peer: Peer, services: int, logged: int, prefix: Path, *, program: str = "", stamped: bool = True
) -> Iterator[tuple[Tree, Crowd, Told]]:
    """Give a tree of `peer` that is not started yet. program: the shell lines of each service, which is to tell; else one that does."""
    place = in_memory("peers-")
    told = Told(place / "told")
    try:
        rsvlog = prefix / "bin/rsvlog" if peer.name == "ours" else None
        log_run = peer.log.format(stamp=peer.stamp if stamped else "")
        crowd = Crowd(place, services, logged=logged, rsvlog=rsvlog, log_run=log_run, tells=place / "told")
        for log in crowd.logs if rsvlog and not stamped else ():
            (log / "env/RSVLOG_OPTIONS").write_text("-l 1000\n")  # svlogd's default, in place of a stamp
        if program:
            script(place / "service", program.format(place=place))
        if peer.write is not None:
            peer.write(place, crowd)
        else:
            crowd.link(crowd.homes)
        script(place / "start", f"exec {peer.command.format(services=crowd.services, place=place)}")
        with tree(place / "start", crowd.services, place / "state") as running:
            yield running, crowd, told
    finally:
        told.close()
        shutil.rmtree(place, ignore_errors=True)


def measure(peer: Peer, services: int, prefix: Path) -> Figures:
    """Let `peer` run as many services, and take every figure."""
    with laid(peer, services, services // 2, prefix) as (running, _, told):
        began = time.perf_counter()
        running.start()
        pids = told.pids(services, PATIENCE)
        boot = time.perf_counter() - began
        used = sum(map(cpu, running.processes()))
        time.sleep(2)  # each of them waits before it starts what ran less than a second
        rest = set(running.processes()) - set(pids)
        total = sum(map(memory, rest))
        killed = statistics.median(replaced(pids, told))
    return dict(zip(ROWS, (boot, used, total / 1024, total / services, len(rest), killed * 1000), strict=True))


def streams(peer: Peer, services: int, prefix: Path) -> Figures:
    """Let as many services write their lines at once, all to logs of their own."""
    plain = stream(peer, services, prefix, stamped=False)
    stamped = stream(peer, services, prefix, stamped=True) if peer.write is None else (math.nan, math.nan)
    return dict(zip(STREAM_ROWS, (*plain, *stamped), strict=True))


def stream(peer: Peer, services: int, prefix: Path, *, stamped: bool) -> tuple[float, float]:
    """Give MB a second until each log has its last line, and CPU seconds of supervisor and loggers."""
    program = "printf here >{place}/told; read go <{place}/gate; cat {place}/lines; printf done >{place}/told; exec sleep 100000"
    with laid(peer, services, services, prefix, program=program, stamped=stamped) as (running, crowd, told):
        place = crowd.services.parent
        size = (place / "lines").write_bytes(b"".join([LINE % number for number in range(LINES)]) + LAST)
        os.mkfifo(place / "gate")
        gate = os.open(place / "gate", os.O_RDWR)
        running.start()
        told.pids(services, PATIENCE)
        time.sleep(2)  # for all to have begun and be idle; no result depends on it
        rest = [pid for pid in running.processes() if supervision.name(pid) != "run"]
        used = sum(map(cpu, rest))
        began = time.perf_counter()
        os.write(gate, b"\n" * services)
        told.pids(services, PATIENCE)
        for home in crowd.homes:
            while not ends(place / "logs" / home.name / "current"):
                time.sleep(0.001)
        taken = time.perf_counter() - began
        used = sum(map(cpu, rest)) - used
        os.close(gate)
    return size * services / 1e6 / taken, used


def ends(log: Path) -> bool:
    """Whether the last line is there."""
    with log.open("rb") as file:
        file.seek(-min(len(LAST), log.stat().st_size), os.SEEK_END)
        return file.read() == LAST


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


def medians(rounds: list[dict[str, Figures]]) -> dict[str, Figures]:
    """Give each one's median of each figure."""
    return {peer: {row: statistics.median(each[peer][row] for each in rounds) for row in rounds[0][peer]} for peer in rounds[0]}


def show(title: str, taken: dict[str, Figures]) -> None:
    """Print a table: each figure, and in brackets how many times ours it is."""
    print(f"\n{title}; load {os.getloadavg()[0]:.1f}\n{'':32}" + "".join(f"{who:>20}" for who in taken))
    for row in taken["ours"]:
        ours = taken["ours"][row]
        ratios = {who: f" ({each[row] / ours:.2f}x)" if ours and who != "ours" else "" for who, each in taken.items()}
        cells = ["-" if math.isnan(each[row]) else f"{each[row]:.2f}{ratios[who]}" for who, each in taken.items()]
        print(f"{row:32}" + "".join(f"{cell:>20}" for cell in cells), flush=True)


def plot(growth: dict[str, dict[int, Figures]], path: Path) -> None:
    """Draw memory and boot by number of services, both logarithmic."""
    import matplotlib as mpl

    mpl.use("svg" if path.suffix == ".svg" else "agg")
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "growth", "font.family": "sans-serif"})
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for axis, row in zip(axes, ("memory, MB", "boot until all run, s"), strict=True):
        for who, points in growth.items():
            sizes = sorted(points)
            look = {"color": "black", "linewidth": 2.8, "zorder": 3} if who == "ours" else {"linewidth": 1.4}
            axis.plot(sizes, [points[size][row] for size in sizes], marker="o", markersize=4, label=who, **look)
        axis.set(xscale="log", yscale="log", xlabel="services, half of them with a log", title=row)
        axis.set_xticks([10, 100, 1000, 10_000], ["10", "100", "1,000", "10,000"])
        axis.yaxis.set_major_formatter("{x:g}")
        axis.grid(alpha=0.3, linewidth=0.5)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].legend(frameon=False)
    figure.suptitle("\n".join(textwrap.wrap(versions(), 110)), fontsize=8)
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    plt.close(figure)


def grow(size: int, rounds: int, prefix: Path, growth: dict[str, dict[int, Figures]]) -> dict[str, Figures]:
    """Give medians of those that can have so many services, and add them to `growth`; say who cannot, and why."""
    asked = []
    for peer in peers(prefix):
        fewer = {number: figures for number, figures in growth.get(peer.name, {}).items() if number < size}
        refusal = peer.refusal(size, fewer)
        if refusal:
            print(f"{peer.name} is not asked for {size:,}: it {refusal}", flush=True)
        else:
            asked.append(peer)
    taken: list[dict[str, Figures]] = []
    for _ in range(rounds):
        # In turn, so that a busy moment meets all of them.
        taken.append({})
        for peer in asked.copy():
            try:
                taken[-1][peer.name] = measure(peer, size, prefix)
            except TimeoutError as error:
                print(f"{peer.name} starts {error}", flush=True)
                asked.remove(peer)
    found = medians([{peer.name: each[peer.name] for peer in asked} for each in taken])
    for who, figures in found.items():
        growth.setdefault(who, {})[size] = figures
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", default="10,100", help="how many, with commas (%(default)s)")
    parser.add_argument("--streams", type=int, default=0, help="how many services write to logs at once (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="where to draw growth: an SVG or PNG")
    parser.add_argument("--figures", type=Path, help="a JSON file that keeps what was measured, and has what was before")
    options = parser.parse_args()
    prefix = Path(tempfile.mkdtemp(prefix="runtime-"))
    prefix.chmod(0o755)
    growth: dict[str, dict[int, Figures]] = {}
    if options.figures and options.figures.exists():
        kept = json.loads(options.figures.read_text())
        growth = {peer: {int(size): figures for size, figures in sizes.items()} for peer, sizes in kept.items()}
    try:
        package.install(prefix=prefix)
        print(versions())
        for size in map(int, options.services.split(",") if options.services else ()):
            taken = grow(size, options.rounds, prefix, growth)
            show(f"{size} services, {size // 2} logged; medians of {options.rounds}; in brackets times ours", taken)
            if options.figures:
                options.figures.write_text(json.dumps(growth, indent=1))
        if options.plot:
            plot(growth, options.plot)
        if options.streams:
            taken = medians(
                [{peer.name: streams(peer, options.streams, prefix) for peer in peers(prefix)} for _ in range(options.rounds)]
            )
            show(f"{options.streams} services write {LINES} lines each; medians of {options.rounds}; in brackets times ours", taken)
    finally:
        shutil.rmtree(prefix, ignore_errors=True)


if __name__ == "__main__":
    main()
