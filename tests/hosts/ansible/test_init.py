"""The role on a fresh host whose init is known, and on which nothing of the runtime is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support import oracle, waiting
from support.booted import Booted, booted, prepare, with_systemd

from .conftest import CHECKOUT, PLAY, TOOL, Played

VARIABLES = {
    "runit_data": {"prefix": "/opt/runit", "services": {"web": {"command": ["sleep", "1111"]}}},
    "runit_manage_package": False,
    "runit_command": [TOOL],
}
UNIT = "etc/systemd/system/runit-provision.service"


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    root = prepare(tmp_path / "root", services={})
    folder = root / "etc/ansible"
    shutil.copytree(CHECKOUT / "ansible/roles", folder / "roles")
    (folder / "ansible.cfg").write_text("[defaults]\nroles_path = /etc/ansible/roles\nhome = /root/ansible\nremote_tmp = /root/tmp\n")
    (folder / "inventory").write_text("fresh ansible_connection=local ansible_python_interpreter=/usr/bin/python3\n")
    (folder / "play.yml").write_text(PLAY)
    (folder / "host_vars").mkdir()
    (folder / "host_vars/fresh.yml").write_text(json.dumps(VARIABLES))
    return with_systemd(root)


def play(box: Booted, *options: str) -> Played:
    program = oracle.program("ansible-playbook", package="ansible")
    words = ["env", "-C", "/etc/ansible", "LC_ALL=C.UTF-8", "HOME=/root", program, "-i", "inventory", *options, "play.yml"]
    return Played(box.run(*words))


@pytest.mark.one_of("init that a configuration management links")
@pytest.mark.long
@pytest.mark.shows("roads", "Ansible", "init linked", "runsvdir stopped")
def test_data_that_name_no_runtime_bring_it_and_init_starts_it_and_again_when_it_was_stopped(fresh: Path) -> None:
    with booted(fresh) as box:
        waiting.until(lambda: box.run("systemctl", "is-active", "basic.target").returncode == 0, what="an init that listens")
        told = play(box, "--check")
        assert (told.status, told.counts("failed"), (fresh / UNIT).exists()) == (0, {"fresh": 0}, False), told.out
        assert told.counts("changed")["fresh"] > 0
        first = play(box)
        assert (first.status, first.counts("failed"), (fresh / UNIT).exists()) == (0, {"fresh": 0}, True), first.out
        box.runsvdir()
        before = box.pid("sleep", "1111")
        second = play(box)
        assert (second.status, second.counts("changed"), box.pid("sleep", "1111")) == (0, {"fresh": 0}, before), second.out
        box.run("systemctl", "stop", "runit-provision")
        assert box.pids("sleep", "1111") == []
        third = play(box)
        assert (third.status, third.counts("changed")) == (0, {"fresh": 1}), third.out
        assert box.pid("sleep", "1111") != before
