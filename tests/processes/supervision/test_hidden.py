"""An ordinary user's tree where /proc is mounted with hidepid: of some of its own processes it is not told, and starts none twice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support import oracle
from support.supervision import Tree, is_alive, letter, pid_of, script, service, started, stat, tree
from support.waiting import until

USER = "61014"
PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
NOT_DUMPABLE = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); open('hidden', 'w').close(); time.sleep(1000)"
HIDE = 'mount -t proc -o hidepid="$1" proc /proc || exit 99; shift; exec setpriv "$@"'


def hidden(place: Path, how: str) -> Path:
    """Make a service whose process is hidden from its own account, as soon as its file `hidden` is there."""
    if how == "not dumpable":
        run = f'exec {PYTHON} -c "{NOT_DUMPABLE}"'
    else:
        program = place.with_name("setpriv")
        shutil.copy(oracle.program("setpriv", package="util-linux"), program)
        program.chmod(0o4755)
        run = f"exec {program} --reuid 0 sh -c 'touch hidden; exec sleep 1000'"
    return service(place / "services/it", f"echo $$ >>started\n{run}", finish='echo "$1 $2" >>ended')


def restart(running: Tree, home: Path) -> None:
    """Have another service started again: whoever supervises now has seen to all."""
    before = pid_of(home)
    letter(home, "t")
    until(lambda: pid_of(home) not in {0, before} and stat(home) == "run" and running.keeper(), what="another is started again")


@pytest.mark.parametrize("victims", ["keeper", "supervisor and keeper"])
@pytest.mark.parametrize(("how", "hidepid"), [("not dumpable", 2), ("root", 1)])
def test_what_is_hidden_is_not_started_twice(runtime: Path, tmp_path: Path, how: str, hidepid: int, victims: str) -> None:
    oracle.root("mounts /proc, for a user's tree")
    tmp_path.chmod(0o755)
    place = tmp_path / "user"
    home = hidden(place, how)
    other = service(place / "services/other", "exec sleep 1000")
    subprocess.run(["chown", "-R", f"{USER}:{USER}", place], check=True)
    account = f"--reuid {USER} --regid {USER} --clear-groups"
    script(tmp_path / "start", f"exec unshare -m sh -c '{HIDE}' sh {hidepid} {account} {runtime / 'runsvdir'} \"$@\"")
    with tree(tmp_path / "start", place / "services", place / "state") as running:
        running.start()
        until(lambda: (home / "hidden").exists() and stat(home) == stat(other) == "run", what="both run")
        pid = pid_of(home)
        if how == "root" and Path(f"/proc/{pid}").stat().st_uid != 0:
            oracle.absent(f"{tmp_path} is mounted nosuid")
        if victims == "keeper":
            # What is needed only when the keeper dies is loaded a moment after the start.
            until(lambda: "_ctypes" in Path(f"/proc/{running.pid}/maps").read_text(), what="the supervisor takes orphans in")
            keeper = running.keeper()
            os.kill(keeper, signal.SIGKILL)
            until(lambda: running.keeper() != keeper, what="another keeper")
        else:
            running.kill_with_keeper()
            running.start()
            until(lambda: running.supervises(home, other), what="the next runsvdir has them")
        restart(running, other)
        assert (started(home), pid_of(home), stat(home), is_alive(pid)) == ([pid], pid, "run", True)
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(started(home)) == 2 and stat(home) == "run", what="it is started when it has ended")
        assert (home / "ended").read_text() == "-1 9\n" or victims != "keeper"
