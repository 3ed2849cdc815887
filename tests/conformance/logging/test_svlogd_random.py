"""Random configs, lines and chunk boundaries to both loggers: the same files, sizes, modes, bytes, stderr and exit status."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import oracle

from . import worlds

DIRECTORIES = 12
EXAMPLES = 30  # of DIRECTORIES configs each

# Bytes that no stamp has, the newline often, and some that -r replaces.
LETTERS = st.sampled_from(b"ghijklmnnnoz*+ \t\x00\x7f\xff" + b"\n" * 4)
# A plus at a line's end makes C look at an earlier line's bytes (see wire/patterns.py); test_patterns has it.
PATTERNS = st.lists(st.sampled_from([b"g", b"n", b"z", b"*", b" "]), max_size=6).map(b"".join)
INSTRUCTIONS = st.tuples(st.sampled_from([b"+", b"-", b"e", b"E"]), PATTERNS).map(b"".join)
NUMBERS = b"s1k s2kx s n n1 n2 n3 N1 N t1h t90m # x p pk ! ux U1.2.3.4:0".split()
DIRECTIVES = st.one_of(INSTRUCTIONS, st.integers(0, 200).map(lambda size: b"s%d" % size), st.sampled_from([*NUMBERS, b"", b"pk: "]))
CONFIGS = st.lists(DIRECTIVES, max_size=6).map(b"\n".join).flatmap(lambda text: st.sampled_from([text, text + b"\n"]))
WORDS = [
    ["-t"],
    ["-tt"],
    ["-ttt"],
    ["-r_"],
    ["-r", "k"],
    ["-R", "gz"],
    ["-l", "9"],
    ["-l40"],
    ["-l", "0"],
    ["-b", "2000"],
    ["-b1001"],
    ["-v"],
]
OPTIONS = st.lists(st.sampled_from(WORDS), max_size=3).map(lambda options: [word for option in options for word in option])


@pytest.mark.covers(
    "svlogd", "-t", "-tt", "-ttt", "-r", "-R", "-l", "-b", "-v", "s", "n", "N", "t", "u", "U", "p", "+", "-", "e", "E", "!"
)
@settings(max_examples=EXAMPLES)
@given(
    configs=st.lists(CONFIGS, min_size=DIRECTORIES, max_size=DIRECTORIES),
    options=OPTIONS,
    pieces=st.lists(st.lists(LETTERS, min_size=1, max_size=150).map(bytes), max_size=12),
)
def test_both_loggers_leave_the_same(runtime: Path, configs: list[bytes], options: list[str], pieces: list[bytes]) -> None:
    svlogd = oracle.program("svlogd", package="runit")
    outcomes = []
    for program in (svlogd, str(runtime / "svlogd")):
        scratch = worlds.scratch()
        try:
            logs = [scratch / f"log{number}" for number in range(len(configs))]
            for log, config in zip(logs, configs, strict=True):
                log.mkdir()
                log.joinpath("config").write_bytes(config)
            outcomes.append(worlds.run(program, options, logs, pieces))
        finally:
            shutil.rmtree(scratch)
    theirs, ours = outcomes
    for number, config in enumerate(configs):
        assert ours.directories[number] == theirs.directories[number], config
    assert ours == theirs
