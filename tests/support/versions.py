"""Two versions of the shipped runtime in one installation, a tree that runs the one, and ways in which the other may be broken."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runit_provision.host import interpreter, package, shipped
from support import supervision
from support.supervision import Tree, pid_of, service, tree
from support.waiting import until

NEW = "9.9"
COUNTS = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"
RECORDS = "exec sh -c 'while IFS= read -r line; do echo \"$line\"; done >>../lines'"


def install(tmp_path: Path) -> Path:
    """Give an installation that has another version beside the current one, which is made current by `switch`."""
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    for folder in (tmp_path, prefix):
        folder.chmod(0o755)  # other users run it too
    package.install(prefix=prefix, python=interpreter.default())
    library = prefix / shipped.LIBRARY
    shutil.copytree(library / (library / "current").readlink(), library / NEW)
    return prefix


def write_services(prefix: Path, tmp_path: Path) -> Path:
    """Give services, with and without logs, which a process and which the pool keeps."""
    folder = tmp_path / "services"
    service(folder / "plain", "exec sleep 1000")
    service(folder / "piped", COUNTS, log=RECORDS)
    home = service(folder / "pooled", COUNTS, log="exit 1")
    (home / "log/run").unlink()
    (home / "log/run").symlink_to(prefix / "bin/rsvlog")
    (home / "log/env").mkdir()
    (home / "log/env/RSVLOG_DIR").write_text("main\n")
    (home / "log/env/RSVLOG_OPTIONS").write_text("-b 1024\n")
    return folder


def folders(running: Tree) -> list[Path]:
    """Give the directories of services and logs."""
    names = ("plain", "piped", "piped/log", "pooled", "pooled/log")
    return [running.services / name for name in names if (running.services / name).exists()]


def switch(prefix: Path, version: str) -> None:
    """Do what a package does that has laid another version."""
    link = prefix / shipped.LIBRARY / "current"
    link.with_name("current.new").symlink_to(version)
    link.with_name("current.new").replace(link)


def replace(prefix: Path, version: str) -> str:
    """Do what a package manager does before any script of the package runs: lay another version, remove the one before; give that."""
    library = prefix / shipped.LIBRARY
    before = str((library / "current").readlink())
    switch(prefix, version)
    shutil.rmtree(library / before)
    return before


def of_version(running: Tree, version: str) -> bool:
    """Whether keeper and pool say that they run `version`, and this runsvdir, which has taken over, told them so."""
    titles = [
        supervision.command(pid).split() for pid in running.processes() if supervision.name(pid) in {"runsvdir-keeper", "log-pool"}
    ]
    return len(titles) == 2 and all(version in title for title in titles) and is_supervised(running)


def is_supervised(running: Tree) -> bool:
    """Whether the runsvdir that was started last supervises everything, with one keeper and without a stand-in."""
    return running.supervises(*folders(running)) and len(running.supervisors()) == 2


@contextmanager
def started(program: Path, services: Path, state: Path, *arguments: str) -> Iterator[tuple[Tree, dict[Path, bytes], dict[str, int]]]:
    """Give a tree that runs, its status files, and the pids of its own processes by name."""
    with tree(program, services, state, *arguments) as running:
        running.start()
        until(lambda: all(pid_of(folder) for folder in folders(running)) and is_supervised(running), what="all run")
        before = {folder: supervision.status(folder) for folder in folders(running)}
        yield running, before, own(running)


def own(running: Tree) -> dict[str, int]:
    """Give the pids of a tree's own processes by their names."""
    names = {"runsvdir", "runsvdir-keeper", "log-pool", "fifo-holder"}
    return {supervision.name(pid): pid for pid in running.processes() if supervision.name(pid) in names}


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def loses_no_line(running: Tree) -> None:
    """Every line that came up to now, and some more, stands in both logs, in order."""
    logs = [running.services / "piped/lines", running.services / "pooled/log/main/current"]
    for path in (path for path in logs if path.parent.exists()):
        count = len(lines(path))
        until(lambda: len(lines(path)) > count + 20, what=f"lines come to {path}")  # noqa: B023
        seen = lines(path)
        assert seen == [str(number) for number in range(len(seen))]


def pid_in(status: bytes) -> int:
    """Give the pid that a status file says."""
    return int.from_bytes(status[12:16], "little")


def package_version(prefix: Path) -> str:
    """Give the version that was installed first."""
    return next(path.name for path in (prefix / shipped.LIBRARY).iterdir() if path.is_dir() and path.name not in {NEW, "current"})


BROKEN = {
    "syntax": ("shell/supervisor/tree.py", "class Tree:", "class Tree"),
    "import": ("shell/keeper/keeper.py", "import os\n", "import os\nimport no_such_module\n"),
    "at the start": (
        "shell/supervisor/runsvdir.py",
        "    reader = call.take_title(state, report)\n",
        "    raise RuntimeError('bad luck')\n",
    ),
    "in the keeper": (
        "shell/keeper/keeper.py",
        "    keeper.begin(sock, stands_in=stands_in)\n",
        "    raise RuntimeError('bad luck')\n",
    ),
    "never runs a service": ("shell/keeper/children.py", "        if os.read(wait, 1):\n", "        if os.read(wait, 1) == b'':\n"),
    "in what it takes over": (
        "shell/supervisor/takeover.py",
        "            self._pending.discard(slot)\n",
        "            raise RuntimeError('bad luck')\n",
    ),
    "never takes over": (
        "shell/supervisor/takeover.py",
        "            self._pending.discard(slot)\n",
        "            import os\n            os.kill(os.getpid(), 19)\n",
    ),
    "as the next keeper": ("shell/keeper/keeper.py", "    keeper.resume(known)\n", "    raise RuntimeError('bad luck')\n"),
    "as the next pool": (
        "shell/handover.py",
        "    listener, journal = map(int, arguments[2:])\n",
        "    raise RuntimeError('bad luck')\n",
    ),
    "other records": ("wire/records.py", 'b"rprov-3\\n"', 'b"rprov-X\\n"'),
}


def break_(library: Path, kind: str) -> None:
    """Let a version be wrong in a way of BROKEN."""
    edit(library, *BROKEN[kind])


def edit(library: Path, name: str, right: str, wrong: str) -> None:
    """Let a module of a version be another one, and its bytecode forgotten."""
    path = library / "runit_provision/runtime" / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    for cached in (*(path.parent / "__pycache__").glob(f"{path.stem}.*"), *library.glob("*.bundle")):
        cached.unlink()


def is_on_trial(pid: int) -> bool:
    """Whether a process belongs to the tree that a new version proves itself with."""
    return any(variable.endswith(b"/trial/state") for variable in supervision.environment(pid))
