"""One scenario in several worlds: C's runsv, our runsv on its own, and our runsvdir. What a scenario saw must be the same in all."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from runit_provision.runtime.wire import status as wire
from support import oracle, supervision
from support.fifo import is_read
from support.supervision import Tree
from support.waiting import DEADLINE, until

Scenario = Callable[["Lab"], Any]

Same = Callable[[Scenario], Any]

KINDS = ("C runsv", "our runsv", "our runsvdir")

# What scenarios let services do.
TRACER = "echo run >>trace\nexec sleep 1000"
TRAPS = """for s in HUP ALRM INT QUIT USR1 USR2 TERM CONT; do trap "echo got $s >>trace" $s; done
echo ready >>trace
while :; do sleep 0.02; done"""
LOGGER = "exec cat >>../logged"

FORKS = threading.Lock()
"""A script that is open for writing in a fork of another thread could not be executed just then (ETXTBSY)."""


class Lab:
    """A service directory `home`, and a supervisor for it once `start` was called."""

    def __init__(self, kind: str, runtime: Path, place: Path) -> None:
        place.mkdir(parents=True)
        self.kind = kind
        self.home = place / "services" / "it"
        self.home.mkdir(parents=True)
        alone = {"C runsv": oracle.program("runsv", package="runit"), "our runsv": str(runtime / "runsv")}
        self._program = alone.get(kind, str(runtime / "runsvdir"))
        target = self.home if kind in alone else self.home.parent
        self._tree = Tree(self._program, target, place / "state")

    def script(self, name: str, text: str) -> None:
        """Write an executable script of the service."""
        path = self.home / name
        path.parent.mkdir(exist_ok=True)
        with FORKS:
            supervision.script(path, text)

    def start(self) -> None:
        """Start the supervisor, and wait until it is there."""
        with FORKS:
            self._tree.start()
        until(lambda: is_read(self.home / "supervise/ok"), what="somebody holds supervise/ok")

    def run(self, script: str, line: str = "") -> None:
        """Write ./run, start the supervisor, and wait until it runs and, if one is given, has traced `line`."""
        self.script("run", script)
        self.start()
        if line:
            self.until_line(line)
        self.until_stat("run")

    def letters(self, letters: str, log: bool = False) -> None:
        """Write letters, one by one, so that each is acted upon before the next where it can be."""
        for one in letters:
            supervision.letter(self.home / "log" if log else self.home, one)

    def signal_supervisor(self, number: int) -> None:
        """Send a signal to runsv; our runsvdir is told by the letter that the signal means."""
        if self.kind == "our runsvdir":
            assert number == signal.SIGTERM
            self.letters("x")
        else:
            os.kill(self._tree.pid, number)

    def exit_status(self) -> int:
        """Wait for the supervisor to end, and give its exit status; beneath runsvdir, wait until it let go of the service."""
        if self.kind == "our runsvdir":
            until(self.is_let_go, what="the service is let go")
            return 0
        assert self._tree.process is not None
        return self._tree.process.wait(DEADLINE)

    def is_let_go(self) -> bool:
        """Whether nobody supervises the service just now."""
        return not is_read(self.home / "supervise/ok")

    def has_log(self) -> bool:
        """Whether somebody supervises the log service just now."""
        return is_read(self.home / "log/supervise/ok")

    def trace(self) -> list[str]:
        """Give the lines that scripts wrote to `trace` in the service directory."""
        path = self.home / "trace"
        return path.read_text().splitlines() if path.exists() else []

    def until_traced(self, *lines: str) -> list[str]:
        """Wait for a trace that ends in `lines`, and give all of it."""
        until(lambda: self.trace()[-len(lines) :] == list(lines), what=f"{self.kind}: trace ends in {lines}, is {self.trace()}")
        return self.trace()

    def until_line(self, line: str, times: int = 1) -> None:
        """Wait until `line` was traced so often."""
        until(lambda: self.trace().count(line) >= times, what=f"{self.kind}: {line} in the trace {times} times")

    def until_stat(self, *texts: str, log: bool = False) -> str:
        """Wait until supervise/stat is one of `texts`; give it."""
        folder = self.home / "log" if log else self.home

        def whole() -> str:
            text = supervision.stat(folder)
            return text if text in texts and (supervision.pid_of(folder) or text.startswith("down")) else ""

        return until(whole, what=f"{self.kind}: stat is one of {texts}, is {supervision.stat(folder)}")

    def seen(self, log: bool = False) -> tuple[Any, ...]:
        """Give what a client sees, without pids and times: (has a pid, paused, want, term, state, stat, pid file agrees)."""
        folder = self.home / "log" if log else self.home
        status = wire.unpack(supervision.status(folder))
        agrees = supervision.pid_of(folder) == status.pid
        raw = supervision.status(folder)
        return (status.pid != 0, raw[16], chr(raw[17]), raw[18], raw[19], supervision.stat(folder), agrees)

    def pid(self, log: bool = False) -> int:
        """Give the pid in supervise/pid; 0 for none."""
        return supervision.pid_of(self.home / "log" if log else self.home)

    def kill(self, number: int, log: bool = False) -> None:
        """Send a signal to the service's process, past its supervisor."""
        pid = self.pid(log)
        assert pid > 1, f"{self.kind}: no process to be killed: {self.seen(log)}"
        os.kill(pid, number)

    def commands(self) -> list[str]:
        """Give what runs in this lab, as ps would show it, sorted."""
        return self._tree.commands()

    def describe(self) -> str:
        """Give for people what every process does, and what stderr says last."""
        return self._tree.describe()

    def stderr(self) -> str:
        """Give what supervisor and service wrote to stderr, without this lab's own paths."""
        text = self._tree.stderr.read_text()
        return text.replace(str(self.home), "it").replace("runsv: ", "runsv ")

    def run_again(self) -> tuple[int, str]:
        """Start a second supervisor on the same service; give its exit status and stderr."""
        done = subprocess.run(
            [self._program, str(self.home)], env=self._tree.environment(), capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        return done.returncode, done.stderr.replace(str(self.home), "it")

    def end(self) -> None:
        """End everything of this lab."""
        self._tree.end()


def same_in_all(scenario: Scenario, runtime: Path, place: Path, kinds: tuple[str, ...] = KINDS) -> Any:
    """Play `scenario` in each world at once; assert that all saw the same, and give it."""

    def play(kind: str) -> Any:
        lab = Lab(kind, runtime, place / kind.replace(" ", "-"))
        try:
            return scenario(lab)
        except BaseException:
            # What pytest shows beside the failure: who does what.
            print(kind, lab.trace(), lab.describe(), sep="\n")
            raise
        finally:
            lab.end()

    with ThreadPoolExecutor(len(kinds)) as pool:
        seen = dict(zip(kinds, pool.map(play, kinds), strict=True))
    first = seen[kinds[0]]
    assert all(other == first for other in seen.values()), "\n".join(f"{kind}: {what!r}" for kind, what in seen.items())
    return first


def length_class(seconds: float) -> str:
    """Name how long something took, coarsely: a busy machine is late, but nothing is early."""
    return "at once" if seconds < 0.95 else "a second or more"


def now() -> float:
    """Give Unix time in seconds."""
    return time.time()
