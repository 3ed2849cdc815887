"""Idle costs nothing: whoever supervises, keeps, holds and logs sleeps until there is a cause."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from support import oracle, supervision
from support.supervision import pid_of, service, stat, tree
from support.waiting import DEADLINE, until

from runit_provision.runtime.shell.pool import watch

SECONDS = 60 if os.environ.get("HARNESS") == "all" else 6
"""Longer than the five seconds between the looks of C's runsvdir, and of ours where there are no events."""
OURS = {"runsvdir", "runsvdir-keeper", "fifo-holder", "log-pool"}


@pytest.mark.covers("runsvdir", "directory events, no poll")
def test_nobody_makes_a_system_call_while_nothing_happens(runtime: Path, tmp_path: Path) -> None:
    services = tmp_path / "services"
    service(services / "plain", "exec sleep 1000")
    service(services / "logged", "exec sleep 1000", log="exec sleep 1000")
    service(services / "pooled", "exec sleep 1000", log="exit 1")
    (services / "pooled/log/run").unlink()
    (services / "pooled/log/run").symlink_to(runtime / "rsvlog")
    (services / "pooled/log/env").mkdir()
    (services / "pooled/log/env/RSVLOG_DIR").write_text("main\n")
    service(services / "ended", "exit 0", finish="exec sleep 1000")
    # What others mount meanwhile would be a cause.
    program, *apart = [*(["unshare", "-m"] if os.geteuid() == 0 else []), str(runtime / "runsvdir")]
    with tree(program, services, tmp_path / "state", *apart, "-P") as running:
        running.start()
        up = [services / name for name in ("plain", "logged", "logged/log", "pooled", "pooled/log")]
        until(lambda: all(stat(folder) == "run" and pid_of(folder) for folder in up), what="all run")
        until(lambda: stat(services / "ended") == "finish", what="one finishes")
        until(lambda: {supervision.name(pid) for pid in running.processes()} >= OURS, what="everybody is there")
        time.sleep(2 * watch.PATIENCE + 1)  # the pauses after the start are over, and whoever was asked has answered twice
        ours = [pid for pid in running.processes() if supervision.name(pid) in OURS]
        calls = traced(ours, tmp_path / "trace")
    woken = {pid: lines for pid, lines in calls.items() if len(lines) > 1}
    assert woken == {}
    assert len(calls) >= len(ours)


def traced(pids: list[int], path: Path) -> dict[str, list[str]]:
    """Watch processes and their threads for SECONDS; give what each did, which is one call that it slept in when it did nothing."""
    arguments = [oracle.program("strace", package="strace"), "-f", "-o", str(path), *(f"-p{pid}" for pid in pids)]
    strace = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    assert strace.stderr is not None
    for _ in pids:
        assert "attached" in strace.stderr.readline()
    time.sleep(SECONDS)  # what is observed is that nothing happens in this time
    strace.send_signal(signal.SIGINT)
    strace.communicate(timeout=DEADLINE)
    calls: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        pid, call = line.split(maxsplit=1)
        if not call.startswith(("strace:", "+++", "---")):
            calls.setdefault(pid, []).append(call)
    return calls
