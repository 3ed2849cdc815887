"""Service directories that runsv cannot have: C's and ours say the same of them and exit with the same status."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.programs import started
from support.supervision import is_alive, pid_of, script, service, stat, tree
from support.waiting import DEADLINE, until
from support.worlds import LOGGER, TRACER, Lab, same_in_all

NOBODY = 65534
SLEEPER = "exec sleep 1000"
Programs = dict[str, str]


@pytest.fixture
def programs(runtime: Path) -> Programs:
    return {"C": oracle.program("runsv", package="runit"), "ours": str(runtime / "runsv")}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    return tmp_path


def refused(program: str, home: Path, *, user: int | None = None, wrapper: tuple[str, ...] = ()) -> tuple[int, str]:
    """Give the exit status and what was said, without the state directory that only ours has."""
    state = home.parent / f"state-{user}"
    if not state.exists():
        state.mkdir(mode=0o700)
        if user is not None:
            os.chown(state, user, user)
    done = subprocess.run(
        [*wrapper, program, "it"],
        cwd=home.parent,
        env={**os.environ, "RUNIT_PROVISION_STATE": str(state)},
        user=user,
        group=user,
        extra_groups=() if user else None,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stderr


def both_refuse(programs: Programs, home: Path, prepare: str, **how: object) -> str:
    """Lay the service anew for each, `prepare` it by shell lines, and give what both said; exit status 111."""
    told = []
    for program in programs.values():
        if home.exists():
            subprocess.run(["chmod", "-R", "u+rwx", home], check=False)
            shutil.rmtree(home)
        service(home, SLEEPER)
        subprocess.run(["sh", "-ec", prepare], cwd=home, check=True)
        told.append(refused(program, home, **how))  # type: ignore[arg-type]
    assert told[1] == told[0]
    assert told[1][0] == 111
    return told[1][1]


@pytest.mark.covers("runsv", "an unreadable directory")
@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        ("chmod 700 .", "runsv it: fatal: unable to change to directory: access denied\n"),
        ("mkdir -m 700 supervise", "access denied\n"),
        (
            "mkdir -m 777 supervise; touch supervise/lock; chmod 600 supervise/lock",
            "runsv it: fatal: unable to open supervise/lock: access denied\n",
        ),
        (
            "mkdir -m 777 supervise; mkfifo -m 600 supervise/control",
            "access denied\n",
        ),
    ],
)
def test_what_belongs_to_another_user(programs: Programs, place: Path, prepare: str, said: str) -> None:
    oracle.root("directories of another user")
    assert both_refuse(programs, place / "it", prepare, user=NOBODY).endswith(said)


def test_where_supervise_cannot_be_made_ours_says_why(programs: Programs, place: Path) -> None:
    oracle.root("a directory of another user")
    service(place / "it", SLEEPER).chmod(0o755)
    theirs, ours = (refused(program, place / "it", user=NOBODY) for program in programs.values())
    assert theirs == (111, "runsv it: fatal: unable to open supervise/lock: file does not exist\n")
    assert ours == (111, "runsv it: fatal: unable to create ./supervise: access denied\n")


FULL = """mount -t tmpfs -o size=64k,nr_inodes=20 none it/supervise
i=0; while touch it/supervise/filler$i 2>/dev/null; do i=$((i + 1)); done
n=0; while [ $n -lt "$1" ]; do rm it/supervise/filler$n; n=$((n + 1)); done
shift; exec "$@" """


ROOM_FOR = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", FULL, "sh")


def test_a_disk_without_room_for_the_lock(programs: Programs, place: Path) -> None:
    said = both_refuse(programs, place / "it", "mkdir supervise", wrapper=(*ROOM_FOR, "0"))
    assert said == "runsv it: fatal: unable to open supervise/lock: out of disk space\n"


def test_a_disk_without_room_for_the_fifos_is_what_ours_says(programs: Programs, place: Path) -> None:
    (service(place / "it", SLEEPER) / "supervise").mkdir()
    theirs, ours = (refused(program, place / "it", wrapper=(*ROOM_FOR, "1")) for program in programs.values())
    assert theirs == (111, "runsv it: fatal: unable to stat supervise/control: file does not exist\n")
    assert ours == (111, "runsv it: fatal: unable to create supervise/control: out of disk space\n")


@pytest.mark.covers("runsv", "ENOSPC in supervise/")
def test_a_disk_without_room_for_the_status_is_no_reason_not_to_run(programs: Programs, place: Path) -> None:
    it = service(place / "it", "echo run >>trace; exec sleep 1000")
    (it / "supervise").mkdir()
    status, said = refused(programs["C"], it, wrapper=(*ROOM_FOR, "3"))
    assert (status, said.splitlines()[-1]) == (111, "runsv it: fatal: unable to read supervise/ok: file does not exist")
    with tree("unshare", it, place / "state", *mounted(place, 3, programs["ours"])) as running:
        running.start()
        inside = Path(f"/proc/{running.pid}/root{it}")
        until((it / "trace").exists, what="it runs")
        until(lambda: "warning: unable to open supervise/pid.new: out of disk space\n" in running.stderr.read_text(), what="it is said")
        until(lambda: said_by_sv(inside) == "warning: it: unable to open supervise/status: file does not exist\n", what="so sv says")
        for filler in (inside / "supervise").glob("filler*"):
            filler.unlink()
        until(lambda: stat(inside) == "run" and is_alive(pid_of(inside)), what="the status is written once there is room")


def test_a_disk_without_room_for_another_status_leaves_no_false_one(programs: Programs, place: Path) -> None:
    said = {name: said_of_a_full_disk(place / name, program, room=5 + (name == "C")) for name, program in programs.items()}
    assert said == {"C": "down", "ours": "run"}


def said_of_a_full_disk(place: Path, program: str, *, room: int) -> str:
    """Let a service run whose supervise/ has room for so many files; give how sv says that it is."""
    it = service(place / "it", "echo run >>trace; exec sleep 1000")
    (it / "supervise").mkdir()
    with tree("unshare", it, place / "state", *mounted(place, room, program)) as running:
        running.start()
        until((it / "trace").exists, what="it runs")
        until(lambda: "warning: unable to open supervise/" in running.stderr.read_text(), what="it is said")
        inside = Path(f"/proc/{running.pid}/root{it}")
        return until(lambda: said_by_sv(inside), what="sv is told").split(":")[0]


def mounted(place: Path, room: int, program: str) -> tuple[str, ...]:
    """Give unshare's arguments for a runsv whose supervise/ has room for so many files."""
    mounting = place / "mounting"
    script(mounting, f"cd {place}; set -- {room} {program} it; {FULL}")
    return "--user", "--map-root-user", "--mount", str(mounting)


