"""Another version takes over a running tree: services, loggers and logs go on, with their pids; a version that is broken does not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from support import oracle, supervision
from support.command import runit_provision
from support.supervision import Tree, pid_of, service, tree
from support.waiting import until

from runit_provision.errors import HostError
from runit_provision.host import interpreter, package
from runit_provision.runtime.shell.process import environment

NEW = "9.9"
UPGRADES = 20 if os.environ.get("HARNESS") == "all" else 3
KILLED = [
    ("runsvdir",),
    ("runsvdir-keeper",),
    ("log-pool",),
    ("runsvdir", "runsvdir-keeper"),
    ("runsvdir", "log-pool"),
    ("runsvdir-keeper", "log-pool"),
]
COUNTS = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.01; done"
RECORDS = "exec sh -c 'while IFS= read -r line; do echo \"$line\"; done >>../lines'"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation that has another version beside the current one, which is made current by `switch`."""
    prefix = tmp_path / "prefix"
    prefix.mkdir()
    for folder in (tmp_path, prefix):
        folder.chmod(0o755)  # other users run it too
    package.install(prefix=prefix, python=interpreter.default())
    library = prefix / package.LIBRARY
    shutil.copytree(library / (library / "current").readlink(), library / NEW)
    return prefix


@pytest.fixture
def services(prefix: Path, tmp_path: Path) -> Path:
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
    names = ("plain", "piped", "piped/log", "pooled", "pooled/log")
    return [running.services / name for name in names if (running.services / name).exists()]


def switch(prefix: Path, version: str) -> None:
    """Do what a package does that has laid another version."""
    link = prefix / package.LIBRARY / "current"
    link.with_name("current.new").symlink_to(version)
    link.with_name("current.new").replace(link)


def of_version(running: Tree, version: str) -> bool:
    """Whether keeper and pool say that they run `version`, and this runsvdir, which has taken over, told them so."""
    titles = [
        Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        for pid in running.processes()
        if supervision.name(pid) in {"runsvdir-keeper", "log-pool"}
    ]
    return len(titles) == 2 and all(version.encode() in title for title in titles) and is_supervised(running)


def is_supervised(running: Tree) -> bool:
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
    names = {"runsvdir", "runsvdir-keeper", "log-pool", "fifo-holder", "runsv-session"}
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


def test_a_tree_becomes_the_installed_version_and_nothing_is_noticed(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        until(lambda: own(running) == pids, what="the processes are the same")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        loses_no_line(running)
        supervision.letter(services / "plain", "t")
        supervision.letter(services / "pooled/log", "a")
        until(lambda: supervision.status(services / "plain") != before[services / "plain"], what="letters are obeyed")
        assert running.stderr.read_text() == ""
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: running.processes() == [], what="nothing is left")


@pytest.mark.parametrize("roles", KILLED, ids="+".join)
def test_whoever_is_killed_meanwhile_it_becomes_that_version(
    prefix: Path, services: Path, tmp_path: Path, roles: tuple[str, ...]
) -> None:
    versions = [NEW, (prefix / package.LIBRARY / "current").readlink().name]
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        pids = {folder: pid_of(folder) for folder in folders(running) if folder.name != "log"}
        for turn in range(UPGRADES):
            switch(prefix, versions[turn % 2])
            os.kill(running.pid, signal.SIGUSR2)
            # From before it is tried out until after keeper and pool have followed.
            time.sleep(1.2 * turn / UPGRADES)
            for pid in [pid for pid in running.processes() if supervision.name(pid) in set(roles) - {"runsvdir"} and not on_trial(pid)]:
                os.kill(pid, signal.SIGKILL)
            if "runsvdir" in roles:
                running.kill()
                running.start()
            until(lambda: is_supervised(running), what="all is supervised")
            until(lambda: renewed(running, versions[turn % 2]), what=f"all of it is {versions[turn % 2]}")  # noqa: B023
            assert {folder: pid_of(folder) for folder in pids} == pids
            loses_no_line(running)


def on_trial(pid: int) -> bool:
    """Whether a process belongs to the tree that a new version proves itself with."""
    return any(variable.endswith(b"/trial/state") for variable in supervision.environment(pid))


