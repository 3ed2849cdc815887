"""Integers out of text, as long as they may be."""

from __future__ import annotations

MOST_DIGITS = 3_500
"""In any base. Python writes no integer of more than 4,300 decimal digits, which 3,571 hexadecimal ones can be."""


class TooLongError(ValueError):
    """More digits than a number has that anybody means."""

    def __init__(self) -> None:
        super().__init__(f"an integer of more than {MOST_DIGITS:,} digits")


def integer(text: str, base: int = 10) -> int:
    """Give the integer that `text`, a sign and digits, is in `base`. Raises TooLongError, or ValueError for a digit of another base."""
    if len(text) > MOST_DIGITS:
        raise TooLongError
    return int(text, base)
