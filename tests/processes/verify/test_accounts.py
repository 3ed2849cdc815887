"""What verify does as root about a service of another account, whose process and log do what that account likes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra  # type: ignore[import-untyped]
from support.command import PROGRAM
from support.sandbox import Sandbox

from runit_provision.verify.applied import Applied
from runit_provision.verify.nsenter import NsenterBackend
from runit_provision.verify.target import Target

from .conftest import named, service

CHECK = """#!/bin/sh
{ id -un; id -Gn; echo "$PATH"; } >/home/apprun1/told-$$
mv /home/apprun1/told-$$ /home/apprun1/told
test ! -e /home/apprun1/useless
"""
DATA = f"""\
runit:
  prefix: PREFIX
  services:
    web:
      user: apprun1
      groups: [adm]
      command: [/home/apprun1/program]
      log: {{user: apprun1}}
      check: |
{"".join(f"        {line}" for line in CHECK.splitlines(keepends=True))}
"""
PROGRAM_OF_ITS_OWN = "#!/bin/sh\nexec 2>&1\necho serving\nPATH=/home/apprun1/evil:/usr/bin:/bin exec sleep 1000\n"
EVIL = '#!/bin/sh\n/usr/bin/id -u >>/home/apprun1/evil-ran\nexec /usr/bin/id "$@"\n'


@pytest.fixture
def host(runtime: Path, tmp_path: Path) -> Iterator[Sandbox]:
    """A host whose runsvdir is ours, and whose user apprun1 has a program that calls whatever its own PATH says."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with Sandbox(tmp_path) as sandbox:
        sandbox.add_user("apprun1", number=0)
        sandbox.write("/home/apprun1/program", PROGRAM_OF_ITS_OWN, mode=0o755)
        sandbox.write("/home/apprun1/evil/id", EVIL, mode=0o755)
        sandbox.run("chown", "-R", "apprun1:", "/home/apprun1")
        sandbox.start("env", f"PATH={runtime}:/usr/sbin:/usr/bin:/sbin:/bin", f"{runtime}/runsvdir", "-P", "/etc/service")
        yield sandbox


def told(host: Sandbox) -> list[str]:
    """What the last check saw: its account, its groups, its PATH."""
    lines = host.read("/home/apprun1/told").splitlines()
    host.run("rm", "/home/apprun1/told")
    return lines


def test_a_check_runs_as_the_account_that_the_data_name_with_no_path_of_its_process(host: Sandbox, runtime: Path) -> None:
    host.write("/etc/data.yaml", DATA.replace("PREFIX", str(runtime.parent)))
    host.run(PROGRAM, "apply", "--data", "/etc/data.yaml")
    path = f"{runtime}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    host.run(PROGRAM, "verify", "--data", "/etc/data.yaml")
    assert told(host) == ["apprun1", "apprun1 adm", path]
    assert Applied(Target(testinfra.host.Host(NsenterBackend(host.init)))).faults(within=30) == ()
    assert told(host) == ["apprun1", "apprun1 adm", path]
    assert host.run("ls", "/home/apprun1/evil-ran", check=False).returncode != 0

    # The report shows the last line of its log, but none of what the log's owner has only a link to.
    (log,) = host.run("find", "/var/log", "-name", "current", "-user", "apprun1").stdout.split()
    host.run("touch", "/home/apprun1/useless")
    failed = host.run(PROGRAM, "verify", "--data", "/etc/data.yaml", "--within", "0", check=False)
    assert (failed.returncode, "last log line: " in failed.stdout, "its check exited 1" in failed.stdout) == (2, True, True)
    host.write("/etc/secret", "of root alone\n", mode=0o600)
    host.run("ln", "-sf", "/etc/secret", log)
    failed = host.run(PROGRAM, "verify", "--data", "/etc/data.yaml", "--within", "0", check=False)
    assert (failed.returncode, "of root alone" in failed.stdout, "its check exited 1" in failed.stdout) == (2, False, True)


def test_a_check_of_a_service_of_which_no_data_tell_runs_as_its_process(host: Sandbox, runtime: Path) -> None:
    service(host, "/etc/service/web", f"#!/bin/sh\nexec {runtime}/chpst -u apprun1 /home/apprun1/program\n")
    host.write("/etc/service/web/check", CHECK, mode=0o755)
    asked = named(testinfra.host.Host(NsenterBackend(host.init)))("web")
    assert asked.comes_up(within=60)
    assert asked.is_healthy
    assert told(host) == ["apprun1", "apprun1", "/home/apprun1/evil:/usr/bin:/bin"]
    assert {*host.read("/home/apprun1/evil-ran").split()} == {host.run("id", "-u", "apprun1").stdout.strip()}


TOOLS = ("setpriv", "chpst", "su")
SECRET = "of root alone"


def told_environment(host: Sandbox) -> dict[str, str]:
    """The environment of the last check that wrote it down."""
    return dict(line.split("=", 1) for line in host.read("/home/apprun1/environment").splitlines())


@pytest.mark.parametrize("tool", TOOLS)
def test_an_account_is_shown_nothing_of_roots_environment(
    tool: str, host: Sandbox, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of the tools that works becomes the account; each notes what it would have shown it in /proc."""
    for name in TOOLS:
        does = f'exec /usr/bin/{name} "$@"' if name == tool else "exit 1"
        host.write(f"/etc/tools/{name}", f"#!/bin/sh\nenv >>/etc/shown\n{does}\n", mode=0o755)
    monkeypatch.setenv("PATH", "/etc/tools:/usr/sbin:/usr/bin:/sbin:/bin")
    monkeypatch.setenv("ROOTS_PASSWORD", SECRET)
    service(host, "/etc/service/web", f"#!/bin/sh\nexec {runtime}/chpst -u apprun1 sleep 1000\n")
    host.write("/etc/service/web/check", "#!/bin/sh\nenv >/home/apprun1/environment\n", mode=0o755)
    asked = named(testinfra.host.Host(NsenterBackend(host.init)))("web")
    assert asked.comes_up(within=60)
    assert asked.is_healthy
    assert "ROOTS_PASSWORD" not in told_environment(host)
    assert SECRET not in host.read("/etc/shown")


def test_a_look_as_an_account_shows_it_nothing_of_roots_environment(
    host: Sandbox, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOTS_PASSWORD", SECRET)
    service(host, "/home/apprun1/service/web", "#!/bin/sh\nexec sleep 1000\n")
    host.write("/home/apprun1/service/web/check", "#!/bin/sh\nenv >/home/apprun1/environment\n", mode=0o755)
    host.run("chown", "-R", "apprun1:", "/home/apprun1/service")
    host.start(f"{runtime}/chpst", "-u", "apprun1", f"{runtime}/runsvdir", "/home/apprun1/service")
    asked = named(testinfra.host.Host(NsenterBackend(host.init)))("apprun1/web")
    assert asked.comes_up(within=60)
    assert asked.is_healthy
    assert SECRET not in told_environment(host).values()
