"""Values written out as program text: one walk, and the words in which Ruby and Puppet differ."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runit_provision.hiera.secret import Veiled


@dataclass(frozen=True, slots=True)
class Notation:
    """undef: the word for no value; arrow: what stands between a key and its item; quoted: gives a string as a literal."""

    undef: str
    arrow: str
    quoted: Callable[[str], str]


def written(value: Any, notation: Notation) -> str:
    """Give the text of `value`, that of secrets included: the caller veils what it makes of them."""
    match value:
        case None:
            return notation.undef
        case bool():
            return "true" if value else "false"
        case float():
            return ruby_float(value)
        case str():
            return notation.quoted(value)
        case list():
            return "[" + ", ".join(written(item, notation) for item in value) + "]"
        case dict():
            pairs = (f"{written(key, notation)}{notation.arrow}{written(item, notation)}" for key, item in value.items())
            return "{" + ", ".join(pairs) + "}"
        case Veiled():
            return written(value.unwrap(), notation)
        case _:  # an integer, or Sensitive, whose text tells nothing
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
