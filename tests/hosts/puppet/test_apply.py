"""The module under a real `puppet apply`, as root, on a host of its own."""

from __future__ import annotations

import json
import re

import pytest

from .conftest import CHANGED, FAILED, TOOL, UNCHANGED, Puppet

SEED = """
runit:
  prefix: /var/runit
  users: [apprun1, apprun2]
"""
WEB = """
runit:
  prefix: /var/runit
  services:
    web: {command: [sleep, '1000'], env: {GREETING: "grüß 'dich'"}}
"""
DATA = "/etc/runit-provision/data.json"


def would_change(said: str) -> dict[str, str]:
    """Give what a run with --noop tells of each property; 7 shows both its values besides what the change would be, 8 does not."""
    return dict(re.findall(r"(Runit_\w+\[[^]]+\]/\w+): (.*) \(noop\)", said))


@pytest.mark.shows("roads", "Puppet", "first run", "second run")
def test_the_first_run_changes_and_the_second_does_nothing_nor_another_form_of_the_users_whose_trees_the_shipped_runtime_runs(
    puppet: Puppet,
) -> None:
    first = puppet.apply(SEED)
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert puppet.host.run("readlink", "/etc/service/runsvdir-apprun1").stdout == "/etc/sv/runsvdir-apprun1\n"
    assert puppet.host.run("stat", "-c", "%U", "/home/apprun2/service").stdout == "apprun2\n"
    second = puppet.apply(SEED)
    assert (second.returncode, "Error" in second.stderr) == (UNCHANGED, False), second.stderr

    puppet.host.start("env", "PATH=/var/runit/bin:/usr/bin:/bin", "/var/runit/bin/runsvdir", "-P", "/etc/service")
    tree = puppet.services("runsvdir-apprun1")
    assert tree.comes_up(within=60), repr(tree)
    assert tree.is_logging
    assert puppet.apply(SEED).returncode == UNCHANGED
    verified = puppet.host.run(TOOL, "verify", "--data", DATA, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr

    assert puppet.apply("runit: {prefix: /var/runit, users: {apprun1: ~, apprun2: {}}}").returncode in (CHANGED, UNCHANGED)
    assert puppet.apply("runit::prefix: /var/runit\nrunit::users: [apprun1, apprun2]").returncode in (CHANGED, UNCHANGED)
    declared = puppet.apply("runit::prefix: /var/runit", manifest="runit::user { ['apprun1', 'apprun2']: }")
    assert declared.returncode == UNCHANGED, declared.stdout + declared.stderr


def test_a_change_of_one_service_restarts_that_one_alone(puppet: Puppet) -> None:
    two = WEB + "    other: {command: [sleep, '1000']}\n"
    assert puppet.apply(two).returncode == CHANGED
    puppet.host.start("env", "PATH=/var/runit/bin:/usr/bin:/bin", "/var/runit/bin/runsvdir", "-P", "/etc/service")
    web, other = puppet.services("web"), puppet.services("other")
    assert web.comes_up(within=60)
    assert other.comes_up(within=60)
    before = web.pid, other.pid
    done = puppet.apply(two.replace("GREETING:", "FAREWELL:"))
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert web.comes_up(within=60)
    assert web.pid != before[0]
    assert other.pid == before[1]
    assert "FAREWELL=grüß 'dich'" in puppet.host.read(f"/proc/{web.pid}/environ").split("\0")


def test_noop_writes_nothing_and_tells_of_new_data(puppet: Puppet) -> None:
    user = "user { 'apprun3': ensure => present, managehome => true }"
    done = puppet.apply(f"{WEB}  users: [apprun3]\n", "--noop", manifest=f"include runit\n{user}")
    assert done.returncode == UNCHANGED, done.stderr
    told = would_change(done.stdout)
    assert "created" in told["Runit_service[web]/ensure"]
    assert "created" in told["Runit_service[runsvdir-apprun3]/ensure"]
    assert "/var/runit: the shipped runtime" in told["Runit_host[/etc/runit-provision/data.json]/ensure"]
    made = puppet.host.run("ls", "-d", "/etc/runit-provision", "/etc/sv/web", "/var/runit", "/etc/service/web", check=False)
    assert made.stdout == ""


@pytest.mark.shows("roads", "Puppet", "drift", "dry run", "bad data")
def test_noop_tells_of_drift_and_leaves_it_and_data_that_the_tool_refuses_change_nothing(puppet: Puppet) -> None:
    assert puppet.apply(WEB).returncode == CHANGED
    puppet.host.write("/etc/sv/web/run", "#!/bin/sh\nexec sleep 1\n", mode=0o755)
    done = puppet.apply(WEB, "--noop")
    assert "run: content changed" in would_change(done.stdout)["Runit_service[web]/definition"]
    assert puppet.host.read("/etc/sv/web/run") == "#!/bin/sh\nexec sleep 1\n"
    mended = puppet.apply(WEB)
    assert mended.returncode == CHANGED
    assert "Runit_service[web]/definition: run: content changed" in mended.stdout
    assert "exec sleep 1\n" not in puppet.host.read("/etc/sv/web/run")
    assert puppet.apply(WEB).returncode == UNCHANGED

    before = puppet.host.read(DATA)
    done = puppet.apply(WEB.replace("env:", "user: nosuch, check: {tcp: web}, env:"))
    assert done.returncode in FAILED
    assert "runit.services.web.user: there is no user 'nosuch' on this host" in done.stdout + done.stderr
    assert "runit.services.web.check" in done.stdout + done.stderr
    assert puppet.host.read(DATA) == before
    assert "Skipping because of failed dependencies" in done.stderr


def test_data_of_a_wrong_shape_does_not_even_compile(puppet: Puppet) -> None:
    done = puppet.apply(WEB.replace("env:", "memroy: 1m, env:"))
    assert done.returncode == 1
    assert "memroy" in done.stderr
    assert puppet.host.run("test", "-e", DATA, check=False).returncode == 1


def test_keys_that_are_given_twice_are_refused(puppet: Puppet) -> None:
    done = puppet.apply(SEED + "runit::users: [apprun1]\n")
    assert done.returncode == 1
    assert "given below the hash `runit` in hiera and as parameters of the class: users" in done.stderr


DECLARED = (
    "runit::user { 'apprun1': limits => { 'files' => 500 }, services => { 'worker' => { 'command' => 'exec sleep 1000' } } }",
    "runit::user::service { 'apprun1/other': command => ['sleep', 1000] }",
    "runit::user::service { 'apprun2/cluster/node': command => 'exec sleep 1000' }",
    "runit::service { 'web': command => ['sleep', '1000'], before_lines => 'umask 077' }",
)


def test_what_is_declared_one_by_one_comes_into_the_one_file(puppet: Puppet) -> None:
    done = puppet.apply("runit: {prefix: /var/runit, users: [apprun1]}", manifest="\n".join(DECLARED))
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert json.loads(puppet.host.read(DATA)) == {
        "runit": {
            "prefix": "/var/runit",
            "runtime": "shipped",
            "services": {"web": {"before": "umask 077", "command": ["sleep", "1000"]}},
            "users": {
                "apprun1": {
                    "limits": {"files": 500},
                    "services": {"other": {"command": ["sleep", 1000]}, "worker": {"command": "exec sleep 1000"}},
                },
                "apprun2": {"services": {"cluster": {"services": {"node": {"command": "exec sleep 1000"}}}}},
            },
        }
    }
    in_another_order = "\n".join(reversed(DECLARED))
    assert puppet.apply("runit: {prefix: /var/runit, users: [apprun1]}", manifest=in_another_order).returncode == UNCHANGED


def test_two_that_contradict_each_other_stop_the_run(puppet: Puppet) -> None:
    done = puppet.apply(WEB, manifest="runit::service { 'web': command => ['other'] }")
    assert done.returncode == 1
    assert "services.web.command is declared by Class[Runit] and, differently, by Runit::Service[web]" in done.stderr
    assert puppet.host.run("test", "-e", DATA, check=False).returncode == 1


IN_HIERA = """
lookup_options: {db::password: {convert_to: Sensitive}}
db::password: hunter4
runit:
  prefix: /var/runit
  services: {db: {command: [sleep, '1000'], env: {PASSWORD: "%{alias('db::password')}"}}}
"""


@pytest.mark.shows("roads", "Puppet", "secrets unseen")
def test_a_secret_is_in_no_report_and_in_no_file_that_others_may_read(puppet: Puppet) -> None:
    env = "'PASSWORD' => Sensitive('hunter2'), 'FETCHED' => Deferred('new', [Sensitive, 'hunter2'])"
    manifest = f"runit::service {{ 'web': command => ['sleep', '1000'], env => {{ {env} }} }}"
    done = puppet.apply("runit: {prefix: /var/runit}", "--debug", "--show_diff", manifest=manifest)
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    changed = puppet.apply(IN_HIERA, "--show_diff", manifest=manifest.replace("hunter2", "hunter3"))
    assert changed.returncode == CHANGED
    assert "hunter" not in changed.stdout + changed.stderr
    assert puppet.host.run("sh", "-c", "cat /etc/sv/web/env/* /etc/sv/db/env/*").stdout.split() == ["hunter3", "hunter3", "hunter4"]
    holders = puppet.host.run("grep", "-rl", "hunter", "/etc", "/var", "/run", check=False).stdout.split()
    assert "/etc/sv/web/env/PASSWORD" in holders
    others = puppet.host.run("chpst", "-u", "apprun1", "grep", "-rl", "hunter", "/etc", "/var", "/run", check=False)
    assert others.stdout == ""


def test_what_cannot_be_fetched_is_told_once_and_changes_nothing(puppet: Puppet) -> None:
    manifest = (
        "runit::service { 'web': command => ['sleep', '1000'], env => { 'PASSWORD' => Deferred('fail', ['the vault is sealed']) } }"
    )
    done = puppet.apply("runit: {prefix: /var/runit}", "--no-preprocess_deferred", manifest=manifest)
    assert done.returncode in FAILED
    assert "Runit_data[/etc/runit-provision/data.json]: Could not evaluate: the vault is sealed" in done.stderr
    assert "Runit_service[web]: Skipping because of failed dependencies" in done.stderr
    assert puppet.host.run("ls", "/etc/runit-provision").stdout == "command\n"


def test_an_account_of_the_same_catalogue_comes_first(puppet: Puppet) -> None:
    manifest = "include runit  user { 'apprun3': ensure => present, managehome => true, home => '/home/apprun3' }"
    done = puppet.apply("runit: {prefix: /var/runit, users: [apprun3]}", manifest=manifest)
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert puppet.host.run("stat", "-c", "%U", "/home/apprun3/service").stdout == "apprun3\n"
