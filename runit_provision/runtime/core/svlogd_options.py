"""svlogd's options; svlogd(8) "OPTIONS"."""

from __future__ import annotations

from .. import NAME_AND_VERSION
from .options import OptionError, leading_number
from .options import Options as Words
from .svlogd_lines import LIMIT, replacement

USAGE = b" [-ttv] [-r c] [-R abc] [-l len] [-b buflen] dir ...\n\n"
BUFFER = 1024
"""Bytes; -b must be greater than -l."""


class UsageError(Exception):
    """The options make no sense; `text` is what is printed before the usage."""

    def __init__(self, text: bytes = b"") -> None:
        super().__init__(text)
        self.text = text


class Options:
    """stamp: how many -t; table: for bytes.translate, or nothing; limit: -l, bytes; buffer: -b, bytes; verbose: -v."""

    __slots__ = ("buffer", "limit", "stamp", "table", "verbose")

    def __init__(self, *, stamp: int = 0, table: bytes = b"", limit: int = LIMIT, buffer: int = BUFFER, verbose: bool = False) -> None:
        self.stamp = stamp
        self.table = table
        self.limit = limit
        self.buffer = buffer
        self.verbose = verbose


def parse(argv: list[bytes]) -> tuple[Options, list[bytes]]:
    """Give what the options in `argv` (its first word is the tool's name) say, and the other words. Raises UsageError."""
    words = Words(argv, b"R:r:l:b:tvV")
    options = Options()
    character = charset = b""
    try:
        for letter, value in words:
            match letter:
                case b"R":
                    charset = value
                    character = character or b"_"
                case b"r":
                    if len(value) != 1:
                        raise UsageError
                    character = value
                case b"l":
                    options.limit = leading_number(value)[0] or LIMIT
                case b"b":
                    options.buffer = leading_number(value)[0] or BUFFER
                case b"t":
                    options.stamp = min(options.stamp + 1, 3)
                case b"v":
                    options.verbose = True
                case b"V":
                    raise UsageError(b"svlogd: " + NAME_AND_VERSION)
    except OptionError as error:
        raise UsageError(argv[0].rpartition(b"/")[2] + b": " + error.text + b"\n") from None
    if options.buffer <= options.limit:
        raise UsageError
    if character:
        options.table = replacement(character, charset)
    return options, words.rest