def said_by_sv(it: Path) -> str:
    return subprocess.run(["sv", "status", it], capture_output=True, text=True, check=False).stdout.replace(str(it), "it")


def test_what_cannot_be_written_of_a_service_is_told_in_the_same_words(runtime: Path, tmp_path: Path) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("log/run", LOGGER)
        (lab.home / "supervise/stat").mkdir(parents=True)
        (lab.home / "log/supervise/status").mkdir(parents=True)
        lab.script("run", TRACER)
        lab.start()
        until(lambda: said_by_sv(lab.home).startswith("run: "), what="the rest is written")
        until(lambda: lab.stderr().count("log/supervise/status") > 0, what="the log's is told too")
        return set(lab.stderr().splitlines()), re.sub(r"\d+", "N", said_by_sv(lab.home))

    said, shown = same_in_all(scenario, runtime, tmp_path)
    assert said == {
        "runsv it: warning: unable to rename stat.new to supervise/stat: is a directory",
        "runsv it: warning: unable to rename status.new to log/supervise/status: is a directory",
    }
    assert shown == "run: it: (pid N) Ns; warning: it/log: unable to read supervise/status: is a directory\nrun: log: (pid N) Ns\n"


@pytest.mark.parametrize("target", ["../nowhere/deep", "/proc/nothing", "supervise"])
def test_a_link_supervise_that_leads_nowhere(programs: Programs, place: Path, target: str) -> None:
    both_refuse(programs, place / "it", f"ln -s {target} supervise")