def renewed(running: Tree, version: str) -> bool:
    """Whether all is of that version; who was killed before it knew of it is told again, as by who installs it."""
    if of_version(running, version):
        return True
    os.kill(running.pid, signal.SIGUSR2)
    time.sleep(0.05)
    return False


def test_sv_is_answered_all_the_time(prefix: Path, services: Path, tmp_path: Path) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, _before, _pids):
        sv = oracle.program("sv", package="runit")
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        upgraded = False
        while not upgraded:
            upgraded = of_version(running, NEW)  # before it is asked: so the new one is asked too
            told = subprocess.run([sv, "-v", "cont", str(services / "plain")], capture_output=True, text=True, check=False)
            assert (told.returncode, told.stdout[:4]) == (0, "ok: "), told


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
    "other records": ("wire/records.py", 'b"rprov-2\\n"', 'b"rprov-X\\n"'),
}
REASONS = {
    "syntax": "SyntaxError: ",
    "import": "ModuleNotFoundError: No module named 'no_such_module'",
    "at the start": "RuntimeError: bad luck",
    "in the keeper": "it did not run a service within",
    "never runs a service": "it did not run a service within",
    "in what it takes over": "it ended, exit status 1, when it was to take over a service that runs: ",
    "never takes over": "it did not take over a service that runs within",
    "as the next keeper": "it did not take over a service that runs within",
    "as the next pool": "it did not keep what it had taken over",
    "other records": "it cannot read this version's records; services must be ended and started again",
}


def break_(library: Path, kind: str) -> None:
    """Let a version be wrong, and its bytecode forgotten."""
    name, right, wrong = BROKEN[kind]
    path = library / "runit_provision/runtime" / name
    text = path.read_text()
    assert right in text
    path.write_text(text.replace(right, wrong, 1))
    for cached in (path.parent / "__pycache__").glob(f"{path.stem}.*"):
        cached.unlink()


SLOW = {"in the keeper", "never runs a service", "never takes over", "as the next keeper"}
"""What shows only when patience ends."""


@pytest.mark.parametrize("kind", [kind for kind in BROKEN if kind not in SLOW or os.environ.get("HARNESS") == "all"])
def test_a_version_that_is_broken_is_noticed_and_the_old_one_stays(prefix: Path, services: Path, tmp_path: Path, kind: str) -> None:
    break_(prefix / package.LIBRARY / NEW, kind)
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.keeper(), signal.SIGUSR2)
        until(lambda: "goes on" in running.stderr.read_text(), what="it says that it goes on")
        said = running.stderr.read_text()
        assert f"warning: the version now installed is not taken, {package_version(prefix)} goes on: " in said
        assert REASONS[kind] in said
        assert own(running) == pids
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        until(lambda: not list(running.state.glob("trees/*/trial")), what="nothing is left of the trial")
        loses_no_line(running)


def test_a_trial_whose_watcher_is_killed_proves_nothing_and_leaves_nothing(prefix: Path, services: Path, tmp_path: Path) -> None:
    # It never runs its service, so that the trial lasts.
    break_(prefix / package.LIBRARY / NEW, "never runs a service")
    with started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids):
        switch(prefix, NEW)
        os.kill(running.pid, signal.SIGUSR2)
        until(lambda: "runsvdir-keeper" in map(supervision.name, filter(on_trial, running.processes())), what="it is tried out")
        (watcher,) = (pid for pid in running.processes() if supervision.parent(pid) == running.pid and pid not in pids.values())
        os.kill(watcher, signal.SIGKILL)
        until(lambda: "goes on: who tried it was killed" in running.stderr.read_text(), what="it says that it goes on")
        assert list(filter(on_trial, running.processes())) == []
        assert not list(running.state.glob("trees/*/trial"))
        assert own(running) == pids
        assert {folder: supervision.status(folder) for folder in folders(running)} == before


