"""What a test of a user's asks about trees, logs, users and what was applied, by each road that leads to a host."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import testinfra  # type: ignore[import-untyped]
from support import oracle, waiting
from support.command import PROGRAM
from support.sandbox import Sandbox

from runit_provision.errors import HostError
from runit_provision.host.records import dump_manifest
from runit_provision.model.observed import Kind, Manifest, Record, Seen
from runit_provision.model.tree import Realm
from runit_provision.verify.applied import OF_USER, Applied
from runit_provision.verify.link import Link
from runit_provision.verify.log import Log
from runit_provision.verify.nsenter import NsenterBackend
from runit_provision.verify.service import Services
from runit_provision.verify.target import Target
from runit_provision.verify.tree import Tree
from runit_provision.verify.user import User

from .conftest import Reached

EXAMPLE = """
def test_the_worker(runit_service, runit_log, runit_user, runit_tree, runit_init, runit_manifest):
    assert runit_service("apprun1/worker").comes_up(within=60)
    assert runit_log("apprun1/worker").has("^started$", within=60)
    assert runit_user("apprun1").tree.is_scanned
    assert "sshd" in runit_tree().services
    assert not runit_init.is_linked
    assert not runit_manifest.exists

def test_that_fails(runit_tree):
    assert runit_tree("apprun1").comes_up(within=3)
"""


def target(reached: Reached, road: str, folder: Path) -> list[str]:
    """Give the options by which pytest reaches the host."""
    match road:
        case "Ansible":  # its own modules do it, not testinfra's ssh in their place
            ssh = f"ansible_user=root ansible_ssh_common_args='-F {reached.ssh_config}' ansible_python_interpreter=/usr/bin/python3"
            (folder / "inventory").write_text(f"127.0.0.1 {ssh}\n")
            oracle.program("ansible", package="ansible")
            return ["--hosts=ansible://all", "--force-ansible", f"--ansible-inventory={folder}/inventory"]
        case "ssh":
            return ["--hosts=ssh://root@127.0.0.1", f"--ssh-config={reached.ssh_config}"]
        case _:
            return [f"--hosts=nsenter://{reached.host.init}"]


@pytest.mark.long
@pytest.mark.shows("roads", "testinfra by {road}", "a service that fails")
@pytest.mark.parametrize(
    "road", ["ssh", *(pytest.param(road, marks=pytest.mark.one_of("testinfra's road")) for road in ("nsenter", "Ansible"))]
)
def test_pytest_reaches_the_host(host_under_ours: Reached, road: str, tmp_path: Path) -> None:
    (tmp_path / "test_example.py").write_text(EXAMPLE)
    options = ["-p", "no:randomly", "-p", "no:cacheprovider", *target(host_under_ours, road, tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, "."]
    ansible = {"HOME": str(tmp_path / "ansible"), "LOCAL_TEMP": str(tmp_path / "ansible/tmp"), "PIPELINING": "1"}
    environment = {**os.environ, **{f"ANSIBLE_{name}": value for name, value in ansible.items()}}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert "1 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    # What the reader of a failure sees: which service, how it fares, how it ended of late, and its last words.
    assert "apprun1/broken: want up, " in done.stdout
    assert re.search(r", exited 1\b", done.stdout)
    assert " times in 60 s; last log line: " in done.stdout


@pytest.fixture
def there(reached: Reached) -> Target:
    return Target(testinfra.get_host("ssh://root@127.0.0.1", ssh_config=str(reached.ssh_config), controlpersist=0))


def test_a_users_tree(there: Target) -> None:
    user = User(there, Services(there), "apprun1")
    assert (user.exists, user.home) == (True, "/home/apprun1")
    assert user.tree.services == ("apprun1/broken", "apprun1/spare", "apprun1/worker")
    waiting.until(lambda: user.tree.is_scanned, what="apprun1's runsvdir")
    waiting.until(lambda: len(user.tree.faults) == 1, what="all but one are up")
    assert user.tree.faults[0].startswith("apprun1/broken: want up, ")


def test_the_hosts_own_tree(there: Target) -> None:
    tree = Tree(there, Services(there), "")
    assert tree.services == ("runsvdir-apprun1", "runsvdir-apprun2", "sshd")
    assert tree.comes_up(within=60)
    assert repr(tree) == "<tree /etc/service: 3 services>"


def test_an_account_that_is_not_there(there: Target) -> None:
    nobody = User(there, Services(there), "nobody-of-here")
    assert (nobody.exists, nobody.home) == (False, "")
    assert repr(nobody) == "<user nobody-of-here: there is no such account>"


def test_a_log_and_what_stands_in_it(there: Target) -> None:
    log = Log(Services(there)("apprun1/worker"))
    assert log.has("^start(ed|ing)$", within=60)
    assert log.is_running
    assert not log.has("never said")


def test_a_host_that_nothing_was_applied_to(there: Target) -> None:
    applied = Applied(there)
    assert (applied.exists, repr(applied)) == (False, "<no manifest: apply was never done there>")
    assert (Link(there).is_linked, repr(Link(there))) == (False, "<init link: there is none>")


class Connected:
    """A connection of an ordinary account, by a shell of its own."""

    def __init__(self, uid: int, home: Path) -> None:
        self._uid = uid
        self._home = home

    def shell(self, script: str, *words: str, account: str = "") -> Any:
        assert not account
        whose: dict[str, Any] = {
            "user": self._uid,
            "group": self._uid,
            "extra_groups": (),
            "env": {"PATH": "/usr/bin:/bin", "HOME": str(self._home)},
        }
        done = subprocess.run(["sh", "-c", script, "sh", *words], **whose, check=False, capture_output=True, text=True)
        return SimpleNamespace(rc=done.returncode, stdout=done.stdout, stderr=done.stderr)


def test_who_has_applied_without_root_asks_what_he_has_applied(tmp_path: Path) -> None:
    oracle.root("another account's home")
    tmp_path.chmod(0o755)
    applied = Applied(cast("Target", Connected(61016, tmp_path)))
    assert repr(applied).startswith("<no manifest:")
    with pytest.raises(HostError, match="cannot be read"):
        _ = applied.services
    run = tmp_path / "run"
    run.write_text("exec true\n")
    digest = hashlib.sha256(run.read_bytes()).hexdigest()
    seen = Seen(Kind.FILE, mode=0o644, uid=61016, gid=61016, size=10, digest=digest)
    place = tmp_path / OF_USER
    place.parent.mkdir(parents=True)
    place.write_bytes(dump_manifest(Manifest({str(run): Record(seen, Realm(None, str(tmp_path)))})))
    assert applied.exists
    assert not applied.drift
    run.write_text("exec false\n")
    assert applied.drift == (str(run),)


DATA = """\
runit:
  prefix: PREFIX
  services:
    web: {command: [sleep, "1111"]}
  users:
    apprun1:
      services:
        worker:
          command: [sleep, "2222"]
          check: |
            #!/bin/sh
            test "$(id -un)" = apprun1 -a ! -e /home/apprun1/useless
