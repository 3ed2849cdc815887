"""The same patterns and lines to C svlogd and to ours: which lines get through."""

from __future__ import annotations

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import compared, oracle

from runit_provision.runtime.wire import patterns

# C reads one byte past a line's end, where an earlier line's byte stands: a filler takes that chance from it.
FILLER = b"z" * 999

pattern_bytes = st.lists(st.sampled_from([b"a", b"b", b"*", b"+"]), max_size=8).map(b"".join)
lines_of_bytes = st.lists(st.sampled_from([b"a", b"b", b"*", b"+"]), min_size=1, max_size=10).map(b"".join)


@pytest.mark.covers("svlogd", "+", "-")
@settings(max_examples=25)
@given(
    asked=st.lists(pattern_bytes.filter(lambda text: not patterns.ends_in_plus(text)), min_size=1, max_size=30, unique=True),
    lines=st.lists(lines_of_bytes, min_size=1, max_size=40),
)
def test_the_same_lines_match(asked: list[bytes], lines: list[bytes]) -> None:
    svlogd = oracle.program("svlogd", package="runit")
    with TemporaryDirectory() as scratch:
        logs = [Path(scratch, str(number)) for number in range(len(asked))]
        for log, pattern in zip(logs, asked, strict=True):
            log.mkdir()
            log.joinpath("config").write_bytes(b"s0\n-*\n+" + pattern + b"\n")
        text = b"".join(FILLER + b"\n" + line + b"\n" for line in lines)
        subprocess.run([svlogd, *map(str, logs)], input=text, check=True, capture_output=True)
        theirs = [log.joinpath("current").read_bytes().replace(FILLER + b"\n", b"").splitlines() for log in logs]
    assert theirs == [[line for line in lines if patterns.match(pattern, line)] for pattern in asked]
    compared.drew(len(lines))
