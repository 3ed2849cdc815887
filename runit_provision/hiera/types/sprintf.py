"""Ruby's `format` with one argument, which Puppet's formats end in.

Source: Ruby's documentation, "Format Specifications".
"""

from __future__ import annotations

import math
import re

from runit_provision.hiera.ruby.text import inspect

_DIRECTIVE = r"(?P<flags>[ #+0-]*)(?P<width>[1-9]\d*)?(?:\.(?P<precision>\d*))?(?P<letter>[dxXobBeEfgGaAsp])"
_TOKEN = re.compile(rf"(?P<text>[^%]+)|%(?:%|(?=\n)|{_DIRECTIVE})", re.ASCII)
_BITS = {"x": 4, "X": 4, "o": 3, "b": 1, "B": 1}
_DIGITS = {"x": "x", "X": "x", "o": "o", "b": "b", "B": "b"}
_WIDEST = 100_000
"""Characters that a number or a text is filled up to."""


class FormatError(Exception):
    """The format is none, or none for such a value; the text says why, without the value."""


def sprintf(format_: str, value: object) -> str:
    """Give `format_` with `value` in the place of its one directive: a number, or by `s` and `p` anything. Raises FormatError."""
    parts: list[str] = []
    at, used = 0, False
    while at < len(format_):
        found = _TOKEN.match(format_, at)
        if found is None or (used and found["letter"]):
            raise FormatError("it is not a valid format for this value")
        used = used or bool(found["letter"])
        parts.append(_directed(found, value) if found["letter"] else found["text"] or "%")
        at = found.end()
    return "".join(parts)


def padded(text: str, *, width: int | None, precision: int | None, left: bool) -> str:
    """Give no more than `precision` characters of `text`, filled up with blanks. Raises FormatError where those are too many."""
    if (width or 0) > _WIDEST:
        raise FormatError(f"a width of more than {_WIDEST:,}")
    text = text[:precision]
    return text.ljust(width or 0) if left else text.rjust(width or 0)


def _directed(found: re.Match[str], value: object) -> str:
    flags, letter = found["flags"], found["letter"]
    width = int(found["width"] or 0)
    precision = None if found["precision"] is None else int(found["precision"] or 0)
    if letter in "sp":
        text = inspect(value) if letter == "p" else str(value)
        return padded(text, width=width, precision=precision, left="-" in flags)
    if max(width, precision or 0) > _WIDEST:
        raise FormatError(f"a width of more than {_WIDEST:,}")
    if isinstance(value, int) and letter in "dxXobB":
        return _integer(value, letter, flags, width, precision)
    if isinstance(value, float) and letter in "eEfgGaA":
        return _float(value, letter, flags, width, precision)
    raise FormatError("it is not a valid format for this value")


def _sign(flags: str, *, negative: bool) -> str:
    return "-" if negative else "+" if "+" in flags else " " if " " in flags else ""


def _integer(value: int, letter: str, flags: str, width: int, precision: int | None) -> str:
    """A number in any base; a negative one without a sign to show is two dots and the end of its two's complement."""
    signed = letter == "d" or "+" in flags or " " in flags
    dots = value < 0 and not signed
    sign = _sign(flags, negative=value < 0) if signed else ""
    digits = _complement(value, letter) if dots else format(abs(value), _DIGITS.get(letter, "d"))
    if letter == "X":
        digits = digits.upper()
    prefix = f"0{letter}" if "#" in flags and letter in "xXbB" and value else ""
    if letter == "o" and "#" in flags and not dots:
        digits = digits if value == 0 or (precision or 0) > len(digits) else "0" + digits
    before = sign + prefix + (".." if dots else "")
    if precision is None and "0" in flags and "-" not in flags:
        least = width - len(before)
    else:
        least = (precision or 0) - 2 * dots
        if precision == 0 and value == 0 and not (letter == "o" and "#" in flags):
            digits = ""
    fill = digits[0] if dots else "0"
    body = before + digits.rjust(least, fill)
    return body.ljust(width) if "-" in flags else body.rjust(width)


def _complement(value: int, letter: str) -> str:
    """The digits of a negative number's two's complement, of those that repeat before it one."""
    bits = _BITS[letter]
    count = (-value).bit_length() // bits + 2
    digits = format(value % (1 << bits * count), _DIGITS[letter])
    highest = format((1 << bits) - 1, _DIGITS[letter])
    return highest + digits.lstrip(highest)


def _float(value: float, letter: str, flags: str, width: int, precision: int | None) -> str:
    sign = _sign(flags, negative=math.copysign(1, value) < 0 and not math.isnan(value))
    zeros = "0" in flags and "-" not in flags
    if not math.isfinite(value):
        body, zeros = "NaN" if math.isnan(value) else "Inf", False
    elif letter in "aA":
        body = _hexadecimal(abs(value), precision, point="#" in flags)
        if letter == "A":
            body = body.upper()
        sign, body = sign + body[:2], body[2:]
    else:
        directive = f"%{'#' * ('#' in flags)}.{6 if precision is None else precision}{letter}"
        body = directive % abs(value)
    if zeros:
        return sign + body.rjust(width - len(sign), "0")
    return (sign + body).ljust(width) if "-" in flags else (sign + body).rjust(width)


def _hexadecimal(value: float, precision: int | None, *, point: bool) -> str:
    """A number that is not negative, as C's `%a` has it: one digit, a fraction of hexadecimal digits, a power of two."""
    fraction, exponent = math.frexp(value)
    # 53 bits: one before the point, 52 behind it, which are 13 digits.
    bits, exponent = (int(fraction * (1 << 53)), exponent - 1) if value else (0, 0)
    digits = 13
    if precision is not None and precision < digits:
        drop = 4 * (digits - precision)
        rest, bits = bits & ((1 << drop) - 1), bits >> drop
        half = 1 << (drop - 1)
        bits += rest > half or (rest == half and bits & 1)
        digits = precision
    whole, behind = bits >> 4 * digits, bits & ((1 << 4 * digits) - 1)
    if whole > 1:
        whole, behind, exponent = 1, behind >> 1, exponent + 1
    text = f"{behind:0{digits}x}" if digits else ""
    text = text.rstrip("0") if precision is None else text.ljust(precision, "0")
    return f"0x{whole}{'.' if text or point else ''}{text}p{exponent:+d}"
