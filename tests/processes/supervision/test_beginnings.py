"""What whoever starts a tree leaves to it: blocked signals."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest
from support.supervision import is_alive, letter, pid_of, send, service, stat, tree
from support.waiting import until

BLOCKING = """
import os, signal, sys
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
os.execv(sys.argv[1], sys.argv[1:])
"""
SLEEPER = "exec sleep 1000"


@pytest.mark.parametrize("program", ["runsvdir", "runsv"])
def test_what_ends_is_noticed_though_signals_were_blocked_at_the_start(runtime: Path, tmp_path: Path, program: str) -> None:
    home = service(tmp_path / "services/it", SLEEPER)
    supervised = home.parent if program == "runsvdir" else home
    with tree(sys.executable, supervised, tmp_path / "state", "-c", BLOCKING, str(runtime / program)) as running:
        running.start()
        before = send(home, signal.SIGKILL)
        until(lambda: pid_of(home) not in {0, before} and is_alive(pid_of(home)), what="it is started again")
        letter(home, "d")
        until(lambda: stat(home) == "down", what="it is down")
        running.kill(signal.SIGHUP if program == "runsvdir" else signal.SIGTERM)
