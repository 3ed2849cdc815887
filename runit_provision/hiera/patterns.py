"""Ruby's regular expressions in Python's words, for patterns that stand in data."""

from __future__ import annotations

import re

from runit_provision.errors import DataError, Mark, Problem

_WORDS = {
    r"\z": r"\Z",
    r"\Z": r"(?=\n?\Z)",
    r"\h": "[0-9a-fA-F]",
    r"\H": "[^0-9a-fA-F]",
    "(?<": "(?P<",
    "[:alpha:]": "a-zA-Z",
    "[:digit:]": "0-9",
    "[:alnum:]": "a-zA-Z0-9",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
    "[:space:]": r"\s",
    "[:word:]": r"\w",
    "[:xdigit:]": "0-9a-fA-F",
}
_TOKEN = re.compile(r"\\.|\(\?<(?![=!])|\[:[a-z]+:\]", re.DOTALL)


def ruby_pattern(source: str, mark: Mark | None = None) -> re.Pattern[str]:
    """Compile a Ruby pattern, whose `^` and `$` are a line's; DataError when it is none."""
    translated = _TOKEN.sub(lambda token: _WORDS.get(token[0], token[0]), source)
    try:
        return re.compile(translated, re.MULTILINE)
    except re.error as error:
        raise DataError(Problem(f"`{source}` is not a regular expression: {error}", mark)) from None
