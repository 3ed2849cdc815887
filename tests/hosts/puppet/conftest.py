"""A host that Puppet has in hand, with nothing of this machine's to lose."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import oracle
from support.facts import few_facts
from support.sandbox import Sandbox

from runit_provision.verify.service import Services
from runit_provision.verify.target import Answer, Target

MODULE = Path(__file__).parents[3] / "puppet"
TOOL = str(Path(sys.executable).parent / "runit-provision")

DEBIAN_13 = Path("/usr/local/lib/debian-13")
"""A root filesystem with Puppet 8 and runit, as .ci/run --all makes it."""

# A root directory that is this host's but for /usr.
_WITH_ANOTHER_USR = """
mkdir "$1" && cd "$1"
for path in /*; do
  if [ -L "$path" ]; then cp -P "$path" .
  elif [ -d "$path" ]; then mkdir ".$path" && mount --rbind "$path" ".$path"
  fi
done
mount --rbind "$2/usr" usr
"""
puppet_7 = pytest.mark.parametrize("puppet", ["7"], indirect=True)
"""For what goes into this host's own /usr, which Puppet 8 does not see."""
UNCHANGED = 0
CHANGED = 2
FAILED = (1, 4, 6)
"""Exit codes of `puppet apply --detailed-exitcodes`."""


@dataclass(frozen=True)
class Inside:
    """The host as testinfra's `host` shows one."""

    host: Sandbox

    def run(self, command: str, *args: str) -> Answer:
        """Run a shell command on the host."""
        done = self.host.run("sh", "-c", command % tuple(map(shlex.quote, args)) if args else command, check=False)
        return Done(done.returncode, done.stdout, done.stderr)


@dataclass(frozen=True)
class Done:
    """What a command did."""

    rc: int
    stdout: str
    stderr: str


class Puppet:
    """`puppet apply` on a host, with a configuration of its own."""

    def __init__(self, host: Sandbox) -> None:
        self.host = host
        self._program = [oracle.program("puppet", package="puppet-agent")]
        few_facts(host)
        host.run("mkdir", "-p", "/etc/puppet-test/modules", "/etc/puppet-test/data", "/var/lib/puppet", "/var/cache/puppet")
        host.run("ln", "-s", str(MODULE), "/etc/puppet-test/modules/runit")
        host.write(
            "/etc/puppet-test/hiera.yaml",
            "version: 5\ndefaults: {datadir: data, data_hash: yaml_data}\nhierarchy: [{name: all, path: common.yaml}]\n",
        )

    def become_8(self) -> Puppet:
        """Let Debian 13's Puppet be the one, which sees this host but for its /usr."""
        if not (DEBIAN_13 / "usr/bin/puppet").exists():
            oracle.absent(f"no Puppet 8 in {DEBIAN_13} (.ci/run --all makes it)")
        root = str(self.host.work / "puppet8")
        self.host.run("sh", "-ec", _WITH_ANOTHER_USR, "sh", root, str(DEBIAN_13))
        self._program = ["chroot", root, "puppet"]
        return self

    @property
    def services(self) -> Services:
        """The host's services, by name."""
        return Services(Target(Inside(self.host)))

    def apply(
        self, data: str, *options: str, manifest: str = "include runit", manage_init: bool = False, tool: str = TOOL
    ) -> subprocess.CompletedProcess[str]:
        """Apply `manifest` with `data` (YAML) in hiera; give what became of it, its exit code among it."""
        own = f"runit::command: ['{tool}']\nrunit::manage_init: {str(manage_init).lower()}\n"
        self.host.write("/etc/puppet-test/data/common.yaml", own + data, mode=0o600)
        words = ["--hiera_config", "/etc/puppet-test/hiera.yaml", "--detailed-exitcodes", *options, "--execute", manifest]
        return self.run("apply", *words)

    def run(self, command: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one of its other commands."""
        places = ["--confdir", "/etc/puppet-test", "--vardir", "/var/lib/puppet-test", "--modulepath", "/etc/puppet-test/modules"]
        return self.host.run(*self._program, command, *places, "--color", "false", *words, check=False)


@pytest.fixture(params=["7", "8"] if os.environ.get("HARNESS") == "all" else ["7"])
def puppet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Puppet]:
    """Puppet on a fresh host with the accounts apprun1 and apprun2; in a whole run also Puppet 8."""
    tmp_path.chmod(0o755)
    tmp_path.parent.chmod(0o755)
    tmp_path.parent.parent.chmod(0o755)
    with Sandbox(tmp_path) as host:
        for number, user in enumerate(("apprun1", "apprun2")):
            host.add_user(user, number=number)
        yield Puppet(host).become_8() if request.param == "8" else Puppet(host)
