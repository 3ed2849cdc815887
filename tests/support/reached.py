"""A sandbox as an administrator reaches it: by a real sshd, into a network of its own."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import oracle, waiting
from .sandbox import Sandbox


def lay_sshd(host: Sandbox) -> str:
    """Lay a real sshd with keys of its own; give the command that runs it."""
    sshd = oracle.program("sshd", package="openssh-server")
    host.run("mkdir", "/run/sshd")
    # A shell that sshd starts reads ~/.bashrc: this machine's may do anything, and wait for a lock that somebody left behind.
    host.run("mkdir", "-m", "0700", "/var/root")
    host.run("sed", "-i", "s|^root:\\(.*\\):/root:|root:\\1:/var/root:|", "/etc/passwd")
    for key in ("/etc/ssh/host_key", "/etc/ssh/user_key"):
        host.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    host.write(
        "/etc/ssh/only_config",
        "ListenAddress 127.0.0.1\nHostKey /etc/ssh/host_key\nAuthorizedKeysFile /etc/ssh/user_key.pub\n"
        "PermitRootLogin yes\nUsePAM no\nStrictModes no\nPidFile none\nSubsystem sftp internal-sftp\n"
        "SetEnv TMPDIR=/var/tmp\n",  # /tmp is every host's
    )
    return f"{sshd} -D -e -f /etc/ssh/only_config"


@contextmanager
def ssh_config(host: Sandbox, folder: Path) -> Iterator[Path]:
    """Write what lets ssh in, into the host's own network, as any of its users; give it when sshd answers.

    One connection for each user serves all who ask: a login costs more than most answers.
    """
    busybox = oracle.program("busybox", package="busybox")
    key = folder / "key"
    key.write_text(host.read("/etc/ssh/user_key"))
    key.chmod(0o600)
    config = folder / "config"
    with tempfile.TemporaryDirectory(prefix="ssh-") as sockets:  # a socket's path is short, and the folders of tests are not
        config.write_text(
            f"Host 127.0.0.1\n  ProxyCommand {shlex.join(host.command(busybox, 'nc', '127.0.0.1', '22'))}\n  IdentityFile {key}\n"
            "  IdentitiesOnly yes\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n  LogLevel ERROR\n"
            f"  ControlMaster auto\n  ControlPersist 60\n  ControlPath {sockets}/%r\n"
        )
        answers = ["ssh", "-F", str(config), "root@127.0.0.1", "true"]
        waiting.until(lambda: subprocess.run(answers, capture_output=True, check=False).returncode == 0, what="sshd to answer")
        yield config
