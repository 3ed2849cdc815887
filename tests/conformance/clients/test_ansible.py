"""Ansible's module community.general.runit, as its authors wrote it, over C's tree with C's sv and over ours with ours."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from support import oracle
from support.supervision import service, tree

STEPS: list[dict[str, Any]] = [
    {"enabled": True},
    {"state": "started"},
    {"state": "restarted"},
    {"state": "reloaded"},
    {"state": "stopped"},
    {"state": "stopped"},
    {"state": "started"},
    {"state": "killed"},
    {"enabled": False},
]


def play(runsvdir: str, place: Path) -> list[tuple[bool, bool, str | None, bool]]:
    """Take a service through STEPS; give for each but the first: changed, enabled before, state after, whether there is a pid."""
    place.mkdir()
    services = place / "services"
    services.mkdir()
    service(place / "definitions/it", "trap 'kill %1; exit' TERM; trap : HUP; sleep 1000 & while :; do wait; done")
    common = {"name": "it", "service_dir": str(services), "service_src": str(place / "definitions")}
    tasks: list[dict[str, Any]] = [{"community.general.runit": {**common, **step}} for step in STEPS]
    supervised = {"ansible.builtin.wait_for": {"path": str(services / "it/supervise/ok"), "timeout": 60, "sleep": 1}}
    # C's sv takes a start within the same second for the restart that it waits for.
    a_second = {"ansible.builtin.wait_for": {"timeout": 2}}
    tasks[1:1] = [supervised, a_second]
    playbook = place / "play.yaml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    with tree(runsvdir, services, place / "state") as running:
        running.start()
        done = subprocess.run(
            [oracle.program("ansible-playbook", package="ansible"), "-i", "localhost,", "-c", "local", str(playbook)],
            env={
                **os.environ,
                "PATH": f"{Path(runsvdir).parent}:{os.environ['PATH']}",
                "HOME": str(place),
                "ANSIBLE_STDOUT_CALLBACK": "json",
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    results = [task["hosts"]["localhost"] for task in json.loads(done.stdout)["plays"][0]["tasks"]]
    made, *others = [(result["changed"], result["sv"]) for result in results if "sv" in result]
    assert made[0] is True
    # What it reports of a link that it has just made depends on how soon runsvdir looks.
    return [(changed, sv["enabled"], sv["state"], sv["pid"] is not None) for changed, sv in others]


def test_ansible_finds_no_difference(runtime: Path, tmp_path: Path) -> None:
    programs = {"C": oracle.program("runsvdir", package="runit"), "ours": str(runtime / "runsvdir")}
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda world: play(programs[world], tmp_path / world), programs)
    assert ours == theirs
    assert [state for _, _, state, _ in ours[:-1]] == ["started"] * 3 + ["stopped"] * 2 + ["started", "stopped"]
