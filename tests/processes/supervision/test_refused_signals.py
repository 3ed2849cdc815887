"""A service that an ordinary user's tree may not signal, since it became root: as after sudo or su. It keeps nobody else."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import Tree, letter, pid_of, script, service, stat, tree
from support.waiting import until, written

USER = "61012"


@pytest.fixture
def running(runtime: Path, tmp_path: Path) -> Iterator[Tree]:
    """The tree of a user with a service that becomes root, and one that does not, after it by name and by slot."""
    oracle.root("a setuid program")
    tmp_path.chmod(0o755)
    setpriv = tmp_path / "setpriv"
    shutil.copy(oracle.program("setpriv", package="util-linux"), setpriv)
    setpriv.chmod(0o4755)
    place = tmp_path / "user"
    for name in ("a", "z"):
        service(place / "services" / name, "echo $$ >>starts; exec sleep 1000")
    service(place / "services/root", f"echo $$ >>starts; exec {setpriv} --reuid 0 sleep 1000")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", place], check=True)
    start = tmp_path / "start"
    script(start, f'exec setpriv --reuid {USER} --regid {USER} --clear-groups {runtime / "runsvdir"} "$@"')
    with tree(start, place / "services", place / "state") as prepared:
        prepared.extra["RUNSVDIR_HUP_SECONDS"] = "0"
        prepared.start()
        until(lambda: all(stat(home) == "run" for home in prepared.services.iterdir()), what="all run")
        until(lambda: supervision.command(pid_of(root(prepared))) == "sleep 1000", what="it has become root, if it may")
        if Path(f"/proc/{pid_of(root(prepared))}").stat().st_uid != 0:
            oracle.absent(f"{tmp_path} is mounted nosuid")
        yield prepared


def root(running: Tree) -> Path:
    return running.services / "root"


def refusal(number: int, pid: int) -> str:
    return f"runsv root: warning: unable to send signal {number} to process {pid}: permission denied\n"


@pytest.mark.parametrize("orphan", [False, True])
def test_hup_ends_all_others_and_the_tree(running: Tree, orphan: bool) -> None:
    pid = pid_of(root(running))
    if orphan:
        keeper = running.keeper()
        os.kill(keeper, signal.SIGKILL)
        until(lambda: running.keeper() != keeper, what="another keeper")
    assert running.kill(signal.SIGHUP) == 111
    assert running.stderr.read_text().count("unable to send signal") == 1
    assert refusal(signal.SIGTERM, pid) in running.stderr.read_text()
    assert "internal error" not in running.stderr.read_text()
    os.kill(pid, signal.SIGKILL)
    until(lambda: running.processes() == [], what="nothing else is left")


@pytest.mark.parametrize("orphan", [False, True])
def test_what_cannot_be_sent_is_told_once_and_letters_are_obeyed(running: Tree, orphan: bool) -> None:
    home = root(running)
    pid = pid_of(home)
    if orphan:
        os.kill(running.keeper(), signal.SIGKILL)
    for _ in range(20):
        letter(home, "1")
    letter(home, "d")
    until(lambda: "want down" in stat(home), what="it is to be down")
    letter(home, "u")
    until(lambda: "want down" not in stat(home) and stat(home), what="it is to be up")
    assert running.stderr.read_text().count("unable to send signal") == 1
    assert refusal(signal.SIGUSR1, pid) in running.stderr.read_text()
    os.kill(pid, signal.SIGKILL)
    until(lambda: pid_of(home) not in {0, pid}, what="it is started again once it has ended")
    assert written(home / "starts").split() == [str(pid), str(pid_of(home))]