def test_a_service_that_another_has_is_left_alone_and_forgotten_with_its_link(runtime: Path, programs: Programs, place: Path) -> None:
    it = service(place / "definitions/it", SLEEPER)
    other = service(place / "services/other", SLEEPER)
    (place / "services/it").symlink_to(it)
    with tree(programs["C"], it, place / "alone") as lone, tree(runtime / "runsvdir", other.parent, place / "state") as running:
        lone.start()
        until(lambda: stat(it) == "run", what="C's runsv has it")
        running.start()
        until(lambda: stat(other) == "run", what="the other runs")
        until(lambda: "unable to lock supervise/lock" in running.stderr.read_text(), what="it is said")
        (place / "services/it").unlink()
        subprocess.run(["sv", "-v", "exit", it], check=True, capture_output=True)
        until(lambda: not lone.processes() or lone.process is None or lone.process.poll() is not None, what="C's runsv has ended")
        pid = pid_of(other)
        (other / "new").touch()
        late = service(place / "services/late", SLEEPER)
        until(lambda: stat(late) == "run", what="what came later runs")
        assert (stat(it), is_alive(pid)) == ("down", True)


def test_a_log_that_another_has_is_waited_for_in_silence_by_c_and_told_by_ours(runtime: Path, programs: Programs, place: Path) -> None:
    homes = {name: service(place / f"services-{name}/it", SLEEPER, log="exec cat >/dev/null") for name in ("C", "ours")}
    locks = []
    for home in homes.values():
        (home / "log/supervise").mkdir()
        locks.append((home / "log/supervise/lock").open("w"))
        fcntl.flock(locks[-1], fcntl.LOCK_EX)
    assert refused(programs["ours"], homes["ours"]) == (111, "runsv it: fatal: unable to lock log/supervise/lock: temporary failure\n")
    with (
        tree(programs["C"], homes["C"], place / "alone") as theirs,
        tree(runtime / "runsvdir", homes["ours"].parent, place / "state") as ours,
    ):
        theirs.start()
        ours.start()
        until(lambda: waits_for_a_lock(theirs.pid), what="C's runsv waits")
        until(lambda: "unable to lock log/supervise/lock" in ours.stderr.read_text(), what="ours says why")
        assert theirs.stderr.read_text() == ""
        for lock in locks:
            lock.close()
        until(lambda: stat(homes["C"]) == stat(homes["ours"]) == "run", what="both run once it is free")


def waits_for_a_lock(pid: int) -> bool:
    return re.search(rf"-> FLOCK +ADVISORY +WRITE +{pid} ", Path("/proc/locks").read_text()) is not None


@pytest.mark.parametrize("how", ["missing", "a file", "a loop", "closed", "unreadable", "links that lead nowhere"])
def test_what_cannot_be_looked_at_is_told_in_the_same_words(runtime: Path, place: Path, how: str) -> None:
    oracle.root("is nobody then, who may not enter")
    services = place / "services"
    match how:
        case "a file":
            services.touch()
        case "a loop":
            services.symlink_to("services")
        case "closed" | "unreadable":
            services.mkdir(mode=0o700 if how == "closed" else 0o711)
        case "links that lead nowhere":
            services.mkdir()
            (services / "gone").symlink_to("nowhere")
            (services / "loop").symlink_to("loop")
        case _:
            pass
    said: list[set[str]] = []
    for program in (oracle.program("runsvdir", package="runit"), str(runtime / "runsvdir")):
        state = place / f"state{len(said)}"
        state.mkdir()
        state.chmod(0o700)
        os.chown(state, NOBODY, NOBODY)
        environment = {**os.environ, "RUNIT_PROVISION_STATE": str(state)}
        with started([program, services], user=NOBODY, group=NOBODY, env=environment, stderr=subprocess.PIPE, text=True) as running:
            assert running.stderr is not None
            lines = {running.stderr.readline() for _ in range(2 if how.startswith("links") else 1)}
            running.send_signal(signal.SIGHUP)
            assert running.wait(DEADLINE) == 111
        said.append(lines)
    assert said[1] == said[0]
    assert all(line.startswith(f"runsvdir {services}: warning: unable to ") for line in said[0])