def package_version(prefix: Path) -> str:
    return next(path.name for path in (prefix / package.LIBRARY).iterdir() if path.is_dir() and path.name not in {NEW, "current"})


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_runsvdir_that_init_starts_again_brings_its_version_along(prefix: Path, services: Path, tmp_path: Path, number: int) -> None:
    with started(prefix / "bin/runsvdir", services, tmp_path / "state", "-P") as (running, before, pids):
        switch(prefix, NEW)
        running.kill(number)
        running.start()
        until(lambda: of_version(running, NEW), what="all of it is the new version")
        del pids["runsvdir"]
        until(lambda: own(running).items() >= pids.items(), what="the other processes are the same")
        assert {folder: pid_of(folder) for folder in folders(running)} == {folder: pid_in(status) for folder, status in before.items()}
        loses_no_line(running)


def pid_in(status: bytes) -> int:
    return int.from_bytes(status[12:16], "little")


def test_upgrade_renews_the_trees_of_all_users(prefix: Path, services: Path, tmp_path: Path) -> None:
    oracle.root("a tree of another user")
    laid = package_version(prefix)
    switch(prefix, NEW)
    theirs = tmp_path / "theirs"
    service(theirs / "services/plain", "exec sleep 1000")
    for path in (theirs, *theirs.rglob("*")):
        os.chown(path, 65534, 65534)
    state = theirs / "state"
    with (
        started(prefix / "bin/runsvdir", services, tmp_path / "state") as (running, before, pids),
        tree(prefix / "bin/chpst", theirs / "services", state, "-u", ":65534:65534", str(prefix / "bin/runsvdir")) as other,
    ):
        other.start()
        until(lambda: pid_of(theirs / "services/plain") and len(other.supervisors()) == 2, what="the other tree runs")
        their_status = supervision.status(theirs / "services/plain")
        result = runit_provision("runtime", "upgrade", "--prefix", prefix, "--python", interpreter.default())
        assert (result.status, result.out, result.err) == (0, f"runtime {laid} installed; 2 of 2 running trees run it\n", "")
        until(lambda: of_version(running, laid), what="pools too")
        until(lambda: own(running) == pids, what="the processes are the same")
        assert {folder: supervision.status(folder) for folder in folders(running)} == before
        assert supervision.status(theirs / "services/plain") == their_status
        again = runit_provision("runtime", "upgrade", "--prefix", prefix, "--python", interpreter.default())
        assert again.out == f"runtime {laid} is installed already; 2 of 2 running trees run it\n"


def test_a_broken_version_is_not_installed_by_upgrade(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = prefix / package.LIBRARY
    current = (library / "current").readlink()
    sources = package._sources()
    sources["runit_provision/runtime/shell/supervisor/runsvdir.py"] += b"\nraise RuntimeError('bad luck')\n"
    monkeypatch.setattr(package, "_sources", lambda: sources)
    with pytest.raises(
        HostError,
        match="did not prove itself, and is not taken: it ended, exit status 1, when it was to run a service: RuntimeError: bad luck",
    ):
        package.install(prefix=prefix, python=interpreter.default(), tried=True)
    assert (library / "current").readlink() == current


def test_an_upgrade_whose_trial_is_killed_leaves_nothing_of_it(prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = package._sources()
    name, right, wrong = BROKEN["never runs a service"]  # so that the trial lasts
    name = f"runit_provision/runtime/{name}"
    sources[name] = sources[name].replace(right.encode(), wrong.encode(), 1)
    monkeypatch.setattr(package, "_sources", lambda: sources)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def tried() -> list[int]:
        mark = f"RUNIT_PROVISION_STATE={scratch}".encode()
        return [pid for path in Path("/proc").glob("[0-9]*") if mark in b"".join(environment(pid := int(path.name)))]

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(package.install, prefix=prefix, python=interpreter.default(), tried=True)
        until(lambda: "runsvdir-keeper" in map(supervision.name, tried()), what="it is tried out")
        (trial,) = {supervision.parent(pid) for pid in tried()} - set(tried())
        os.kill(trial, signal.SIGKILL)
        with pytest.raises(HostError, match="did not prove itself, and is not taken: signal 9 ended the trial"):
            done.result()
    assert (tried(), list(scratch.iterdir())) == ([], [])
