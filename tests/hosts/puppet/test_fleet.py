"""A puppetserver with agents in networks of their own: every one gets the services of its role, and bad data stop one alone.

There are five in a whole run, else four: db2 is one more that does what others do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from support import waiting
from support.fleet import Fleet, fleet

from .conftest import CHANGED, FAILED, MODULE, TOOL, UNCHANGED

MORE = {"db2": "db"} if os.environ.get("HARNESS") == "all" else {}
ROLES = {"web1": "web", "web2": "web", "db1": "db", "batch1": "batch", **MORE}
COMMON = f"""
lookup_options: {{db::password: {{convert_to: Sensitive}}}}
db::password: hunter5
runit::command: ['{TOOL}']
runit:
  prefix: /var/runit
  users: {{apprun1: {{services: {{worker: {{command: [sleep, '1000']}}}}}}}}
"""
WEB = "runit: {services: {web: {command: [sleep, '1000']}}}\n"
DB = """
runit:
  services:
    db: {command: [sleep, '1000'], env: {PASSWORD: "%{alias('db::password')}"}}
    backup: {command: 'true', one_shot: true}
"""
NODE = "runit: {services: {web: {user: nosuch}}}\n"
SERVICES = {"web": ["web"], "db": ["backup", "db"], "batch": []}
LATER = {
    "web1": "runit: {services: {new: {command: [sleep, '1000']}}}\n",
    "web2": "{}\n",
    "db1": "runit: {purge: true}\n",
    "batch1": "runit: {services: {bad: {command: exit 3}}}\n",
}


def comes_up(fleet: Fleet, name: str, service: str) -> None:
    def is_up() -> bool:
        return fleet.agents[name].run("sv", "status", service, check=False).stdout.startswith("run: ")

    waiting.until(is_up, what=f"{service} of {name}")


def start(fleet: Fleet, name: str) -> None:
    """Start the runtime that the first run has laid, as an init would."""
    fleet.agents[name].start("env", "PATH=/var/runit/bin:/usr/bin:/bin", "/var/runit/bin/runsvdir", "-P", "/etc/service")


def holders(fleet: Fleet, name: str) -> list[str]:
    """Give the files of an agent that hold the password; none of them may be one that others can read."""
    words = ("grep", "-rl", "hunter", "/etc", "/var", "/run", "/home")
    assert fleet.agents[name].run("chpst", "-u", "apprun1", *words, check=False).stdout == ""
    return sorted(fleet.agents[name].run(*words, check=False).stdout.split())


@pytest.mark.long
@pytest.mark.shows("roads", "Puppet", "a fleet", "bad data", "secrets unseen", "dry run", "purge", "a service that fails")
def test_every_agent_gets_its_roles_services_and_bad_data_stop_one_alone(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with fleet(tmp_path, MODULE, ROLES, "include runit\n", ["apprun1"]) as all_of_it:
        for path, text in {"common.yaml": COMMON, "roles/web.yaml": WEB, "roles/db.yaml": DB, "nodes/web2.yaml": NODE}.items():
            all_of_it.data(path, text)
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
                start(all_of_it, name)
                there = all_of_it.agents[name].run("ls", "/etc/service").stdout.split()
                assert there == sorted([*SERVICES[role], "runsvdir-apprun1"])
                comes_up(all_of_it, name, "/home/apprun1/service/worker")
        comes_up(all_of_it, "web1", "/etc/service/web")
        for name in ("db1", *MORE):
            comes_up(all_of_it, name, "/etc/service/db")
        # Puppet itself keeps the catalogue, in which a secret has to be, for root alone.
        assert [path for path in holders(all_of_it, "db1") if "/client_data/catalog/" not in path] == [
            "/etc/runit-provision/data.json",
            "/etc/sv/db/env/PASSWORD",
        ]
        assert "hunter" not in "".join(done.stdout + done.stderr for done in first.values())
        reports = all_of_it.server.run("grep", "-rl", "hunter", "/var/lib/puppetserver/reports", check=False)
        assert (reports.returncode, reports.stdout) == (1, ""), reports.stderr

        for name, text in LATER.items():
            all_of_it.data(f"nodes/{name}.yaml", text)
        all_of_it.agents["db1"].run("ln", "-s", "/nowhere", "/etc/service/stray")
        all_of_it.agents["web1"].run("sh", "-c", "echo noop = true >>/etc/puppet/puppet.conf")
        second = all_of_it.run()
        codes = {name: done.returncode for name, done in second.items() if name != "batch1"}
        assert codes == {"web1": UNCHANGED, "web2": CHANGED, "db1": CHANGED, **dict.fromkeys(MORE, UNCHANGED)}, second
        assert "Runit_service[new]/ensure: current_value 'absent' (created), should be 'running' (noop)" in second["web1"].stdout
        assert all_of_it.agents["web1"].run("ls", "/etc/service").stdout.split() == ["runsvdir-apprun1", "web"]
        assert "/etc/service/stray: not in the data" in second["db1"].stdout
        assert all_of_it.agents["db1"].run("ls", "/etc/service").stdout.split() == ["backup", "db", "runsvdir-apprun1"]
        assert second["batch1"].returncode in FAILED
        assert "Runit_service[bad]/ensure: change from 'absent' to 'running' failed: " in second["batch1"].stderr
        assert second["batch1"].stderr.count("failed: ") == 1, second["batch1"].stderr
        comes_up(all_of_it, "batch1", "/home/apprun1/service/worker")
        start(all_of_it, "web2")
        comes_up(all_of_it, "web2", "/etc/service/web")
        assert all_of_it.run("web2")["web2"].returncode == UNCHANGED
