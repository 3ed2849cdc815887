"""A cold host, on which nothing of the runtime is there and nothing scans: the first run leaves its services running."""

from __future__ import annotations

import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from support import facts, oracle, waiting
from support.booted import Booted, booted, prepare, with_systemd, with_sysvinit

from .conftest import CHANGED, FAILED, MODULE, TOOL, UNCHANGED, Puppet

DATA = f"""
runit::command: ['{TOOL}']
runit:
  prefix: /opt/runit
  services:
    web: {{command: [sleep, '1111']}}
"""
HIERARCHY = "version: 5\ndefaults: {datadir: ., data_hash: yaml_data}\nhierarchy: [{name: all, path: common.yaml}]\n"
INITTAB = 'id:2:initdefault:\nl2:2:wait:/bin/sh -c ": >/root/rc2"\n'


@pytest.fixture(params=["systemd", "sysvinit"])
def cold(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    root = prepare(tmp_path / "root", services={})
    shutil.copytree(MODULE, root / "etc/puppet-test/modules/runit", ignore=shutil.ignore_patterns(".yardoc", "fixtures"))
    for folder in ("lib", "cache"):
        (root / "var" / folder / "puppet").mkdir(parents=True)
    (root / "etc/facter").mkdir()
    (root / facts.PATH.lstrip("/")).write_text(facts.FEW)
    (root / "etc/puppet-test/hiera.yaml").write_text(HIERARCHY)
    (root / "etc/puppet-test/common.yaml").write_text(DATA)
    return with_systemd(root) if request.param == "systemd" else with_sysvinit(root, INITTAB)


def is_up(box: Booted) -> bool:
    if (box.root / "etc/inittab").exists():
        return (box.root / "root/rc2").exists()
    return box.run("systemctl", "is-active", "basic.target").returncode == 0


def apply(box: Booted, *more: str) -> CompletedProcess[str]:
    puppet = oracle.program("puppet", package="puppet-agent")
    places = {"confdir": "", "hiera_config": "/hiera.yaml", "modulepath": "/modules", "vardir": "/var"}
    options = [f"--{name}=/etc/puppet-test{place}" for name, place in places.items()]
    return box.run(puppet, "apply", *options, "--detailed-exitcodes", "--color=false", *more, "--execute", "include runit")


@pytest.mark.one_of("init that a configuration management links")
@pytest.mark.shows("roads", "Puppet", "init linked", "runsvdir stopped", "drift", "dry run", "purge", "a service that fails")
def test_the_first_run_starts_the_services_by_init_the_second_does_nothing_and_a_booted_host_is_mended(cold: Path) -> None:
    run, link = cold / "etc/sv/web/run", cold / "etc/service/stray"
    with booted(cold) as box:
        waiting.until(lambda: is_up(box), what="an init that listens")
        first = apply(box)
        assert first.returncode == CHANGED, first.stdout + first.stderr
        box.runsvdir()
        box.pid("sleep", "1111")
        second = apply(box)
        assert (second.returncode, "Exec[" in second.stdout) == (UNCHANGED, False), second.stdout + second.stderr
        if (cold / "etc/inittab").exists():
            return  # whose init has no way to stop what it respawns
        box.run("systemctl", "stop", "runit-provision.service")
        third = apply(box)
        assert (third.returncode, "Exec[runit-provision init link]" in third.stdout) == (CHANGED, True), third.stdout + third.stderr

        before = box.pid("sleep", "1111")
        run.write_text(f"{run.read_text()}# a hand\n")
        told = apply(box, "--noop")
        assert "Runit_service[web]/definition: current_value 'different' (run: content changed" in told.stdout, told.stderr
        assert (box.pid("sleep", "1111"), "# a hand" in run.read_text()) == (before, True)
        mended = apply(box)
        assert (mended.returncode, "# a hand" in run.read_text()) == (CHANGED, False), mended.stderr
        after = box.pid("sleep", "1111")

        link.symlink_to("/nowhere")
        (cold / "etc/puppet-test/common.yaml").write_text(f"{DATA}    bad: {{command: exit 3}}\n  purge: true\n")
        failed = apply(box)
        assert failed.returncode in FAILED
        assert "Runit_service[bad]/ensure: change from 'absent' to 'running' failed: " in failed.stderr
        assert (failed.stderr.count("failed: "), link.is_symlink(), box.pid("sleep", "1111")) == (1, False, after), failed.stderr


def test_a_host_without_an_init_that_is_known_has_no_link_and_no_failure(puppet: Puppet) -> None:
    data = "runit: {prefix: /var/runit, services: {web: {command: [sleep, '1000']}}}"
    first = puppet.apply(data, manage_init=True)
    assert first.returncode == CHANGED, first.stdout + first.stderr
    assert "init link]/returns" not in first.stdout
    assert puppet.host.run("sh", "-c", "ls /etc/inittab /etc/systemd/system/runit-provision.service", check=False).stdout == ""
    second = puppet.apply(data, manage_init=True)
    assert (second.returncode, "Exec[" in second.stdout) == (UNCHANGED, False), second.stdout + second.stderr


def test_an_init_that_is_named_but_not_there_is_an_error(puppet: Puppet) -> None:
    done = puppet.apply("runit: {prefix: /var/runit}\nrunit::init: sysvinit", manage_init=True)
    assert done.returncode not in (CHANGED, UNCHANGED)
    assert "/etc/inittab: No such file" in done.stdout + done.stderr
