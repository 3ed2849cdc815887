"""The short-lived tools beside a bare python and C's: `PYTHONPATH=tests python tests/benchmarks/clients.py [services]`.

Prints ratios, judges nothing. Each figure is the least of many runs, taken in turn: whatever else the machine does only adds.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from support import waiting
from support.supervised import FakeSupervisor

from runit_provision.host import package
from runit_provision.host.interpreter import PYTHON
from runit_provision.runtime.wire import status as wire

RUNS = 60


def least(*commands: list[str], env: dict[str, str]) -> list[float]:
    """Give the shortest time of each of `commands`, in milliseconds."""
    best = [float("inf")] * len(commands)
    with Path(os.devnull).open("wb") as nowhere:
        for _ in range(RUNS):
            for index, command in enumerate(commands):
                begin = time.perf_counter()
                subprocess.run(command, stdout=nowhere, env=env, check=True)
                best[index] = min(best[index], time.perf_counter() - begin)
    return [each * 1e3 for each in best]


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
        bare = [PYTHON, "-I", "-S", "-c", "pass"]
        print(f"{'':32}{'ours':>9}{'C':>9}{'bare python':>13}   ours/bare  ours/C")
        for title, tool, words, where in (
            ("sv status of one", "sv", ["status", names[0]], env),
            (f"sv status of {services}, by files", "sv", ["status", *names], env),
            (f"sv status of {services}, our runsvdir's", "sv", ["status", *names], in_tree),
            ("chpst -c 0 true", "chpst", ["-c", "0", "/bin/true"], env),
            ("chpst -u nobody true", "chpst", ["-u", "nobody", "/bin/true"], env),
        ):
            ours, oracle, python = least([str(tools / tool), *words], [f"/usr/bin/{tool}", *words], bare, env=where)
            print(f"{title:32}{ours:7.2f}ms{oracle:7.2f}ms{python:11.2f}ms{ours / python:12.2f}{ours / oracle:8.2f}")
        running.send_signal(signal.SIGHUP)
        running.wait()
        for each in made:
            each.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 900)
