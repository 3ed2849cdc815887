"""Hosts on which the examples' services run: their data from hiera-examples, word for word; only the choice is the tests'."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support import oracle, waiting
from support.lent_runtime import lend
from support.sandbox import Sandbox

EXAMPLES = Path(__file__).parents[3] / "hiera-examples"
TOOL = str(Path(sys.executable).parent / "runit-provision")
PREFIX = "/var/runit"
PATH = f"{PREFIX}/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class World:
    """A host that is provisioned with services of one example node, and where runsvdir runs them."""

    def __init__(self, host: Sandbox) -> None:
        self.host = host

    def provision(self, node: str, *services: str, users: tuple[str, ...] = ()) -> None:
        """Apply the `services` and `users` of the example `node`."""
        chosen = example(node)
        chosen["services"] = {name: chosen["services"][name] for name in services}
        given = chosen.get("users", [])
        chosen["users"] = (
            [name for name in given if name in users] if isinstance(given, list) else {name: given[name] for name in users}
        )
        self.host.write("/etc/recipes.json", json.dumps({"runit": chosen | {"prefix": PREFIX}}))
        self.apply()

    def apply(self) -> None:
        """Apply /etc/recipes.json."""
        self.host.run(TOOL, "apply", "--data", "/etc/recipes.json", env={"PATH": PATH, "HOME": "/root"})

    def boot(self) -> subprocess.Popen[bytes]:
        """Start what init would start, with the shipped runtime: its title shows what was last written to standard error."""
        return self.host.start("runsvdir", "-P", "/etc/service", f"log: {'.' * 400}", env={"PATH": PATH})

    def sh(self, script: str, *, check: bool = True, user: str = "root") -> str:
        """Run shell lines on the host as a `user` who is logged in; give what they say on both outputs."""
        login = f"export PATH={PATH}; [ ! -r /etc/profile.d/runit-provision.sh ] || . /etc/profile.d/runit-provision.sh; cd; "
        words = ["su", "-s", "/bin/sh", user, "-c", f"{login}exec 2>&1; {script}"]
        done = self.host.run(*words, check=check, env={"PATH": PATH, "HOME": "/root"})
        return done.stdout

    def until(self, script: str, *, user: str = "root", what: str = "") -> str:
        """Wait until shell lines say something, and give it."""
        return waiting.until(lambda: self.sh(f"exec 2>/dev/null; {script}", check=False, user=user).strip(), what=what or script)

    def running(self, name: str, *, user: str = "root") -> int:
        """Wait until the service runs, and give its pid."""
        line = f"sv status {shlex.quote(name)} | sed -n 's/^run: [^(]*(pid \\([0-9]*\\)).*/\\1/p'"
        return int(self.until(line, user=user, what=f"{name} to run"))

    def logged(self, name: str, text: str) -> str:
        """Wait until the host's log of `name` has a line with `text`, and give that line."""
        return self.until(f"grep -h -e {shlex.quote(text)} /var/log/runit/{shlex.quote(name)}/current | tail -n 1")

    def times(self, name: str, text: str) -> int:
        """Tell how many lines with `text` the host's log of `name` has, rotated ones included."""
        return int(self.sh(f"cat /var/log/runit/{shlex.quote(name)}/[@c]*[sut] | grep -c -e {shlex.quote(text)}", check=False))

    def letter(self, command: str, name: str, answer: str) -> None:
        """Send a letter by sv and wait until the log of `name` has one more line with `answer`."""
        before = self.times(name, answer)
        self.sh(f"sv {command} {shlex.quote(name)}")
        waiting.until(lambda: self.times(name, answer) > before, what=f"{name} to answer {command}")

    def take_mail(self, *names: str) -> None:
        """Make the host the mail host of example.com: dma, which `mail` hands over to, puts it into the mailboxes /var/mail/NAME."""
        oracle.program("mail", package="bsd-mailx")
        oracle.program("dma", package="dma")
        for number, name in enumerate(names):
            self.host.add_user(name, number=100 + number)
        self.host.run("install", "-d", "-g", "mail", "-m", "2775", "/var/mail")
        self.host.run("install", "-d", "-g", "mail", "-m", "2770", "/var/spool/dma")
        self.host.write("/etc/mailname", "example.com\n")


def example(node: str) -> dict[str, Any]:
    """Give what the example hierarchy says of `node`."""
    done = subprocess.run(
        [
            TOOL,
            "lookup",
            "--hiera-config",
            EXAMPLES / "hiera.yaml",
            "--facts",
            EXAMPLES / f"facts/{node}.yaml",
            "--format",
            "json",
            "runit",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def fresh(work: Path, *users: str) -> Iterator[World]:
    """Give a fresh host with `users`, its files below `work`; it ends with the iteration."""
    work.chmod(0o755)
    with Sandbox(work) as host:
        for number, user in enumerate(users):
            host.add_user(user, number=number)
        host.run("ln", "-s", "/run", "/var/run")  # as every system has it; a fresh /var does not
        lend(work, PREFIX, lambda: host.run(TOOL, "runtime", "install", "--prefix", PREFIX), kind="this host")
        yield World(host)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A fresh host without people."""
    yield from fresh(tmp_path)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The example's server, with its people and those of its services that these tests ask for."""
    oracle.program("busybox", package="busybox")
    oracle.program("sshd", package="openssh-server")
    oracle.program("cron", package="cron")
    oracle.program("nscd", package="unscd")
    for world in fresh(tmp_path_factory.mktemp("server"), "joeuser", "kburdis", "peter"):
        world.host.run("mount", "-t", "tmpfs", "local", "/usr/local/bin")
        world.host.run("install", "-d", "-m", "1730", "/var/spool/cron/crontabs")  # the package's, below a fresh /var
        world.host.write("/etc/cron.d/once", "@reboot root echo cron ran this >/var/cron.ran\n")
        world.host.write("/usr/local/bin/my_daemon", MY_DAEMON, mode=0o755)
        world.host.write("/usr/local/bin/logwatcher", LOGWATCHER, mode=0o755)
        world.take_mail("admins", "auditing")
        world.host.run("ip", "address", "add", "192.168.6.20/32", "dev", "lo")
        world.provision("server", "sshd", "my_daemon", "cron", "unscd", users=("joeuser", "kburdis", "peter"))
        world.boot()
        yield world


MY_DAEMON = """#!/bin/sh
# Says which signals it gets, and ends by TERM and INT.
for signal in HUP ALRM QUIT USR1 USR2; do
  trap "echo got $signal" $signal
done
trap 'echo got TERM; exit 0' TERM
trap 'echo got INT; exit 0' INT
echo "started as $(id -un)"
while :; do
  sleep 1000 &
  wait $!
  kill -9 $!
done
"""
LOG_HOST = """
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener, open('/var/udp.got', 'ab', buffering=0) as got:
    listener.bind(('192.168.6.20', 514))
    while True:
        got.write(listener.recv(65536))
"""
LOGWATCHER = """#!/bin/sh
# A processor of svlogd: standard input is the rotated file, standard output what becomes of it.
sed 's/^/watched: /'
"""
