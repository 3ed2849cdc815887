"""Readiness by a descriptor: who wrote a newline on it is ready, and that is what sv start and sv check wait for."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from support.oracle import program as oracle
from support.supervision import is_alive, pid_of, service, stat, tree
from support.waiting import DEADLINE, until

SLOW = "touch started\nwhile [ ! -e go ]; do sleep 0.02; done\necho >&7\nexec 7>&-\nexec sleep 1000"


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    home = service(tmp_path / "services/it", SLOW)
    (home / "notification-fd").write_text("7\n")
    return home


def up(*homes: Path) -> None:
    """Wait until they run."""
    for home in homes:
        until(lambda home=home: pid_of(home) and stat(home) == "run", what=f"{home} runs")  # type: ignore[misc]


def sv(runtime: Path | str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([f"{runtime}/sv", *words], capture_output=True, text=True, check=False, timeout=DEADLINE)


@pytest.mark.parametrize("program", ["runsv", "runsvdir"])
def test_start_and_check_wait_until_it_says_that_it_is_ready(runtime: Path, slow: Path, tmp_path: Path, program: str) -> None:
    target = slow if program == "runsv" else slow.parent
    with tree(runtime / program, target, tmp_path / "state") as running:
        running.start()
        until(lambda: (slow / "started").exists() and stat(slow) == "run", what="it runs")
        assert sv(runtime, "status", slow).stdout.endswith("s, not ready\n")
        late = sv(runtime, "-w", "1", "check", slow)
        assert (late.returncode, late.stdout[:13]) == (1, "timeout: run:")
        waiting = subprocess.Popen([runtime / "sv", "-w", "60", "start", slow], stdout=subprocess.PIPE, text=True)
        (slow / "go").touch()
        said, _ = waiting.communicate(timeout=DEADLINE)
        assert (waiting.returncode, said[:8]) == (0, "ok: run:")
        assert ", ready " in said
        assert ", ready " in sv(runtime, "status", slow).stdout


def test_the_next_run_has_to_say_it_again(runtime: Path, slow: Path, tmp_path: Path) -> None:
    (slow / "go").touch()
    with tree(runtime / "runsvdir", slow.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: ", ready " in sv(runtime, "status", slow).stdout, what="it is ready")
        (slow / "go").unlink()
        before = pid_of(slow)
        os.kill(before, signal.SIGKILL)
        until(lambda: pid_of(slow) not in {0, before} and stat(slow) == "run", what="it runs again")
        until(lambda: sv(runtime, "status", slow).stdout.endswith("s, not ready\n"), what="it has not said so")
        (slow / "go").touch()
        assert sv(runtime, "-w", "60", "check", slow).returncode == 0


def test_a_word_that_is_said_while_no_supervisor_lives_is_heard_by_the_next(runtime: Path, slow: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", slow.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (slow / "started").exists() and stat(slow) == "run", what="it runs")
        pid, keeper = pid_of(slow), running.keeper()
        for victim in (running.pid, keeper):
            os.kill(victim, signal.SIGSTOP)
        for victim in (running.pid, keeper):
            os.kill(victim, signal.SIGKILL)
        assert running.process is not None
        running.process.wait(DEADLINE)
        (slow / "go").touch()
        until(lambda: b"sleep\x001000" in Path(f"/proc/{pid}/cmdline").read_bytes(), what="it said so, and lives")
        running.start()
        until(lambda: running.supervises(slow), what="the next runsvdir has it")
        assert sv(runtime, "-w", "60", "check", slow).returncode == 0
        assert pid_of(slow) == pid


def test_where_there_is_a_check_that_is_asked_instead(runtime: Path, slow: Path, tmp_path: Path) -> None:
    (slow / "check").write_text("#!/bin/sh\nexit 0\n")
    (slow / "check").chmod(0o755)
    with tree(runtime / "runsvdir", slow.parent, tmp_path / "state") as running:
        running.start()
        up(slow)
        assert sv(runtime, "-w", "60", "start", slow).returncode == 0
        assert sv(runtime, "status", slow).stdout.endswith("s, not ready\n")


@pytest.mark.parametrize("text", ["1", "seven", "", "70000"])
def test_a_wrong_descriptor_is_said_and_the_service_runs_without(runtime: Path, slow: Path, tmp_path: Path, text: str) -> None:
    (slow / "run").write_text("#!/bin/sh\nexec sleep 1000\n")
    (slow / "notification-fd").write_text(text)
    with tree(runtime / "runsvdir", slow.parent, tmp_path / "state") as running:
        running.start()
        up(slow)
        assert sv(runtime, "-w", "60", "start", slow).returncode == 0
        assert "runsv it: warning: notification-fd is no descriptor of 3 to 65535" in running.stderr.read_text()
        assert sv(runtime, "status", slow).stdout.endswith("s\n")


def test_who_writes_without_end_is_neither_killed_nor_a_burden(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "echo >&3; exec yes >&3")
    (home / "notification-fd").write_text("3\n")
    other = service(tmp_path / "services/other", "exec sleep 1000")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home, other)
        assert sv(runtime, "-w", "60", "start", home, other).returncode == 0
        pid = pid_of(home)
        for _ in range(5):
            before = pid_of(other)
            assert sv(runtime, "-w", "60", "restart", other).returncode == 0
            assert pid_of(other) != before
        assert is_alive(pid)


def test_c_sv_is_told_what_it_always_was(runtime: Path, slow: Path, tmp_path: Path) -> None:
    with tree(runtime / "runsvdir", slow.parent, tmp_path / "state") as running:
        running.start()
        until(lambda: (slow / "started").exists() and stat(slow) == "run", what="it runs")
        said = subprocess.run([oracle("sv", package="runit"), "status", str(slow)], capture_output=True, text=True, check=False).stdout
        assert said.startswith(f"run: {slow}: (pid {pid_of(slow)}) ")
        assert said.endswith("s\n")
        assert len((slow / "supervise/status").read_bytes()) == 20


@pytest.mark.parametrize("word", ["echo >&3", "head -c 300000 /dev/zero >&3; echo >&3"])
def test_what_a_ready_service_writes_on_its_descriptor_is_dropped_in_large_pieces(runtime: Path, tmp_path: Path, word: str) -> None:
    strace = oracle("strace", package="strace")
    home = service(tmp_path / "services/it", f"{word}\nhead -c 1000000 /dev/zero >&3; : >written\nexec sleep 1000")
    (home / "notification-fd").write_text("3\n")
    calls = tmp_path / "calls"
    traced = ("-D", "-o", str(calls), "-e", "trace=read,readv", str(runtime / "runsvdir"))
    with tree(strace, home.parent, tmp_path / "state", *traced) as running:
        running.start()
        up(home)
        assert sv(runtime, "-w", "60", "start", home).returncode == 0, "it is ready"
        until((home / "written").exists, what="it could write on")
        assert len(calls.read_text().splitlines()) < 10_000, "a megabyte, byte by byte, were a million"
        pid = pid_of(home)
        running.kill()
        running.start()
        until(lambda: running.supervises(home), what="the next one has it")
        assert is_alive(pid)
        assert sv(runtime, "-w", "60", "start", home).returncode == 0, "it is ready still"


def test_a_descriptor_that_the_limit_forbids_is_said_with_the_service(runtime: Path, slow: Path, tmp_path: Path) -> None:
    (slow / "notification-fd").write_text("60000\n")
    with tree("chpst", slow.parent, tmp_path / "state") as running:
        running.program, running.arguments = str(runtime / "chpst"), ("-o", "256", str(runtime / "runsvdir"))
        running.start()
        message = "runsv it: fatal: unable to start ./run: notification-fd 60000: file descriptor not open\n"
        until(lambda: message in running.stderr.read_text(), what="it is said")


def test_a_log_whose_directory_has_gone_is_said_with_the_service(runtime: Path, tmp_path: Path) -> None:
    home = service(tmp_path / "services/it", "exec sleep 1000", log="exec cat >/dev/null")
    with tree(runtime / "runsvdir", home.parent, tmp_path / "state") as running:
        running.start()
        up(home, home / "log")
        logger = pid_of(home / "log")
        (home / "log").rename(home / "elsewhere")
        os.kill(logger, signal.SIGKILL)
        message = "runsv it: fatal: unable to start log/./run: log: file does not exist\n"
        until(lambda: message in running.stderr.read_text(), what="it is said")
