"""Data to tree: time and memory of 1,000 and of 10,000 services, and how they grow.

`python tests/benchmarks/render.py`.
Prints, judges nothing; looks for no garbage, as the commands do not. With a number (and `--profile`) only so many services, and where
the time goes.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.world import ACCOUNTS, table_of

from runit_provision import render, schema
from runit_provision.app.desired import templates

SIZES = (1_000, 10_000)


def data(count: int) -> dict[str, object]:
    """Give a host of `count` services as people write them: a program, an environment, limits, a log, a check and a file."""
    service = {
        "command": ["worker", "--queue", "it's 100% mine"],
        "user": "app",
        "env": {"REGION": "north", "STAGE": "production"},
        "limits": {"files": 1024},
        "log": {"size": "1m", "keep": 10},
        "check": {"tcp": 8080},
        "restart": {"at_most": 3},
        "files": {"worker.conf": "port=8080\n"},
    }
    return {"defaults": {"log": {"age": "1d"}}, "services": {f"worker{number}": service for number in range(count)}}


def measure(count: int, *, profile: bool) -> None:
    """Read and render once, and print what it took."""
    table = table_of(data(count))
    shipped = templates()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    profiler = cProfile.Profile()
    if profile:
        profiler.enable()
    started = time.process_time()
    host = schema.read_host(table, ACCOUNTS)
    read = time.process_time()
    tree = render.render(host, shipped)
    rendered = time.process_time()
    profiler.disable()
    memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"{count:6} services, {len(tree.nodes):6} paths: read {read - started:6.2f} s, rendered {rendered - read:6.2f} s of processor, "
        f"{1000 * (rendered - started) / count:5.2f} ms and {1024 * memory / count:5.1f} kB a service"
    )
    if profile:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


if __name__ == "__main__":
    gc.disable()
    if len(sys.argv) > 1:
        measure(int(sys.argv[1]), profile="--profile" in sys.argv)
    else:
        for size in SIZES:
            subprocess.run([sys.executable, __file__, str(size)], check=True)
