"""The second after a short run, through which C's runsv sleeps and ours does not (README, "Differences from runit")."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from support import supervision
from support.waiting import until
from support.worlds import KINDS, Lab

from runit_provision.runtime.wire import status as wire

PAUSE_NS = 1_000_000_000
SHORT = "exit 1"


def status(lab: Lab) -> wire.Status:
    return wire.unpack(until(lambda: supervision.status(lab.home), what="a status"))


def rests(lab: Lab, after: int = 0) -> int:
    """Wait until a run that came later than `after` is over; give since when it rests, Unix time in nanoseconds."""

    def down() -> int:
        now = status(lab)
        return now.since_ns if now.state == wire.DOWN and now.want == wire.WANT_UP and now.since_ns > after else 0

    until(lambda: "ended" in lab.trace(), what="a run has ended")
    return until(down, what=f"{lab.kind}: it rests")


def test_a_letter_counts_at_once_where_c_lets_it_wait(runtime: Path, tmp_path: Path) -> None:
    for kind in KINDS:
        lab = Lab(kind, runtime, tmp_path / kind.replace(" ", "-"))
        try:
            lab.script("finish", "echo ended >>trace")
            lab.script("run", SHORT)
            lab.start()
            since = 0

            def counts_in_the_pause(lab: Lab = lab) -> bool:
                nonlocal since
                since = rests(lab, since)
                lab.letters("d")
                until(lambda: status(lab).want == wire.WANT_DOWN, what="it is acted upon")
                meanwhile = time.time_ns() < since + PAUSE_NS
                lab.letters("u")
                return meanwhile

            if kind == "C runsv":
                assert not counts_in_the_pause()
            else:
                until(counts_in_the_pause, what="it counts before the second is over")
        finally:
            lab.end()


def test_term_ends_it_where_c_starts_it_once_more(runtime: Path, tmp_path: Path) -> None:
    def ends(kind: str, place: Path) -> int:
        """Give how many runs have ended when the supervisor that was sent TERM has; 0 when that was sent too late."""
        lab = Lab(kind, runtime, place)
        try:
            lab.script("finish", "echo ended >>trace")
            lab.script("run", SHORT)
            lab.start()
            since = rests(lab)
            lab.signal_supervisor(signal.SIGTERM)
            meanwhile = time.time_ns() < since + PAUSE_NS
            assert lab.exit_status() == 0
            return len(lab.trace()) if meanwhile else 0
        finally:
            lab.end()

    tries = iter(range(1000))
    theirs, ours = (
        until(lambda kind=kind: ends(kind, tmp_path / f"{next(tries)}"), what="it ends in its pause")  # type: ignore[misc]
        for kind in KINDS[:2]
    )
    assert (theirs, ours) == (2, 1)
