"""A supervised tree for a test, ours or C runit's, that surely ends with the test, and everything below it too.

with tree(runtime / "runsvdir", services, tmp_path / "state") as running:
    running.start()
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from runit_provision.runtime.wire import status as wire
from support import fifo
from support.waiting import DEADLINE, until

MARK = "RUNIT_PROVISION_TEST_TREE"
_SHOWN = 40
"""Lines of each kind in a tree's description."""
_PART = 1 << 16
"""Bytes of a file in /proc that are read at once."""
GONE = (FileNotFoundError, ProcessLookupError)
"""What reading /proc says of a process that has ended meanwhile."""


ROLES = {"supervisor": "runsvdir", "keeper": "runsvdir-keeper", "pool": "log-pool", "holder": "fifo-holder"}
"""Who makes a tree, and the name of each."""
COUNTS = """i=0; while [ ! -e stop ]; do echo "$i"; i=$((i+1)); [ $((i % 50)) -ne 0 ] || sleep 0.01; done
echo "$i" >last; exec sleep 1000"""
"""A service that says numbers until it finds `stop`, and then how many."""


class Tree:
    """A runsvdir over `services`; every process below it carries a mark in its environment, by which it is found at the end.

    arguments, after: what stands before and after the directory; extra: what its environment has more; stderr: the file where the
    supervisor's and the services' stderr goes.
    """

    def __init__(self, program: Path | str, services: Path, state: Path, arguments: tuple[str, ...] = ()) -> None:
        self.program = str(program)
        self.services = services
        self.state = state
        self.arguments = arguments
        self.after: tuple[str, ...] = ()
        self.extra: dict[str, str] = {}
        self.stderr = state.with_name(f"{state.name}.stderr")
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The supervisor's pid."""
        assert self.process is not None
        return self.process.pid

    def environment(self) -> dict[str, str]:
        """What the supervisor is started with."""
        tools = str(Path(self.program).parent)
        path = f"{tools}:{os.environ['PATH']}"
        return {**os.environ, MARK: self.mark, "RUNIT_PROVISION_STATE": str(self.state), "PATH": path, **self.extra}

    def start(self) -> None:
        """Start the supervisor, or the next one after it was killed."""
        arguments = [self.program, *self.arguments, str(self.services), *self.after]
        with self.stderr.open("ab") as stderr:
            self.process = subprocess.Popen(
                arguments, env=self.environment(), stdin=subprocess.DEVNULL, stdout=stderr, stderr=stderr, start_new_session=True
            )

    def kill(self, number: int = signal.SIGKILL) -> int:
        """Send the supervisor a signal and wait for its end; give its exit status as subprocess does."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)

    def kill_with_keeper(self) -> None:
        """Kill supervisor and keeper, so that nobody stands in."""
        keeper = self.keeper()
        os.kill(keeper, signal.SIGSTOP)  # it would start a stand-in
        self.kill()
        os.kill(keeper, signal.SIGKILL)

    def named(self, role: str) -> list[int]:
        """Give the pids of those that live of a role, by name; a child of the keeper bears the keeper's for a moment."""
        return [pid for pid in self.processes() if name(pid) == ROLES[role] and is_alive(pid)]

    def processes(self) -> list[int]:
        """Give the pids of all that belong to this tree: supervisor, keeper, services and what they started."""
        needle = f"{MARK}={self.mark}".encode()
        return [pid for pid in _pids() if needle in environment(pid)]

    def commands(self) -> list[str]:
        """Give what runs in this tree, as ps would show it, sorted."""
        return sorted(command(pid) for pid in self.processes())

    def keeper(self) -> int:
        """Give the pid of the keeper; a child of its looks the same until it becomes a service."""

        alike: list[int] = []

        def is_one() -> bool:
            alike[:] = [pid for pid in self.processes() if _read(pid, "comm") == b"runsvdir-keeper\n"]
            return len(alike) == 1

        until(is_one, what="one keeper")
        return alike[0]

    def supervises(self, *folders: Path) -> bool:
        """Whether it is this runsvdir, and not a stand-in, that supervises each of these service or log directories now."""
        there = set(opened(self.pid).values())
        return all(str((folder / "supervise/ok").resolve()) in there for folder in folders)

    def supervisors(self) -> list[int]:
        """Give the pids of runsvdir, keeper and stand-in, whichever there are."""
        return [pid for pid in self.processes() if _supervises(pid)]

    def describe(self) -> str:
        """Give for people how runsvdir fares, what each process does and has open, who holds locks, and what stderr says last."""
        lists = (self._fares(), _processes(self.processes()), _locks(self.state), _logs(self.services))
        return "\n".join([*(line for lines in lists for line in lines[:_SHOWN]), _tail(self.stderr)])

    def _fares(self) -> list[str]:
        if self.process is None:
            return [f"{self.program} was not started"]
        ended = self.process.poll()
        return [f"{self.pid} is {self.program}{'' if ended is None else f', ended with {ended}'}; mark {self.mark}"]

    def end(self) -> None:
        """End all of it. Children are killed after their parents, until there is none left."""
        looks = 0

        def none_left() -> bool:
            # One look misses who is forked during it by one that has ended when the look comes to it.
            nonlocal looks
            left = [pid for pid in self.processes() if not _is_zombie(pid)]
            looks = 0 if left else looks + 1
            for pid in sorted(left, key=lambda pid: not _supervises(pid)):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            return looks == 2

        until(none_left, what="every process of the tree is gone")
        if self.process is not None:
            self.process.wait(DEADLINE)


