"""Any service under any letters: C's runsv, ours, and our runsvdir go the same way, and both svs say the same of it.

A service's starts behave as drawn, one after the other, the last of them for ever. Letters come when nothing moves by itself any
more: during the second's pause after a short run ours acts at once, C's later (README, "Differences from runit").
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import tempfile
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import compared, oracle, supervision
from support.programs import run
from support.waiting import until
from support.worlds import FORKS, Lab, same_in_all

from runit_provision.runtime.wire import status as wire

EXAMPLES = 60 if os.environ.get("HARNESS") == "all" else 5
AT_ONCE = 5
"""Services of one example, each with a supervisor of its own; most of the time they wait for a second to be over."""
PATIENCE = 200
"""Seconds."""
PAUSE_NS = 1_100_000_000
STOPPING = "dtx"
KILLING = "khaiq12"
CONTROLLED = "tduxhaiq12"


class Start(NamedTuple):
    """How one start of ./run goes; ends: by itself, after `seconds` with exit status `code`."""

    kind: str
    seconds: float = 0
    code: int = 0

    @property
    def ends(self) -> bool:
        return self.kind == "exits"

    def script(self, number: int) -> str:
        """Give the shell lines of the start `number`, from 1."""
        ready = f"echo 'ready {number}' >>trace"
        match self.kind:
            case "exits":
                return f"sleep {self.seconds}; exit {self.code}"
            case "stays":
                return f"{ready}; exec sleep 1000"
            case "is deaf":
                return f"trap '' TERM; {ready}; exec sleep 1000"
            case "forks":
                return f"sleep 1001 >/dev/null & {ready}; exec sleep 1000"
            case "floods":
                return f"seq -f 'start {number} line %g' 3000; {ready}; exec sleep 1000"
            case kind:
                raise AssertionError(kind)


class Drawn(NamedTuple):
    """A service: how its starts go; seconds and exit status of ./finish; exit statuses of control/LETTER; whether it has log/."""

    starts: list[Start]
    finish: tuple[float, int] | None
    control: dict[str, int]
    log: bool

    def start(self, number: int) -> Start:
        return self.starts[min(number, len(self.starts)) - 1]

    def lay(self, lab: Lab) -> None:
        """Write its directory."""
        cases = "\n".join(f"{number}) {start.script(number)};;" for number, start in enumerate(self.starts[:-1], 1))
        last = self.starts[-1].script(0).replace("0'", "'$n", 1).replace("start 0", "start '$n'")
        lab.script(
            "run",
            "ulimit -c 0; read n <starts 2>/dev/null || n=0; n=$((n + 1)); echo $n >starts\n"
            f"date +%s.%N >>times; echo run $n >>trace; echo $$ >pid\ncase $n in\n{cases}\n*) {last};;\nesac",
        )
        if self.finish is not None:
            lab.script("finish", f"echo finish $1 $2 >>trace; sleep {self.finish[0]}; exit {self.finish[1]}")
        for letter, code in self.control.items():
            lab.script(f"control/{letter}", f"echo control {letter} >>trace; exit {code}")
        if self.log:
            lab.script("log/run", "exec cat >>../logged")

    def kills(self, letter: str, start: Start) -> bool:
        """Whether `letter` ends a start that does not end by itself."""
        if letter in STOPPING:
            return start.kind != "is deaf" and self.control.get("t") != 0
        return letter in KILLING and self.control.get(letter) != 0


class Play:
    """One lab in which the drawn service lives."""

    def __init__(self, lab: Lab, drawn: Drawn) -> None:
        self.lab = lab
        self.drawn = drawn
        drawn.lay(lab)

    def begin(self) -> None:
        """Start the supervisor; the service was down, or rests after its first starts."""
        self.lab.start()
        self.rest()

    @property
    def number(self) -> int:
        """How many starts there were."""
        return sum(line.startswith("run ") for line in self.lab.trace())

    def status(self) -> wire.Status:
        """Give supervise/status."""
        return wire.unpack(until(lambda: supervision.status(self.lab.home), what="a status"))

    def rests(self) -> bool:
        """Whether nothing moves any more by itself; what may take its time is looked at last."""
        status = self.status()
        at_rest = self.is_down(status) if status.state == wire.DOWN else self.stays(status)
        return at_rest and not status.paused and self.logs() and self.has_forked() and self.agrees(status)

    def is_down(self, status: wire.Status) -> bool:
        """Whether the service is down to stay, and its last run, be it short, is a second ago: ours takes `o` during that pause."""
        return status.want != wire.WANT_UP and not status.pid and time.time_ns() - status.since_ns > PAUSE_NS

    def stays(self, status: wire.Status) -> bool:
        """Whether the service runs a start that does not end by itself, and is as far as that goes."""
        number = self.number
        start = self.drawn.start(number)
        return (
            status.state == wire.RUN
            and f"ready {number}" in self.lab.trace()
            and (self.lab.home / "pid").read_text() == f"{status.pid}\n"
            and not start.ends
            and (not status.got_term or start.kind == "is deaf")
            and supervision.command(status.pid) == "sleep 1000"
        )

    def logs(self) -> bool:
        """Whether the logger runs, where there is one."""
        log = self.lab.home / "log"
        return not self.drawn.log or (
            supervision.stat(log) == "run" and len(supervision.status(log)) == wire.SIZE and self.lab.has_log()
        )

    def has_forked(self) -> bool:
        """Whether every child that was to be left behind is there, as what it is."""
        forked = sum(self.drawn.start(number).kind == "forks" for number in range(1, self.number + 1))
        # To look for them takes a look at every process of the machine.
        return not forked or self.lab.commands().count("sleep 1001") == forked

    def agrees(self, status: wire.Status) -> bool:
        """Whether stat and pid, which are written before and after, say the same as `status`."""
        return (
            supervision.stat(self.lab.home) == wire.stat_text(status).decode().strip()
            and supervision.pid_of(self.lab.home) == status.pid
            and self.status() == status
        )

    def rest(self) -> None:
        until(self.rests, deadline=PATIENCE, what=f"{self.lab.kind}: rest; trace {self.lab.trace()}, {self.status()}")

    def tell(self, letter: str) -> None:
        """Write a letter, and wait until it was acted upon and all that follows from it is over."""
        pid, number = self.lab.pid(), self.number
        self.lab.letters(letter)
        self.pass_barrier()
        if pid and self.drawn.kills(letter, self.drawn.start(number)):
            until(lambda: not supervision.is_alive(pid), deadline=PATIENCE, what=f"{self.lab.kind}: {letter} ends {pid}")
        self.rest()

    def pass_barrier(self) -> None:
        """Pause and continue: when the status shows it, every letter before has been acted upon."""

        def paused() -> bool:
            if self.is_read():  # again, since a start forgets it
                self.lab.letters("p")
            return bool(self.status().paused)

        until(paused, deadline=PATIENCE, what=f"{self.lab.kind}: paused")
        self.lab.letters("c")
        until(lambda: self.is_read() and not self.status().paused, deadline=PATIENCE, what=f"{self.lab.kind}: continued")

    def is_read(self) -> bool:
        """Whether no letter waits in supervise/control."""
        descriptor = os.open(self.lab.home / "supervise/control", os.O_RDONLY | os.O_NONBLOCK)
        try:
            return fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)) == bytes(4)
        finally:
            os.close(descriptor)

    def look(self, svs: tuple[str, str]) -> Any:
        """Give all that can be seen; both svs must say the same of it."""
        with FORKS:
            said = [run(sv, ["status", str(self.lab.home)]) for sv in svs]
        plain = [
            re.sub(rb"\d+s\b", b"Ns", re.sub(rb"pid \d+", b"pid N", each.out.replace(bytes(self.lab.home), b"it"))) for each in said
        ]
        assert plain[0] == plain[1]
        assert said[0].code == said[1].code == 0
        return self.lab.seen(), plain[0], self.sleepers()

    def sleepers(self) -> list[str]:
        return [command for command in self.lab.commands() if command.startswith("sleep 100")]

    def end(self, letter: str) -> Any:
        """Let the supervisor exit, and give what is left."""
        pid, number = self.lab.pid(), self.number
        (self.lab.home / "down").touch()  # or our runsvdir starts it again in a second
        self.lab.letters(letter)
        if pid and not self.drawn.kills(letter, self.drawn.start(number)):
            self.pass_barrier()  # who sees the end first forgets to ask control/
            os.kill(pid, signal.SIGKILL)  # the letter k would let C's runsv exit at once, without ./finish
        status = self.lab.exit_status()
        logged = self.lab.home / "logged"
        return status, self.sleepers(), in_rows(logged.read_text()) if logged.exists() else None

    def pauses_of_short_runs(self) -> list[bool]:
        """Give for each start that ended by itself within a second whether the next one came a second after its end."""
        times = [float(line) for line in (self.lab.home / "times").read_text().split()]
        pairs = enumerate(pairwise(times), 1)
        starts = ((self.drawn.start(number), after - before) for number, (before, after) in pairs)
        return [gap > start.seconds + 0.95 for start, gap in starts if start.ends and start.seconds < 0.9]


def in_rows(text: str) -> list[str]:
    """Give the lines `start N line M` of floods, each row of ascending M as its first and its last one: a failure is to be read."""
    numbered = [(line.rpartition(" "), index) for index, line in enumerate(text.splitlines())]
    rows = (list(row) for _, row in groupby(numbered, key=lambda each: (each[0][0], int(each[0][2]) - each[1])))
    return [f"{row[0][0][0]} {row[0][0][2]} to {row[-1][0][2]}" for row in rows]


ENDING = st.builds(Start, st.just("exits"), st.sampled_from([0, 0.1, 1.2]), st.sampled_from([0, 1, 3, 100, 255]))
LASTING = st.sampled_from([Start("stays"), Start("is deaf"), Start("forks"), Start("floods")])
SERVICES = st.builds(
    lambda early, last, finish, control, log: Drawn([*early, last], finish, control, log),
    early=st.lists(ENDING | LASTING, max_size=3),
    last=LASTING,
    finish=st.none() | st.tuples(st.sampled_from([0, 0.2]), st.sampled_from([0, 1])),
    # Not `k`: with a control/k that exits 0 C starts a second copy. Not `p` and `c`, by which the barrier is known.
    control=st.dictionaries(st.sampled_from(CONTROLLED), st.sampled_from([0, 1]), max_size=3),
    log=st.booleans(),
)
LETTERS = st.text("uudddootkhaiq12z", min_size=1, max_size=5)


class Life(NamedTuple):
    """A service, the letters that it gets, and how it ends: by `x`, or with its supervisor."""

    drawn: Drawn
    letters: str
    last: str

    def play(self, lab: Lab, svs: tuple[str, str]) -> Any:
        """Give all that was seen."""
        play = Play(lab, self.drawn)
        play.begin()
        seen = [play.look(svs)]
        for letter in self.letters:
            play.tell(letter)
            seen.append(play.look(svs))
        if self.last == "x":
            seen.append(play.end("x"))
        return seen, lab.trace(), play.pauses_of_short_runs()


LIVES = st.builds(Life, SERVICES, LETTERS, st.sampled_from("xx "))


@pytest.mark.covers("runsv", *"udotkhaiq12pcx", *(f"control/{letter}" for letter in CONTROLLED))
@settings(
    max_examples=EXAMPLES,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(lives=st.lists(LIVES, min_size=AT_ONCE, max_size=AT_ONCE))
def test_any_services_live_the_same(runtime: Path, lives: list[Life]) -> None:
    svs = oracle.program("sv", package="runit"), str(runtime / "sv")

    def live(number: int) -> list[bool]:
        _, _, pauses = same_in_all(lambda lab: lives[number].play(lab, svs), runtime, Path(place) / str(number))
        compared.drew(len(lives[number].letters))
        return list(pauses)

    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(AT_ONCE) as pool:
        assert all(all(pauses) for pauses in pool.map(live, range(AT_ONCE)))
