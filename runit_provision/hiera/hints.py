"""Hints of errors: which known name was meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """Give a hint that names the known word most like `word`, or `otherwise` when none is like it."""
    from difflib import get_close_matches

    near = get_close_matches(str(word), list(known), 1)
    return f"did you mean `{near[0]}`?" if near else otherwise
