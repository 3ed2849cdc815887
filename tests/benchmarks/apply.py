"""A first apply, made durable, beside Puppet's of the same paths. `python tests/benchmarks/apply.py [services]`.

Every service has 5 files. Puppet makes the same paths as `file` resources of one manifest, and syncs nothing. Then the system calls of
an apply, and how it grows with services and with users. Prints medians and ratios of one run, judges nothing.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.measuring import TOOL, cost, file_resources, growth, image, medians, puppet_apply, show, system_calls, versions

RUNS = 3


def _empty(folder: Path, services: int) -> None:
    """Make a new image. The one before stays: ext4 looks past each inode that was freed within the last minutes, for every new file."""
    (folder / "root").rename(folder / f"root.{time.monotonic_ns()}")
    image(folder, services)
    subprocess.run(["sync"], check=True)


def beside_puppet(services: int) -> None:
    """Measure the first apply of an image beside Puppet's."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        apply = [str(TOOL), "apply", *image(folder, services)]
        cost(apply)
        contenders: dict[str, list[str]] = {"apply": apply}
        command = puppet_apply(folder, "site.pp", "\n".join(file_resources(folder / "root")))
        if command:
            contenders["puppet apply, `file` resources"] = command
        print(f"{services} services, {services * 5} files, from nothing; medians of {RUNS} runs in turn")
        costs = medians(contenders, runs=RUNS, before=lambda _: _empty(folder, services))
        show(costs, beside=["puppet apply, `file` resources"])
        _empty(folder, services)
        if calls := system_calls(apply):
            print(f"{calls * 1000 // services} system calls per 1,000 services")


if __name__ == "__main__":
    print(versions())
    beside_puppet(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    growth(lambda options: [str(TOOL), "apply", *options])
