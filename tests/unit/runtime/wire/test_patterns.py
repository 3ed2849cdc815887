"""svlogd's patterns, as its manual and its habits have them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runit_provision.runtime.wire import patterns

MANUAL_LINE = b"tcpsvd: info: pid 1977 from 10.4.1.14"  # without the stamp, whose colons the pattern of the manual would stop at


@pytest.mark.parametrize(
    ("pattern", "line", "matches"),
    [
        (b"*pid*", MANUAL_LINE, False),
        (b"*: *: pid *", MANUAL_LINE, True),
        (b"bougyman", b"bougyman", True),
        (b"bougyman", b"bougyman came", False),
        (b"bougyman", b"a bougyman", False),
        (b"", b"", True),
        (b"", b"x", False),
        (b"*", b"", True),
        (b"*", b"anything", True),
        (b"a**b", b"axx*yyb", True),
        (b"a**b", b"axxyyb", False),
        (b"+ab", b"aaab", True),
        (b"+ab", b"b", False),
        (b"+ab", b"aaa", True),
        (b"+aa", b"aaab", False),
        (b"x+ab", b"x", False),
        (b"++", b"+++", True),
        (b"*++", b"xx++", True),
        (b"*+a", b"xx+a", False),
        (b"a+", b"a", False),
        (b"*a", b"ba\0a", False),
        (b"\xff*", b"\xff\0", True),
    ],
)
def test_a_pattern_is_laid_on_the_whole_line(pattern: bytes, line: bytes, matches: bool) -> None:
    assert patterns.match(pattern, line) is matches
    assert bool(re.match(patterns.expression(pattern), line + b"\n")) is matches


bytes_of_patterns = st.lists(st.sampled_from([b"a", b"b", b"*", b"+", b".", b"[", b"\\"]), max_size=9).map(b"".join)


@given(pattern=bytes_of_patterns, line=bytes_of_patterns)
def test_the_expression_asks_what_match_asks(pattern: bytes, line: bytes) -> None:
    found = re.match(patterns.expression(pattern), line + b"\nab*+\n")
    assert bool(found) is patterns.match(pattern, line)
    assert found is None or b"\n" not in found[0]


@pytest.mark.parametrize("byte", sorted({*range(256)} - {*b"*+\n"}))
def test_a_star_skips_any_byte_but_the_one_it_looks_for(byte: int) -> None:
    others = bytes([other for other in range(256) if other not in (byte, 10)])
    found = re.match(patterns.expression(b"*%c" % byte), others + b"%c\n" % byte)
    assert found is not None
    assert found[0] == others + b"%c" % byte


@given(pattern=bytes_of_patterns, line=bytes_of_patterns)
def test_what_matches_has_the_needle(pattern: bytes, line: bytes) -> None:
    if patterns.match(pattern, line):
        assert patterns.needle(pattern) in line


def test_the_needle_is_the_longest_text_that_must_be_there() -> None:
    assert patterns.needle(b"*: *: pid *") == b": pid "
    assert patterns.needle(b"a+bcdef") == b"ab"
    assert patterns.needle(b"*") == b""
