"""daemontools' programs, which read and write the same files: svstat, svok, svc, and multilog as a logger."""

from __future__ import annotations

import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.waiting import DEADLINE, until
from support.worlds import TRACER, TRAPS, Lab, Same, same_in_all


@pytest.fixture
def same(runtime: Path, tmp_path: Path) -> Same:
    return lambda scenario: same_in_all(scenario, runtime, tmp_path)


def svstat(folder: Path) -> str:
    """Give svstat's line without the path, pids and seconds."""
    program = oracle.program("svstat", package="daemontools")
    said = subprocess.run([program, folder], capture_output=True, text=True, timeout=DEADLINE, check=True).stdout
    return re.sub(r"\d+", "N", said.partition(": ")[2]).strip()


def svok(folder: Path) -> int:
    """Give svok's exit status: 0 supervised, 100 not."""
    return subprocess.run([oracle.program("svok", package="daemontools"), folder], timeout=DEADLINE, check=False).returncode


def svc(lab: Lab, option: str) -> None:
    subprocess.run([oracle.program("svc", package="daemontools"), option, lab.home], timeout=DEADLINE, check=True)


def test_svstat_tells_the_same_of_a_whole_life(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRAPS)
        lab.script("log/run", "exec cat >/dev/null")
        seen: list[object] = [svok(lab.home)]
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        lab.until_stat("run", log=True)
        seen += [svok(lab.home), svok(lab.home / "log"), svstat(lab.home), svstat(lab.home / "log")]
        for letter, stat in (
            ("p", "run, paused"),
            ("c", "run"),
            ("o", "run, want down"),
            ("u", "run"),
            ("d", "run, got TERM, want down"),
        ):
            lab.letters(letter)
            lab.until_stat(stat)
            seen.append(svstat(lab.home))
        lab.letters("k")
        lab.until_stat("down")
        seen.append(svstat(lab.home))
        lab.letters("x")
        lab.exit_status()
        return [*seen, svok(lab.home)]

    seen = same(scenario)
    assert seen[:4] == [100, 0, 0, "up (pid N) N seconds"]
    assert seen[-1] == 100


def test_svstat_calls_a_service_in_finish_up(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", "exit 0")
        lab.script("finish", "exec sleep 1000")
        (lab.home / "down").touch()
        lab.start()
        lab.letters("o")
        lab.until_stat("finish, want down")
        until(lab.pid, what="finish has a pid")
        return svstat(lab.home)

    assert same(scenario).startswith("up (pid N)")


def tell(lab: Lab, option: str, line: str) -> None:
    """Call svc until `line` is traced: dash may lose a signal that comes while it makes a child."""
    called = time.monotonic() - 1

    def traced() -> bool:
        nonlocal called
        if time.monotonic() - called >= 1:
            svc(lab, option)
            called = time.monotonic()
        return line in lab.trace()

    until(traced, what=f"{lab.kind}: {line}")


SIGNALS = {"-h": "HUP", "-a": "ALRM", "-i": "INT", "-t": "TERM", "-c": "CONT"}


def test_svc_controls(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRAPS)
        lab.start()
        lab.until_line("ready")
        lab.until_stat("run")
        for option, name in SIGNALS.items():
            tell(lab, option, f"got {name}")
        svc(lab, "-p")
        lab.until_stat("run, paused", "run, paused, got TERM")
        svc(lab, "-c")
        lab.until_stat("run", "run, got TERM")
        svc(lab, "-k")
        lab.until_line("ready", times=2)
        lab.until_stat("run")
        svc(lab, "-dk")
        lab.until_stat("down")
        svc(lab, "-o")
        lab.until_line("ready", times=3)
        lab.until_stat("run, want down")
        svc(lab, "-u")
        lab.until_stat("run")
        svc(lab, "-xk")
        return lab.exit_status(), set(lab.trace())

    assert same(scenario)[0] == 0


def test_multilog_is_a_logger_and_its_stamps_are_understood(same: Same) -> None:
    multilog = oracle.program("multilog", package="daemontools")
    tai64nlocal = oracle.program("tai64nlocal", package="daemontools")

    def scenario(lab: Lab) -> Any:
        lab.script("run", f"echo one; echo two\n{TRACER}")
        lab.script("log/run", f"exec {multilog} t ./main")
        lab.start()
        lab.until_line("run")
        current = lab.home / "log/main/current"
        until(lambda: current.exists() and current.read_text().count("\n") == 2, what="both lines are logged")
        lab.letters("x")
        status = lab.exit_status()
        text = subprocess.run([tai64nlocal], input=current.read_bytes(), capture_output=True, check=True).stdout.decode()
        return status, re.sub(r"\d", "N", text), oct(current.stat().st_mode)

    assert same(scenario)[1] == "NNNN-NN-NN NN:NN:NN.NNNNNNNNN one\nNNNN-NN-NN NN:NN:NN.NNNNNNNNN two\n"


def test_tai64nlocal_understands_svlogd(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    tai64nlocal = oracle.program("tai64nlocal", package="daemontools")
    subprocess.run([runtime / "svlogd", "-t", "log"], cwd=tmp_path, input=b"line\n", check=True)
    text = subprocess.run(
        [tai64nlocal], input=(tmp_path / "log/current").read_bytes(), capture_output=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    assert re.fullmatch(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9} line\n", text)
