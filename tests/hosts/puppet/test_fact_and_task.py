"""What Puppet asks of a host that runs, and what Bolt does there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import oracle, waiting

from .conftest import MODULE, Puppet

SLEEPS = "#!/bin/sh\nexec sleep 1000\n"


@pytest.fixture
def running(puppet: Puppet) -> Puppet:
    """A host whose C runit runs `web`, and as apprun1 `worker`."""
    runsvdir = oracle.program("runsvdir", package="runit")
    host = puppet.host
    host.write("/etc/service/web/run", SLEEPS, mode=0o755)
    host.write("/etc/service/idle/run", SLEEPS, mode=0o755)
    host.write("/etc/service/idle/down", "")
    host.write("/home/apprun1/service/worker/run", SLEEPS, mode=0o755)
    host.run("chown", "-R", "apprun1:apprun1", "/home/apprun1/service")
    host.write("/etc/service/runsvdir-apprun1/run", "#!/bin/sh\nexec chpst -u apprun1 runsvdir /home/apprun1/service\n", mode=0o755)
    host.start(runsvdir, "-P", "/etc/service")
    assert puppet.services("web").comes_up(within=60)
    assert puppet.services("apprun1/worker").comes_up(within=60)
    waiting.until(lambda: puppet.services("idle").is_supervised, what="runsv to supervise it")
    return puppet


def fact(puppet: Puppet) -> object:
    facter = oracle.program("facter", package="puppet-agent")
    answer = puppet.host.run("env", f"FACTERLIB={MODULE}/lib/facter", facter, "--json", "runit")
    return json.loads(answer.stdout).get("runit")


def test_the_fact_tells_each_services_state(running: Puppet) -> None:
    # No runsv can lock it, so that none makes it whole when runsvdir meets it.
    running.host.run("mkdir", "-p", "/etc/service/trap/supervise/lock", "/etc/service/.hidden")
    running.host.run("mkfifo", "/etc/service/trap/supervise/ok", "/etc/service/trap/supervise/status")
    running.host.run("touch", "/etc/service/.hidden/run")
    states = {"idle": "down", "runsvdir-apprun1": "up", "trap": "unsupervised", "web": "up"}
    assert fact(running) == {"service_directory": "/etc/service", "services": states}


def test_a_host_without_services_has_an_empty_tree(puppet: Puppet) -> None:
    assert fact(puppet) == {"service_directory": "/etc/service", "services": {}}


def task(puppet: Puppet, name: str = "sv", **parameters: str) -> tuple[int, str]:
    """Run a task as Bolt does by ssh: its parameters and Bolt's own in the environment, in root's home, which is root's alone."""
    described = json.loads(Path(MODULE / f"tasks/{name}.json").read_text())
    assert described["input_method"] == "environment"
    assert parameters.keys() <= described["parameters"].keys()
    bolts = {"_task": f"runit::{name}", "_installdir": str(MODULE.parent)}
    environment = [f"PT_{key}={value}" for key, value in {**parameters, **bolts}.items()]
    puppet.host.run("install", "-d", "-m", "0700", "/var/root")
    done = puppet.host.run("env", "--chdir=/var/root", *environment, str(MODULE / f"tasks/{name}.sh"), check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_task_stops_and_starts_a_service_of_the_host(running: Puppet) -> None:
    code, said = task(running, action="stop", service="web")
    assert (code, said.startswith("ok: down: web")) == (0, True), said
    assert running.services("web").goes_down(within=1)
    code, said = task(running, action="up", service="web", wait="20")
    assert (code, said.startswith("ok: run: web")) == (0, True), said
    assert running.services("web").comes_up(within=60)


def test_the_task_restarts_a_users_service_as_that_user(running: Puppet) -> None:
    worker = running.services("apprun1/worker")
    before = worker.pid
    code, said = task(running, action="restart", service="worker", user="apprun1")
    assert (code, said.startswith("ok: run: worker")) == (0, True), said
    assert worker.pid != before


def test_the_task_fails_for_a_service_that_is_not_there(running: Puppet) -> None:
    code, said = task(running, action="status", service="ghost")
    assert code == 1
    assert "ghost" in said


def test_the_status_task_tells_of_one_service_or_of_all_in_json(running: Puppet) -> None:
    code, said = task(running, "status")
    told = json.loads(said)
    assert (code, {name: row["state"] for name, row in told.items()}) == (0, {"idle": "down", "runsvdir-apprun1": "up", "web": "up"})
    assert (told["web"]["pid"], told["idle"]["pid"]) == (running.services("web").pid, None)
    code, said = task(running, "status", service="worker", user="apprun1")
    assert (code, json.loads(said)["worker"]["pid"]) == (0, running.services("apprun1/worker").pid)
    assert task(running, "status", service="nosuch") == (1, "no service nosuch in /etc/service\n")
