"""Many directories, and many users' trees, applied while a runsvdir watches: whatever is started is whole, and all of it is started.

Each run script looks for the last of its files as soon as anything starts it. HARNESS=all takes as many as C's runsvdir can hold.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from support import oracle, waiting
from support.sandbox import FIRST_ID, Sandbox

TOOL = str(Path(sys.executable).with_name("runit-provision"))
ALL = os.environ.get("HARNESS") == "all"
RUN = "#!/bin/sh\n[ -s z ] || : >/run/half/$$\n: >/run/begun/$(id -u).${PWD##*/}.$$\nexec sleep 100000\n"
SERVICE = {"run": RUN, "log": False, "files": {"a": "a" * 50_000, "z": "z"}}
TOOLS = {"package": "/usr/bin", "shipped": "/var/runit/bin"}


def people(host: Sandbox, count: int) -> list[str]:
    """Give the host so many accounts with homes, at once: useradd would take minutes."""
    names = [f"user{number}" for number in range(count)]
    lines = {"passwd": "{0}:x:{1}:{1}::/home/{0}:/bin/sh\n", "group": "{0}:x:{1}:\n"}
    for file, line in lines.items():
        text = "".join(line.format(name, FIRST_ID + number) for number, name in enumerate(names))
        host.run("sh", "-c", f"cat >>/etc/{file}", stdin=text)
    for number, name in enumerate(names):
        home = host.work / "home" / name
        home.mkdir()
        os.chown(home, FIRST_ID + number, FIRST_ID + number)
    return names


@pytest.mark.parametrize(
    ("runtime", "services", "users"),
    [("package", 1000, 0), ("shipped", 1000, 0), ("package", 0, 1000), ("shipped", 0, 100)]
    if ALL
    else [("package", 60, 10), ("shipped", 60, 0)],
)
def test_each_is_started_once_and_whole(memory: Path, runtime: str, services: int, users: int) -> None:
    oracle.program("runsvdir", package="runit")
    tools = TOOLS[runtime]
    with Sandbox(memory) as host:
        host.run("mkdir", "-m", "1777", "/run/half", "/run/begun")
        if runtime == "shipped":
            host.run(TOOL, "runtime", "install", "--prefix", "/var/runit")
        trees = {name: {"services": {"worker": SERVICE}} for name in people(host, users)}
        data = {"profile": False, "runtime": runtime, "services": {f"s{number}": SERVICE for number in range(services)}, "users": trees}
        host.write("/etc/data.json", json.dumps({"runit": data | ({"prefix": "/var/runit"} if runtime == "shipped" else {})}))
        host.start("runsvdir", "-P", "/etc/service", env={"PATH": f"{tools}:{os.environ['PATH']}"})
        applied = host.run(TOOL, "apply", "--data", "/etc/data.json", "--timeout", "500", check=False)
        assert (applied.returncode, applied.stderr) == (0, "")
        begun = host.work / "run/begun"
        waiting.until(lambda: len(list(begun.iterdir())) >= services + users, deadline=500, what="each service's start")
        checked = host.run(TOOL, "check", "--data", "/etc/data.json", check=False)
        assert (checked.returncode, checked.stdout.splitlines()[-1].split(";")[0]) == (0, "nothing to do")
        started = sorted(path.name.rpartition(".")[0] for path in begun.iterdir())
        mine = [f"{FIRST_ID + number}.worker" for number in range(users)]
        assert started == sorted([*(f"0.s{number}" for number in range(services)), *mine])
        assert list((host.work / "run/half").iterdir()) == []
