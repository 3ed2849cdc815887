"""A real init as pid 1 of a container that shares nothing but /usr with this machine, and, read-only, what runs the tests.

Or nothing at all: `bootstrapped` gives the root directory of a whole Debian.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support import oracle, waiting
from support.command import PROGRAM

SYSVINIT = Path("/usr/local/lib/sysvinit")
"""Where the contents of the package sysvinit-core lie: its /sbin/init cannot be installed beside systemd's."""
BOOTSTRAPPED = Path("/usr/local/lib/bootstrapped")
"""Where debootstrap has put a Debian with each init, as .ci/run asks for them."""


class Booted:
    """A running container; `root` is its root directory as seen from here."""

    def __init__(self, root: Path, leader: int, container: subprocess.Popen[bytes]) -> None:
        self.root = root
        self.leader = leader
        self._container = container

    def has_ended(self) -> bool:
        """Whether its pid 1 is gone, and the root directory is free for the next boot."""
        return self._container.poll() is not None

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        """Run a command inside, to its end."""
        inside = [
            "nsenter",
            f"--target={self.leader}",
            "--all",
            "/usr/bin/env",
            "-",
            "PATH=/opt/runit/bin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin",
        ]
        return subprocess.run([*inside, *map(str, command)], capture_output=True, text=True, timeout=120, check=False)

    def runit_provision(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run the command that is tested inside."""
        return self.run(PROGRAM, *arguments)

    def pids(self, *words: str) -> list[int]:
        """Give the processes inside whose command line has all the words; a program's folder is left out."""
        table = self.run("ps", "-eo", "pid=,args=").stdout.splitlines()
        rows = [line.split(None, 1) for line in table]
        return [int(row[0]) for row in rows if len(row) == 2 and {*words} <= {*row[1].split(), *_program(row[1])}]

    def pid(self, *words: str) -> int:
        """Wait for exactly one such process."""
        return waiting.until(lambda: found if len(found := self.pids(*words)) == 1 else [], what=f"one process {words}")[0]

    def runsvdir(self, *, but: int = 0) -> int:
        """Wait for the runsvdir that init has started, another one than `but`, and no stand-in, which is a child of the keeper's."""

        def found() -> int:
            rows = [line.split(None, 2) for line in self.run("ps", "-eo", "pid=,ppid=,args=").stdout.splitlines()]
            commands = {pid: command for pid, _, command in rows}
            for pid, parent, command in rows:
                is_other = "runsvdir-keeper" in command or "runsvdir-keeper" in commands.get(parent, "")
                if {"-P", "/etc/service"} <= {*command.split()} and not is_other and pid != str(but):
                    return int(pid)
            return 0

        return waiting.until(found, what="a runsvdir of init's")


def prepare(root: Path, *, services: dict[str, str]) -> Path:
    """Make a root directory whose /usr is to come from this machine, with scripts `run` in /etc/service."""
    for folder in ("etc/systemd/system", "tmp", "run", "var", "proc", "sys", "dev", "root", "opt"):
        (root / folder).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("passwd", "group", "os-release"):
        shutil.copy(f"/etc/{name}", root / "etc")
    (root / "etc/hostname").write_text("booted\n")
    (root / "etc/machine-id").touch()
    for name, run in services.items():
        (root / "etc/service" / name).mkdir(parents=True)
        (root / "etc/service" / name / "run").write_text(run)
        (root / "etc/service" / name / "run").chmod(0o755)
    # What /usr will hold, for those who look before it is mounted.
    (root / "usr/bin").mkdir(parents=True)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    (root / "usr/bin" / version).touch(mode=0o755)
    (root / "usr/bin/python3").symlink_to(version)
    return root


@contextmanager
def bootstrapped(init: str, root: Path) -> Iterator[Path]:
    """Give the whole Debian that has this init at `root`, as it is when it was installed just now; what is written there goes away."""
    oracle.root("mounts a root directory")
    lower = BOOTSTRAPPED / init
    if not lower.is_dir():
        oracle.absent(f"debootstrap has made no {lower} (`.ci/run` does, with --all for each init)")
    layers = root.with_name(f"{root.name}.layers")
    for folder in (root, layers):
        folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", layers], check=True)
    try:
        for name in ("upper", "work"):
            (layers / name).mkdir()
        options = f"lowerdir={lower},upperdir={layers}/upper,workdir={layers}/work"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "none", root], check=True)
        try:
            yield root
        finally:
            subprocess.run(["umount", "--lazy", root], check=True)
    finally:
        subprocess.run(["umount", "--lazy", layers], check=True)


def with_systemd(root: Path) -> Path:
    """Let systemd be the init of a prepared root."""
    oracle.program("systemd-nspawn", package="systemd-container")
    if not Path("/usr/lib/systemd/systemd").exists():
        oracle.absent("systemd is not installed (package systemd)")
    return root


