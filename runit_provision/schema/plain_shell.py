"""Lines of shell that are right beyond doubt, so that no shell has to be started to read them; POSIX, Shell Command Language."""

from __future__ import annotations

import re

_VARIABLE = r"\$(?:[A-Za-z_]\w*|\{[A-Za-z_]\w*\})"
_CLOSED = re.compile(rf"""'[^'\n]*'|"(?:[^"\\`$\n]|{_VARIABLE})*"|{_VARIABLE}""", re.ASCII)
"""What is closed on its line, and so part of a word, whatever is in it."""
_RESERVED = "if|then|else|elif|fi|do|done|case|esac|while|until|for|in|function|select|time|coproc"
_WORD = r"(?:[\[\]]|[\w@%+:,./=*?~^-]++)"
_COMMAND = rf"(?!(?:{_RESERVED})(?![^\s;|&])){_WORD}(?:[ \t]++(?:[0-9]?(?:>>?|<)(?:&[0-9]|{_WORD})|{_WORD}))*+[ \t]*+"
_PLAIN = re.compile(rf"[ \t]*+(?:{_COMMAND}(?:(?:&&|\|\||[|;])[ \t]*+(?=[^\s#])|(?=#|$)))*+(?:(?<!\S)#.*)?", re.ASCII)


def is_plain(text: str) -> bool:
    """Whether `text` is nothing but simple commands, each whole on its line; of what it says no to, a shell may know better."""
    return all(_PLAIN.fullmatch(line) for line in _CLOSED.sub("q", text).split("\n"))
