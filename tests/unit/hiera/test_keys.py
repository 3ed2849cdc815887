"""Dotted keys, and digging with them."""

from __future__ import annotations

import pytest

from runit_provision.errors import DataError
from runit_provision.hiera.keys import Found, dig, parse_key, split


@pytest.mark.parametrize(
    ("text", "segments"),
    [
        ("a", ["a"]),
        ("a.b.0", ["a", "b", 0]),
        ("'a.b'.c", ["a.b", "c"]),
        ("\"a.b\" . 'c d'", ["a.b", "c d"]),
        ("a.'1'", ["a", "1"]),
        ("a.01", ["a", 1]),
        ("a.+1", ["a", 1]),
        ("a.-1", ["a", -1]),
        ("a.:1", ["a", 0]),
        ("m::a.b", ["m::a", "b"]),
    ],
)
def test_a_key_is_split_at_the_dots_outside_of_quotes(text: str, segments: list[str | int]) -> None:
    assert split(text) == segments


@pytest.mark.parametrize("text", ["a.", ".a", "a..b", "'a", "a'b'", "'a'b", "''"])
def test_a_key_whose_dots_or_quotes_do_not_fit_is_an_error(text: str) -> None:
    with pytest.raises(DataError, match="syntax error in the key"):
        split(text)


def test_the_module_of_a_key_stands_before_the_first_colons() -> None:
    assert [parse_key(text).module for text in ("m::a::b", "a", "::a", "m::a.b")] == ["m", None, None, "m"]


def test_digging_gives_the_item_or_nothing_when_it_is_not_there() -> None:
    data = Found({"a": [10, {"b": None}]})
    assert dig(data, ["a", 1, "b"], "k") == Found(None)
    paths: list[list[str | int]] = [["x"], ["a", 2], ["a", -1], ["a", 1, "b", "c"]]
    assert [dig(data, path, "k") for path in paths] == [None] * 4


@pytest.mark.parametrize(("path", "what"), [(["a"], "a String"), (["b", "c"], "an Array"), (["n", "x"], "an Integer")])
def test_digging_into_what_has_no_such_parts_is_an_error(path: list[str | int], what: str) -> None:
    data = {"a": Found("text"), "b": Found([1]), "n": Found(5)}[str(path[0])]
    with pytest.raises(DataError, match=f"k: cannot look up `{path[-1]}` in {what}"):
        dig(data, path[-1:], "k")
