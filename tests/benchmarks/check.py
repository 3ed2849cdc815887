"""A run that has nothing to do: `check` beside Puppet, for the same services. `python tests/benchmarks/check.py [services]`.

Each service has 5 files (run, finish, check, one of env/ and one of its own). Puppet looks after the same paths twice: as `file`
resources of one manifest, and as the module does it, with one file of data and one exec whose `unless` is `check`. Prints ratios,
judges nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

TOOL = Path(sys.executable).with_name("runit-provision")
RUNS = 5


def data(services: int) -> dict[str, object]:
    """Give the data of a host."""
    service = {
        "command": ["/usr/bin/env", "sleep", "1000"],
        "finish": "#!/bin/sh\necho ended\n",
        "check": "#!/bin/sh\nexec test -e ready\n",
        "env": {"MODE": "production"},
        "files": {"settings.conf": "answer = 42\n"},
        "log": False,
    }
    return {"runit": {"profile": False, "services": {f"service{number:04}": service for number in range(services)}}}


def file_resources(root: Path) -> Iterator[str]:
    """Give the `file` resources for everything that apply made below `root`."""
    for top in ("etc/sv", "etc/service"):
        for path in sorted((root / top).rglob("*")):
            mode = f"{path.lstat().st_mode & 0o7777:04o}"
            if path.is_symlink():
                yield f"file {{ '{path}': ensure => link, target => '{os.readlink(path)}' }}"  # noqa: PTH115 - as it is stored
            elif path.is_dir():
                yield f"file {{ '{path}': ensure => directory, mode => '{mode}' }}"
            else:
                content = path.read_text().replace("\\", "\\\\").replace("'", "\\'")
                yield f"file {{ '{path}': ensure => file, mode => '{mode}', content => '{content}' }}"


def module_like(root: Path, file: Path) -> str:
    """Give a manifest of one file of data and one exec, as the module's classes make them."""
    content = file.read_text().replace("\\", "\\\\").replace("'", "\\'")
    words = ", ".join(f"'{word}'" for word in ("--root", str(root), "--data", str(file)))
    run = f"command => ['{TOOL}', 'apply', {words}], unless => [['{TOOL}', 'check', {words}]]"
    return (
        f"file {{ '{file}': ensure => file, content => '{content}' }}\n"
        f"exec {{ 'apply': {run}, timeout => 0, subscribe => File['{file}'] }}\n"
    )


def seconds(command: list[str], *, runs: int) -> float:
    """Give the shortest of `runs` wall times; what has nothing to do has to exit 0."""
    best = float("inf")
    for _ in range(runs):
        begin = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - begin)
    return best


def main(services: int) -> None:
    """Measure over `services` services in an image."""
    puppet = shutil.which("puppet")
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder, "root"), Path(folder, "data.json")
        (root / "etc").mkdir(parents=True)
        (root / "var/log").mkdir(parents=True)
        for name in ("passwd", "group"):
            shutil.copy(f"/etc/{name}", root / "etc")
        file.write_text(json.dumps(data(services), indent=1))
        arguments = ["--root", str(root), "--data", str(file)]
        subprocess.run([TOOL, "apply", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        check = seconds([str(TOOL), "check", *arguments], runs=RUNS)
        files = sum(1 for path in (root / "etc/sv").rglob("*") if path.is_file())
        print(f"{services} services, {files} files, nothing to do")
        print(f"check                                  {check:6.2f} s")
        if puppet is None:
            print("puppet is not installed (package puppet-agent): nothing to compare with")
            return
        settings = ["--confdir", f"{folder}/puppet", "--vardir", f"{folder}/var", "--log_level", "err", "--detailed-exitcodes"]
        for title, manifest in (
            ("puppet apply, one exec", module_like(root, file)),
            ("puppet apply, `file` resources", "\n".join(file_resources(root))),
        ):
            path = Path(folder, "site.pp")
            path.write_text(manifest)
            took = seconds([puppet, "apply", *settings, str(path)], runs=2)
            print(f"{title:38} {took:6.2f} s   check takes {check / took:.3f} of it")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
