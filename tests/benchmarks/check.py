"""A run that has nothing to do: `check`, a reader of the same files, and Puppet. `python tests/benchmarks/check.py [services]`.

The reader is a Python process that reads and digests the same files, and knows nothing of what they should be. Puppet looks after the
same paths twice: as the module does it, with one file of data and one exec whose `unless` is `check`, and as `file` resources of one
manifest. Then the system calls of a check, and how it grows with services and with users. Prints medians and ratios of one run, judges
nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from benchmarks.measuring import TOOL, cost, file_resources, growth, image, medians, puppet_apply, show, system_calls, versions

RUNS = 5
_READER = """
import hashlib, os, sys
for folder, _, names in os.walk(sys.argv[1]):
    for name in names:
        with open(os.path.join(folder, name), "rb") as file:
            hashlib.sha256(file.read()).hexdigest()
"""


def module_like(options: list[str], file: Path) -> str:
    """Give a manifest of one file of data and one exec, as the module's classes make them."""
    content = file.read_text().replace("\\", "\\\\").replace("'", "\\'")
    words = ", ".join(f"'{word}'" for word in options)
    run = f"command => ['{TOOL}', 'apply', {words}], unless => [['{TOOL}', 'check', {words}]]"
    return (
        f"file {{ '{file}': ensure => file, content => '{content}' }}\n"
        f"exec {{ 'apply': {run}, timeout => 0, subscribe => File['{file}'] }}\n"
    )


def applied(options: list[str]) -> list[str]:
    """Do what is to be done in an image; give the words of its check, which was done once."""
    check = [str(TOOL), "check", *options]
    subprocess.run([TOOL, "apply", *options], check=True, stdout=subprocess.DEVNULL)
    cost(check)
    return check


def beside_others(services: int) -> None:
    """Measure `check` beside the reader and Puppet."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        check = applied(image(folder, services))
        root = folder / "root"
        files = sum(1 for path in (root / "etc/sv").rglob("*") if path.is_file())
        print(f"{services} services, {files} files, nothing to do; medians of {RUNS} runs in turn")
        contenders: dict[str, list[str]] = {
            "a reader of the same files": [sys.executable, "-c", _READER, str(root / "etc/sv")],
            "check": check,
        }
        costs = medians(contenders, runs=RUNS)
        manifests = {
            "puppet apply, one exec": module_like(check[2:], folder / "data.json"),
            "puppet apply, `file` resources": "\n".join(file_resources(root)),
        }
        for number, (title, manifest) in enumerate(manifests.items()):
            command = puppet_apply(folder, f"{number}.pp", manifest)
            if command:
                costs |= medians({title: command}, runs=2)
        show(costs, beside=["a reader of the same files", "puppet apply, `file` resources"])
        if calls := system_calls(check):
            print(f"{calls * 1000 // services} system calls per 1,000 services")


if __name__ == "__main__":
    print(versions())
    beside_others(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
    growth(applied)
    if shutil.which("puppet") is None:
        print("puppet is not installed (package puppet-agent): nothing to compare with")
