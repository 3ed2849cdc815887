"""Any sequence of commands, over services of any temper: C's sv and ours say the same, and leave the services the same."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support import compared, waiting
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
    return said._replace(out=re.sub(rb"^(ok: run: .*), want down(, got TERM)?$", rb"\1\2", out, flags=re.MULTILINE))


def say(sv: Path, world: Supervised, words: list[str]) -> Said:
    """Give what `sv` says in `world`, when the service has not changed for a second."""
    world.age()
    return plain(run(sv, words, env={"SVDIR": str(world.directory), "PATH": "/usr/bin:/bin", "SVWAIT": "2"}))


def state(world: Supervised) -> tuple[bool, int, bool, bool]:
    """Give what the service is, times and pids apart."""
    status = world.status("s")
    assert status is not None
    return bool(status.pid), status.want, status.paused, status.got_term


@pytest.mark.covers("sv", "-v", "-w", "$SVWAIT", *WORDS.split())
@settings(
    max_examples=EXAMPLES,
    # Each takes seconds: what a failure has drawn is told as it is.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(temper=st.sampled_from(sorted(TEMPERS)), log=st.booleans(), lines=st.lists(LINE, min_size=1, max_size=5))
def test_any_sequence_plays_the_same(
    tools: Tools, runsv: Path, temper: str, log: bool, lines: list[tuple[tuple[str, ...], str]]
) -> None:
    svs = [tools(name, "sv") for name in ("C", "ours")]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        worlds = [Supervised(Path(folder) / str(number), runsv) for number in range(2)]
        try:
            for world in worlds:
                world.add("s", log=log, scripts=TEMPERS[temper])
            for options, word in lines:
                theirs, ours = pool.map(say, svs, worlds, [[*options, word, "s"]] * 2)
                assert ours == theirs
                if word in ("exit", "shutdown"):
                    break
                waiting.until(lambda: state(worlds[0]) == state(worlds[1]), what=f"the same after {word}")
        finally:
            for world in worlds:
                world.stop()
    compared.drew(len(lines))
