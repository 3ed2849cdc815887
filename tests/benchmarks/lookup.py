"""Lookups beside Puppet's: `python tests/benchmarks/lookup.py [nodes]`.

One key by the command, as `puppet lookup` gives the same; then every key of many nodes in one process, for ever more nodes, to see
how it grows. Prints ratios, judges nothing. Each figure of a command is the least of several runs, taken in turn.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runit_provision.hiera import open_hierarchy
from runit_provision.hiera.hierarchy import Hierarchy

TOOL = str(Path(sys.executable).with_name("runit-provision"))
RUNS = 5
KEYS = 200
CONFIG = """\
version: 5
hierarchy:
  - {name: node, path: "nodes/%{trusted.certname}.yaml"}
  - {name: role, path: "roles/%{facts.role}.yaml"}
  - {name: system, paths: ["os/%{facts.os.name}.yaml", "os/%{facts.os.family}.yaml"]}
  - {name: common, path: common.yaml}
"""


def lay(folder: Path, nodes: int) -> Path:
    """Write a hierarchy of five levels for `nodes` nodes; give its hiera.yaml."""
    files = {f"data/nodes/n{number}.yaml": f"runit: {{services: {{own: {{port: {number}}}}}}}\nkey0: own\n" for number in range(nodes)}
    files |= {f"data/roles/role{number}.yaml": f"key1: role {number}\nkey2: {{role: {number}}}\n" for number in range(10)}
    files["data/os/Debian.yaml"] = "key3: debian\nrunit: {services: {sshd: {command: [sshd, -D]}}}\n"
    plain = "".join(f'key{number}: {{name: key{number}, of: "%{{facts.role}}", ports: [1, 2, 3]}}\n' for number in range(KEYS))
    files["data/common.yaml"] = f"lookup_options: {{runit: {{merge: deep}}, key2: {{merge: hash}}}}\n{plain}runit: {{log: true}}\n"
    files["hiera.yaml"] = CONFIG
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "hiera.yaml"


def commands(config: Path, folder: Path) -> dict[str, list[str]]:
    """Give what shows one key: ours, and Puppet's where it is there."""
    facts = folder / "facts.yaml"
    facts.write_text("role: role1\nos: {name: Debian, family: Debian}\nclientcert: n1\nfqdn: n1\nhostname: n1\ndomain: example\n")
    given = ["--node", "n1", "--facts", str(facts), "runit"]
    asked = {"runit-provision lookup": [TOOL, "lookup", "--hiera-config", str(config), *given]}
    if puppet := shutil.which("puppet"):
        own = [f"--{name}={folder / 'own'}" for name in ("confdir", "vardir", "codedir")]
        asked["puppet lookup"] = [puppet, "lookup", *own, f"--hiera_config={config}", *given]
    return asked


def fastest(asked: dict[str, list[str]]) -> dict[str, tuple[float, float]]:
    """Give the least wall time and the least time on the processor, in seconds, of each command."""
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for _ in range(RUNS):
        for name, command in asked.items():
            begin, before = time.perf_counter(), _used()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            took[name].append((time.perf_counter() - begin, _used() - before))
    return {name: (min(wall for wall, _ in each), min(used for _, used in each)) for name, each in took.items()}


def _used() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resolve(config: Path, nodes: int) -> tuple[int, float]:
    """Look up every key of `nodes` nodes in this process; give how many values there were and the seconds of processor time."""
    begin = time.process_time()
    first: Hierarchy | None = None
    found = 0
    for number in range(nodes):
        name, facts = f"n{number}", {"role": f"role{number % 10}", "os": {"name": "Debian", "family": "Debian"}}
        hierarchy = first.for_node(name, facts) if first else open_hierarchy(config, facts=facts, node=name)
        first = first or hierarchy
        names = hierarchy.keys()
        found += sum(hierarchy.find(name) is not None for name in names)
    return found, time.process_time() - begin


def main(nodes: int) -> None:
    """Measure one key, and all keys of up to `nodes` nodes."""
    with tempfile.TemporaryDirectory() as folder:
        config = lay(Path(folder), nodes)
        print("one key of one node, a process each       wall      processor")
        took = fastest(commands(config, Path(folder)))
        for name, (wall, used) in took.items():
            print(f"  {name:36} {wall:6.2f} s   {used:6.2f} s")
        if "puppet lookup" in took:
            ours, theirs = took["runit-provision lookup"], took["puppet lookup"]
            print(f"  ours takes {ours[0] / theirs[0]:.3f} of Puppet's wall time, {ours[1] / theirs[1]:.3f} of its processor time")
        else:
            print("  puppet is not installed (package puppet-agent): nothing to compare with")
        print("every key of every node, one process      values    a node    memory at most")
        for number in sorted({max(nodes // 10, 1), max(nodes // 2, 1), nodes}):
            found, seconds = resolve(config, number)
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"  {number:6} nodes {seconds:21.2f} s {found:10} {1000 * seconds / number:7.2f} ms {memory:10.0f} MiB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
