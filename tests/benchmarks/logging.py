"""Loggers side by side: `python tests/benchmarks/logging.py [TOOLS]`, TOOLS being the folder with our svlogd.

One stream of lines through each logger that is installed, the same rotation for all, medians of some rounds that take turns, so that
a busy machine is unfair to nobody. Prints MB/s of input and ratios to C's svlogd, and the CPU time of lines that come one by one;
asserts nothing.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

LINE = b"%08d 2005-12-18 tcpsvd: info: pid 1977 from 10.4.1.14, a line as services write them, of a hundred bytes or so\n"
ROTATION = b"s1000000\nn5\n"
SCENES: dict[str, tuple[list[str], bytes]] = {
    "plain": ([], b""),
    "-tt": (["-tt"], b""),
    "-r": (["-r", "_"], b""),
    "one pattern": ([], b"-*: info: pid 19*77 *\n"),
    "several patterns": ([], b"-*\n+*: info: pid *\n-*: warning: *\n-*7777*\ne*: fatal: *\n"),
    "one rare pattern": ([], b"e*panic*\n"),
}


def stream(path: Path, lines: int) -> int:
    """Write the input; give its bytes."""
    with path.open("wb") as file:
        for start in range(0, lines, 10000):
            file.write(b"".join([LINE % number for number in range(start, min(start + 10000, lines))]))
    return path.stat().st_size


def timed(arguments: list[str], source: Path, directory: Path, config: bytes) -> tuple[float, float]:
    """Seconds of wall time, and of the logger's CPU time, from start to end, fed by cat as a service would feed it."""
    directory.mkdir()
    directory.joinpath("config").write_bytes(ROTATION + config)
    with subprocess.Popen(["cat", source], stdout=subprocess.PIPE) as cat:
        begun = time.perf_counter()
        logger = subprocess.Popen(arguments, stdin=cat.stdout, stderr=subprocess.DEVNULL)
        _, logger.returncode, usage = os.wait4(logger.pid, 0)
        seconds = time.perf_counter() - begun
    assert logger.returncode == 0, arguments
    shutil.rmtree(directory)
    return seconds, usage.ru_utime + usage.ru_stime


def contenders(ours: str, scene: str, log: str) -> dict[str, list[str]]:
    """The loggers that can do `scene`, ours first."""
    options = SCENES[scene][0]
    found = {"ours": [ours, *options, log], "svlogd": ["svlogd", *options, log]}
    if scene == "plain":
        found |= {"s6-log": ["s6-log", "s1000000", "n5", log + "/x"], "multilog": ["multilog", "s1000000", "n5", log + "/x"]}
    elif scene == "-tt":
        found |= {"s6-log": ["s6-log", "T", "s1000000", "n5", log + "/x"], "multilog": ["multilog", "t", "s1000000", "n5", log + "/x"]}
    return {name: arguments for name, arguments in found.items() if shutil.which(arguments[0])}


def show(title: str, size: int, runs: dict[str, list[tuple[float, float]]]) -> None:
    """Print one row: MB/s, and in brackets how many times as fast ours is, by wall time and by CPU time."""
    wall = {name: statistics.median(seconds for seconds, _ in times) for name, times in runs.items()}
    cpu = {name: statistics.median(seconds for _, seconds in times) for name, times in runs.items()}
    cells = []
    for name in runs:
        ratio = f" ({wall[name] / wall['ours']:.2f}x, CPU {cpu[name] / cpu['ours']:.2f}x)" if name != "ours" else ""
        cells.append(f"{name} {size / 1e6 / wall[name]:.0f}{ratio}")
    print(f"{title:17} " + "   ".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tools", nargs="?", default="/usr/local/bin", type=Path)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of the stream; 0: the trickle alone (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--services", type=int, default=100)
    arguments = parser.parse_args()
    if not (arguments.tools / "svlogd").exists():
        parser.error(f"no svlogd in {arguments.tools}: `runit-provision runtime install --prefix DIR`, and TOOLS is DIR/bin")
    with tempfile.TemporaryDirectory(prefix="logging-benchmark-") as name:
        scratch = Path(name)
        if arguments.lines:
            floods(arguments, scratch)
        for services in (5, 50):
            trickle(arguments.tools, services, arguments.rounds, scratch)


