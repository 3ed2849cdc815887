"""A log of numbered lines that is checked, and taken away, while it is written: else it would fill the disk."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from pathlib import Path

STAMP = rb"\d{4}-\d\d-\d\d_\d\d:\d\d:\d\d\.\d{5} "
"""What -tt puts before a line."""


class CheckedLog:
    """What the log directory `main` holds of the lines that its writer sends.

    line: what the writer sends as its line number N, from 0; before: what each has before it, for a regular expression. kept: files
    that stay, the newest; who goes on after a kill looks whether a file that was being renamed is there.
    """

    def __init__(self, main: Path, line: Callable[[int], bytes], *, before: bytes = b"", kept: int = 3) -> None:
        self.main = main
        self.lines = 0
        """How many were checked."""
        self.files = 0
        """How many full ones were checked."""
        self._line = line
        self._before = re.compile(before)
        self._kept = kept
        self._begun = b""

    def take_old(self) -> None:
        """Check the oldest files, and remove them. While somebody writes, `kept` is to be more than he can rename meanwhile."""
        old = sorted(self.main.glob("@*"))
        unfinished = {path.stem for path in old if path.suffix != ".s"}
        whole = list(itertools.takewhile(lambda path: path.stem not in unfinished, old))
        for path in whole[: -self._kept]:
            self.check(path.read_bytes())
            path.unlink()
            self.files += 1

    def check(self, text: bytes) -> None:
        """Check what the log holds next; a line that has begun goes on with what comes then."""
        whole, newline, self._begun = (self._begun + text).rpartition(b"\n")
        lines = [self._bare(line) for line in whole.split(b"\n")] if newline else []
        expected = [self._line(number) for number in range(self.lines, self.lines + len(lines))]
        assert lines == expected, f"{self.main}: after {self.lines} lines, {_first_difference(lines, expected)}"
        self.lines += len(lines)

    def _bare(self, line: bytes) -> bytes:
        found = self._before.match(line)
        return line[found.end() :] if found else b"without what is before each: " + line

    def ends_with(self, number: int) -> bool:
        """Whether line `number` is the last one there is; of a log that nobody writes to any more."""
        # The last file is empty where it has begun just now.
        last = b"".join(self._left()[-2:])
        return last.endswith(b"\n") and self._bare(last[:-1].rpartition(b"\n")[2]) == self._line(number)

    def take_all(self) -> None:
        """Check all that is left, when nobody writes any more."""
        left = self._left()
        for text in left:
            self.check(text)
        self.files += len(left) - 1
        assert self._begun == b"", f"{self.main}: ends within a line: {self._begun!r}"

    def _left(self) -> list[bytes]:
        """Give what each file holds, the oldest first; what is being renamed is asked for again."""
        while True:
            try:
                return [path.read_bytes() for path in [*sorted(self.main.glob("@*")), self.main / "current"]]
            except FileNotFoundError:
                continue


def _first_difference(lines: list[bytes], expected: list[bytes]) -> str:
    for number, (line, other) in enumerate(zip(lines, expected, strict=False)):
        if line != other:
            return f"line {number}: {line!r}, not {other!r}"
    return f"{len(lines)} lines, not {len(expected)}"
