"""The clock jumps, both ways: what rests goes on, and what is waited for comes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from support import oracle
from support.supervision import (
    pid_of,
    service,
    tree,
    up,
)
from support.waiting import until


def test_a_clock_that_is_set_back_makes_no_rest_longer(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+1000d")
    home = service(tmp_path / "services/it", "echo >>runs; exit 1")
    (home / "max-delay").write_text("30000\n")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra = faked(clock)

        def rests() -> int:
            words = [str(runtime / "sv"), "status", str(home)]
            line = subprocess.run(words, env=running.environment(), capture_output=True, text=True, check=False).stdout
            found = re.search(r"next start in (\d+)s", line)
            return int(found[1]) if found else -1

        running.start()
        until(lambda: runs(home) > 3 and rests() >= 4, what="it rests")
        clock.write_text("+0")
        assert 0 <= rests() <= 30
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next runsvdir has it")
        count = runs(home)
        assert rests() <= 30
        until(lambda: runs(home) > count, what="it starts again")


@pytest.mark.long
def test_a_clock_that_jumps(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    quick = service(tmp_path / "services/quick", "date +%s >>runs; exit 1")
    resting = service(tmp_path / "services/resting", "echo >>runs; exit 1")
    (resting / "max-delay").write_text("3000\n")
    with tree(runtime / "runsvdir", quick.parent, tmp_path / "state") as running:
        running.extra = faked(clock)
        running.start()
        for jump in ("+0", "+10d", "-10d", "+0"):
            before = {home: runs(home) for home in (quick, resting)}
            clock.write_text(jump)
            for home, count in before.items():
                until(lambda home=home, most=count + 3: runs(home) >= most, what=f"{home.name} runs after {jump}")  # type: ignore[misc]
        times = [int(line) for line in (quick / "runs").read_text().split()]
        assert max(times) - min(times) > 15 * 86400, "the clock jumped"


def test_a_restart_is_waited_for_though_the_clock_was_set_back(runtime: Path, tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+10d")
    home = service(tmp_path / "services/it", "exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.extra = faked(clock)
        running.start()
        before = up(home)
        clock.write_text("+0")
        os.kill(running.pid, signal.SIGSTOP)
        assert b"timeout: " in sv(runtime, "-w", "1", "restart", home), "who reads no letter has restarted nothing"
        os.kill(running.pid, signal.SIGCONT)
        assert b"ok: run: " in sv(runtime, "restart", home)
        assert pid_of(home) not in {0, before}


def sv(runtime: Path, *words: str | Path) -> bytes:
    return subprocess.run([runtime / "sv", *words], check=False, stdout=subprocess.PIPE).stdout


def faked(clock: Path) -> dict[str, str]:
    """Give an environment whose programs see the time that a file says."""
    return {
        "LD_PRELOAD": oracle.faketime(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "NO_FAKE_STAT": "1",
    }


def runs(home: Path) -> int:
    return len((home / "runs").read_text().splitlines()) if (home / "runs").exists() else 0
