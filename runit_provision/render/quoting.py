"""Words for sh: any string becomes one word that is that string, written as a person would."""

from __future__ import annotations

import re

_PLAIN = re.compile(r"[A-Za-z0-9@%+:,./_-]+")
"""What no shell reads as anything else. `=` and `~` are missing: in front they mean something."""
_PLAIN_LATER = re.compile(r"[A-Za-z0-9@%+:,./_-][A-Za-z0-9@%+=:,./_-]*")
_TYPOGRAPHIC = re.compile("[\u2018\u2019]")
_SPECIAL = re.compile(r'([\\"$`])')


def quote(word: str) -> str:
    """Give `word` as sh has to read it: bare where it may be, in single quotes where that is clear, else in double quotes."""
    if _PLAIN.fullmatch(word):
        return word
    if "'" not in word and not re.search(r"[$`]|\\$", word) and not _TYPOGRAPHIC.search(word):
        return f"'{word}'"
    return '"' + _SPECIAL.sub(r"\\\1", word) + '"'


def join(words: tuple[str, ...]) -> str:
    """Give a program and its arguments as one line."""
    return " ".join([quote(words[0]), *(word if _PLAIN_LATER.fullmatch(word) else quote(word) for word in words[1:])])
