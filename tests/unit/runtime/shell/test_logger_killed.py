"""A log of the pool goes on from wherever its pool was killed: not only between system calls, but after each line of its code.

What a killed pool leaves is its journal, the log's directory, and what the FIFO holds. All three are looked at after each line that is
executed, and from each state that differs from those before another logger goes on. From some that is looked at in the same way, for
two deaths in a row. KILLED_SEED repeats what is drawn.
"""

from __future__ import annotations

import os
import random
import select
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest
from support.checked_log import STAMP, CheckedLog
from support.draws import draws, seed

from runit_provision.runtime.core import svlogd_options
from runit_provision.runtime.shell import logs, pool
from runit_provision.runtime.shell.logs.place import Place
from runit_provision.runtime.shell.logs.steps import Wait
from runit_provision.runtime.shell.pool.extents import Slot
from runit_provision.runtime.shell.pool.journal import Journal
from runit_provision.runtime.shell.pool.logger import Logger, waiting

if TYPE_CHECKING:
    from runit_provision.runtime.shell.logs.steps import Steps

ALL = os.environ.get("HARNESS") == "all"
TWICE, SECOND = (30, 60) if ALL else (2, 8)
"""From how many states there is a second death, and states of each of these lives that are taken up."""
LOOKED_AT = tuple(str(Path(package.__file__).parent) for package in (logs, pool) if package.__file__)
LINES = 500 if ALL else 90
"""All pieces together are shorter."""
PIECES = (1, 7, 60, 300, 900, 3000, *([20000] if ALL else []))
"""Bytes that are written at once, each as often, in any order; half of the time so many more that they are whole lines."""
_JOURNAL = 900_000
"""Bytes of the journal that one log needs at most."""


def line(number: int) -> bytes:
    """Most are short; some are longer than a line may be, and go in parts."""
    return b"%d %s" % (number, b"x" * (number * 7919 % (3000 if number % 41 == 7 else 60)))


TEXT = b"".join(line(number) + b"\n" for number in range(LINES))


class State:
    """What a killed pool leaves: its journal, of how many bytes, the files by name with mode and content, and how much was read."""

    def __init__(self, journal: bytes, length: int, files: dict[str, tuple[int, bytes]], read: int) -> None:
        self.key = hash((journal, tuple(files.items()), read))
        self.journal = zlib.compress(journal, 1)
        self.length = length
        self.files = files
        self.read = read


class Folder:
    """A log directory, and the FIFO to it."""

    def __init__(self, folder: Path, options: str, config: str) -> None:
        self.folder = folder
        self.main = folder / "main"
        self.main.mkdir()
        (self.main / "config").write_text(config)
        os.mkfifo(folder / "pipe")
        self.pipe = os.open(folder / "pipe", os.O_RDWR | os.O_NONBLOCK)
        self.options, _ = svlogd_options.parse([b"svlogd", *options.encode().split()])
        self.sent = 0
        self.said: list[bytes] = []

    def files(self) -> dict[str, tuple[int, bytes]]:
        while True:
            try:
                found = [path for path in sorted(self.main.iterdir()) if path.name not in {"config", "lock"}]
                return {path.name: (path.stat().st_mode & 0o777, path.read_bytes()) for path in found}
            except FileNotFoundError:
                continue  # it was made safe, and renamed, just now

    def put_back(self, state: State) -> None:
        """Let all be as it was."""
        for path in self.main.iterdir():
            if path.name != "config":
                path.unlink()
        for name, (mode, content) in state.files.items():
            (self.main / name).write_bytes(content)
            (self.main / name).chmod(mode)
        while waiting(self.pipe):
            os.read(self.pipe, 1 << 20)
        self.sent = state.read
        (self.folder / "journal").unlink()  # the memory of the one before is another file's
        (self.folder / "journal").write_bytes(zlib.decompress(state.journal))
        os.truncate(self.folder / "journal", state.length)


