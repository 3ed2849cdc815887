"""Hosts that Ansible reaches as it reaches any: by ssh, each in namespaces of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.reached import lay_sshd, ssh_config
from support.sandbox import Sandbox

CHECKOUT = Path(__file__).parents[3]
TOOL = str(Path(sys.executable).parent / "runit-provision")
PLAY = """\
- hosts: all
  gather_facts: false
  roles: [runit]
"""


class Fleet:
    """Two hosts, and the one who runs playbooks against them."""

    def __init__(self, folder: Path, hosts: dict[str, Sandbox], ssh: dict[str, Path]) -> None:
        self.hosts = hosts
        self.folder = folder
        self._program = oracle.program("ansible-playbook", package="ansible")
        lines = [f"{name} ansible_host=127.0.0.1 ansible_ssh_common_args='-F {config}'" for name, config in ssh.items()]
        python = "ansible_python_interpreter=/usr/bin/python3"
        (folder / "inventory").write_text("\n".join([*lines, "[all:vars]", "ansible_user=root", python, ""]))
        (folder / "play.yml").write_text(PLAY)
        (folder / "host_vars").mkdir()
        (folder / "vault").write_text("of this test\n")

    def say(self, name: str, **variables: Any) -> None:
        """Set the variables of one host."""
        (self.folder / "host_vars" / f"{name}.yml").write_text(json.dumps(variables))

    def vault(self, secret: str) -> dict[str, str]:
        """Encrypt a value; what comes of it is to Ansible what `!vault` is in YAML."""
        program = oracle.program("ansible-vault", package="ansible")
        words = [program, "encrypt_string", "--vault-password-file", "vault", secret]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=True)
        return {"__ansible_vault": "".join(f"{line.strip()}\n" for line in done.stdout.splitlines()[1:])}

    def play(self, *options: str) -> Played:
        """Run the playbook, and give what became of it."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_ROLES_PATH": str(CHECKOUT / "ansible/roles"),
            "ANSIBLE_HOME": str(self.folder / "ansible"),
            "ANSIBLE_LOCAL_TEMP": str(self.folder / "ansible/tmp"),
            "ANSIBLE_SSH_ARGS": "-C",  # what makes one connection serve is in each host's own file: both are 127.0.0.1
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
        }
        done = subprocess.run(
            [self._program, "-i", "inventory", "--vault-password-file", "vault", *options, "play.yml"],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return Played(done)


class Played:
    """A playbook's run: `out`, and for each host what its recap counts."""

    def __init__(self, done: subprocess.CompletedProcess[str]) -> None:
        self.status = done.returncode
        self.out = done.stdout + done.stderr
        rows = re.findall(r"(?m)^(\S+) +: (ok=.*)$", done.stdout)
        self.recap = {name: {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", row)} for name, row in rows}

    def counts(self, word: str) -> dict[str, int]:
        """Give one column of the recap by host."""
        assert self.recap, self.out
        return {name: row[word] for name, row in self.recap.items()}


@pytest.fixture
def fleet(tmp_path: Path, runtime: Path) -> Iterator[Fleet]:
    """Two hosts on which a runsvdir runs, each with the account apprun1."""
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
    with ExitStack() as stack:
        hosts, ssh = {}, {}
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            hosts[name] = stack.enter_context(Sandbox(tmp_path / name))
            hosts[name].add_user("apprun1", number=0)
            path = f"PATH={runtime}:/usr/sbin:/usr/bin:/sbin:/bin"
            hosts[name].start("env", path, f"{runtime}/runsvdir", "-P", "/etc/service")
            (tmp_path / name / "ssh").mkdir()
            hosts[name].start(*lay_sshd(hosts[name]).split())
            ssh[name] = stack.enter_context(ssh_config(hosts[name], tmp_path / name / "ssh"))
        yield Fleet(tmp_path, hosts, ssh)
