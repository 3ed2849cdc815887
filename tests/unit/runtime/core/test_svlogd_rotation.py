"""When `current` is full, and which old file goes."""

from __future__ import annotations

from runit_provision.runtime.core.svlogd_rotation import oldest, piece


def test_without_a_size_nothing_is_ever_full() -> None:
    assert piece(b"a\nb\n", 0, size=10**9, maximum=0, limit=10) == (4, False)


def test_the_first_newline_within_the_last_limit_bytes_makes_it_full() -> None:
    assert piece(b"aaaa\nbb\ncc\n", 0, size=0, maximum=12, limit=6) == (8, True)
    assert piece(b"aaaa\nbb\ncc\n", 8, size=4, maximum=12, limit=6) == (11, True)


def test_a_line_without_a_newline_there_is_cut_at_the_size() -> None:
    assert piece(b"a" * 30, 5, size=2, maximum=12, limit=6) == (15, False)


def test_a_size_less_than_the_limit_has_no_newline() -> None:
    assert piece(b"a\nb\nc\n", 0, size=0, maximum=5, limit=6) == (5, False)


def test_the_oldest_of_too_many() -> None:
    names = [f"@{number:024x}.{suffix}" for number, suffix in [(3, "s"), (1, "u"), (2, "s"), (0, "t")]]
    assert oldest([*names, "current", "@short"], more_than=1) == names[2]
    assert oldest(names, more_than=2) is None
