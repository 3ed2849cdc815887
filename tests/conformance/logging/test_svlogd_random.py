"""Random configs, lines, chunk boundaries, signals and full disks: both loggers leave the same files, bytes, stderr and exit status."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support import compared, oracle

from . import worlds

DIRECTORIES = 12
EXAMPLES, DISKS = (600, 300) if os.environ.get("HARNESS") == "all" else (30, 20)
"""The first are of DIRECTORIES configs each."""

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

PAIRS = [bytes(pair) for pair in itertools.product(b"ghijklmnopqrst", repeat=2)]
HUNDREDS = b"".join(b"%c*%b*\n" % (b"-e+E"[number % 4], PAIRS[number * 11 % 195]) for number in range(1200))
"""More than can be one expression, and several about each pair of letters, which say otherwise than each other."""
PIECES = st.lists(LETTERS, min_size=1, max_size=150).map(bytes)
# Where HUP takes every pattern away, C goes on as the last line was selected (README, "Differences from runit").
HUPS = st.lists(CONFIGS.map(b"+*\n".__add__), max_size=DIRECTORIES).map(lambda configs: worlds.Told(signal.SIGHUP, tuple(configs)))
STEPS = st.lists(PIECES | PIECES | st.just(worlds.Told(signal.SIGALRM)) | HUPS, max_size=12)


def ended_by_term(steps: list[bytes | worlds.Told]) -> list[bytes | worlds.Told]:
    """Let TERM come at a line's end: of one that has begun C drops what it reads (README, "Differences from runit")."""
    return [*steps, b"\n", worlds.Told(signal.SIGTERM)]


@pytest.mark.covers("svlogd", "partial lines", "several directories")
@pytest.mark.covers(
    "svlogd",
    "-t",
    "-tt",
    "-ttt",
    "-r",
    "-R",
    "-l",
    "-b",
    "-v",
    "s",
    "n",
    "N",
    "t",
    "u",
    "U",
    "p",
    "+",
    "-",
    "e",
    "E",
    "!",
    "signal ALRM",
    "signal HUP",
    "signal TERM",
)
@settings(max_examples=EXAMPLES)
@example(  # nothing is sent or written of a line's head, and its rest is written all the same
    configs=[b"U1.2.3.4:0\n"] * DIRECTORIES,
    options=["-l", "9"],
    steps=[b"a" * 17, worlds.Told(signal.SIGHUP, (b"+*\n",) * DIRECTORIES), b"z"],
)
@example(  # all needles are there at once, and then few
    configs=[HUNDREDS, b"-*\n" + HUNDREDS, b"e*\n" + HUNDREDS, *[b""] * (DIRECTORIES - 3)],
    options=["-l", "9"],
    steps=[
        b"".join(pair + b" \n" for pair in PAIRS),
        b"quiet\n" * 30 + b"go\nlong line of gokl\n",
        worlds.Told(signal.SIGHUP, (b"+*\n", HUNDREDS)),
        b"gg\nzz\n",
    ],
)
@given(
    configs=st.lists(CONFIGS, min_size=DIRECTORIES, max_size=DIRECTORIES),
    options=OPTIONS,
    steps=STEPS | STEPS.map(ended_by_term),
)
def test_both_loggers_leave_the_same(runtime: Path, configs: list[bytes], options: list[str], steps: list[bytes | worlds.Told]) -> None:
    svlogd = oracle.program("svlogd", package="runit")
    outcomes = []
    for program in (svlogd, str(runtime / "svlogd")):
        scratch = worlds.scratch()
        try:
            logs = [scratch / f"log{number}" for number in range(len(configs))]
            for log, config in zip(logs, configs, strict=True):
                log.mkdir()
                log.joinpath("config").write_bytes(config)
            outcomes.append(worlds.run(program, options, logs, steps))
        finally:
            shutil.rmtree(scratch)
    theirs, ours = outcomes
    for number, config in enumerate(configs):
        assert ours.directories[number] == theirs.directories[number], config
    assert ours == theirs
    compared.drew(len(steps))


@pytest.mark.covers("svlogd", "old files' names and counts", "a full disk")
@settings(max_examples=DISKS, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(2000, 9000),
    keep=st.integers(0, 60),
    least=st.integers(0, 2),
    pieces=st.lists(st.tuples(st.integers(5, 400), st.integers(1, 3900)), min_size=1, max_size=60),
    rotations=st.sets(st.integers(0, 60), max_size=4),
)
def test_both_loggers_make_the_same_room_on_a_full_disk(
    runtime: Path, small: Path, size: int, keep: int, least: int, pieces: list[tuple[int, int]], rotations: set[int]
) -> None:
    steps: list[bytes | worlds.Told] = []
    for number, (width, length) in enumerate(pieces):
        line = (b"n%d " % number).ljust(width, b"x") + b"\n"
        steps.append(line * (length // len(line) + 1))
        if number in rotations:
            steps.append(worlds.Told(signal.SIGALRM))
    outcomes = []
    for program in (oracle.program("svlogd", package="runit"), str(runtime / "svlogd")):
        log = small / "log"
        log.mkdir()
        log.joinpath("config").write_bytes(b"s%d\nn%d\nN%d\n" % (size, keep, least))
        outcomes.append(worlds.run(program, [], [log], steps))
        shutil.rmtree(log)
    theirs, ours = outcomes
    assert ours == theirs
    compared.drew(len(steps))
