"""What verify does as root about a service of another account, whose process and log do what that account likes."""

from __future__ import annotations

import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra  # type: ignore[import-untyped]
from support import oracle
from support.command import PROGRAM
from support.sandbox import Sandbox

from runit_provision.errors import HostError
from runit_provision.runtime.wire import status as wire
from runit_provision.verify.applied import Applied
from runit_provision.verify.nsenter import NsenterBackend
from runit_provision.verify.service import Services
from runit_provision.verify.target import Answer, Target

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


OF_THE_ACCOUNT = {"HOME": "/home/apprun1", "USER": "apprun1", "LOGNAME": "apprun1", "SHELL": "/bin/sh"}


def told_environment(host: Sandbox) -> dict[str, str]:
    """The environment of the last check that wrote it down."""
    told = dict(line.split("=", 1) for line in host.read("/home/apprun1/environment").splitlines())
    host.run("rm", "/home/apprun1/environment")
    return told


def of_the_account(environment: dict[str, str]) -> dict[str, str]:
    """What it says of the account that has it."""
    return {name: environment[name] for name in OF_THE_ACCOUNT if name in environment}


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
    told = told_environment(host)
    assert (SECRET in told.values(), of_the_account(told)) == (False, OF_THE_ACCOUNT)
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


BUSYBOX = ("sh", "od", "date", "tail", "readlink", "stat", "id", "timeout", "dd", "grep", "find", "sed", "tr", "env", "cat", "true")


class Hurried:
    """A host with the programs of `path`, on which what takes long is ended, so that who hangs for a file's sake fails."""

    def __init__(self, host: Sandbox, path: str) -> None:
        self._host = testinfra.host.Host(NsenterBackend(host.init))
        self._path = path

    def run(self, command: str, *args: str) -> Answer:
        whole = self._host.backend.get_command(command, *args)
        done: Answer = self._host.run("timeout -s KILL 20 env PATH=%s sh -c %s", self._path, whole)
        return done


@pytest.fixture(params=["coreutils", "busybox"])
def asked_with(request: pytest.FixtureRequest, host: Sandbox, tmp_path: Path) -> Services:
    """The services of the host, asked about with one of two sets of tools."""
    path = "/usr/sbin:/usr/bin:/sbin:/bin"
    if request.param == "busybox":
        busybox = oracle.program("busybox", package="busybox")
        folder = tmp_path / "tools"
        folder.mkdir()
        for tool in BUSYBOX:
            (folder / tool).symlink_to(busybox)
        (folder / "chpst").symlink_to(oracle.program("chpst", package="runit"))
        path = str(folder)
    return Services(Target(Hurried(host, path)))


