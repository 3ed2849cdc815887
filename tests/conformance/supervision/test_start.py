"""What runsv says when it cannot begin, or is called wrongly; in C's and in ours."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import oracle
from support.waiting import DEADLINE
from support.worlds import Lab, same_in_all

ALONE = ("C runsv", "our runsv")


@pytest.fixture
def programs(runtime: Path) -> tuple[str, Path]:
    return oracle.program("runsv", package="runit"), runtime / "runsv"


def called(program: str | Path, *arguments: str | bytes, cwd: Path) -> tuple[int, bytes, bytes]:
    environment = {**os.environ, "RUNIT_PROVISION_STATE": str(cwd / "state")}
    done = subprocess.run([str(program), *arguments], capture_output=True, cwd=cwd, env=environment, timeout=DEADLINE, check=False)
    return done.returncode, done.stdout, done.stderr.replace(str(program).encode(), b"runsv")


@pytest.mark.covers("runsv", "exit 111")
@pytest.mark.parametrize("arguments", [(), ("",), ("a", "b"), ("absent",), ("file",), (b"bad\xff\n",)])
def test_wrong_calls(programs: tuple[str, Path], tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    theirs, ours = (called(program, *arguments, cwd=tmp_path) for program in programs)
    assert ours == theirs
    assert ours[0] in {1, 111}


@pytest.mark.covers("runsv", "a FIFO that is a file")
@pytest.mark.parametrize("name", ["control", "ok", "lock", "log/control"])
@pytest.mark.parametrize("what", ["file", "directory"])
def test_something_else_in_the_place_of_a_fifo_or_lock(programs: tuple[str, Path], tmp_path: Path, name: str, what: str) -> None:
    """C opens some of these happily; ours must at least refuse what C refuses, with 111, and say which file."""
    results: list[tuple[int | None, bytes]] = []
    for kind, program in (("theirs", programs[0]), ("ours", programs[1])):
        home = tmp_path / kind
        folder = home / "log/supervise" if name.startswith("log/") else home / "supervise"
        folder.mkdir(parents=True)
        (home / "down").touch()
        path = folder / name.removeprefix("log/")
        path.mkdir() if what == "directory" else path.touch()
        must_refuse = bool(results) and results[0][0] is not None
        results.append(called_for_a_moment(program, home, seconds=60 if must_refuse else 1))
    (their_status, _), (our_status, our_text) = results
    if their_status is not None:
        assert our_status == their_status == 111
    if our_status is not None:
        assert b"supervise/" + name.removeprefix("log/").encode() in our_text


def called_for_a_moment(program: str | Path, home: Path, *, seconds: float) -> tuple[int | None, bytes]:
    """Give exit status and stderr; no status when it has not ended by then."""
    environment = {**os.environ, "RUNIT_PROVISION_STATE": str(home.with_name("state"))}
    process = subprocess.Popen([str(program), str(home)], stderr=subprocess.PIPE, env=environment)
    try:
        _, text = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return None, b""
    return process.returncode, text


@pytest.mark.covers("runsv", "a second supervisor")
@pytest.mark.covers("runsv", "exit 111")
def test_a_second_one_for_the_same_directory_is_refused(runtime: Path, tmp_path: Path) -> None:
    def scenario(lab: Lab) -> Any:
        lab.run("exec sleep 1000")
        pid = lab.pid()
        again = lab.run_again()
        return again, lab.pid() == pid

    (status, text), unchanged = same_in_all(scenario, runtime, tmp_path, ALONE)
    assert status == 111
    assert text == "runsv it: fatal: unable to lock supervise/lock: temporary failure\n"
    assert unchanged
