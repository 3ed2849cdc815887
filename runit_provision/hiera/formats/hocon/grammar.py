"""What is no HOCON though `hocon-parser` reads it: a separator within a value, something behind `a {...}` or behind the whole."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

from hocon import ParseError
from hocon._internal.lexer.token import Token

_SEPARATORS = ("colon", "equals", "plus_equals")


class _At(Enum):
    """Where in a hash (or the list) that is open the next token stands."""

    START = auto()
    """At the start of the file, which a brace may hold as a whole."""
    KEY = auto()
    SEPARATED = auto()
    """Behind `=`: the value may begin in a later line."""
    VALUE = auto()
    BRACED = auto()
    """Behind `a {...}`, which nothing joins with."""
    LIST = auto()
    END = auto()
    """Behind the brace that closes the whole file."""


def refuse_what_is_no_hocon(tokens: Iterable[Token]) -> None:
    """Raise ParseError at the first token that may not stand where it does; brackets that do not fit are left to the parser."""
    stack = [_At.START]
    for token in tokens:
        at = stack[-1]
        if token.kind == "eof" or (token.kind == "newline" and at in (_At.START, _At.SEPARATED, _At.LIST, _At.END)):
            continue
        if at is _At.END:
            raise ParseError("something follows the closing brace of the whole", token.line, token.col)
        match token.kind:
            case "newline" | "comma":
                stack[-1] = at if at is _At.LIST else _At.KEY
            case "rbrace" | "rbracket":
                stack = stack[:-1] or [_At.START]
            case kind if kind in _SEPARATORS:
                if at is not _At.KEY:
                    raise ParseError(f"`{token.value}` within a value that is not quoted", token.line, token.col)
                stack[-1] = _At.SEPARATED
            case kind:
                if at is _At.BRACED:
                    raise ParseError("something follows a hash that has no `=` before it", token.line, token.col)
                stack[-1] = _after(at, kind)
                if kind in ("lbrace", "lbracket"):
                    stack.append(_At.KEY if kind == "lbrace" else _At.LIST)


def _after(at: _At, kind: str) -> _At:
    """Give where the next token stands behind a word, or behind what a bracket that opens here will hold."""
    match at:
        case _At.START:
            return _At.END if kind == "lbrace" else _At.KEY
        case _At.KEY if kind == "lbrace":
            return _At.BRACED
        case _At.SEPARATED:
            return _At.VALUE
        case _:
            return at
