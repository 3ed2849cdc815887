"""What a word looks like in a script that a person reads."""

from __future__ import annotations

import pytest

from runit_provision.render.quoting import join, quote


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-word_1.2/3:4,5@6%7+8", "plain-word_1.2/3:4,5@6%7+8"),
        ("", "''"),
        ("two words", "'two words'"),
        ("it's", '"it\'s"'),
        ("$HOME", '"\\$HOME"'),
        ("`id`", '"\\`id\\`"'),
        ('say "hi"', "'say \"hi\"'"),
        ("back\\slash", "'back\\slash'"),
        ("ends in \\", '"ends in \\\\"'),
        ("~", "'~'"),
        ("*", "'*'"),
        ("a\nb", "'a\nb'"),
        ("A=b", "'A=b'"),
    ],
)
def test_a_word_is_bare_where_it_may_be_and_quoted_as_lightly_as_it_can(word: str, written: str) -> None:
    assert quote(word) == written


def test_an_equals_sign_needs_quotes_only_in_front() -> None:
    assert join(("A=b", "A=b", "--opt=value", "=x")) == "'A=b' A=b --opt=value '=x'"