def floods(arguments: argparse.Namespace, scratch: Path) -> None:
    """One stream through each logger, in each scene, and many at once."""
    source = scratch / "input"
    size = stream(source, arguments.lines)
    print(f"{size / 1e6:.0f} MB in {arguments.lines} lines, rotation at 1 MB; MB/s of input, medians of {arguments.rounds} rounds")
    for scene, (_, config) in SCENES.items():
        log = scratch / "log"
        runs: dict[str, list[tuple[float, float]]] = {}
        for _ in range(arguments.rounds):
            for who, words in contenders(str(arguments.tools / "svlogd"), scene, str(log)).items():
                runs.setdefault(who, []).append(timed(words, source, log, config))
        show(scene, size, runs)
    fan_in(arguments.tools, arguments.services, scratch, size)


# ---- many services at once: one process each, or the pool


def fan_in(tools: Path, services: int, scratch: Path, size: int) -> None:
    """Many services write `size` bytes together; everything runs and waits before the clock does."""
    part = scratch / "part"
    part.write_bytes((scratch / "input").read_bytes()[: size // services].rpartition(b"\n")[0] + b"\n")
    runs: dict[str, Callable[[Path], tuple[float, float]]] = {"ours": lambda top: pooled(tools, services, part, top)}
    for who, words in {
        "svlogd": ["svlogd", "LOG"],
        "s6-log": ["s6-log", "s1000000", "n5", "LOG/x"],
        "multilog": ["multilog", "s1000000", "n5", "LOG/x"],
    }.items():
        if shutil.which(words[0]):
            runs[who] = lambda top, words=words: separate(words, services, part, top)  # type: ignore[misc]
    times: dict[str, list[tuple[float, float]]] = {}
    for _ in range(3):
        for who, run in runs.items():
            top = scratch / "fan-in"
            top.mkdir()
            times.setdefault(who, []).append(run(top))
            shutil.rmtree(top)
    show(f"fan-in of {services}", part.stat().st_size * services, times)


class Services:
    """Writers that begin all at once."""

    def __init__(self, part: Path, top: Path) -> None:
        self._part = part
        self._gate = top / "gate"
        os.mkfifo(self._gate)
        self._held = os.open(self._gate, os.O_RDWR)
        self._writers: list[subprocess.Popen[bytes]] = []

    def add(self, output: int) -> None:
        """Let one more write to `output`, which is closed here."""
        words = ["sh", "-c", 'read go < "$0"; exec cat "$1"', str(self._gate), str(self._part)]
        self._writers.append(subprocess.Popen(words, stdout=output))
        os.close(output)

    def go(self) -> float:
        """Open the gate; give the time."""
        begun = time.perf_counter()
        os.write(self._held, b"\n" * len(self._writers))
        return begun

    def end(self) -> None:
        """Wait for all."""
        for writer in self._writers:
            writer.wait()
        os.close(self._held)


def separate(words: list[str], services: int, part: Path, top: Path) -> tuple[float, float]:
    """One logger for each service."""
    herd = Services(part, top)
    loggers = []
    for number in range(services):
        log = top / str(number)
        log.mkdir()
        log.joinpath("config").write_bytes(ROTATION)
        reader, writer = os.pipe()
        loggers.append(subprocess.Popen([word.replace("LOG", str(log)) for word in words], stdin=reader, stderr=subprocess.DEVNULL))
        os.close(reader)
        herd.add(writer)
    time.sleep(1)  # for all to be idle; no result depends on it
    begun = herd.go()
    cpu = 0.0
    for logger in loggers:
        _, logger.returncode, usage = os.wait4(logger.pid, 0)
        cpu += usage.ru_utime + usage.ru_stime
    seconds = time.perf_counter() - begun
    herd.end()
    return seconds, cpu


def pooled(tools: Path, services: int, part: Path, top: Path) -> tuple[float, float]:
    """One pool for all."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from processes.logging.pools import Pool, Service

    from runit_provision.runtime.wire import pool as wire

    loggers = [Service(top, number + 1, config=ROTATION) for number in range(services)]
    pool = Pool(top, tools)
    assert pool.process is not None
    try:
        pool.added(*loggers)
        herd = Services(part, top)
        for logger in loggers:
            herd.add(os.open(logger.pipe, os.O_WRONLY))
        time.sleep(1)
        for logger in loggers:
            pool.drain(logger)  # the end comes when the writers have ended
        begun = herd.go()
        for logger in loggers:
            pool.expect(wire.ENDED, logger)
        seconds = time.perf_counter() - begun
        herd.end()
        pool.process.terminate()
        _, pool.process.returncode, usage = os.wait4(pool.process.pid, 0)
        return seconds, usage.ru_utime + usage.ru_stime
    finally:
        pool.close()


# ---- a few lines now and then


TRICKLE = """
import os, sys, time
outputs = [int(word) for word in sys.argv[2:]]
began = due = time.monotonic()
count = 0
while due < began + float(sys.argv[1]):
    os.write(outputs[count % len(outputs)], b"a line of some eighty bytes, as services write them, with numbers 12345 and words\\n")
    count += 1
    due += EVERY / len(outputs)
    time.sleep(max(0.0, due - time.monotonic()))
print(count)
"""
EVERY = 0.05
"""Seconds between two lines of a service."""
TRICKLE_LASTS = 10.0
"""Seconds."""


def trickle(tools: Path, services: int, rounds: int, scratch: Path) -> None:
    """Services that write a line each EVERY seconds, one after the other: the CPU time of all their loggers, which stamp."""
    runs: dict[str, Callable[[Path], float]] = {"ours": lambda top: trickle_pooled(tools, services, top)}
    for who, words in {
        "svlogd": ["svlogd", "-tt", "LOG"],
        "s6-log": ["s6-log", "T", "s1000000", "n5", "LOG/x"],
        "multilog": ["multilog", "t", "s1000000", "n5", "LOG/x"],
    }.items():
        if shutil.which(words[0]):
            runs[who] = lambda top, words=words: trickle_separate(words, services, top)  # type: ignore[misc]
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for who, run in runs.items():
            top = scratch / "trickle"
            top.mkdir()
            taken.setdefault(who, []).append(run(top))
            shutil.rmtree(top)
    medians = {who: statistics.median(each) for who, each in taken.items()}
    cells = [
        f"{who} {each * 1e6:.0f}" + (f" ({each / medians['ours']:.2f}x)" if who != "ours" else "") for who, each in medians.items()
    ]
    print(f"{f'trickle of {services}':17} " + "   ".join(cells) + "   CPU us a line", flush=True)


def trickle_separate(words: list[str], services: int, top: Path) -> float:
    """One logger for each service; CPU seconds of a line."""
    loggers, outputs = [], []
    for number in range(services):
        log = top / str(number)
        log.mkdir()
        reader, writer = os.pipe()
        loggers.append(subprocess.Popen([word.replace("LOG", str(log)) for word in words], stdin=reader, stderr=subprocess.DEVNULL))
        os.close(reader)
        outputs.append(writer)
    taken = while_lines_trickle([logger.pid for logger in loggers], outputs)
    for logger in loggers:
        logger.wait()
    return taken


def trickle_pooled(tools: Path, services: int, top: Path) -> float:
    """One pool for all; CPU seconds of a line."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from processes.logging.pools import Pool, Service

    loggers = [Service(top, number + 1, options="-tt") for number in range(services)]
    pool = Pool(top, tools)
    assert pool.process is not None
    try:
        pool.added(*loggers)
        return while_lines_trickle([pool.process.pid], [os.open(logger.pipe, os.O_WRONLY) for logger in loggers])
    finally:
        pool.close()
        for logger in loggers:
            logger.close()


def while_lines_trickle(loggers: list[int], outputs: list[int]) -> float:
    """Give the CPU seconds of `loggers` for each line that comes to one of `outputs`, which are closed then."""
    time.sleep(1)  # for all to be idle; no result depends on it
    before = sum(map(on_processor, loggers))
    words = [sys.executable, "-IS", "-c", TRICKLE.replace("EVERY", str(EVERY)), str(TRICKLE_LASTS), *map(str, outputs)]
    lines = int(subprocess.run(words, pass_fds=outputs, capture_output=True, check=True).stdout)
    time.sleep(0.1)  # for the last of them
    used = sum(map(on_processor, loggers)) - before
    for output in outputs:
        os.close(output)
    return used / lines


def on_processor(pid: int) -> float:
    """Seconds that all threads of a process have run; to the nanosecond, where clock ticks would miss what is shorter than one."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


if __name__ == "__main__":
    main()
