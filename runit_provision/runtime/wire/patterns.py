"""svlogd's patterns; svlogd(8) "PATTERN MATCHING", and C's pmatch.c, whose habits go beyond the manual.

A pattern is laid on the whole line, from its first byte, and never goes back:

    *  before another byte   skips to the next such byte, which the pattern then goes on with; so the second
                             star of `**` is looked for as a byte and still is a star: `a**b` matches `axx*yyb`
    *  at the end            matches whatever is left
    +  and a byte            matches that byte once or more, as often as it is there; a line that ends meanwhile
                             matches, whatever is left of the pattern
    any other byte           matches itself

C reads one byte past a line that ends before a plus, and so answers by what an earlier line left there. Here such a
line does not match.
"""

from __future__ import annotations

_STAR = ord("*")
_PLUS = ord("+")
_NEWLINE = ord("\n")
_NOTHING = rb"(?!)"


def match(pattern: bytes, line: bytes) -> bool:
    """Tell whether `line`, without its newline and cut to svlogd's -l, matches `pattern`."""
    at = 0
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == _STAR:
            if position == len(pattern):
                return True
            at = line.find(pattern[position], at)
            if at < 0:
                return False
        elif byte == _PLUS:
            repeated = pattern[position : position + 1]
            position += 1
            rest = line[at:].lstrip(repeated) if repeated else line[at:]
            if len(rest) == len(line) - at:  # also where nothing follows the plus
                return False
            if not rest:
                return True
            at = len(line) - len(rest)
        else:
            if line[at : at + 1] != pattern[position - 1 : position]:
                return False
            at += 1
    return at == len(line)


def ends_in_plus(pattern: bytes) -> bool:
    """Tell whether the last byte of `pattern` is a plus with nothing to repeat; such a pattern hardly matches anything."""
    return _NOTHING in expression(pattern)


def needle(pattern: bytes) -> bytes:
    """Give the longest text that every line has that matches `pattern`; nothing when there is no such text.

    What follows a plus and its byte is not needed, since the line may end with that byte.
    """
    texts = [b""]
    position = 0
    while position < len(pattern):
        byte = pattern[position : position + 1]
        if byte == b"+":
            texts[-1] += pattern[position + 1 : position + 2]
            break
        if byte == b"*":
            texts.append(b"")
            # The byte behind it is looked for as it stands, and is read again as what it means.
            if pattern[position + 1 : position + 2] in (b"*", b"+"):
                texts.append(pattern[position + 1 : position + 2])
                texts.append(b"")
        else:
            texts[-1] += byte
        position += 1
    return max(texts, key=len)


def expression(pattern: bytes) -> bytes:
    r"""Give the same question as a regular expression (for `re`), to be asked at the first byte of a line that ends in \n.

    It takes any part of the line, never the newline, and does not go back either: every repetition is possessive.
    """
    parts: list[bytes] = []
    open_groups = 0
    position = 0
    while position < len(pattern):
        byte = pattern[position]
        position += 1
        if byte == _STAR:
            if position == len(pattern):
                return b"".join(parts) + b")" * open_groups
            following = pattern[position]
            parts.append(_others(following) + b"*+")
            if following in (_STAR, _PLUS):
                parts.append(rb"(?=\x%02x)" % following)
        elif byte == _PLUS:
            if position == len(pattern):
                parts.append(_NOTHING)
                break
            parts.append(rb"\x%02x++(?:(?=\n)|" % pattern[position])
            open_groups += 1
            position += 1
        else:
            parts.append(rb"\x%02x" % byte)
    return b"".join(parts) + rb"(?=\n)" + b")" * open_groups


def _others(byte: int) -> bytes:
    """Give the expression of any byte but a newline and this one.

    As ranges, for which `re` looks a byte up in a table; with what a set leaves out it compares each: twice the time of a whole match.
    """
    first, second = sorted((_NEWLINE, byte))
    ranges = [(0, first - 1), (first + 1, second - 1), (second + 1, 255)]
    return b"[%b]" % b"".join([rb"\x%02x-\x%02x" % each for each in ranges if each[0] <= each[1]])
