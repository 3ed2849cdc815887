"""What the benchmarks of check and apply share: a host's data, the same for Puppet, and how long, how large, how many system calls."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import NamedTuple

TOOL = Path(sys.executable).with_name("runit-provision")
GROWTH = ((100, 0), (1000, 0), (10000, 0), (0, 100), (0, 1000))
"""Services and users."""


def service() -> dict[str, object]:
    """Give a service of 5 files: run, finish, check, one of env/ and one of its own."""
    return {
        "command": ["/usr/bin/env", "sleep", "1000"],
        "finish": "#!/bin/sh\necho ended\n",
        "check": "#!/bin/sh\nexec test -e ready\n",
        "env": {"MODE": "production"},
        "files": {"settings.conf": "answer = 42\n"},
        "log": False,
    }


def data(services: int, users: int = 0) -> dict[str, object]:
    """Give the data of a host of so many services, and of so many users with one service each."""
    trees = {f"user{number:05}": {"services": {"worker": service()}} for number in range(users)}
    host = {f"service{number:05}": service() for number in range(services)}
    return {"runit": {"profile": False, "runtime": "none", "services": host, "users": trees}}


def image(folder: Path, services: int, users: int = 0) -> list[str]:
    """Make an image and its data in `folder`, which is empty; give the options that name them."""
    root, file = folder / "root", folder / "data.json"
    for name in ("etc", "var/log", "home"):
        (root / name).mkdir(parents=True)
    accounts = [(f"user{number:05}", 20000 + number) for number in range(users)]
    for name, number in accounts:
        (root / "home" / name).mkdir()
        os.chown(root / "home" / name, number, number)
    passwd = [f"{name}:x:{number}:{number}::/home/{name}:/bin/sh\n" for name, number in accounts]
    (root / "etc/passwd").write_text("".join(["root:x:0:0:root:/root:/bin/sh\n", *passwd]))
    (root / "etc/group").write_text("".join(["root:x:0:\n", *(f"{name}:x:{number}:\n" for name, number in accounts)]))
    file.write_text(json.dumps(data(services, users), indent=1))
    return ["--root", str(root), "--data", str(file)]


def file_resources(root: Path) -> Iterator[str]:
    """Give the `file` resources for everything that apply made below `root`."""
    for top in ("etc/sv", "etc/service"):
        for path in [root / top, *sorted((root / top).rglob("*"))]:
            mode = f"{path.lstat().st_mode & 0o7777:04o}"
            if path.is_symlink():
                yield f"file {{ '{path}': ensure => link, target => '{os.readlink(path)}' }}"  # noqa: PTH115 - as it is stored
            elif path.is_dir():
                yield f"file {{ '{path}': ensure => directory, mode => '{mode}' }}"
            else:
                content = path.read_text().replace("\\", "\\\\").replace("'", "\\'")
                yield f"file {{ '{path}': ensure => file, mode => '{mode}', content => '{content}' }}"


def puppet_apply(folder: Path, name: str, manifest: str) -> list[str] | None:
    """Give the command that applies `manifest`, or None where Puppet is not installed."""
    puppet = shutil.which("puppet")
    if puppet is None:
        return None
    (folder / name).write_text(manifest)
    return [puppet, "apply", "--confdir", f"{folder}/puppet", "--vardir", f"{folder}/var", "--log_level", "err", str(folder / name)]


class Cost(NamedTuple):
    """wall, cpu: seconds; memory: the largest resident size of the process or one of its children, in MB."""

    wall: float
    cpu: float
    memory: float


def cost(command: Sequence[str]) -> Cost:
    """Run a command, which has to exit 0."""
    begin = perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return Cost(perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def medians(contenders: Mapping[str, Sequence[str]], *, runs: int, before: Callable[[str], object] = str) -> dict[str, Cost]:
    """Run the commands in turn, so that a busy moment meets all of them; give each one's medians. before: is told what comes next."""
    seen: dict[str, list[Cost]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, command in contenders.items():
            before(name)
            seen[name].append(cost(command))
    return {name: Cost(*map(median, zip(*costs, strict=True))) for name, costs in seen.items()}


def growth(words: Callable[[list[str]], list[str]]) -> None:
    """Print how the command that `words` gives for an image's options, and prepares, grows with services and with users."""
    print(f"{'services':>9} {'users':>6} {'wall s':>8} {'CPU s':>8} {'MB':>7}   ms of CPU for each")
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        for services, users in GROWTH:  # none goes before all are measured: see apply.py
            folder = Path(name, f"{services}.{users}")
            folder.mkdir()
            seen = cost(words(image(folder, services, users)))
            each = seen.cpu / (services + users) * 1000
            print(f"{services:9} {users:6} {seen.wall:8.2f} {seen.cpu:8.2f} {seen.memory:7.1f}   {each:.2f}")


def show(costs: dict[str, Cost], *, beside: Sequence[str]) -> None:
    """Print a line for each, with its ratio to those named in `beside`."""
    print(f"{'':34} {'wall s':>8} {'CPU s':>8} {'MB':>7}   of " + ", of ".join(beside) + "  (wall; CPU)")
    for name, each in costs.items():
        ratios = [f"{each.wall / costs[other].wall:.3f}; {each.cpu / costs[other].cpu:.3f}" for other in beside if other in costs]
        print(f"{name:34} {each.wall:8.2f} {each.cpu:8.2f} {each.memory:7.1f}   {', '.join(ratios)}")


def system_calls(command: Sequence[str]) -> int | None:
    """Count the system calls of a command and of all its children; None without strace."""
    strace = shutil.which("strace")
    if strace is None:
        return None
    with tempfile.NamedTemporaryFile("r") as counts:
        words = [strace, "-f", "-c", "-o", counts.name, *command]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return int(counts.read().splitlines()[-1].split()[3])


def versions() -> str:
    """Say what was measured, on what."""
    said = [f"runit-provision {_said([str(TOOL), '--version']).split()[-1]}", f"Python {platform.python_version()}"]
    said += [f"puppet {_said(['puppet', '--version'])}"] if shutil.which("puppet") else []
    load = "/".join(f"{each:.1f}" for each in os.getloadavg())
    return f"{', '.join(said)}; Linux {platform.release()}, {os.cpu_count()} processors, load {load}"


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
