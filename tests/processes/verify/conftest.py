"""A host with users' trees, reached as an administrator reaches it."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import testinfra  # type: ignore[import-untyped]
from support import oracle, waiting
from support.fifo import tell
from support.reached import lay_sshd, ssh_config
from support.sandbox import Sandbox

from runit_provision.verify.service import Services
from runit_provision.verify.target import Target

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


@dataclass(frozen=True)
class Reached:
    """A host, and what lets ssh in as any of its users."""

    host: Sandbox
    ssh_config: Path

    def services(self, user: str) -> Services:
        """Give the services as `user` is told of them through testinfra's ssh backend."""
        return named(testinfra.get_host(f"ssh://{user}@127.0.0.1", ssh_config=str(self.ssh_config), controlpersist=0))


@contextlib.contextmanager
def populated(work: Path, keys: Path, tools: Path, rsvlog: Path) -> Iterator[Reached]:
    """A host where the runit in `tools` runs `sshd` and, as themselves, the trees of apprun1 and apprun2."""
    for folder in (work, work.parent, work.parent.parent):
        folder.chmod(0o755)
    with Sandbox(work) as host:
        for number, user in enumerate(("apprun1", "apprun2")):
            host.add_user(user, number=number)
            host.run("mkdir", f"/home/{user}/service")
            run = f"#!/bin/sh\nexec {tools}/chpst -u {user} {tools}/runsvdir -P /home/{user}/service\n"
            service(host, f"/etc/service/runsvdir-{user}", run)
        service(host, "/home/apprun1/service/worker", SLEEPS, log=LOGS)
        service(host, "/home/apprun1/service/broken", FAILS, log=LOGS)
        service(host, "/home/apprun1/service/spare", SLEEPS, down=True)
        service(host, "/home/apprun2/service/mine", SLEEPS)
        service(host, "/home/apprun2/service/cluster", f"#!/bin/sh\nexec {tools}/runsvdir ./service\n")
        service(host, "/home/apprun2/service/cluster/service/node", SLEEPS)
        service(host, "/home/apprun2/service/pooled", SLEEPS)
        host.run("mkdir", "-p", "/home/apprun2/service/pooled/log")
        host.run("ln", "-s", str(rsvlog), "/home/apprun2/service/pooled/log/run")
        host.run("chown", "-R", "apprun1:apprun1", "/home/apprun1/service")
        host.run("chown", "-R", "apprun2:apprun2", "/home/apprun2/service")
        service(host, "/etc/service/sshd", f"#!/bin/sh\nexec 2>&1\nexec {lay_sshd(host)}\n", log=LOGS)
        host.start("env", f"PATH={tools}:/usr/sbin:/usr/bin:/sbin:/bin", f"{tools}/runsvdir", "-P", "/etc/service")
        with ssh_config(host, keys) as config:
            yield Reached(host, config)


@pytest.fixture(scope="session")
def host_under_c(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """The host under C runit."""
    tools = Path(oracle.program("runsvdir", package="runit")).parent
    with populated(tmp_path_factory.mktemp("host"), tmp_path_factory.mktemp("ssh"), tools, runtime / "rsvlog") as reached:
        yield reached


@pytest.fixture(scope="session")
def host_under_ours(runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reached]:
    """The host under the shipped runtime."""
    with populated(tmp_path_factory.mktemp("host"), tmp_path_factory.mktemp("ssh"), runtime, runtime / "rsvlog") as reached:
        yield reached


@pytest.fixture(params=["c", "ours"])
def reached(request: pytest.FixtureRequest) -> Reached:
    """Each of both hosts; they live as long as the session does, in whatever order tests come."""
    found: Reached = request.getfixturevalue(f"host_under_{request.param}")
    return found


@pytest.fixture
def host_tree(reached: Reached) -> Sandbox:
    """The host itself."""
    return reached.host


@pytest.fixture
def by_ssh(reached: Reached) -> Services:
    """Services of the host as root is told of them."""
    return reached.services("root")


@pytest.fixture
def by_ssh_as_apprun2(reached: Reached) -> Services:
    """Services of the host as an ordinary user is told of them."""
    return reached.services("apprun2")


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
    tell(directory / "supervise/control", b"x")
    asked = named(testinfra.get_host("local://"))(str(directory))
    waiting.until(lambda: not asked.is_supervised, what="runsv to end")