def with_sysvinit(root: Path, inittab: str) -> Path:
    """Let sysvinit be the init of a prepared root."""
    oracle.program("systemd-nspawn", package="systemd-container")
    if not (SYSVINIT / "sbin/init").exists():
        oracle.absent(f"sysvinit is not unpacked in {SYSVINIT} (package sysvinit-core)")
    (root / "sbin").unlink()
    shutil.copytree(SYSVINIT / "sbin", root / "sbin", symlinks=True)
    (root / "etc/inittab").write_text(inittab)
    return root


def with_openrc(root: Path) -> Path:
    """Let OpenRC's own init be the init of a prepared root."""
    _with_init(root, oracle.program("openrc-init", package="openrc"))
    shutil.copy("/etc/rc.conf", root / "etc")
    for level in ("sysinit", "boot", "default", "shutdown"):
        (root / "etc/runlevels" / level).mkdir(parents=True)
    (root / "etc/init.d").mkdir()
    (root / "var/run").symlink_to("/run")
    return root


def with_busybox(root: Path) -> Path:
    """Let busybox be the init of a prepared root."""
    _with_init(root, oracle.program("busybox", package="busybox"))
    (root / "etc/inittab").write_text("::sysinit:/bin/true\n::shutdown:/bin/true\n")
    return root


def with_runit(root: Path) -> Path:
    """Let C runit be the init of a prepared root, with its own tree beside the one that the tests provision."""
    _with_init(root, oracle.program("runit", package="runit"))
    stages = {
        "1": "exit 0",
        "2": "exec env - PATH=/usr/bin:/bin:/usr/sbin:/sbin /usr/bin/runsvdir -P /etc/runit/runsvdir/default",
        "3": "exec env - PATH=/usr/bin:/bin:/usr/sbin:/sbin sh -c '/usr/bin/sv -w 60 force-stop /etc/runit/runsvdir/default/*'",
        "ctrlaltdel": "exit 0",
    }
    (root / "etc/runit/runsvdir/default").mkdir(parents=True)
    for name, text in stages.items():
        (root / "etc/runit" / name).write_text(f"#!/bin/sh\n{text}\n")
        (root / "etc/runit" / name).chmod(0o755)
    return root


def with_s6(root: Path) -> Path:
    """Let s6-svscan be pid 1 of a prepared root."""
    program = oracle.program("s6-svscan", package="s6")
    _with_init(root, "/bin/true")
    (root / "sbin/init").unlink()
    image = "/etc/s6-linux-init/current/run-image/service"
    (root / image.lstrip("/")).mkdir(parents=True)
    (root / "sbin/init").write_text(f"#!/bin/sh\ncp -a {image} /run/service\nexec {program} /run/service\n")
    (root / "sbin/init").chmod(0o755)
    return root


def _with_init(root: Path, program: str) -> None:
    """Give a prepared root its own /sbin, which has all that this machine's has, and `program` as init."""
    (root / "sbin").unlink()
    (root / "sbin").mkdir()
    for path in Path("/usr/sbin").iterdir():
        if path.name != "init":
            (root / "sbin" / path.name).symlink_to(path)
    (root / "sbin/init").symlink_to(program)


def _program(command: str) -> list[str]:
    """Give the names of a command line's first words: an interpreter's script comes second or third."""
    return [Path(word).name for word in command.split()[:3]]


@contextmanager
def booted(root: Path, *, whole: bool = False) -> Iterator[Booted]:
    """Boot `root`, and end the container and all that runs in it afterwards. whole: it has all that it needs, so it shares nothing."""
    oracle.root("boots a container")
    own = {Path(sys.prefix), Path(sys.base_prefix).resolve()}
    shared = [Path("/usr"), *(path for path in own if not path.is_relative_to("/usr"))]
    binds = [] if whole else [f"--bind-ro={path}" for path in shared]
    name = f"booted-{uuid.uuid4().hex[:12]}"
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", *binds, f"--machine={name}"]
    own_init = (root / "sbin/init").exists() and not (root / "sbin").is_symlink()
    init = "/sbin/init" if whole or own_init else "/usr/lib/systemd/systemd"
    log = root.with_name(f"{root.name}.console")
    with log.open("wb") as console:
        container = subprocess.Popen(
            [*command, "--register=no", "--keep-unit", "--private-network", "--console=pipe", init],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
        )
    try:
        box = Booted(root, waiting.until(lambda: _leader(container), what="the container's pid 1"), container)
        waiting.until(lambda: box.run("true").returncode == 0, what="a container that can be entered")
        yield box
    finally:
        print(log.read_text(errors="replace")[-4000:])
        container.terminate()  # the container's own power button; what does not end by it, ends with its pid 1
        try:
            container.wait(timeout=0.5)
        except subprocess.TimeoutExpired:
            for child in _children(container.pid):
                os.kill(child, 9)
            container.wait(timeout=waiting.DEADLINE)


def _leader(container: subprocess.Popen[bytes]) -> int:
    """Give the pid of the container's init, or 0 while nspawn prepares it."""
    assert container.poll() is None, "systemd-nspawn ended"
    try:
        found = _children(container.pid)
        return found[0] if found and "nspawn" not in Path(f"/proc/{found[0]}/comm").read_text() else 0
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
