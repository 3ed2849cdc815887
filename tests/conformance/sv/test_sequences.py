"""Any sequence of commands, over services of any temper: C's sv and ours say the same, and leave the services the same."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.programs import Said, run
from support.supervised import SLEEPER, Supervised

Tools = Callable[[str, str], Path]
TEMPERS = {
    "plain": {"run": SLEEPER},
    "stubborn": {"run": "#!/bin/sh\ntrap '' TERM\nwhile :; do sleep 0.1; done\n"},
    "finishes": {"run": SLEEPER, "finish": "#!/bin/sh\n:\n"},
    "checked": {"run": SLEEPER, "check": "#!/bin/sh\n[ -e supervise/ok ]\n"},
    "unready": {"run": SLEEPER, "check": "#!/bin/sh\nexit 3\n"},
}
EXAMPLES = 40 if os.environ.get("HARNESS") == "all" else 6
WORDS = "up down once pause cont kill term start stop restart force-stop force-restart try-restart status exit shutdown"
WORD = st.sampled_from(WORDS.split())
LINE = st.tuples(st.sampled_from([("-w", "2"), ("-w", "0"), ("-v",)]), WORD)


def plain(said: Said) -> Said:
    """Leave out what no two runs share: pids, seconds, and whether a service that is up already has yet heard that it shall be."""
    out = re.sub(rb"\(pid \d+\)", b"(pid N)", re.sub(rb"\b\d+s\b", b"Ns", said.out))
    return said._replace(out=re.sub(rb"^(ok: run: .*), want down$", rb"\1", out, flags=re.MULTILINE))


def play(sv: Path, runsv: Path, temper: str, log: bool, lines: list[tuple[tuple[str, ...], str]]) -> list[tuple[object, ...]]:
    """Give, line by line, what `sv` says and what the service is then."""
    with tempfile.TemporaryDirectory() as folder:
        world = Supervised(Path(folder), runsv)
        world.add("s", log=log, scripts=TEMPERS[temper])
        heard: list[tuple[object, ...]] = []
        try:
            for options, word in lines:
                world.age()
                said = run(sv, [*options, word, "s"], env={"SVDIR": folder, "PATH": "/usr/bin:/bin", "SVWAIT": "2"})
                status = world.status("s")
                assert status is not None
                heard.append((word, plain(said), bool(status.pid), status.want, status.paused))
                if word in ("exit", "shutdown"):
                    break
        finally:
            world.stop()
        return heard


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(temper=st.sampled_from(sorted(TEMPERS)), log=st.booleans(), lines=st.lists(LINE, min_size=1, max_size=5))
def test_any_sequence_plays_the_same(
    tools: Tools, runsv: Path, temper: str, log: bool, lines: list[tuple[tuple[str, ...], str]]
) -> None:
    with ThreadPoolExecutor(2) as pool:
        theirs, ours = pool.map(lambda name: play(tools(name, "sv"), runsv, temper, log, lines), ("C", "ours"))
    assert ours == theirs
