"""Lines of shell that are right beyond doubt, so that no shell has to be started to read them; POSIX, Shell Command Language."""

from __future__ import annotations

import re

_RESERVED = "if|then|else|elif|fi|do|done|case|esac|while|until|for|in|function|select|time|coproc"
_NAME = "[A-Za-z_][A-Za-z0-9_]*"
_VARIABLE = rf"\$(?:{_NAME}|\{{{_NAME}\}})"
_QUOTED = rf"""'[^'\n]*' | "(?:[^"\\`$\n] | {_VARIABLE})*" """
_WORD = rf"(?:[\[\]] | (?:[A-Za-z0-9@%+:,./_=*?~^-] | {_QUOTED} | {_VARIABLE})++)"
_REDIRECTION = rf"[0-9]?(?:>>?|<)(?:&[0-9]|{_WORD})"
_COMMAND = rf"(?!(?:{_RESERVED})(?![^\s;|&])){_WORD}(?:[ \t]++(?:{_REDIRECTION}|{_WORD}))*+"
_LINE = rf"[ \t]*+(?:{_COMMAND}(?:[ \t]*+(?:&&|\|\||[|;])[ \t]*+{_COMMAND})*+[ \t]*+)?(?:(?<![^\s])\#[^\n]*+)?"
_PLAIN = re.compile(rf"{_LINE}(?:\n{_LINE})*+", re.VERBOSE)


def is_plain(text: str) -> bool:
    """Whether `text` is nothing but simple commands, each whole on its line; of what it says no to, a shell may know better."""
    return _PLAIN.fullmatch(text) is not None
