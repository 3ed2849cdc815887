"""A puppetserver with five agents in networks of their own: every one gets the services of its role, and bad data stop one alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.fleet import Fleet, fleet

from .conftest import CHANGED, FAILED, MODULE, TOOL, UNCHANGED

ROLES = {"web1": "web", "web2": "web", "db1": "db", "db2": "db", "batch1": "batch"}
COMMON = f"""
runit::command: ['{TOOL}']
runit:
  runtime: none
  users: {{apprun1: {{services: {{worker: {{command: [sleep, '1000'], log: false}}}}}}}}
"""
WEB = "runit: {services: {web: {command: [sleep, '1000'], log: false}}}\n"
DB = "runit: {services: {db: {command: [sleep, '1000'], log: false}, backup: {command: 'true', one_shot: true, log: false}}}\n"
NODE = "runit: {services: {web: {user: nosuch}}}\n"
SERVICES = {"web": ["web"], "db": ["backup", "db"], "batch": []}


def is_up(fleet: Fleet, name: str, service: str) -> bool:
    return fleet.agents[name].run("sv", "status", service, check=False).stdout.startswith("run: ")


@pytest.mark.shows("roads", "Puppet", "a fleet", "bad data")
def test_every_agent_gets_its_roles_services_and_bad_data_stop_one_alone(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with fleet(tmp_path, MODULE, ROLES, "include runit\n", ["apprun1"]) as all_of_it:
        for path, text in {"common.yaml": COMMON, "roles/web.yaml": WEB, "roles/db.yaml": DB, "nodes/web2.yaml": NODE}.items():
            all_of_it.data(path, text)
        for agent in all_of_it.agents.values():
            agent.start("runsvdir", "-P", "/etc/service")
        first = all_of_it.run()
        assert {name: done.returncode for name, done in first.items() if name != "web2"} == dict.fromkeys(
            ROLES.keys() - {"web2"}, CHANGED
        ), first
        assert first["web2"].returncode in FAILED
        assert "there is no user 'nosuch' on this host" in first["web2"].stdout + first["web2"].stderr
        assert all_of_it.agents["web2"].run("ls", "/etc/service", "/etc/runit-provision").stdout.split() == [
            "/etc/runit-provision:",
            "command",
            "/etc/service:",
        ]
        for name, role in ROLES.items():
            if name != "web2":
                there = all_of_it.agents[name].run("ls", "/etc/service").stdout.split()
                assert there == sorted([*SERVICES[role], "runsvdir-apprun1"])
                assert is_up(all_of_it, name, "/home/apprun1/service/worker")
        assert is_up(all_of_it, "web1", "/etc/service/web")
        assert is_up(all_of_it, "db2", "/etc/service/db")

        all_of_it.data("nodes/web2.yaml", "{}\n")
        second = all_of_it.run()
        assert {name: done.returncode for name, done in second.items()} == {**dict.fromkeys(ROLES, UNCHANGED), "web2": CHANGED}, second
        assert is_up(all_of_it, "web2", "/etc/service/web")
        assert all_of_it.run("web2")["web2"].returncode == UNCHANGED