@contextmanager
def tree(program: Path | str, services: Path, state: Path, *arguments: str) -> Iterator[Tree]:
    """Give a tree that is not started yet, and end it whatever happens. `state`: a path for its private state; need not exist."""
    running = Tree(program, services, state, arguments)
    try:
        yield running
    except BaseException:
        # What pytest shows beside the failure: who waits for what.
        print(running.describe())
        raise
    finally:
        running.end()


def service(directory: Path, run: str, *, log: str | None = None, **files: str) -> Path:
    """Write a service directory with executable scripts (`run`, `finish`, `control__t` for control/t, ...); give its path.

    `run` and `log` are shell lines after #!/bin/sh.
    """
    directory.mkdir(parents=True)
    script(directory / "run", run)
    if log is not None:
        (directory / "log").mkdir()
        script(directory / "log" / "run", log)
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        script(path, text)
    return directory


def script(path: Path, text: str) -> None:
    """Write an executable shell script."""
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def status(directory: Path) -> bytes:
    """Give supervise/status of a service (or log) directory; empty when there is none."""
    try:
        return (directory / "supervise" / "status").read_bytes()
    except FileNotFoundError:
        return b""


def stat(directory: Path) -> str:
    """Give supervise/stat without its newline; empty when there is none, or as long as supervise/status says another thing.

    pid, stat and status are written one after the other: who has read `run` may ask sv, which reads the last.
    """
    said, whole = _supervise(directory, "stat"), _whole_status(directory)
    # The bytes do not tell an exit that is wanted from a down.
    agrees = whole is not None and wire.stat_text(whole).decode() == said.replace("want exit", "want down")
    return said.strip() if agrees else ""


def pid_of(directory: Path) -> int:
    """Give the pid in supervise/pid; 0 for none, or as long as supervise/status says another one."""
    said, whole = _supervise(directory, "pid"), _whole_status(directory)
    return whole.pid if whole is not None and wire.pid_text(whole).decode() == said else 0


def said(running: Tree, text: str) -> None:
    """Wait until a tree says `text`."""
    until(lambda: text in running.stderr.read_text(), what=f"it is said: {text}")


def complaints(running: Tree) -> str:
    """Give what a tree has said, but for who has gone and who supervises since."""
    told = r"(?m)^runsvdir: keeper: .*process \d+.* (?:is gone; a stand-in does until|supervises again).*\n"
    return re.sub(told, "", running.stderr.read_text())


def up(home: Path) -> int:
    """Wait until it runs, and its script has become what it executes; give its pid."""
    until(lambda: stat(home) == "run" and name(pid_of(home)) == "sleep", what=f"{home.name} runs")
    return pid_of(home)


def started(home: Path) -> list[int]:
    """Give the processes that a service has started, which writes each down."""
    return [int(pid) for pid in (home / "started").read_text().split()]


def text_of(path: Path) -> str:
    """Give what is in a file; nothing where there is none."""
    return path.read_text() if path.exists() else ""


def send(directory: Path, number: int) -> int:
    """Send a signal to the process that a service has as soon as one is told, and give its pid; 0 would be everybody here."""
    pid = until(lambda: pid_of(directory), what=f"{directory.name} has a process")
    os.kill(pid, number)
    return pid


def _whole_status(directory: Path) -> wire.Status | None:
    try:
        return wire.unpack(status(directory))
    except ValueError:  # none yet, or what a test has put in its place
        return None


def _supervise(directory: Path, name: str) -> str:
    try:
        return (directory / "supervise" / name).read_text()
    except FileNotFoundError:
        return ""


