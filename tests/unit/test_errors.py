"""Hints: a slip of a known word is told, a word that merely looks alike is not."""

from __future__ import annotations

import pytest

from runit_provision.errors import nearest

_KNOWN = ("role", "hostname", "networking", "facts", "deep", "knockout_prefix", "hierarchy", "merge")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("rolle", "role"),
        ("rloe", "role"),
        ("Deep", "deep"),
        ("hierachy", "hierarchy"),
        ("hostnmae", "hostname"),
        ("knockout", "knockout_prefix"),
        ("net", "networking"),
        ("merges_all", "merge"),
        ("dep", "deep"),
        ("rloe", "role"),
    ],
)
def test_a_slip_or_a_beginning_names_the_word(word: str, meant: str) -> None:
    assert nearest(word, _KNOWN) == f"did you mean `{meant}`?"


@pytest.mark.parametrize("word", ["rule-set", "zone", "name", "main", "x", "", "de", "mrg", "rot", "hieroglyph"])
def test_another_word_names_none(word: str) -> None:
    assert nearest(word, _KNOWN, "look there") == "look there"
