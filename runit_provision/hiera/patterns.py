"""Ruby's regular expressions, for patterns that stand in data: matched by Oniguruma, which Ruby's own engine was made from.

Where the two differ, a pattern is put in Oniguruma's words (Ruby's `Regexp`, section "Shorthand Character Classes").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from runit_provision.errors import DataError, Mark, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

# In Ruby these are ASCII's, while POSIX brackets, \\p{} and \\b are Unicode's; and a letter that means nothing is itself.
_WORDS = {
    r"\w": "[a-zA-Z0-9_]",
    r"\W": "[^a-zA-Z0-9_]",
    r"\d": "[0-9]",
    r"\D": "[^0-9]",
    r"\s": r"[ \t\r\n\f\v]",
    r"\S": r"[^ \t\r\n\f\v]",
    r"\N": "N",
    r"\O": "O",
    r"\y": "y",
    r"\Y": "Y",
}
_ESCAPE = re.compile(r"\\.", re.DOTALL)
_RANGE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(?P<low>\d+),(?P<high>\d+)\}", re.DOTALL | re.ASCII)
"""How often something is repeated, where it stands neither in brackets nor behind a backslash."""


class RubyPattern:
    """A pattern whose `^` and `$` are a line's; DataError when it is none."""

    def __init__(self, source: str, mark: Mark | None = None) -> None:
        # Few need it, and its import costs what a tenth of a lookup does.
        import onigurumacffi

        if any(int(found["low"]) > int(found["high"]) for found in _RANGE.finditer(source) if found["low"]):
            raise _wrong(source, "a range of repeats that ends before it begins", mark)
        try:
            self._pattern: Any = onigurumacffi.compile(_ESCAPE.sub(lambda escape: _WORDS.get(escape[0], escape[0]), source))
        except onigurumacffi.OnigError as error:
            raise _wrong(source, str(error), mark) from None

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in `text`."""
        return self._pattern.search(text) is not None

    def removed(self, text: str) -> str:
        """Give `text` without what it matches, as gsub with an empty string does."""
        return "".join(self._between(text))

    def _between(self, text: str) -> Iterator[str]:
        at = 0
        while at <= len(text) and (match := self._pattern.search(text, at)) is not None:
            yield text[at : match.start()]
            at = match.end()
            if match.start() == match.end():
                yield text[at : at + 1]
                at += 1
        yield text[at:]


def _wrong(source: str, why: str, mark: Mark | None) -> DataError:
    return DataError(Problem(f"`{source}` is not a regular expression: {why}", mark))
