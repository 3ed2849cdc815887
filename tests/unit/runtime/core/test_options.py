"""Options are read as getopt(3) reads them."""

from __future__ import annotations

import pytest

from runit_provision.runtime.core.options import OptionError, Options, leading_number


@pytest.mark.parametrize(
    ("words", "options", "rest"),
    [
        ([], [], []),
        ([b"a", b"-v"], [], [b"a", b"-v"]),
        ([b"-v", b"-w", b"7", b"a"], [(b"v", b""), (b"w", b"7")], [b"a"]),
        ([b"-vw7", b"a"], [(b"v", b""), (b"w", b"7")], [b"a"]),
        ([b"-wv"], [(b"w", b"v")], []),
        ([b"-v", b"--", b"-w"], [(b"v", b"")], [b"-w"]),
        ([b"-v", b"-", b"a"], [(b"v", b"")], [b"-", b"a"]),
        ([b"-w", b"", b"a"], [(b"w", b"")], [b"a"]),
    ],
)
def test_options_end_at_the_first_other_word(words: list[bytes], options: list[tuple[bytes, bytes]], rest: list[bytes]) -> None:
    parsed = Options([b"tool", *words], b"w:v")
    assert list(parsed) == options
    assert parsed.rest == rest


@pytest.mark.parametrize(
    ("words", "text"),
    [([b"-x"], b"illegal option -- x"), ([b"-vx"], b"illegal option -- x"), ([b"-w"], b"option requires an argument -- w")],
)
def test_a_wrong_option_is_named(words: list[bytes], text: bytes) -> None:
    with pytest.raises(OptionError) as error:
        list(Options([b"tool", *words], b"w:v"))
    assert error.value.text == text


@pytest.mark.parametrize(
    ("text", "number", "rest"),
    [(b"7", 7, b""), (b"7x", 7, b"x"), (b"x", 0, b"x"), (b"", 0, b""), (b"-1", 0, b"-1"), (b"%d" % (2**64 + 1), 1, b"")],
)
def test_a_number_is_what_the_text_starts_with(text: bytes, number: int, rest: bytes) -> None:
    assert leading_number(text) == (number, rest)
