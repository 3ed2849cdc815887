"""Ruby's regular expressions, for patterns that stand in data: matched by Oniguruma, which Ruby's own engine was made from.

Where the two differ, a pattern is put in Oniguruma's words, or refused as Ruby refuses it (Ruby's `Regexp`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from runit_provision.errors import DataError, Mark, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

# In Ruby these are ASCII's, while POSIX brackets, \\p{} and \\b are Unicode's.
_WORDS = {
    r"\w": "[a-zA-Z0-9_]",
    r"\W": "[^a-zA-Z0-9_]",
    r"\d": "[0-9]",
    r"\D": "[^0-9]",
    r"\s": r"[ \t\r\n\f\v]",
    r"\S": r"[^ \t\r\n\f\v]",
}
# Letters that mean nothing in Ruby are themselves.
_LETTERS = {r"\N": "N", r"\O": "O", r"\y": "y", r"\Y": "Y", r"\o": "o"}
_TOKEN = re.compile(
    r"""\\u\{(?P<codes>[0-9a-fA-F]+(?:\ +[0-9a-fA-F]+)*)\}
    |(?P<strange>\\x\{|\\M-|\(\*|\(\?~\|)
    |(?P<comment>\(\?\#(?:\\.|[^)\\])*\))
    |\(\?(?P<options>[^<>'=!:~(#)\\][^<>=!:)]*)(?P<close>[:)])
    |(?P<anchor>\\[AzZbBG]|[\^$])(?P<repeats>(?:(?:[*+?]|\{(?:\d+,?\d*|,\d+)\})[?+]?)*)
    |\\(?:c|C-)(?P<control>.?)
    |(?P<escape>\\.)
    |\{(?P<low>\d+),(?P<high>\d+)\}
    |(?P<sign>.)""",
    re.DOTALL | re.ASCII | re.VERBOSE,
)
_REPEAT = re.compile(r"(?P<sign>[*+?])[?+]?|\{(?P<low>\d*)(?P<comma>,?)(?P<high>\d*)\}(?P<more>[?+]?)", re.ASCII)
_OPTIONS = re.compile(r"(?P<on>[imx]*(?P<mode>[du]?)[imx]*)(?P<off>-[imx]*)?")


class RubyPattern:
    """A pattern whose `^` and `$` are a line's; DataError when it is none."""

    def __init__(self, source: str, mark: Mark | None = None) -> None:
        # Few need it, and its import costs what a tenth of a lookup does.
        import onigurumacffi

        try:
            self._pattern: Any = onigurumacffi.compile(_Translation(source, mark).text())
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


@dataclass(slots=True)
class _Group:
    """mode: d or u, which characters are letters; opened: groups within it that end where it ends."""

    mode: str = "d"
    opened: int = 0


class _Translation:
    """One pattern on its way to Oniguruma's words."""

    def __init__(self, source: str, mark: Mark | None) -> None:
        self._source = source
        self._mark = mark
        self._brackets = 0
        self._is_first = False
        """Whether a bracket was just opened: then `]` is a letter."""
        self._groups = [_Group()]
        """Those that are open, and the whole."""

    def text(self) -> str:
        """Give the pattern in Oniguruma's words."""
        pieces = "".join(self._piece(token) for token in _TOKEN.finditer(self._source))
        return pieces + ")" * self._groups[0].opened

    def _fail(self, why: str) -> NoReturn:
        raise _wrong(self._source, why, self._mark)

    def _piece(self, token: re.Match[str]) -> str:
        if token[0].startswith("\\"):
            self._is_first = False
        if token["codes"]:
            return "".join(f"\\x{{{code}}}" for code in token["codes"].split())
        if token["control"] is not None:
            return self._control(token["control"])
        if token["escape"]:
            return self._escape(token["escape"])
        if self._brackets:
            return self._in_brackets(token)
        if token["strange"]:
            self._fail(f"`{token['strange']}` means nothing to Ruby")
        if token["options"]:
            return self._options(token["options"], token["close"])
        self._check_range(token["low"], token["high"])
        if token["repeats"]:  # which Oniguruma does not: an anchor that may be left out says nothing
            needed = list(map(self._is_needed, _REPEAT.finditer(token["repeats"])))
            return token["anchor"] if all(needed) else ""
        return self._sign(token[0])

    def _escape(self, escape: str) -> str:
        if escape in _WORDS:
            return escape if self._groups[-1].mode == "u" else _WORDS[escape]
        return _LETTERS.get(escape, escape)

    def _check_range(self, low: str | None, high: str | None) -> None:
        if low and high and int(low) > int(high):
            self._fail("a range of repeats that ends before it begins")

    def _is_needed(self, repeat: re.Match[str]) -> bool:
        """Whether what is repeated has to be there once; `{2}?` is one or none in Ruby."""
        if repeat["sign"]:
            return repeat["sign"] == "+"
        self._check_range(repeat["low"], repeat["high"])
        return int(repeat["low"] or 0) > 0 and (bool(repeat["comma"]) or repeat["more"] != "?")

    def _control(self, key: str) -> str:
        if not key.isascii() or key in {"", "\\"}:
            self._fail("an escaped control character is one letter of ASCII")
        return f"\\x{0x7F if key == '?' else ord(key) & 0x1F:02x}"

    def _in_brackets(self, token: re.Match[str]) -> str:
        if token["strange"] and token["strange"].startswith("\\"):
            self._fail(f"`{token['strange']}` means nothing to Ruby")
        text = token[0]
        if len(text) > 1 and not text.startswith("\\"):  # here a group is its signs
            return "".join(map(self._sign_in_brackets, text))
        return self._sign_in_brackets(text)

    def _sign_in_brackets(self, sign: str) -> str:
        if sign == "[" or (sign == "]" and not self._is_first):
            self._brackets += 1 if sign == "[" else -1
        self._is_first = sign == "[" or (sign == "^" and self._is_first)
        return sign

    def _sign(self, sign: str) -> str:
        match sign:
            case "[":
                self._brackets, self._is_first = 1, True
            case "(":
                self._groups.append(_Group(self._groups[-1].mode))
            case ")" if len(self._groups) > 1:
                return ")" * (1 + self._groups.pop().opened)
        return sign

    def _options(self, options: str, close: str) -> str:
        found = _OPTIONS.fullmatch(options)
        if found is None:
            self._fail(f"no group option `{options}` is known here")
        group, mode = self._groups[-1], found["mode"]
        if close == ":":
            self._groups.append(_Group(mode or group.mode))
        else:
            group.mode = mode or group.mode
        others = found["on"].replace(mode or "-", "") + (found["off"] or "")
        if others:
            return f"(?{others}{close}"
        group.opened += close == ")"
        return "(?:"


def _wrong(source: str, why: str, mark: Mark | None) -> DataError:
    return DataError(Problem(f"`{source}` is not a regular expression: {why}", mark))
