"""The text that Ruby makes of a value within a string: of a string itself, of anything else what `inspect` gives."""

from __future__ import annotations

import math
import re
from typing import Any

from runit_provision.hiera.values.secret import Veiled
from runit_provision.model.data import Sensitive

_ESCAPES = {
    '"': '\\"',
    "\\": "\\\\",
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\x1b": "\\e",
    "\x07": "\\a",
    "\x08": "\\b",
    "\x0b": "\\v",
    "\x0c": "\\f",
}


def as_text(value: Any) -> str:
    """Give the text that Ruby makes of a value within a string."""
    match value:
        case None:
            return ""
        case str():
            return value
        case Sensitive() if not isinstance(value, Veiled):
            return str(value)
        case _:
            return inspect(value)


def inspect(value: Any) -> str:
    """Give the text of Ruby's `inspect` for plain data, that of secrets included: the caller veils what it makes of them."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case float():
            return ruby_float(value)
        case str():
            return _quoted(value)
        case list():
            return "[" + ", ".join(map(inspect, value)) + "]"
        case dict():
            return "{" + ", ".join(f"{inspect(key)}=>{inspect(item)}" for key, item in value.items()) + "}"
        case Veiled():
            return inspect(value.unwrap())
        case Sensitive():  # of which only this is told
            return f"#<{value}>"
        case _:  # an integer
            return str(value)


def ruby_float(value: float) -> str:
    """Give the text that Ruby's Float#to_s gives: exponents from 1e16 on and below 1e-4, always with a fraction."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    mantissa, _, exponent = repr(value).partition("e")
    if not exponent and (value == 0 or 1e-4 <= abs(value) < 1e16):
        return mantissa
    if not exponent:
        mantissa, _, exponent = f"{value:.16e}".partition("e")
        mantissa = mantissa.rstrip("0")
    if "." not in mantissa:
        mantissa += ".0"
    elif mantissa.endswith("."):
        mantissa += "0"
    return f"{mantissa}e{int(exponent):+03d}"


def _quoted(text: str) -> str:
    escaped = "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else _numbered(sign)) for sign in text)
    return '"' + re.sub(r"#(?=[{$@])", r"\\#", escaped) + '"'


def _numbered(sign: str) -> str:
    code = ord(sign)
    if code <= 0x7F:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"
