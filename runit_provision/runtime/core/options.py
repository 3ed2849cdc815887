"""Options as runit's tools read them: single letters, `-w7` or `-w 7`, `-vw7`, up to the first other word or `--`.

Like POSIX getopt(3), and letter by letter: what stands before a mistake has been seen when the mistake is told.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class OptionError(Exception):
    """An option that is unknown or lacks its argument; `letter` is its byte, `text` what the tool says after its name."""

    def __init__(self, letter: bytes, text: bytes) -> None:
        super().__init__(text)
        self.letter = letter
        self.text = text


class Options:
    """The options of `argv` (its first item is the tool's name), in order; afterwards `rest` holds the other words.

    letters: as for getopt(3), a colon after a letter that takes an argument.
    """

    __slots__ = ("_argv", "_flags", "_valued", "rest")

    def __init__(self, argv: list[bytes], letters: bytes) -> None:
        self._argv = argv
        self._valued = bytes(letters[i] for i in range(len(letters) - 1) if letters[i + 1] == ord(":"))
        self._flags = letters.replace(b":", b"")
        self.rest: list[bytes] = []

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Give each option's letter and its argument, or nothing; raises OptionError."""
        argv = self._argv
        index = 1
        while index < len(argv) and argv[index][:1] == b"-" and argv[index] != b"-":
            word = argv[index]
            index += 1
            if word[1:2] == b"-":
                break
            at = 1
            while at < len(word):
                letter = word[at : at + 1]
                at += 1
                if letter not in self._flags:
                    raise OptionError(letter, b"illegal option -- " + letter)
                if letter not in self._valued:
                    yield letter, b""
                    continue
                value = word[at:]
                if not value:
                    if index == len(argv):
                        raise OptionError(letter, b"option requires an argument -- " + letter)
                    value = argv[index]
                    index += 1
                yield letter, value
                break
        self.rest = argv[index:]


def leading_number(text: bytes) -> tuple[int, bytes]:
    """Give the decimal number that `text` starts with (0 when it starts with none), modulo 2**64, and what follows it."""
    rest = text.lstrip(b"0123456789")
    digits = text[: len(text) - len(rest)]
    return int(digits or b"0") % 2**64, rest
