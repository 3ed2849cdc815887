"""sv over real supervisors: what it does to services and says of it, C's sv and ours, over C's runsv and ours."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import oracle, waiting
from support.programs import Said, run
from support.supervised import FakeSupervisor, Supervised

from runit_provision.runtime.core.sv import TICK, last_look
from runit_provision.runtime.wire import status

Worlds = Callable[[str, Path], Supervised]
Tools = Callable[[str, str], Path]
STUBBORN = "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 1; done\n"


def plain(said: Said) -> Said:
    """Leave out what no two runs share: pids and seconds."""
    out = re.sub(rb"\(pid \d+\)", b"(pid N)", re.sub(rb"\b\d+s\b", b"Ns", said.out))
    return said._replace(out=out)


def play(sv: Path, world: Supervised, lines: list[str]) -> list[tuple[str, Said]]:
    """Give what `sv` says to each line of words."""
    heard = []
    for line in lines:
        world.age()
        said = plain(run(sv, line.split(), env={"SVDIR": str(world.directory), "PATH": "/usr/bin:/bin"}))
        # Of services that are waited for, each is told when it is done.
        waits = not line.startswith("status")
        heard.append((line, said._replace(out=b"".join(sorted(said.out.splitlines(keepends=True)))) if waits else said))
    return heard


DEAF = "#!/bin/sh\ntrap '' HUP ALRM USR1\nexec sleep 1000\n"
SPECIAL = {"stubborn": {"run": STUBBORN}, "deaf": {"run": DEAF}, "unready": {"check": "#!/bin/sh\nexit 1\n"}}

SCENES = {
    "up and down": ["-v down a", "status a", "-v down a", "-v up a", "status a", "-v up a", "start a", "stop a", "stop a"],
    "restart": ["restart a", "force-restart a", "try-restart a", "force-reload a", "-v term a", "-v kill a"],
    "reload": ["reload deaf", "-v hup deaf", "-v alarm deaf", "-v 1 deaf", "hup deaf", "status deaf"],
    "restart when down": ["stop a", "try-restart a", "status a", "restart a", "status a"],
    "pause": ["-v pause a", "status a", "-v cont a", "status a", "-v pause a", "-v down a"],
    "once": ["-v once a", "status a", "-v kill a", "status a", "-v once a", "-v down a", "status a"],
    "check": ["check a", "stop a", "check a", "start a", "check a"],
    "exit": ["-v exit a", "status a", "shutdown a", "-v up a"],
    "shutdown": ["shutdown a", "force-shutdown a"],
    "stubborn": ["-w 0 down stubborn", "-w 1 force-stop stubborn", "-w 5 force-stop stubborn", "status stubborn"],
    "stubborn, once told": ["-w 0 down stubborn", "status stubborn", "-v kill stubborn"],
    "many": [
        "-w 1 restart a nope logged",
        "stop a logged",
        "status a logged",
        "start logged a",
        "status a logged nope",
        "check a logged",
    ],
    "logger": ["-v down logged/log", "status logged", "-v up logged/log", "exit logged/log", "status logged logged/log"],
    "logger ends with its service": ["-v exit logged", "status logged"],
    "check script fails": ["-w 1 start unready", "-w 1 check unready", "status unready"],
    "down at first": ["status idle", "check idle", "-v once idle", "-v down idle", "start idle", "status idle"],
}


def _marked(scene: str) -> object:
    """A scene covers the first word of each of its lines that is no option, and its options."""
    words = [[word for word in line.split() if not word.isdigit() or line.startswith("-v")] for line in SCENES[scene]]
    commands = {line[1] if line[0].startswith("-") else line[0] for line in words}
    options = {line[0] for line in words if line[0].startswith("-")}
    return pytest.param(scene, marks=pytest.mark.covers("sv", "exit 0", *sorted(commands | options)))


@pytest.mark.parametrize("scene", list(map(_marked, SCENES)))
def test_a_scene_plays_the_same(tools: Tools, worlds: Worlds, runsv: Path, scene: str) -> None:
    lines = SCENES[scene]
    names = {word.partition("/")[0] for line in lines for word in line.split()}
    both = [worlds(implementation, runsv) for implementation in ("C", "ours")]
    for world in both:
        for name in sorted(names & {"a", "logged", "idle", *SPECIAL}):
            world.add(name, log=name == "logged", down=name == "idle", scripts=SPECIAL.get(name))
    svs = [tools(implementation, "sv") for implementation in ("C", "ours")]
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(play, svs, both, [lines] * 2)
    assert ours == theirs


@pytest.mark.covers("sv", "check")
def test_a_check_script_runs_in_the_service_directory_without_standard_output(tools: Tools, worlds: Worlds, runsv: Path) -> None:
    script = "#!/bin/sh\n[ -e /proc/$$/fd/1 ] || touch closed\necho told as $0 >&2\n"
    seen = []
    for implementation in ("C", "ours"):
        world = worlds(implementation, runsv)
        folder = world.add("a", scripts={"check": script})
        said = run(tools(implementation, "sv"), ["check", "./a"], cwd=world.directory)
        assert (folder / "closed").exists()
        seen.append(plain(said))
    assert seen[1] == seen[0]
    assert seen[1].err == b"told as check\n"


@pytest.mark.parametrize("mode", [0o644, 0o755], ids=["not executable", "no interpreter"])
def test_a_check_script_that_cannot_run_is_complained_of_and_passes(tools: Tools, worlds: Worlds, runsv: Path, mode: int) -> None:
    said = []
    for implementation in ("C", "ours"):
        world = worlds(implementation, runsv)
        script = world.add("a", scripts={"check": "exit 1\n"}) / "check"
        script.chmod(mode)
        said.append(plain(run(tools(implementation, "sv"), ["check", "a"], env={"SVDIR": str(world.directory)})))
    assert said[1] == said[0]
    assert said[1].code == 0


@pytest.mark.covers("sv", "waits for events")
def test_a_wait_is_for_events_not_for_the_clock(runtime: Path, worlds: Worlds, runsv: Path) -> None:
    strace = oracle.program("strace", package="strace")
    world = worlds("ours", runsv)
    world.add("a")
    for word in ("restart", "stop", "start"):
        world.age()
        said = run(
            strace,
            ["-f", "-e", "trace=poll,select,nanosleep,clock_nanosleep,rt_sigtimedwait", str(runtime / "sv"), word, "a"],
            env={"SVDIR": str(world.directory), "PATH": "/usr/bin:/bin"},
        )
        assert said.code == 0
        assert b"sleep" not in said.err
        assert b"EAGAIN" not in said.err.replace(b"tv_sec=0, tv_nsec=0}, 8) = -1 EAGAIN", b""), "a wait that only time ended"


@pytest.mark.parametrize("owner", [0, 65534])
def test_root_runs_the_check_of_a_users_service_as_that_user(runtime: Path, worlds: Worlds, runsv: Path, owner: int) -> None:
    oracle.root("services of other users")
    world = worlds("ours", runsv)
    folder = world.add("a", scripts={"check": "#!/bin/sh\nid -u >&2; id -G >&2\n"})
    for parent in (folder, *folder.parents[:4]):
        parent.chmod(0o755)
    os.chown(folder, owner, owner)
    said = run(runtime / "sv", ["check", "a"], env={"SVDIR": str(world.directory), "PATH": "/usr/bin:/bin"})
    assert (said.code, said.err) == (0, b"%d\n%d\n" % (owner, owner))


def test_a_restart_within_the_second_of_the_last_start_is_waited_for(runtime: Path, worlds: Worlds, runsv: Path) -> None:
    world = worlds("ours", runsv)
    world.add("a", scripts={"run": "#!/bin/sh\ntrap 'kill -9 $!; sleep .3; exit' TERM\nsleep 1000 & wait\n"})
    for _ in range(3):
        before = world.pid("a")
        assert run(runtime / "sv", ["restart", "a"], env={"SVDIR": str(world.directory)}).code == 0
        assert world.pid("a") != before


def test_a_directory_that_vanishes_while_waited_for_fails(runtime: Path, worlds: Worlds, runsv: Path) -> None:
    world = worlds("ours", runsv)
    folder = world.add("stubborn", scripts={"run": STUBBORN})
    waiter = subprocess.Popen([runtime / "sv", "stop", "stubborn"], env={"SVDIR": str(world.directory)}, stdout=subprocess.PIPE)
    waiting.until(lambda: (status := world.status("stubborn")) and status.got_term)
    moved = folder.rename(folder.with_name("moved"))
    (moved / "supervise/poke").touch()
    out, _ = waiter.communicate(timeout=waiting.DEADLINE)
    moved.rename(folder)
    assert (waiter.returncode, out) == (1, b"fail: stubborn: unable to change to service directory: file does not exist\n")


def test_ctrl_c_ends_a_wait_as_it_ends_a_c_program(runtime: Path, worlds: Worlds, runsv: Path) -> None:
    world = worlds("ours", runsv)
    world.add("stubborn", scripts={"run": STUBBORN})
    env = {"SVDIR": str(world.directory)}
    waiter = subprocess.Popen([runtime / "sv", "stop", "stubborn"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    waiting.until(lambda: (status := world.status("stubborn")) and status.got_term)
    waiter.send_signal(signal.SIGINT)
    out, err = waiter.communicate(timeout=waiting.DEADLINE)
    assert (waiter.returncode, out, err) == (-signal.SIGINT, b"", b"")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[Path]:
    """A service that is up and hears nothing."""
    up = status.pack(status.Status(since_ns=time.time_ns(), pid=os.getpid(), state=status.RUN, want=status.WANT_UP))
    supervisor = FakeSupervisor(tmp_path / "a", up)
    yield tmp_path / "a"
    supervisor.stop()


@pytest.mark.covers("sv", "-w")
@pytest.mark.parametrize("limit", [0, 1, 2, 3, 7, 8, 60])
def test_a_limit_lasts_as_many_looks(busy: Path, limit: int) -> None:
    """C's sv sleeps between two looks, which strace counts. None of these takes time, and the clock goes on by one at each look."""
    strace = oracle.program("strace", package="strace")
    at_once = ["-e", "trace=clock_nanosleep", "-e", "inject=clock_nanosleep:retval=0"]
    clock = ["-E", f"LD_PRELOAD={oracle.faketime()}", "-E", f"FAKETIME=@2030-01-01 00:00:00 i{TICK}"]
    theirs = run(strace, [*at_once, *clock, oracle.program("sv", package="runit"), "-w", str(limit), "down", str(busy)])
    looks = theirs.err.count(b"tv_nsec=420000000}, NULL)")
    assert looks > limit
    assert last_look(limit) == pytest.approx(looks * TICK)


@pytest.mark.covers("sv", "-w")
@pytest.mark.parametrize("limit", [0, 2])
def test_a_limit_is_over_no_sooner_than_cs(runtime: Path, busy: Path, limit: int) -> None:
    words = ["-w", str(limit), "down", str(busy)]
    before = time.monotonic()
    ours = run(runtime / "sv", words)
    assert time.monotonic() - before >= last_look(limit) - 0.001
    assert plain(ours) == plain(run(oracle.program("sv", package="runit"), words))
