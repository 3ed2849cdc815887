"""The text that Ruby makes of a value within a string: of a string itself, of anything else what `inspect` gives."""

from __future__ import annotations

import re
from typing import Any

from runit_provision.hiera.written import Notation, written

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
    return "" if value is None else value if isinstance(value, str) else inspect(value)


def inspect(value: Any) -> str:
    """Give the text of Ruby's `inspect` for plain data."""
    return written(value, _RUBY)


def _quoted(text: str) -> str:
    escaped = "".join(_ESCAPES.get(sign) or (sign if sign.isprintable() else _numbered(sign)) for sign in text)
    return '"' + re.sub(r"#(?=[{$@])", r"\\#", escaped) + '"'


def _numbered(sign: str) -> str:
    code = ord(sign)
    if code <= 0x7F:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\u{{{code:X}}}"


_RUBY = Notation(undef="nil", arrow="=>", quoted=_quoted)
