"""chpst's words become a request; chpst(8), envdir(8)."""

from __future__ import annotations

import pytest

from runit_provision.runtime.core import chpst


@pytest.mark.parametrize(
    ("name", "content", "variable"),
    [
        (b"A", b"", (b"A", None)),
        (b"A", b"\n", (b"A", b"")),
        (b"A", b"v", (b"A", b"v")),
        (b"A", b"v \t\nmore", (b"A", b"v")),
        (b"A", b" v\0w\0\n", (b"A", b" v\nw\n")),
        (b"A", b"b=c\n", (b"A", b"b=c")),
        (b"A=B", b"c\n", (b"A", b"B=c")),
        (b"A=B", b"", (b"A", b"B")),
        (b"=A", b"b\n", (b"=A", b"b")),
        (b"\xff", b"\xfe", (b"\xff", b"\xfe")),
    ],
)
def test_a_file_sets_a_variable_to_its_first_line(name: bytes, content: bytes, variable: tuple[bytes, bytes | None]) -> None:
    assert chpst.variable(name, content) == variable


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (b"1:2", (1, [2])),
        (b"1:2:3", (1, [2, 3])),
        (b"0:0", (0, [0])),
        (b"1", None),
        (b"", None),
        (b"1:", None),
        (b":1", None),
        (b"1::2", None),
        (b"a:1", None),
        (b"1:-1", None),
        (b"4294967295:1", None),
    ],
)
def test_numeric_ids_are_a_uid_and_one_or_more_gids(text: bytes, ids: tuple[int, list[int]] | None) -> None:
    assert chpst.numeric_ids(text) == ids


def test_memory_limits_four_resources_at_once() -> None:
    request = chpst.parse([b"chpst", b"-m", b"7", b"-d8", b"prog"])
    assert request.limits == {"DATA": 8, "STACK": 7, "MEMLOCK": 7, "AS": 7}


def test_the_name_chooses_the_grammar() -> None:
    request = chpst.parse([b"/x/dsetlock", b"-nx", b"file", b"prog", b"-n"])
    assert (request.lock, request.lock_waits, request.silent, request.command) == (b"file", True, True, [b"prog", b"-n"])
    with pytest.raises(chpst.UsageError, match="usage: setlock "):
        chpst.parse([b"/x/dsetlock"])
