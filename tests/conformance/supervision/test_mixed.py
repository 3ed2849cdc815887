"""Mixed worlds: each tool, C's or ours, with the others of the other kind, and trees that the other kind left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import pytest
from support import oracle
from support.programs import run
from support.supervision import Tree, is_alive, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

SLEEPER = "exec sleep 1000"
KINDS = ("C", "ours")
MIXED = [("C", "ours"), ("ours", "C")]
ALL_WELL = re.compile(rb"run: plain: \(pid \d+\) \d+s; run: log: \(pid \d+\) \d+s\ndown: idle: \d+s\n")
Tools = Callable[[str, str], str]


@pytest.fixture
def tool(runtime: Path) -> Tools:
    """Give the path of a tool by kind and name."""
    return lambda kind, name: oracle.program(name, package="runit") if kind == "C" else str(runtime / name)


@pytest.fixture
def start(tool: Tools, tmp_path: Path) -> Iterator[Callable[[str], Tree]]:
    """Start a runsvdir of a kind over `services`; one after the other, all in one state directory."""
    with ExitStack() as stack:

        def started(kind: str) -> Tree:
            running = stack.enter_context(tree(tool(kind, "runsvdir"), tmp_path / "services", tmp_path / "state"))
            running.start()
            return running

        yield started


def runs(folder: Path) -> bool:
    return stat(folder) == "run" and is_alive(pid_of(folder))


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def said_of(sv: str, services: Path) -> bytes:
    return run(sv, ["status", "plain", "idle"], env={"SVDIR": str(services)}).out


@pytest.mark.covers("runsvdir", "over what C's has left, and the other way round")
@pytest.mark.parametrize(("first", "second"), [*MIXED, ("ours", "ours")])
def test_a_tree_that_one_left_is_gone_on_with_by_the_other(
    start: Callable[[str], Tree], tool: Tools, tmp_path: Path, first: str, second: str
) -> None:
    plain = service(tmp_path / "services/plain", "echo one line; exec sleep 1000", log="exec cat >>../logged")
    idle = service(tmp_path / "services/idle", SLEEPER)
    (idle / "down").touch()
    for kind, times in ((first, 1), (second, 2)):
        running = start(kind)
        until(lambda: runs(plain) and runs(plain / "log") and stat(idle) == "down", what=f"{kind}: all are as they should be")
        until(lambda times=times: read(plain / "logged").count("one line\n") == times, what=f"{kind}: the log is written")  # type: ignore[misc]
        for sv in KINDS:
            until(lambda sv=sv: ALL_WELL.fullmatch(said_of(tool(sv, "sv"), tmp_path / "services")), what=f"{sv}'s sv says so")  # type: ignore[misc]
        assert running.kill(signal.SIGHUP) == 111
        until(lambda running=running: not running.processes(), what=f"{kind}: all have ended")  # type: ignore[misc]
        assert stat(plain) == "down"


def test_a_service_that_cs_runsv_still_has_is_taken_when_that_goes(start: Callable[[str], Tree], tool: Tools, tmp_path: Path) -> None:
    it = service(tmp_path / "services/it", SLEEPER)
    other = service(tmp_path / "services/other", SLEEPER)
    with tree(tool("C", "runsv"), it, tmp_path / "alone") as lone:
        lone.start()
        until(lambda: runs(it), what="C's runsv runs it")
        before = pid_of(it)
        running = start("ours")
        until(lambda: runs(other), what="the other one runs")
        until(lambda: "unable to lock supervise/lock" in running.stderr.read_text(), what="it is said who is left alone")
        assert (pid_of(it), runs(it)) == (before, True)
        for kind in KINDS:
            run(tool(kind, "sv"), ["-v", "exit", str(it)])  # who looks too late sees the next supervisor, and waits for that one's end
        until(lambda: runs(it) and pid_of(it) not in {0, before}, what="ours has it")
        assert not is_alive(before)


@pytest.mark.covers("runsv", "under C's runsvdir")
def test_cs_runsvdir_starts_our_runsv(tool: Tools, tmp_path: Path) -> None:
    it = service(tmp_path / "services/it", SLEEPER, finish="echo $1 $2 >finished")
    with tree(tool("C", "runsvdir"), tmp_path / "services", tmp_path / "state") as running:
        ours = str(Path(tool("ours", "runsv")).parent)
        environment = {**running.environment(), "PATH": f"{ours}:{os.environ['PATH']}"}
        running.process = subprocess.Popen([running.program, running.services], env=environment, stderr=subprocess.DEVNULL)
        until(lambda: runs(it), what="it runs")
        parent = int(Path(f"/proc/{pid_of(it)}/stat").read_text().rpartition(")")[2].split()[1])
        assert Path(f"/proc/{parent}/exe").resolve() != Path(tool("C", "runsv")).resolve()
        assert running.kill(signal.SIGHUP) == 111
        until(lambda: (it / "finished").exists() and running.processes() == [], what="it has ended")
    assert (it / "finished").read_text() == "-1 15\n"


@pytest.mark.covers("svlogd", "under any supervisor")
@pytest.mark.parametrize(("supervisor", "logger"), list(product(KINDS, KINDS)))
def test_a_logger_under_any_supervisor(tool: Tools, tmp_path: Path, supervisor: str, logger: str) -> None:
    it = service(
        tmp_path / "services/it",
        "trap 'echo told' USR1\ntrap 'echo last; exit' TERM\necho first\necho ready >ready\nwhile :; do sleep 0.02; done",
        log=f"exec {tool(logger, 'svlogd')} -v ./main",
    )
    main = it / "log/main"
    main.mkdir()
    with tree(tool(supervisor, "runsv"), it, tmp_path / "state") as running:
        running.start()
        until(lambda: (main / "current").exists() and (main / "current").read_text() == "first\n", what="the first line")
        until((it / "ready").exists, what="it listens")
        until(lambda: runs(it) and runs(it / "log"), what="both run, and it is said")
        (main / "config").write_text("pnew: \n")
        sv = [tool(kind, "sv") for kind in KINDS]
        assert run(sv[0], ["hup", str(it / "log")]).code == 0
        until(lambda: "append: ./main/current" in running.stderr.read_text(), what="opened again")
        assert run(sv[1], ["alarm", str(it / "log")]).code == 0
        until(lambda: list(main.glob("@*.s")), what="rotated")
        assert run(sv[0], ["1", str(it)]).code == 0
        until(lambda: (main / "current").read_text() == "new: told\n", what="the new prefix")
        assert run(sv[1], ["exit", str(it)]).code == 0
        assert running.process is not None
        assert running.process.wait(DEADLINE) == 0
    assert (main / "current").read_text() == "new: told\nnew: last\n"
    assert [path.read_text() for path in main.glob("@*.s")] == ["first\n"]
