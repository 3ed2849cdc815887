"""JSON as Puppet reads it, every item with its place; comments are allowed, as Ruby's parser allows them."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Any, NoReturn

from runit_provision.errors import DataError, Mark, Problem
from runit_provision.hiera.values.digits import TooLongError, integer
from runit_provision.hiera.values.limits import DEEPEST
from runit_provision.model.data import Array, Table

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\n]*\n|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"(-?(?:0|[1-9]\d*))(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_STRING = re.compile(r'"([^"\\\x00-\x1f]*(?:\\(?:u[0-9a-fA-F]{4}|[^u\x00-\x1f])[^"\\\x00-\x1f]*)*)"')
_ESCAPE = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)", re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LETTERS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"true": True, "false": False, "null": None}


def parse_json(text: str, file: str) -> Any:
    """Give the value of `text`; `file` names it in marks. Raises DataError with the place of the first fault."""
    return _Reader(text, file).document()


class _Reader:
    """Reads one text; `_at` is the position of the next character."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        self._at = 0
        self._depth = 0
        self._lines = [0, *(newline.end() for newline in re.finditer("\n", text))]

    def document(self) -> Any:
        self._skip()
        value = self._value()
        self._skip()
        if self._at < len(self._text):
            self._fail("something follows the end of the data")
        return value

    def _fail(self, what: str, at: int | None = None, hint: str = "look for a missing comma, quote or bracket") -> NoReturn:
        raise DataError(Problem(f"not JSON: {what}", self._mark(at), hint=hint))

    def _mark(self, at: int | None = None) -> Mark:
        position = self._at if at is None else at
        line = bisect_right(self._lines, position)
        return Mark(self._file, line, position - self._lines[line - 1] + 1)

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        assert found
        self._at = found.end()

    def _take(self, token: str) -> bool:
        self._skip()
        if self._text.startswith(token, self._at):
            self._at += len(token)
            return True
        return False

    def _value(self) -> Any:
        sign = self._text[self._at : self._at + 1]
        if sign == '"':
            return self._string()
        if sign and sign in "[{":
            return self._container(sign)
        for word, value in _WORDS.items():
            if self._take(word):
                return value
        return self._number()

    def _container(self, sign: str) -> Table | Array:
        self._depth += 1
        if self._depth > DEEPEST:
            self._fail(f"nested more than {DEEPEST} deep", hint="")
        value = self._table() if sign == "{" else self._array()
        self._depth -= 1
        return value

    def _number(self) -> int | float:
        found = _NUMBER.match(self._text, self._at)
        if not found:
            self._fail("a value is missing")
        try:
            value = float(found[0]) if found[2] or found[3] else integer(found[0])
        except TooLongError as error:
            self._fail(str(error), hint="quote it to have a string")
        self._at = found.end()
        return value

    def _string(self) -> str:
        found = _STRING.match(self._text, self._at)
        if not found:
            self._fail("a string that does not end, or has a control character or a broken \\u escape in it")
        value = found[1] if "\\" not in found[1] else _ESCAPE.sub(_unescaped, found[1])
        if _SURROGATE.search(value):
            self._fail("half of a surrogate pair, which is no character", hint="write the character itself")
        self._at = found.end()
        return value

    def _array(self) -> Array:
        result = Array(mark=self._mark())
        self._at += 1
        if self._take("]"):
            return result
        while True:
            self._skip()
            result.marks.append(self._mark())
            result.append(self._value())
            if self._take("]"):
                return result
            if not self._take(","):
                self._fail("`,` or `]` is missing")

    def _table(self) -> Table:
        result = Table(mark=self._mark())
        self._at += 1
        if self._take("}"):
            return result
        while True:
            self._skip()
            place = self._mark()
            if not self._text.startswith('"', self._at):
                self._fail("a key in double quotes is missing")
            key = self._string()
            if not self._take(":"):
                self._fail("`:` is missing")
            self._skip()
            result[key] = self._value()
            result.marks[key] = place
            if self._take("}"):
                return result
            if not self._take(","):
                self._fail("`,` or `}` is missing")


def _unescaped(escape: re.Match[str]) -> str:
    """The character of one escape; of an unknown one, as Ruby has it, the character after the backslash."""
    high, low, single, letter = escape.groups()
    if high:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    return chr(int(single, 16)) if single else _LETTERS.get(letter, letter)
