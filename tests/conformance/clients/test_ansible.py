"""Ansible's module community.general.runit, as its authors wrote it, over C's tree with C's sv and over ours with ours."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack
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


def playbook() -> str:
    """Give the play of STEPS, in which each world is a host."""
    common = {"name": "it", "service_dir": "{{ place }}/services", "service_src": "{{ place }}/definitions"}
    tasks: list[dict[str, Any]] = [{"community.general.runit": {**common, **step}} for step in STEPS]
    supervised = {"ansible.builtin.wait_for": {"path": "{{ place }}/services/it/supervise/ok", "timeout": 60, "sleep": 1}}
    # C's sv takes a start within the same second for the restart that it waits for.
    a_second = {"ansible.builtin.wait_for": {"timeout": 2}}
    tasks[1:1] = [supervised, a_second]
    path = {"PATH": "{{ tools }}:" + os.environ["PATH"]}
    return json.dumps([{"hosts": "all", "gather_facts": False, "environment": path, "tasks": tasks}])


def test_ansible_finds_no_difference(runtime: Path, tmp_path: Path) -> None:
    ansible = oracle.program("ansible-playbook", package="ansible")
    worlds = {"C": Path(oracle.program("runsvdir", package="runit")), "ours": runtime / "runsvdir"}
    (tmp_path / "play.yaml").write_text(playbook())
    hosts = [f"{world} place={tmp_path / world} tools={runsvdir.parent}" for world, runsvdir in worlds.items()]
    (tmp_path / "hosts").write_text("\n".join(hosts) + "\n")
    with ExitStack() as stack:
        for world, runsvdir in worlds.items():
            run = "trap 'kill -9 %1; exit' TERM; trap : HUP; sleep 1000 & while :; do wait; done"
            service(tmp_path / world / "definitions/it", run)
            (tmp_path / world / "services").mkdir()
            stack.enter_context(tree(runsvdir, tmp_path / world / "services", tmp_path / world / "state")).start()
        done = subprocess.run(
            [ansible, "-i", tmp_path / "hosts", "-c", "local", tmp_path / "play.yaml"],
            env={
                **os.environ,
                "HOME": str(tmp_path),
                "ANSIBLE_STDOUT_CALLBACK": "json",
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    tasks = json.loads(done.stdout)["plays"][0]["tasks"]
    theirs, ours = ([task["hosts"][world] for task in tasks if "sv" in task["hosts"][world]] for world in worlds)
    assert (theirs[0]["changed"], ours[0]["changed"]) == (True, True)
    # What it reports of a link that it has just made depends on how soon runsvdir looks.
    assert [plain(result) for result in ours[1:]] == [plain(result) for result in theirs[1:]]
    assert [result["sv"]["state"] for result in ours[1:-1]] == ["started"] * 3 + ["stopped"] * 2 + ["started", "stopped"]


def plain(result: dict[str, Any]) -> tuple[bool, bool, str | None, bool]:
    """Give whether it changed anything, whether it was enabled, the state after, whether there is a pid."""
    return result["changed"], result["sv"]["enabled"], result["sv"]["state"], result["sv"]["pid"] is not None