"""


@pytest.mark.shows("roads", "testinfra", "drift", "a service that fails")
def test_what_apply_made_is_asked_without_a_test_for_each(runtime: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with Sandbox(tmp_path) as host:
        host.add_user("apprun1", number=0)
        host.write("/etc/data.yaml", DATA.replace("PREFIX", str(runtime.parent)))
        host.start("env", f"PATH={runtime}:/usr/sbin:/usr/bin:/sbin:/bin", f"{runtime}/runsvdir", "-P", "/etc/service")
        host.run(PROGRAM, "apply", "--data", "/etc/data.yaml")
        applied = Applied(Target(testinfra.host.Host(NsenterBackend(host.init))))
        assert applied.exists
        assert {"web", "apprun1/worker", "runsvdir-apprun1"} <= {*applied.services}
        assert applied.faults(within=60) == ()
        assert [*applied.drift] == []
        host.run("touch", "/home/apprun1/useless")
        (fault,) = applied.faults(within=0)
        assert fault.startswith("apprun1/worker: should be healthy: want up, up (pid ")
        assert ", its check exited 1" in fault
        host.run("rm", "/home/apprun1/useless")
        host.run("sh", "-c", "echo '# a hand' >>/home/apprun1/runit/worker/run; rm /etc/sv/web/run")
        assert [*applied.drift] == ["/etc/sv/web/run", "/home/apprun1/runit/worker/run"]
        host.run("usermod", "--expiredate", "1", "apprun1")  # su lets nobody in any more
        with pytest.raises(HostError, match=r"could not be read as apprun1: .*expired"):
            _ = applied.drift
        host.run("usermod", "--expiredate", "", "apprun1")
        host.run(f"{runtime}/sv", "down", "/etc/service/web")
        assert applied.faults(within=60)[0].startswith("web: should be exists: there is no run")
