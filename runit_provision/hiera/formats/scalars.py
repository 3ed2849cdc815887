"""What an unquoted YAML scalar means to Puppet: the rules of Ruby's Psych, not those of PyYAML.

The two differ where it hurts: `1,000` and `08:30` are numbers to Psych, `=` is a string, `:name` is a symbol, `1.0e3` is not a
number. Everything here is a function of the text alone. Source: the YAML 1.1 types repository as Psych 4 applies it, compared with
`puppet lookup` value by value.
"""

from __future__ import annotations

import re
from typing import Any

from runit_provision.hiera.values.digits import TooLongError, integer
from runit_provision.model.data import Numeral

_TEXT = re.compile(r"[^\d.:-]?[^\W\d]|[^\d.:-]?[_\s!@#$%^&*(){}<>|/\\~;=]")
_WORDS: dict[str, bool | None] = {
    "~": None,
    "null": None,
    "yes": True,
    "true": True,
    "on": True,
    "no": False,
    "false": False,
    "off": False,
}
_LONGEST_WORD = 5
_TIME = re.compile(r"-?\d{4}-\d{1,2}-\d{1,2}(?:[Tt]|\s+)\d{1,2}:\d\d:\d\d(?:\.\d*)?(?:\s*(?:Z|[-+]\d{1,2}:?(?:\d\d)?))?", re.ASCII)
_DATE = re.compile(r"\d{4}-(?:1[012]|0\d|\d)-(?:[12]\d|3[01]|0\d|\d)", re.ASCII)
_SPECIAL = re.compile(r"([-+]?)\.(inf)|\.(nan)", re.ASCII | re.IGNORECASE)
_BASE60_INTEGER = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}")
_BASE60_FLOAT = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9]){1,2}\.[0-9_]*")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_,]*)?\.[0-9]*(?:[eE][-+][0-9]+)?")
_INTEGER = re.compile(
    r"(?P<sign>[-+]?)(?:0b(?P<binary>[0-1_,]+)|0(?P<octal>[0-7_,]+)|(?P<decimal>0|[1-9](?:[0-9]|,[0-9]|_[0-9])*)|0x(?P<hex>[0-9a-fA-F_,]+))"
)
_BASES = {"binary": 2, "octal": 8, "decimal": 10, "hex": 16}


class UnreadableError(ValueError):
    """A scalar that makes Puppet refuse the whole file; the text says why, without the scalar: it may be a secret."""


class Symbol(str):
    """A Ruby symbol (`:name`). As a hash's key it is the string without its colon; as a value Puppet refuses it."""

    __slots__ = ()


class OddKey:
    """A list or a hash in the place of a key: nobody can ask for it, and inside of a value Puppet refuses it."""

    __slots__ = ()

    def __str__(self) -> str:
        return "(a list or a hash)"


def scalar(text: str) -> Any:
    """Give the value of the plain scalar `text`: None, bool, int, float, str or Symbol.

    Raises UnreadableError for what Puppet refuses (dates and times, numbers that Ruby cannot read).
    """
    if not text:
        return None
    if _TEXT.match(text) or "\n" in text:
        return _WORDS.get(text.lower(), text) if len(text) <= _LONGEST_WORD else text
    try:
        return _number_or_text(text)
    except TooLongError as error:
        raise UnreadableError(str(error)) from None


def _number_or_text(text: str) -> Any:
    if text[0] == ":" and len(text) > 1:
        return _symbol(text)
    if _TIME.fullmatch(text) or _DATE.fullmatch(text):
        raise UnreadableError("a date, which Puppet refuses in data")
    if special := _SPECIAL.fullmatch(text):
        return float("nan") if special[3] else float(special[1] + "inf")
    if _BASE60_INTEGER.fullmatch(text):
        return Numeral.of(sum(_leading_integer(part) * 60 ** abs(place - 2) for place, part in enumerate(text.split(":"))), text)
    if _BASE60_FLOAT.fullmatch(text):
        return sum((_leading_float(part) * 60 ** abs(place - 2) for place, part in enumerate(text.split(":"))), 0.0)
    if _FLOAT.fullmatch(text):
        return _float(text)
    if found := _INTEGER.fullmatch(text):
        return Numeral.of(_integer(found), text)
    return text


def _symbol(text: str) -> Symbol:
    quoted = re.match(r":([\"'])(.*)\1", text)
    return Symbol(quoted[2].removeprefix(":") if quoted else text[1:])


def _leading_integer(text: str) -> int:
    """What Ruby's String#to_i makes of digits that may carry underscores between them."""
    found = re.match(r"[-+]?\d+(?:_\d+)*", text)
    return integer(found[0].replace("_", "")) if found else 0


def _leading_float(text: str) -> float:
    found = re.match(r"[-+]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?", text)
    return float(found[0].replace("_", "")) if found else 0.0


def _float(text: str) -> Any:
    if text in {".", "+.", "-."}:
        return text
    bare = re.sub(r"[,_]|\.([Ee]|$)", r"\1", text)
    if not re.fullmatch(r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?", bare):
        raise UnreadableError("it looks like a number, but is none")
    return float(bare)


def _integer(found: re.Match[str]) -> int:
    kind = found.lastgroup or "decimal"
    digits = found[kind].replace(",", "").replace("_", "")
    if not digits:
        if kind == "octal":
            return 0
        raise UnreadableError("it looks like a number, but is none")
    return integer(found["sign"] + digits, _BASES[kind])
