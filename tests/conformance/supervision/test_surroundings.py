"""What a service inherits, and what stands in supervise/: C's runsv, ours on its own, and our runsvdir."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
from support import oracle, supervision
from support.supervision import command
from support.waiting import until
from support.worlds import LOGGER, TRACER, Lab, Same


@pytest.mark.covers("runsv", "what a service inherits")
def test_what_a_service_inherits(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("log/run", "exec sleep 1000")
        lab.run("echo run >>trace\nexec sleep 1000", "run")
        lab.until_stat("run", log=True)
        until(lambda: _sleeps(lab.pid(log=True)), what="the log runs")
        until(lambda: _sleeps(lab.pid()), what="it runs")
        return _inherited(lab.pid()), _inherited(lab.pid(log=True))

    main, log = same(scenario)
    assert main["descriptors"] == {"0": "/dev/null", "1": "fifo, write", "2": "file"}
    assert log["descriptors"]["0"] == "fifo, read"


def test_a_service_has_the_default_signals_also_when_its_supervisor_was_started_ignoring_some(runtime: Path, tmp_path: Path) -> None:
    ignored = {}
    for kind, program in {"C": oracle.program("runsv", package="runit"), "ours": str(runtime / "runsv")}.items():
        home = supervision.service(tmp_path / kind / "it", "exec sleep 1000")
        supervision.script(tmp_path / kind / "ignoring", f"trap '' INT QUIT USR1 PIPE; exec {program} $*")
        with supervision.tree(tmp_path / kind / "ignoring", home, tmp_path / kind / "state") as running:
            running.start()
            until(lambda home=home: command(supervision.pid_of(home)) == "sleep 1000", what="it runs")  # type: ignore[misc]
            fields = Path(f"/proc/{supervision.pid_of(home)}/status").read_text().split("SigIgn:\t")[1]
            ignored[kind] = {number for number in range(1, 32) if int(fields.split()[0], 16) >> (number - 1) & 1}
    assert ignored["ours"] == set()
    assert ignored["C"] >= {signal.SIGINT, signal.SIGQUIT, signal.SIGUSR1}


def test_a_variable_without_a_name_hinders_nobody(runtime: Path, tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env/=A").write_text("1\n")
    odd = [oracle.program("chpst", package="runit"), "-e", str(tmp_path / "env")]
    supervision.script(tmp_path / "oddly", f"exec {' '.join(odd)} {runtime}/runsvdir $*")
    home = supervision.service(tmp_path / "services/it", "exec sleep 1000")
    with supervision.tree(tmp_path / "oddly", tmp_path / "services", tmp_path / "state") as running:
        running.start()
        until(lambda: command(supervision.pid_of(home)) == "sleep 1000", what="it runs")
        # The keeper gets the environment of each runsvdir that takes over.
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="it is supervised")
        before = supervision.pid_of(home)
        supervision.letter(home, "t")
        until(lambda: supervision.pid_of(home) not in {0, before}, what="it is started again")


def test_files_in_supervise(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("log/run", LOGGER)
        lab.run(TRACER)
        lab.until_stat("run", log=True)
        found = {}
        for folder in ("supervise", "log/supervise"):
            path = lab.home / folder
            found[folder] = oct(path.stat().st_mode)
            for entry in path.iterdir():
                if entry.name != "pipe":  # ours alone: the FIFO to the log, which is an unnamed pipe in runsv
                    found[f"{folder}/{entry.name}"] = oct(entry.stat().st_mode)
        return found

    same(scenario)


@pytest.mark.covers("runsv", "supervise as a link to a tmpfs")
def test_supervise_may_be_a_link_to_a_directory_that_is_not_there_yet(same: Same) -> None:
    def scenario(lab: Lab) -> Any:
        lab.script("run", TRACER)
        lab.script("log/run", LOGGER)
        elsewhere = lab.home.parent.parent
        (lab.home / "supervise").symlink_to(elsewhere / "tmpfs-main")
        (lab.home / "log/supervise").symlink_to(elsewhere / "tmpfs-log")
        lab.start()
        lab.until_stat("run")
        lab.until_stat("run", log=True)
        return oct((elsewhere / "tmpfs-main").stat().st_mode), oct((elsewhere / "tmpfs-log").stat().st_mode)

    assert same(scenario) == ("0o40700", "0o40700")


def _sleeps(pid: int) -> bool:
    """Whether it is what ./run executes at last, and has loaded what it needs: until then it has files of its own open."""
    return command(pid) == "sleep 1000" and "State:\tS" in Path(f"/proc/{pid}/status").read_text()


def _inherited(pid: int) -> dict[str, Any]:
    fields = dict(line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line)
    descriptors = {}
    for number in Path(f"/proc/{pid}/fd").iterdir():
        flags = int(Path(f"/proc/{pid}/fdinfo/{number.name}").read_text().split("flags:\t")[1].split()[0], 8)
        assert not flags & os.O_NONBLOCK
        way = {os.O_RDONLY: "read", os.O_WRONLY: "write", os.O_RDWR: "both"}[flags & os.O_ACCMODE]
        target = str(number.readlink())
        if number.stat().st_mode & 0o170000 == 0o010000:
            descriptors[number.name] = f"fifo, {way}"
        else:
            descriptors[number.name] = "/dev/null" if target == "/dev/null" else "file"
    return {
        "signals": [fields[name] for name in ("SigBlk", "SigIgn", "SigCgt")],
        "descriptors": descriptors,
        "cwd": Path(f"/proc/{pid}/cwd").readlink().name,
        "umask": fields["Umask"],
    }
