"""The text that Puppet's String.new makes of a value, with a format or with none.

Source: Puppet's documentation, "Converting data types", section "Conversion to String". Formats for the items of containers have
types as keys, which no data can write: so a format is one directive for the whole value, and its items are written as Puppet code.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any

from runit_provision.hiera.types.sprintf import FormatError, padded, sprintf
from runit_provision.hiera.values.secret import Veiled

_FORMAT = re.compile(r"^%([ \t\r\n\f\v\[+#0{<(|-]*)([1-9][0-9]*)?(?:\.([0-9]+))?([a-zA-Z])$", re.MULTILINE)
_PAIRS = {"[": "[]", "{": "{}", "(": "()", "<": "<>", "|": "||"}
_DOUBLE = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "$": "\\$", "\\": "\\\\"}
_STRIPPED = "\0\t\n\v\f\r "
"""What Ruby's strip takes away, of which the first only at the end."""
_INTEGERS = "dxXobB"
_FLOATS = "eEfgGaA"
_UNDEF = {
    "n": ("nil", "null"),
    "u": ("undef", "undefined"),
    "v": ("n/a", "n/a"),
    "V": ("N/A", "N/A"),
    "s": ("", '""'),
    "p": ("undef", '"undef"'),
}
"""The words for no value, each with its alternate form."""


@dataclass(frozen=True, slots=True)
class _Format:
    """One directive; `text` is the whole of what was written, which may have lines around it."""

    text: str
    letter: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None

    @property
    def alternate(self) -> bool:
        return "#" in self.flags

    def wrong(self, kind: str, letters: str) -> FormatError:
        return FormatError(f"the format `{self.text}` is none for {kind}, only those that end in one of {' '.join(letters)}")

    def fitted(self, text: str) -> str:
        """Give the text with width and precision, as they count for words."""
        return padded(text, width=self.width, precision=self.precision, left="-" in self.flags)

    def printed(self, value: object, letter: str = "") -> str:
        """Give what Ruby's format makes of it, with another letter where that is given."""
        return sprintf(self.text.replace(self.letter, letter) if letter else self.text, value)

    def delimiters(self, default: str) -> tuple[str, str]:
        """Give what begins and what ends a container."""
        pair = next((_PAIRS[flag] for flag in self.flags if flag in _PAIRS), "" if " " in self.flags else default)
        return (pair[0], pair[1]) if pair else ("", "")


_SHOWN = _Format("%p", "p")
"""How what a container holds is written."""
_PLAIN = _Format("%s", "s")


@dataclass(frozen=True, slots=True)
class _Formats:
    """Those of a value's lists and hashes, wherever they are in it."""

    array: _Format = _Format("%a", "a")
    hash: _Format = _Format("%h", "h")


def string_of(value: Any, format_: str | None = None) -> str:
    """Give the text of a whole value. Raises FormatError."""
    form = None if format_ is None else _parsed(format_)
    match value:
        case list():
            return _array(value, _Formats(array=form) if form else _Formats(), _Indentation())
        case dict():
            return _hash(value, _Formats(hash=form) if form else _Formats(), _Indentation())
        case float():
            # Puppet finds the format by the value's own type, which NaN is not of, since it equals nothing.
            return _scalar(value, form if form and not math.isnan(value) else _Format("%f", "f"))
        case _:
            return _scalar(value, form or _PLAIN)


def quoted(text: str, *, double: bool = False) -> str:
    """Give a string as Puppet code writes it: in single quotes, unless there are control characters."""
    if double or any(sign < " " for sign in text):
        return '"' + "".join(_DOUBLE.get(sign) or (sign if sign >= " " else f"\\u{{{ord(sign):X}}}") for sign in text) + '"'
    return f"'{_single(text)}'"


def _single(text: str) -> str:
    """Escape quotes; a backslash stays as it is, but at the end, where it would escape the quote."""
    parts: list[str] = []
    escaped = False
    for sign in text:
        if escaped:
            parts.append("\\" + sign)
            escaped = False
        elif sign == "\\":
            escaped = True
        else:
            parts.append("\\'" if sign == "'" else sign)
    return "".join(parts) + ("\\" if escaped else "")


def _parsed(text: str) -> _Format:
    found = _FORMAT.search(text)
    if found is None:
        raise FormatError(f"the format `{text}` is not as `%<flags><width>.<precision><letter>`")
    flags, width, precision, letter = found.groups()
    if len(set(flags)) < len(flags):
        raise FormatError(f"a flag stands twice in the format `{text}`")
    if sum(flag in _PAIRS for flag in flags) > 1:
        raise FormatError(f"only one of the flags [ {{ ( < | may stand in the format `{text}`")
    return _Format(text, letter, flags, int(width) if width else None, int(precision) if precision else None)


def _scalar(value: Any, form: _Format) -> str:
    match value:
        case None:
            return _undef(form)
        case bool():
            return _boolean(value, form)
        case int():
            return _integer(value, form)
        case float():
            return _float(value, form)
        case str():
            return _string(value, form)
        case Veiled():
            return _scalar(value.unwrap(), form)
        case _:  # Sensitive, whose text tells nothing
            if form.letter not in "sp":
                raise form.wrong("a Sensitive", "sp")
            return form.printed(value)


def _undef(form: _Format) -> str:
    if form.letter in _INTEGERS + _FLOATS:
        return form.fitted("NaN")
    if form.letter not in _UNDEF:
        raise form.wrong("undef", "nu" + _INTEGERS + _FLOATS + "vVsp")
    return form.fitted(_UNDEF[form.letter][form.alternate])