class Life:
    """A logger from its beginning to the end of all that is written; look: called with each state on the way that is new."""

    def __init__(self, place: Folder, look: Callable[[State], None] | None, random_: random.Random) -> None:
        self._place = place
        self._look = look
        self._random = random_
        self._pieces: list[int] = []
        self._now, self._before = bytearray(_JOURNAL), bytearray(_JOURNAL)
        self._last: tuple[int, dict[str, tuple[int, bytes]], int] | None = None
        self._journal = os.open(place.folder / "journal", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)

    def live(self) -> None:
        sys.settrace(self._trace if self._look is not None else None)
        try:
            logger = self._begin()
            self._go_on(logger)
        finally:
            sys.settrace(None)
        drive(logger.leave())
        os.close(logger.fifo)
        os.close(self._journal)

    def _begin(self) -> Logger:
        place = self._place
        journal = Journal(self._journal, place.said.append)
        journal.tidy()
        logger = Logger(Place(os.fsencode(place.main)), place.options, os.dup(place.pipe), journal=journal, say=place.said.append)
        status = place.main.stat()
        assert drive(logger.open((status.st_dev, status.st_ino), owner=1))
        return logger

    def _go_on(self, logger: Logger) -> None:
        place, spare = self._place, list[Slot]()
        while place.sent < len(TEXT) or waiting(place.pipe):
            if not waiting(place.pipe):
                place.sent += os.write(place.pipe, self._piece(place.sent))
            length = waiting(place.pipe)
            if length >= logger.few or not spare:
                drive(logger.take(length, spare))
            elif not logger.take_few(length, spare):
                drive(logger.complete(spare))

    def _piece(self, begin: int) -> bytes:
        if not self._pieces:
            self._pieces = self._random.sample(PIECES, len(PIECES))
        end = begin + self._pieces.pop()
        return TEXT[begin : self._random.choice((end, TEXT.find(b"\n", end) + 1 or end))]

    def _trace(self, frame: FrameType, event: str, _argument: object) -> Any:
        if not frame.f_code.co_filename.startswith(LOOKED_AT):
            return None
        if event in {"line", "return"}:
            self._look_now()
        return self._trace

    def _look_now(self) -> None:
        place = self._place
        os.preadv(self._journal, [self._now], 0)
        now = (os.fstat(self._journal).st_size, place.files(), place.sent - waiting(place.pipe))
        if now != self._last or self._now != self._before:
            self._last = now
            assert self._look is not None
            self._look(State(bytes(self._now), *now))
            self._now, self._before = self._before, self._now


def drive(steps: Steps[Any]) -> Any:
    """Go through steps as the pool does, waiting where it waits."""
    while True:
        try:
            step = next(steps)
        except StopIteration as end:
            return end.value
        assert isinstance(step, Wait), "nothing refuses anything here"
        poll = select.poll()
        poll.register(step.descriptor, select.POLLIN)
        poll.poll()


@draws
@pytest.mark.parametrize(
    ("options", "config", "before"),
    [
        ("-b 1024", "s100000\nn0\n", b""),
        ("-tt", "s3000\nn0\n", STAMP),
        ("-b 1024", "s3000\nn0\n", b""),
        ("-tt -b 1024", "s3000\nn0\np>\n", STAMP + b">"),
    ],
    ids=["plain", "stamped, rotated", "rotated", "stamped, with a prefix, rotated"],
)
def test_a_log_goes_on_from_after_each_line_of_code(tmp_path: Path, options: str, config: str, before: bytes) -> None:
    random_ = random.Random(seed("KILLED_SEED"))
    place = Folder(tmp_path, options, config)
    seen: set[int] = set()

    def live(*, looked_at: bool) -> list[State]:
        found: list[State] = []

        def look(state: State) -> None:
            if state.key not in seen:
                seen.add(state.key)
                found.append(state)

        Life(place, look if looked_at else None, random_).live()
        log = CheckedLog(place.main, line, before=before)
        log.take_all()
        assert log.lines == LINES, "every line is logged once, and whole"
        return found

    firsts = live(looked_at=True)
    twice = random_.sample(firsts, min(TWICE, len(firsts)))
    seconds = 0
    for state in firsts:
        place.put_back(state)
        after = live(looked_at=state in twice)
        for second in random_.sample(after, min(SECOND, len(after))):
            place.put_back(second)
            live(looked_at=False)
            seconds += 1
    print(f"went on from {len(firsts)} states, and from {seconds} that followed on these")
    assert len(firsts) > 50
    assert place.said == []
