"""What Puppet attaches to one service, under a real `puppet apply`: events, failure, order, restarts, and another provider beside."""

from __future__ import annotations

import re

import pytest
from support.waiting import until

from .conftest import CHANGED, FAILED, UNCHANGED, Puppet

DATA = """
runit:
  prefix: /var/runit
  users: {apprun1: {services: {worker: {command: [sleep, '1000']}}}}
  defaults: {limits: {core: 0}}
  services:
    web: {command: [sleep, '1000']}
    twins: {command: [sleep, '1000'], instances: {a: {nice: 1, limits: null}, b: null}}
"""
CHAIN = """
runit::service { 'db': command => ['sleep', '1000'] }
-> exec { 'sv check /etc/service/db && test ! -e /etc/sv/app && touch /var/loaded':
     creates => '/var/loaded', provider => shell, path => '/usr/bin:/bin' }
-> runit::service { 'app': command => ['sleep', '1000'] }
"""


@pytest.fixture
def live(puppet: Puppet) -> Puppet:
    """A host whose services of DATA run."""
    done = puppet.apply(DATA)
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert "Runit_service[web]/ensure: absent to running: created" in done.stdout
    assert "Runit_service[apprun1/worker]/ensure: absent to running: created" in done.stdout
    puppet.host.start("env", "PATH=/var/runit/bin:/usr/bin:/bin", "/var/runit/bin/runsvdir", "-P", "/etc/service")
    for name in ("web", "twins_a", "twins_b", "apprun1/worker"):
        assert puppet.services(name).comes_up(within=60), name
    return puppet


def pids(puppet: Puppet, *names: str) -> list[int | None]:
    return [puppet.services(name).pid for name in names]


@pytest.mark.one_of("story of Puppet's services")
@pytest.mark.shows("roads", "Puppet", "a service that fails")
def test_require_and_notify_hang_on_one_service_and_one_that_does_not_come_up_fails_alone_and_its_dependants_are_skipped(
    live: Puppet,
) -> None:
    others = ("twins_a", "twins_b", "apprun1/worker")
    before, web = pids(live, *others), live.services("web").pid
    told = "file { '/etc/web.conf': content => 'one' } ~> runit_service { 'web': }"
    changes = (
        "runit::user::service { 'apprun1/late': command => ['sleep', '1000'] } ~> exec { '/bin/touch /var/told': refreshonly => true }"
    )
    done = live.apply(DATA, manifest=f"include runit\n{CHAIN}\n{told}\n{changes}")
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert "Runit_service[web]: Triggered 'refresh' from 1 event" in done.stdout
    assert live.services("web").pid not in (0, None, web)
    assert pids(live, *others) == before
    for name in ("db", "app", "apprun1/late"):
        assert live.services(name).is_running, repr(live.services(name))
    live.host.run("test", "-e", "/var/told", "-a", "-e", "/var/loaded")
    again = live.apply(DATA, manifest=f"include runit\n{CHAIN}\n{told}\n{changes}")
    assert again.returncode == UNCHANGED, again.stdout + again.stderr

    bad = "runit::service { 'bad': command => 'exit 3' } -> notify { 'after bad': }"
    good = "runit::service { 'good': command => ['sleep', '1000'] } -> notify { 'after good': }"
    done = live.apply(DATA, manifest=f"include runit\n{bad}\n{good}")
    assert done.returncode in FAILED
    assert (
        "Runit_service[bad]/ensure: change from 'absent' to 'running' failed: runit.services.bad: /etc/sv/bad: bad: "
        "came up, but ended again at once; see its log in /var/log/runit/bad\n"
    ) in done.stderr
    assert "Notify[after bad]: Skipping because of failed dependencies" in done.stderr
    assert done.stderr.count("failed: ") == 1
    assert "Notice: after good" in done.stdout
    assert live.services("good").is_running
    again = live.apply(DATA, manifest=f"include runit\n{bad}\n{good}")
    assert again.returncode in FAILED
    assert "ends as often as it is started; see its log in /var/log/runit/bad\n" in again.stderr
    assert "Notify[after bad]: Skipping because of failed dependencies" in again.stderr


@pytest.mark.one_of("story of Puppet's services")
@pytest.mark.shows("roads", "Puppet", "purge")
def test_puppet_resource_lists_services_its_own_provider_does_not_fight_and_what_is_gone_from_the_data_goes_and_the_host_says_so(
    live: Puppet,
) -> None:
    live.host.run("sv", "down", "/etc/service/twins_b")
    until(lambda: not live.services("twins_b").is_running, what="its end")
    listed = live.run("resource", "runit_service")
    assert (listed.returncode, listed.stderr) == (0, "")
    found = dict(re.findall(r"(?m)^runit_service \{ '(.+)':\n +ensure +=> '(.+)',$", listed.stdout))
    assert found == {
        **dict.fromkeys(("apprun1/worker", "runsvdir-apprun1", "twins_a", "web"), "running"),
        "twins_b": "stopped",
    }
    refused = live.run("resource", "runit_service", "twins_b", "ensure=running")
    assert (refused.returncode, "there is no data that it could belong to: include the class runit" in refused.stderr) == (1, True)

    data = DATA + "    left: {command: [sleep, '1000'], ensure: any, down: true}\n"
    own = "service { 'web': ensure => running, enable => true, provider => runit }"
    stopped = "service { 'left': ensure => stopped, provider => runit, require => Class['runit'] }"
    first = live.apply(data, manifest=f"include runit\n{own}\n{stopped}")
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert "Service[web]" not in first.stdout
    second = live.apply(data, manifest=f"include runit\n{own}\n{stopped}")
    assert second.returncode == UNCHANGED, second.stdout + second.stderr
    live.host.run("sv", "down", "/etc/service/web")
    until(lambda: not live.services("web").is_running, what="its end")
    mended = live.apply(data, manifest=f"include runit\n{own}\n{stopped}")
    assert mended.returncode == CHANGED
    assert ("Runit_service[web]/ensure: stopped to running: start: is down" in mended.stdout) != (
        "Service[web]/ensure" in mended.stdout
    )

    live.host.run("mkdir", "-p", "/srv/stray")
    live.host.run("ln", "-s", "/srv/stray", "/etc/service/stray")
    fewer = DATA.replace(", b: null}", "}").replace("    web: {command: [sleep, '1000']}\n", "") + "  purge: true\n"
    done = live.apply(fewer)
    assert done.returncode == CHANGED, done.stdout + done.stderr
    assert "/ensure: " in done.stdout
    assert "web: stop: no longer in the data" in done.stdout
    assert "twins_b: stop: no longer in the data" in done.stdout
    assert "/etc/service/stray: not in the data" in done.stdout
    assert live.host.run("ls", "/etc/service").stdout.split() == ["runsvdir-apprun1", "twins_a"]
    assert live.apply(fewer).returncode == UNCHANGED