def letter(directory: Path, letters: str) -> None:
    """Write to supervise/control as any program may; waits until somebody reads it."""
    control = directory / "supervise/control"
    until(lambda: fifo.tell(control, letters.encode()), what=f"somebody reads {control}")


def locks(file: IO[bytes]) -> bool:
    """Whether a lock of supervise/ could be taken, which it is until the file is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def name(pid: int) -> str:
    """Give a process's name as ps -o comm shows it; empty when it is gone."""
    return _read(pid, "comm").decode("utf-8", "replace").strip()


def command(pid: int) -> str:
    """Give a process's command line as ps shows it; empty when it is gone."""
    return _read(pid, "cmdline").replace(b"\0", b" ").decode("utf-8", "replace").strip()


def environment(pid: int) -> list[bytes]:
    """Give the variables that a process was started with; nothing when it is gone."""
    return _read(pid, "environ").split(b"\0")


def parent(pid: int) -> int:
    """Give the pid of a process's parent; 0 when it is gone."""
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def begun_at(pid: int) -> float:
    """Give when a process began, in seconds since the boot."""
    return int(_read(pid, "stat").rpartition(b")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")


def is_alive(pid: int) -> bool:
    """Whether a process with this pid runs (a zombie does not)."""
    return bool(_read(pid, "stat")) and not _is_zombie(pid)


def is_asleep(pid: int) -> bool:
    """Whether a process waits for something to happen: it has seen to all that has."""
    return _state(pid) == b"S"


def _processes(pids: list[int]) -> list[str]:
    lines = []
    for pid in sorted(pids):
        fields = _read(pid, "stat").decode("utf-8", "replace").rpartition(")")[2].split()
        if len(fields) < 2:
            continue
        waits = _read(pid, "wchan").decode()
        lines.append(f"{pid} parent {fields[1]} {fields[0]} {name(pid)} {waits} {' '.join(_opened(pid))}")
    return lines


def opened(pid: int) -> dict[str, str]:
    """Give what a process has open, by its descriptors; nothing when it is gone, or another user's."""
    found = {}
    with suppress(*GONE, PermissionError):
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # it was closed meanwhile
                found[fd.name] = str(fd.readlink())
    return found


def has_open(pid: int, path: Path) -> bool:
    """Whether a process has the file at `path` open."""
    return str(path.resolve()) in opened(pid).values()


def _opened(pid: int) -> list[str]:
    found = opened(pid)
    return [f"{fd}={'/'.join(at.split('/')[-4:])}" for fd, at in found.items() if at.endswith(("/pipe", ".journal"))][:_SHOWN]


def _locks(state: Path) -> list[str]:
    inodes = {path.stat().st_ino: path.name for path in state.glob("trees/*/*") if path.is_file()}
    locks = [line.split() for line in Path("/proc/locks").read_text().splitlines()]
    return [f"lock {inodes[int(line[-3].split(':')[-1])]}: {line}" for line in locks if int(line[-3].split(":")[-1]) in inodes]


def _logs(services: Path) -> list[str]:
    return [f"{path.parent.parent.parent.name}/log: {path.read_text().strip()}" for path in services.glob("*/log/supervise/stat")]


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-40:]) if path.exists() else ""


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]  # noqa: PTH208 - asked thousands of times


def _read(pid: int, name: str) -> bytes:
    """Give a file of a process; empty when it has ended, or is another user's. A wait reads one of each process again and again."""
    try:
        file = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except (*GONE, PermissionError):
        return b""
    try:
        parts = []
        while part := os.read(file, _PART):
            parts.append(part)
        return b"".join(parts)
    except (*GONE, PermissionError):
        return b""
    finally:
        os.close(file)


def _supervises(pid: int) -> bool:
    return _read(pid, "comm").strip() in {b"runsvdir", b"runsvdir-keeper"}


def _is_zombie(pid: int) -> bool:
    return _state(pid) in {b"", b"Z", b"X"}


def _state(pid: int) -> bytes:
    return _read(pid, "stat").rpartition(b")")[2][1:2]


def log_in_pool(home: Path, runtime: Path, *, options: str = "-b 1024", config: str = "s99999999\n") -> None:
    """Let a service that has a log be logged by the pool into log/main; without stamps and rotation unless these say otherwise."""
    (home / "log/run").unlink()
    (home / "log/run").symlink_to(runtime / "rsvlog")
    (home / "log/env").mkdir()
    (home / "log/env/RSVLOG_DIR").write_text("main\n")
    (home / "log/env/RSVLOG_OPTIONS").write_text(f"{options}\n")
    (home / "log/main").mkdir()
    (home / "log/main/config").write_text(config)