def test_root_opens_nothing_that_an_account_only_has_a_link_to(asked_with: Services, host: Sandbox, tmp_path: Path) -> None:
    directory = "/home/apprun1/sv/web"
    status = wire.Status(since_ns=1_790_000_000_000_000_000, pid=4711, state=wire.RUN, want=wire.WANT_UP)
    (tmp_path / "etc/status").write_bytes(wire.pack(status))
    (tmp_path / "etc/status").chmod(0o600)
    service(host, directory, "#!/bin/sh\nexec sleep 1000\n")
    host.run("mkdir", f"{directory}/supervise")
    host.run("mkfifo", "-m", "600", "/etc/fifo", f"{directory}/supervise/ok")
    host.run("ln", "-s", "/etc/status", f"{directory}/supervise/status")
    host.run("chown", "-hR", "apprun1:", "/home/apprun1/sv")
    host.run("ln", "-s", directory, "/etc/service/.web")
    asked = asked_with("/etc/service/.web")
    supervise = tmp_path / f"{directory[1:]}/supervise"
    reader = os.open(supervise / "ok", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert (asked.is_supervised, asked.pid) == (True, None)
    finally:
        os.close(reader)

    host.run("ln", "-sf", "/etc/fifo", f"{directory}/supervise/ok")
    reader = os.open(tmp_path / "etc/fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert not asked.is_supervised
        had_a_writer = select.poll()
        had_a_writer.register(reader)
        assert had_a_writer.poll(0) == []
    finally:
        os.close(reader)


def test_a_file_of_an_accounts_that_claims_to_be_huge_holds_up_no_look(
    asked_with: Services, host: Sandbox, runtime: Path, tmp_path: Path
) -> None:
    service(host, "/etc/service/web", f"#!/bin/sh\nexec {runtime}/chpst -u apprun1 sleep 1000\n", log="#!/bin/sh\nexec cat\n")
    host.write("/etc/service/web/check", "#!/bin/sh\n", mode=0o755)
    host.write("/etc/service/web/log/main/current", "so far\n")
    asked = asked_with("web")
    assert asked.comes_up(within=60)
    for supervise in ("supervise", "log/supervise"):
        host.run("chown", "apprun1:", f"/etc/service/web/{supervise}")
        huge = f'cd /etc/service/web/{supervise} && rm -f "$1" && truncate -s 1T "$1"'
        for name in ("pid", "detail", "deaths"):
            host.run("chpst", "-u", "apprun1", "sh", "-c", huge, "sh", name)
    assert asked.log == ("so far",)
    assert asked.is_healthy
    (tmp_path / "etc/service/web/log/main/current").write_bytes(b"")
    os.truncate(tmp_path / "etc/service/web/log/main/current", 1 << 40)
    assert asked.is_logging
    assert asked.is_running
    assert len("".join(asked.log)) <= 65536


def test_root_runs_no_check_where_others_can_write_unless_told_as_whom(asked_with: Services, host: Sandbox) -> None:
    """Without supervise/pid nothing says whose the process is; a link in root's tree leads to the account's directory."""
    directory = "/home/apprun1/sv/web"
    service(host, directory, "#!/bin/sh\nexec sleep 1000\n")
    host.write(f"{directory}/check", "#!/bin/sh\nid -u >/etc/check-ran-as\n", mode=0o755)
    host.run("ln", "-s", directory, "/etc/service/web")
    asked = asked_with("web")
    assert asked.comes_up(within=60)
    host.run("rm", f"{directory}/supervise/pid")
    for owner, mode in (("apprun1:root", "755"), ("61999:root", "755"), ("root:root", "757"), ("root:apprun1", "775")):
        host.run("chown", owner, directory)
        host.run("chmod", mode, directory)
        assert not asked.is_healthy
        assert repr(asked).endswith(", its check exited 126>")
    assert host.run("ls", "/etc/check-ran-as", check=False).returncode != 0
    host.run("chown", "root:root", directory)
    host.run("chmod", "755", directory)
    healthy = []
    for owner in ("apprun1", "root"):
        host.run("chown", owner, f"{directory}/check")
        healthy.append(asked.is_healthy)
    assert healthy == [False, True]
    assert host.read("/etc/check-ran-as") == "0\n"


def test_a_service_of_an_owner_without_a_name_is_not_looked_at_as_root(asked_with: Services, host: Sandbox) -> None:
    service(host, "/etc/left/web", "#!/bin/sh\nexec sleep 1000\n")
    host.run("chown", "61999:61999", "/etc/left")
    with pytest.raises(HostError, match="/etc/left/web: something on the way there belongs to 61999, which is no account on this host"):
        asked_with("/etc/left/web")


WORKER = """\
runit:
  prefix: PREFIX
  users:
    apprun1:
      services:
        worker: {command: [sleep, "1000"], check: "#!/bin/sh\\nenv >/home/apprun1/environment\\n"}
"""


def test_a_check_is_told_the_same_of_its_account_by_whomever_it_is_asked(host: Sandbox, runtime: Path) -> None:
    host.run("usermod", "--shell", "/bin/bash", "apprun1")
    account = OF_THE_ACCOUNT | {"SHELL": "/bin/bash"}
    host.write("/etc/data.yaml", WORKER.replace("PREFIX", str(runtime.parent)))
    host.run(PROGRAM, "apply", "--data", "/etc/data.yaml")
    host.run(PROGRAM, "verify", "--data", "/etc/data.yaml")
    assert of_the_account(told_environment(host)) == account
    host.run(f"{runtime}/sv", "check", "/home/apprun1/service/worker")
    assert of_the_account(told_environment(host)) == account
    assert named(testinfra.host.Host(NsenterBackend(host.init)))("apprun1/worker").is_healthy
    assert of_the_account(told_environment(host)) == OF_THE_ACCOUNT  # su(1) tells of the shell that it runs
