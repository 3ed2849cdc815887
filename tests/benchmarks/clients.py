"""The short-lived tools beside a bare python and C's: `python tests/benchmarks/clients.py [services]`.

Prints ratios, judges nothing. The runs take turns. The wall time is the least of many, since whatever else the machine does only adds;
the CPU time, user and system, the median.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import waiting
from support.supervised import FakeSupervisor

from runit_provision.host import package
from runit_provision.host.interpreter import PYTHON
from runit_provision.runtime.wire import status as wire

RUNS = 60


class Cost(NamedTuple):
    """Milliseconds: the shortest wall time, and the median of user and system time together."""

    wall: float
    cpu: float


def costs(*commands: list[str], env: dict[str, str]) -> list[Cost]:
    """Measure each of `commands`, in turn."""
    seen: list[list[Cost]] = [[] for _ in commands]
    for _ in range(RUNS):
        for times, command in zip(seen, commands, strict=True):
            begin = time.perf_counter()
            pid = os.posix_spawn(command[0], command, env, file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
            _, status, usage = os.wait4(pid, 0)
            times.append(Cost((time.perf_counter() - begin) * 1e3, (usage.ru_utime + usage.ru_stime) * 1e3))
            assert status == 0, command
    return [Cost(min(each.wall for each in times), statistics.median(each.cpu for each in times)) for times in seen]


def real_tree(tools: Path, directory: Path, names: list[str], state: Path) -> subprocess.Popen[bytes]:
    """Start a runsvdir over sleeping services with loggers of its pool; give it when all run."""
    for name in names:
        folder = directory / name
        (folder / "log/env").mkdir(parents=True)
        (folder / "run").write_text("#!/bin/sh\nexec sleep 100000\n")
        (folder / "run").chmod(0o755)
        (folder / "log/run").symlink_to(tools / "rsvlog")
        (folder / "log/env/RSVLOG_DIR").write_text(f"{directory.parent}/logs/{name}")
    state.mkdir(mode=0o700)
    (directory.parent / "logs").mkdir()
    running = subprocess.Popen([tools / "runsvdir", directory], env={**os.environ, "RUNIT_PROVISION_STATE": str(state)})
    for name in names:
        for part in ("", "log/"):
            stat = directory / name / part / "supervise/stat"
            waiting.until(lambda stat=stat: stat.exists() and stat.read_text() == "run\n", deadline=300)  # type: ignore[misc]
    return running


def main(services: int) -> None:
    """Measure over `services` logged services: files and fifos only, and those of a runsvdir of ours."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder) / "service"
        up = wire.pack(wire.Status(since_ns=time.time_ns(), pid=7, state=wire.RUN, want=wire.WANT_UP))
        names = [f"s{number:04}" for number in range(services)]
        made = [FakeSupervisor(directory / name / log, up) for name in names for log in ("", "log")]
        package.install(prefix=Path(folder) / "prefix")
        tools = Path(folder) / "prefix/bin"
        tree = Path(folder) / "tree"
        state = Path(folder) / "state"
        running = real_tree(tools, tree, names, state)
        env = {"SVDIR": str(directory), "PATH": "/usr/bin:/bin"}
        in_tree = {"SVDIR": str(tree), "RUNIT_PROVISION_STATE": str(state), "PATH": "/usr/bin:/bin"}
        try:
            bare = [PYTHON, "-I", "-S", "-c", "pass"]
            print(f"{'wall; CPU in ms':38}{'ours':>14}{'C':>14}{'bare python':>14}    ours/bare       ours/C")
            for title, tool, words, where in (
                ("sv status of one", "sv", ["status", names[0]], env),
                (f"sv status of {services}, by files", "sv", ["status", *names], env),
                (f"sv status of {services}, our runsvdir's", "sv", ["status", *names], in_tree),
                ("chpst -c 0 true", "chpst", ["-c", "0", "/bin/true"], env),
                ("chpst -u nobody true", "chpst", ["-u", "nobody", "/bin/true"], env),
            ):
                measured = costs([str(tools / tool), *words], [f"/usr/bin/{tool}", *words], bare, env=where)
                ours, oracle, python = measured
                cells = "".join(f"{each.wall:7.2f};{each.cpu:6.2f}" for each in measured)
                ratios = "".join(f"{ours.wall / each.wall:8.2f};{ours.cpu / each.cpu:5.2f}" for each in (python, oracle))
                print(f"{title:38}{cells}{ratios}", flush=True)
        finally:
            running.send_signal(signal.SIGHUP)
            running.wait()
            for each in made:
                each.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 900)
