"""The text that Puppet's String.new makes of a value when no format is given."""

from __future__ import annotations

from typing import Any

from runit_provision.hiera.written import Notation, ruby_float, written

_DOUBLE = {"\t": "\\t", "\n": "\\n", "\r": "\\r", '"': '\\"', "$": "\\$", "\\": "\\\\"}


def puppet_text(value: Any) -> str:
    """Give the text of a whole value: a string as it is, a float with six digits, a container as Puppet code writes it."""
    match value:
        case None:
            return ""
        case str():
            return value
        case float():
            return _special(value) or f"{value:f}"
        case _:
            return written(value, _PUPPET)


def _special(value: float) -> str:
    text = ruby_float(value)
    return text.replace("Infinity", "Inf") if text[-1] in "yN" else ""


def _quoted(text: str) -> str:
    if any(sign < " " for sign in text):
        return '"' + "".join(_DOUBLE.get(sign) or (sign if sign >= " " else f"\\u{{{ord(sign):X}}}") for sign in text) + '"'
    return "'" + _single(text) + "'"


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


_PUPPET = Notation(undef="undef", arrow=" => ", quoted=_quoted)
