"""A host of one's own, made of this one: private process ids, network, accounts, /etc, /home, /run and /var; it ends with the test.

Programs and libraries are this machine's, so real daemons run in it without being installed anew. Needs root.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from . import oracle, waiting

_SET_UP = """set -e
mount --make-rprivate /
mount --bind "$1/etc" /etc
for fresh in /home /run /var; do
  mkdir "$1$fresh"
  mount --bind "$1$fresh" "$fresh"
done
mkdir -p /run/lock /var/lib /var/cache /var/log /var/tmp
ip link set lo up
echo ready
# The first process of a host reaps what nobody waits for; so does a shell's wait.
while :; do sleep 3600 & wait $!; done
"""
_WITHOUT_PYTHON = """
mkdir /var/without
mount -t tmpfs none /var/without
for program in /usr/bin/python3*; do mknod "/var/without/${program##*/}" c 0 0; done
mount -t overlay -o lowerdir=/var/without:/usr/bin none /usr/bin
"""
FIRST_ID = 61_000
"""User and group ids that a machine does not give to its own accounts."""


def _without_people(etc: Path) -> None:
    """Take the accounts of this machine's people out of the copy: a test's may have the same names."""
    for name in ("passwd", "group"):
        lines = (etc / name).read_text().splitlines(keepends=True)
        (etc / name).write_text("".join(line for line in lines if not 1000 <= int(line.split(":")[2]) < FIRST_ID))
    for name, of in (("shadow", "passwd"), ("gshadow", "group")):
        known = {line.split(":")[0] for line in (etc / of).read_text().splitlines()}
        lines = (etc / name).read_text().splitlines(keepends=True)
        (etc / name).write_text("".join(line for line in lines if line.split(":")[0] in known))


class Sandbox:
    """A context: the host lives inside of it. `work` is an empty directory that everybody may enter."""

    def __init__(self, work: Path) -> None:
        oracle.root("a host of its own has namespaces")
        self.work = work
        unshare = oracle.program("unshare", package="util-linux")
        oracle.program("ip", package="iproute2")
        self._nsenter = oracle.program("nsenter", package="util-linux")
        subprocess.run(["cp", "--archive", "/etc", work / "etc"], check=True)  # with its owners, without whom daemons read nothing
        _without_people(work / "etc")
        (work / "etc/service").unlink(missing_ok=True)
        (work / "etc/service").mkdir()
        arguments = ["--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _SET_UP, "sh", str(work)]
        self._started: list[subprocess.Popen[bytes]] = []
        self._outside = subprocess.Popen([unshare, *arguments], stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Sandbox:
        assert self._outside.stdout is not None
        assert self._outside.stdout.readline() == "ready\n"
        pid = self._outside.pid
        (self.init,) = waiting.until(lambda: Path(f"/proc/{pid}/task/{pid}/children").read_text().split(), what="the first process")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._outside.kill()  # and with it, by --kill-child, every process of the namespace
        self._outside.communicate()
        for started in self._started:
            started.wait()

    @property
    def pid(self) -> str:
        """The process id, here, of the host's first process."""
        return self.init

    def command(self, *argv: str) -> list[str]:
        """Give the command that runs `argv` on the host."""
        return [self._nsenter, "--target", self.init, "--mount", "--pid", "--net", "--", *argv]

    def run(
        self, *argv: str, check: bool = True, stdin: str = "", env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the host; AssertionError with its output when `check` and it fails."""
        done = subprocess.run(self.command(*argv), input=stdin, capture_output=True, text=True, check=False, env=env)
        assert not check or done.returncode == 0, f"{argv} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done

    def start(self, *argv: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a daemon on the host; it ends with the host at the latest."""
        null = subprocess.DEVNULL
        started = subprocess.Popen(self.command(*argv), stdin=null, stdout=null, stderr=null, env=env)
        self._started.append(started)
        return started

    def write(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file of the host, and the directories on the way to it, as root."""
        self.run("sh", "-c", 'mkdir -p -- "$(dirname -- "$1")" && cat >"$1" && chmod "$2" -- "$1"', "sh", path, f"{mode:o}", stdin=text)

    def read(self, path: str) -> str:
        """Read a file of the host."""
        return self.run("cat", "--", path).stdout

    def without_python(self) -> None:
        """Take the distribution's Python away."""
        self.run("sh", "-ec", _WITHOUT_PYTHON)

    def add_user(self, name: str, *, number: int) -> None:
        """Make an account with a home; `number` counts from 0."""
        identity = str(FIRST_ID + number)
        self.run("groupadd", "--gid", identity, name)
        self.run("useradd", "--uid", identity, "--gid", identity, "--create-home", "--shell", "/bin/sh", "--password", "*", name)