def _boolean(value: bool, form: _Format) -> str:
    letter = form.letter
    if letter in _INTEGERS:
        return form.printed(int(value))
    if letter in _FLOATS:
        return form.printed(float(value))
    if letter in "sp":
        return form.fitted("true" if value else "false")
    if letter not in "tTyY":
        raise form.wrong("a Boolean", "tTyY" + _INTEGERS + _FLOATS + "sp")
    word = ("true" if value else "false") if letter in "tT" else "yes" if value else "no"
    word = word.capitalize() if letter in "TY" else word
    return form.fitted(word[0] if form.alternate else word)


def _integer(value: int, form: _Format) -> str:
    value = int(value)  # as it is counted, however it was written
    match form.letter:
        case "c":
            return form.printed(f'"{_character(value)}"' if form.alternate else _character(value), "s")
        case "s":
            return form.printed(str(value), "p" if form.alternate else "s")
        case letter if letter in _INTEGERS + "p":
            return form.printed(value)
        case letter if letter in _FLOATS:
            return form.printed(_as_float(value))
        case _:
            raise form.wrong("an Integer", _INTEGERS + _FLOATS + "spc")


def _character(code: int) -> str:
    if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        raise FormatError("there is no character of this number")
    return chr(code)


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _float(value: float, form: _Format) -> str:
    match form.letter:
        case letter if letter in _INTEGERS:
            try:
                return form.printed(int(value))
            except (OverflowError, ValueError):
                raise FormatError("the number is not finite") from None
        case letter if letter in _FLOATS + "p":
            return form.printed(value)
        case "s":
            text = sprintf("%p", value)
            return form.printed(f'"{text}"' if form.alternate else text)
        case _:
            raise form.wrong("a Float", _INTEGERS + _FLOATS + "sp")


def _string(value: str, form: _Format) -> str:
    match form.letter:
        case "s":
            return form.printed(value)
        case "p":
            return form.fitted(quoted(value, double=form.alternate))
        case "c":
            changed = value.capitalize()
        case "C":
            changed = "::".join(part.capitalize() for part in _parts(value))
        case "u":
            changed = value.upper()
        case "d":
            changed = value.lower()
        case "t":
            changed = value.lstrip(_STRIPPED).rstrip(_STRIPPED)
        case _:
            raise form.wrong("a String", "cCudspt")
    return form.fitted(quoted(changed)) if form.alternate else form.printed(changed, "s")


def _parts(text: str) -> list[str]:
    """The names between colons, without empty ones at the end, which Ruby's split leaves out."""
    parts = text.split("::")
    while parts and not parts[-1]:
        parts.pop()
    return parts


@dataclass(frozen=True, slots=True)
class _Indentation:
    """level: how deep; first: nothing was written at this level yet; active: containers begin lines of their own."""

    level: int = 0
    first: bool = True
    active: bool = False

    @property
    def breaks(self) -> bool:
        return self.active and self.level > 0 and not self.first

    @property
    def blanks(self) -> str:
        return "  " * self.level

    @property
    def start(self) -> str:
        """What a container begins with."""
        return "\n" + self.blanks if self.breaks else ""


def _inner(value: Any, formats: _Formats, indentation: _Indentation) -> str:
    match value:
        case Veiled():
            return _inner(value.unwrap(), formats, indentation)
        case list():
            return _array(value, formats, indentation)
        case dict():
            return _hash(value, formats, indentation)
        case _:
            return _scalar(value, _SHOWN)


def _array(value: list[Any], formats: _Formats, indentation: _Indentation) -> str:
    form = formats.array
    if form.letter not in "asp":
        raise form.wrong("an Array", "asp")
    begin, end = form.delimiters("[]")
    indentation = replace(indentation, active=form.alternate or indentation.active)
    child = _Indentation(indentation.level + 1, first=False, active=form.alternate)
    texts = [_inner(item, formats, child) for item in value]
    nested = [isinstance(item, list | dict) for item in value]
    broken = form.alternate and form.width is not None and _widest(texts, nested) > form.width
    text = indentation.start + begin
    for index, item in enumerate(texts):
        if index == 0:
            text += " " if broken and not nested[0] else ""
        else:
            text += ", "
            if not nested[index] and (broken or (form.alternate and nested[index - 1])):
                text = text.rstrip() + "\n" + child.blanks
        if text.endswith(" ") and item.startswith("\n"):
            text = text.rstrip()
        text += item
    return text + end


def _widest(texts: list[str], nested: list[bool]) -> int:
    """How long the longest row of items is that stand between containers."""
    rows = [0]
    for text, is_nested in zip(texts, nested, strict=True):
        if is_nested:
            rows.append(0)
        else:
            rows[-1] += len(text)
    return max(rows)


def _hash(value: dict[Any, Any], formats: _Formats, indentation: _Indentation) -> str:
    form = formats.hash
    if form.letter == "a":
        return _array([list(pair) for pair in value.items()], formats, indentation)
    if form.letter not in "hsp":
        raise form.wrong("a Hash", "hasp")
    begin, end = form.delimiters("{}")
    indentation = replace(indentation, active=form.alternate or indentation.active)
    child = _Indentation(indentation.level + 1)
    blanks, newline = (child.blanks, "\n") if form.alternate else ("", "")
    pairs = (f"{blanks}{_inner(name, formats, child)} => {_inner(item, formats, child)}" for name, item in value.items())
    body = ("," + newline if form.alternate else ", ").join(pairs)
    return f"{indentation.start}{begin}{newline}{body}{newline}{indentation.blanks if form.alternate else ''}{end}"
