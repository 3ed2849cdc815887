"""A host with users' trees, reached as an administrator reaches it."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import testinfra  # type: ignore[import-untyped]
from support import oracle, waiting
from support.sandbox import Sandbox

from runit_provision.verify.service import Services
from runit_provision.verify.target import Target

PORT = 40022  # in the sandbox's /etc only; the loopback interface is shared

SLEEPS = "#!/bin/sh\nexec 2>&1\necho started\nexec sleep 1000\n"
FAILS = "#!/bin/sh\nexec 2>&1\necho 'out of memory'\nexit 1\n"
LOGS = "#!/bin/sh\nmkdir -p main\nexec svlogd ./main\n"


def service(host: Sandbox, directory: str, run: str, *, log: str = "", down: bool = False) -> None:
    """Lay a service directory as root."""
    if down:
        host.write(f"{directory}/down", "")
    if log:
        host.write(f"{directory}/log/run", log, mode=0o755)
    host.write(f"{directory}/run", run, mode=0o755)


@pytest.fixture(scope="module", params=["C", "shipped"])
def supervisor(request: pytest.FixtureRequest) -> str:
    """Whose runit supervises: the folder of its tools."""
    if request.param == "C":
        return str(Path(oracle.program("runsvdir", package="runit")).parent)
    return str(request.getfixturevalue("runtime"))


@pytest.fixture(scope="module")
def host_tree(supervisor: str, runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A host where runit runs `sshd` and, as themselves, the trees of apprun1 and apprun2."""
    work = tmp_path_factory.mktemp("host")
    work.chmod(0o755)
    work.parent.chmod(0o755)
    work.parent.parent.chmod(0o755)
    with Sandbox(work) as host:
        for number, user in enumerate(("apprun1", "apprun2")):
            host.add_user(user, number=number)
            host.run("mkdir", f"/home/{user}/service")
            run = f"#!/bin/sh\nexec chpst -u {user} runsvdir -P /home/{user}/service\n"
            service(host, f"/etc/service/runsvdir-{user}", run)
        service(host, "/home/apprun1/service/worker", SLEEPS, log=LOGS)
        service(host, "/home/apprun1/service/broken", FAILS, log=LOGS)
        service(host, "/home/apprun1/service/spare", SLEEPS, down=True)
        service(host, "/home/apprun2/service/mine", SLEEPS)
        service(host, "/home/apprun2/service/cluster", "#!/bin/sh\nexec runsvdir ./service\n")
        service(host, "/home/apprun2/service/cluster/service/node", SLEEPS)
        service(host, "/home/apprun2/service/pooled", SLEEPS)
        host.run("mkdir", "-p", "/home/apprun2/service/pooled/log")
        host.run("ln", "-s", str(runtime / "rsvlog"), "/home/apprun2/service/pooled/log/run")
        host.run("chown", "-R", "apprun1:apprun1", "/home/apprun1/service")
        host.run("chown", "-R", "apprun2:apprun2", "/home/apprun2/service")
        lay_sshd(host)
        host.start("env", f"PATH={supervisor}:/usr/sbin:/usr/bin:/sbin:/bin", f"{supervisor}/runsvdir", "-P", "/etc/service")
        yield host


def lay_sshd(host: Sandbox) -> None:
    """A real sshd for root, with keys of its own, on a loopback port."""
    sshd = oracle.program("sshd", package="openssh-server")
    host.run("mkdir", "/run/sshd")
    for key in ("/etc/ssh/host_key", "/etc/ssh/user_key"):
        host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    host.write(
        "/etc/ssh/only_config",
        f"Port {PORT}\nListenAddress 127.0.0.1\nHostKey /etc/ssh/host_key\nAuthorizedKeysFile /etc/ssh/user_key.pub\n"
        "PermitRootLogin yes\nUsePAM no\nStrictModes no\nPidFile none\n",
    )
    service(host, "/etc/service/sshd", f"#!/bin/sh\nexec 2>&1\nexec {sshd} -D -e -f /etc/ssh/only_config\n", log=LOGS)


@pytest.fixture(scope="module")
def ssh_config(host_tree: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lets testinfra's ssh backend in, as any of the host's users."""
    folder = tmp_path_factory.mktemp("ssh")
    key = folder / "key"
    key.write_text(host_tree.read("/etc/ssh/user_key"))
    key.chmod(0o600)
    config = folder / "config"
    config.write_text(
        f"Host 127.0.0.1\n  Port {PORT}\n  IdentityFile {key}\n  IdentitiesOnly yes\n"
        "  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
    )
    answers = ["ssh", "-F", str(config), "root@127.0.0.1", "true"]
    waiting.until(lambda: subprocess.run(answers, capture_output=True, check=False).returncode == 0, what="sshd to answer")
    return config


@pytest.fixture(scope="module")
def by_ssh(ssh_config: Path) -> Services:
    """Services of the host as root is told of them."""
    return named(testinfra.get_host("ssh://root@127.0.0.1", ssh_config=str(ssh_config), controlpersist=0))


@pytest.fixture
def by_ssh_as_apprun2(ssh_config: Path) -> Services:
    """Services of the host as an ordinary user is told of them."""
    return named(testinfra.get_host("ssh://apprun2@127.0.0.1", ssh_config=str(ssh_config), controlpersist=0))


def named(host: testinfra.host.Host) -> Services:
    """What the fixture `runit_service` gives, for a host of the test's own."""
    return Services(Target(host))


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Path]:
    """A directory that C's runsvdir scans as the calling user, with a service `steady` in it."""
    runsvdir = oracle.program("runsvdir", package="runit")
    tree = tmp_path / "service"
    (tree / "steady").mkdir(parents=True)
    run = tree / "steady/run"
    run.write_text(SLEEPS)
    run.chmod(0o755)
    started = subprocess.Popen([runsvdir, "-P", str(tree)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield tree
    started.terminate()
    started.wait()
    send_exit(tree / "steady")  # runsvdir leaves its runsv behind


def send_exit(directory: Path) -> None:
    """End the runsv of `directory`, if there is one, and wait for that."""
    with contextlib.suppress(OSError):
        control = os.open(directory / "supervise/control", os.O_WRONLY | os.O_NONBLOCK)
        os.write(control, b"x")
        os.close(control)
    asked = named(testinfra.get_host("local://"))(str(directory))
    waiting.until(lambda: not asked.is_supervised, what="runsv to end")
