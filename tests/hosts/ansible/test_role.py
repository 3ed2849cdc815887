"""The role against two hosts, by a real ansible."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.wheels import laid

from .conftest import CHECKOUT, TOOL, Fleet

TOKEN = "wKkT7-not-to-be-seen"
NONE = {"one": 0, "two": 0}
WITHOUT = {"runit_manage_package": False, "runit_command": [TOOL], "runit_manage_init": False}
"""The tool is there, and no init."""
HALF = "#!/bin/sh\nexec {folder}/bin/python3 -c 'from runit_provision.cli import main'\n"
"""What is left where pip was cut short, or where a new release of the distribution has brought another Python."""


@pytest.fixture
def data() -> dict[str, Any]:
    """What both hosts are told: one service of the host's, one of a user's."""
    return {
        "prefix": "/var/runit",
        "services": {"web": {"command": ["sleep", "1111"]}},
        "users": {"apprun1": {"services": {"worker": {"command": ["sleep", "2222"]}}}},
    }


def say(fleet: Fleet, data: dict[str, Any], **changes: Any) -> None:
    for name in fleet.hosts:
        fleet.say(name, **{"runit_data": data, **WITHOUT, **changes})


@pytest.mark.long
@pytest.mark.shows("roads", "Ansible", "first run", "second run", "drift", "dry run", "purge", "bad data")
def test_the_first_run_changes_both_hosts_the_second_none_then_drift_is_mended_strays_go_and_bad_data_fail_on_their_host_alone(
    fleet: Fleet, data: dict[str, Any]
) -> None:
    say(fleet, data)
    first = fleet.play()
    assert (first.status, first.counts("failed")) == (0, NONE), first.out
    assert min(first.counts("changed").values()) > 0
    for host in fleet.hosts.values():
        assert host.run(TOOL, "verify", "--data", "/etc/runit-provision/data.json", check=False).returncode == 0
        assert host.run("stat", "-c", "%a %U", "/etc/runit-provision/data.json").stdout == "600 root\n"
        owner = host.run("sh", "-c", "ps -eo user=,args= | grep '[s]leep 2222'").stdout.split()[0]
        assert owner == "apprun1"
        assert host.run("sh", "-c", "ls -d /var/tmp/ansible.*.runit", check=False).stdout == ""
    second = fleet.play()
    assert (second.status, second.counts("changed"), second.counts("failed")) == (0, NONE, NONE), second.out

    one, two = fleet.hosts.values()
    run = two.read("/etc/sv/web/run")
    two.run("sh", "-c", "echo '# a hand' >>/etc/sv/web/run")
    one.run("sh", "-c", "mkdir /srv/stray; ln -s /srv/stray /etc/service/stray; ln -s /srv/stray /etc/service/.left")
    worker = one.run("pgrep", "-x", "-f", "sleep 2222").stdout
    fleet.say("one", **{**WITHOUT, "runit_data": {**data, "purge": True, "services": {}}})
    told = fleet.play("--check", "--diff")
    assert (told.status, told.counts("changed")) == (0, {"one": 2, "two": 1}), told.out
    assert "~ /etc/sv/web/run" in told.out
    assert "-# a hand" in told.out
    assert "- /etc/service/stray" in told.out
    assert two.read("/etc/sv/web/run") != run
    assert one.run("ls", "/etc/service").stdout.split() == ["runsvdir-apprun1", "stray", "web"]
    mended = fleet.play()
    assert mended.counts("changed") == {"one": 2, "two": 1}, mended.out
    assert two.read("/etc/sv/web/run") == run
    assert one.run("ls", "-A", "/etc/service").stdout.split() == [".left", "runsvdir-apprun1"]
    assert one.run("pgrep", "-f", "sleep 1111|sleep 2222").stdout == worker

    before = two.read("/etc/runit-provision/data.json")
    fleet.say("two", runit_data={**data, "services": {"web": {"comand": ["x"], "limits": {"memroy": 1}}}}, **WITHOUT)
    data["services"]["web"]["env"] = {"GREETING": "hello"}
    fleet.say("one", runit_data=data, **WITHOUT)
    refused = fleet.play()
    assert refused.counts("failed") == {"one": 0, "two": 1}, refused.out
    assert "runit.services.web.comand: unknown key; did you mean `command`?" in refused.out
    assert "runit.services.web.limits.memroy: unknown key; did you mean `memory`?" in refused.out
    assert one.read("/etc/sv/web/env/GREETING") == "hello\n"
    assert two.read("/etc/runit-provision/data.json") == before
    assert two.run(TOOL, "check", "--data", "/etc/runit-provision/data.json", check=False).returncode == 0


@pytest.mark.one_of("story of the role")
@pytest.mark.shows("roads", "Ansible", "secrets unseen")
def test_a_vaulted_secret_arrives_and_once_marked_is_shown_nowhere(fleet: Fleet, data: dict[str, Any]) -> None:
    token = fleet.vault(TOKEN)
    texts = {"TOKEN": token, "URL": "db://me:{{ token }}@db"}
    env = {name: {"__ptype": "Sensitive", "__pvalue": text} for name, text in texts.items()}
    data["users"]["apprun1"]["services"]["worker"]["env"] = env
    say(fleet, data, token=token)
    one, host = ("--limit", "one", "-vvv"), fleet.hosts["one"]
    files = [f"/home/apprun1/runit/worker/env/{name}" for name in env]
    pretended, done = fleet.play("--check", "--diff", *one), fleet.play("--diff", *one)
    assert [host.read(file) for file in files] == [f"{TOKEN}\n", f"db://me:{TOKEN}@db\n"], done.out
    modes = host.run("stat", "-c", "%a %U", *files, "/etc/runit-provision/data.json").stdout
    assert modes == "600 apprun1\n600 apprun1\n600 root\n"

    host.run("sh", "-c", f"echo another >{files[0]}")
    drifted = fleet.play("--check", "--diff", *one)
    for played in (pretended, done, drifted):
        assert (played.status, files[0] in played.out, TOKEN in played.out) == (0, True, False), played.out
        assert played.counts("changed")["one"] > 0


@pytest.mark.one_of("road that brings the tool")
@pytest.mark.long
@pytest.mark.timeout(900)  # pip takes its time
@pytest.mark.shows("roads", "Ansible", "the tool installed", "an installation in part")
def test_the_role_brings_the_tool_where_one_lies_that_does_not_work_and_asks_for_an_init(
    fleet: Fleet, data: dict[str, Any], tmp_path: Path, wheels: Path
) -> None:
    laid(wheels, tmp_path / "wheels")
    (wheel,) = (tmp_path / "wheels").glob("runit_provision-*.whl")
    wheel = wheel.rename(tmp_path / wheel.name)  # it comes from the machine that plays, what it requires from an index
    places = {"runit_virtualenv": "/var/tool", "runit_command": ["/var/lib/tool"]}
    python = f"{sys.base_prefix}/bin/python3"
    found = f"--no-index --no-compile --find-links {tmp_path}/wheels"
    say(
        fleet,
        data,
        **{
            "runit_manage_package": True,
            "runit_wheel": str(wheel),
            "runit_python": python,
            "runit_package_arguments": found,
            "runit_manage_init": True,
            **places,
        },
    )
    one, host = ("--limit", "one"), fleet.hosts["one"]
    host.run(python, "-m", "venv", "--without-pip", "/var/tool")
    host.write("/var/tool/bin/runit-provision", HALF.format(folder="/var/tool"), mode=0o755)
    pretended = fleet.play("--check", *one)
    assert (pretended.status, pretended.counts("failed")) == (0, {"one": 0}), pretended.out
    first = fleet.play(*one)
    assert (first.status, first.counts("failed")) == (0, {"one": 0}), first.out
    assert host.run("readlink", "/var/lib/tool").stdout == "/var/tool/bin/runit-provision\n"
    assert "pytest" not in host.run("ls", "/var/tool/bin").stdout
    assert host.run("/var/lib/tool", "check", "--data", "/etc/runit-provision/data.json", check=False).returncode == 0
    second = fleet.play(*one)
    assert (second.status, second.counts("changed"), second.counts("failed")) == (0, {"one": 0}, {"one": 0}), second.out


@pytest.mark.one_of("story of the role")
@pytest.mark.shows("roads", "Ansible", "a service that fails")
def test_a_service_that_does_not_stay_up_fails_the_play_however_often_it_is_repeated(fleet: Fleet, data: dict[str, Any]) -> None:
    data["services"]["web"] = {"command": ["/nonexistent/web"]}
    say(fleet, data, runit_verify_within=3)
    played = fleet.play("--limit", "one")
    assert played.counts("failed") == {"one": 1}, played.out
    assert "web: came up, but ended again at once" in played.out, played.out
    again = fleet.play("--limit", "one")
    assert (again.counts("failed"), again.counts("changed")) == ({"one": 1}, {"one": 0}), again.out
    assert "exec: /nonexistent/web: not found" in again.out


@pytest.mark.shows("roads", "Ansible", "an old Python", "no Python", "an installation in part")
def test_a_host_where_the_tool_cannot_work_is_told_what_is_needed_and_what_ansible_checks_of_a_role_by_itself(
    fleet: Fleet, data: dict[str, Any], tmp_path: Path
) -> None:
    one, two = fleet.hosts.values()
    say(fleet, {}, runit_verify_within="soon")
    played = fleet.play()
    assert played.counts("failed") == {"one": 1, "two": 1}
    assert "runit_verify_within" in played.out

    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3.9\n")
    old.chmod(0o755)
    say(fleet, data, runit_manage_package=True, runit_python=str(old), runit_package="runit-provision")
    fleet.say("two", runit_data=data)
    played = fleet.play()
    assert played.counts("failed") == {"one": 1, "two": 1}
    assert f"{old} is 3.9; runit-provision needs Python 3.11 or later." in played.out
    assert "Give either runit_wheel, a wheel on this machine" in played.out

    fleet.say("one", runit_data=data, runit_python="python3.99", runit_package="runit-provision")
    fleet.say("two", runit_data=data, **WITHOUT)
    two.without_python()
    played = fleet.play()
    assert played.counts("failed") == {"one": 1, "two": 1}
    assert "python3.99 is no Python that runs here; runit-provision needs Python 3.11 or later." in played.out
    assert "/usr/bin/python3: not found" in played.out
    assert "you probably need to set the interpreter" in played.out

    say(fleet, data, runit_command=["/etc/half"])
    one.write("/etc/half", HALF.format(folder="/usr"), mode=0o755)
    played = fleet.play("--limit", "one")
    assert "ModuleNotFoundError: No module named 'runit_provision'" in played.out
    for host in (one, two):
        assert host.run("ls", "-A", "/etc/service").stdout == ""
        assert host.run("test", "-e", "/etc/runit-provision", check=False).returncode == 1


def test_every_variable_is_described() -> None:
    import yaml

    role = CHECKOUT / "ansible/roles/runit"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    specs = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    assert {name: spec["default"] for name, spec in specs.items()} == defaults


def test_the_role_reads_as_ansible_wants() -> None:
    program = oracle.program("ansible-playbook", package="ansible")
    play = "- hosts: localhost\n  roles: [runit]\n"
    done = subprocess.run(
        [program, "--syntax-check", "-i", "localhost,", "/dev/stdin"],
        input=play,
        text=True,
        capture_output=True,
        check=False,
        env={"PATH": "/usr/bin:/bin", "ANSIBLE_ROLES_PATH": str(CHECKOUT / "ansible/roles"), "HOME": "/tmp", "LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
