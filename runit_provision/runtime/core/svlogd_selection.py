"""What becomes of a log's lines: selected, deselected, alerted, stamped, prefixed; svlogd(8) "CONFIG".

The instructions + - e E of a config become two regular expressions, one for what is written and one for what goes to stderr,
each of which answers for all instructions at once: the last one that matches stands outermost. Runs of lines that are kept
are taken from a batch at a stroke. Where there are more than can stand within each other, a line is asked for one after the other.
"""

from __future__ import annotations

from ..wire import patterns
from ..wire.svlogd_config import ALERT, DESELECT, NO_ALERT, SELECT
from .svlogd_lines import HEAD, REST, WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Protocol

    from ..wire.svlogd_config import Config, Instruction
    from .svlogd_lines import Batch

    class Lines(Protocol):
        """What is asked of lines, as a compiled expression is."""

        def match(self, data: bytes, at: int = 0, /) -> object | None:
            """Answer for the line that begins at `at`: None for no."""

        def findall(self, data: bytes, /) -> list[bytes]:
            """Give all lines that it says yes to."""

    Ask = Callable[[bytes, int], object | None]
    """The same of one pattern."""

CUT = b"..."
"""Behind a line, on stderr and by UDP, that was cut to the limit."""


NESTED_MAX = 100
"""Instructions, and plusses of a pattern, that may stand within each other in an expression: `re` recurses, to a depth of some 480."""
QUESTIONS_MAX = 64
"""Compiled sets of instructions that are kept for the next batch."""
DENSE = 8
"""Lines for each that has a needle, from which on the lines are asked one by one."""
SAMPLE = 4096
"""Bytes that tell how dense needles are in all: to count takes as long as to ask."""


class Selection:
    """A log's `config`, made ready for bulk. `selected` is kept from a long line's head to its rest.

    alters_nothing: whether each line is written as it came, if it has no stamp, and nothing goes to stderr; keeps_all: whether
    each line is written, to `current` alone; prefix: what stands before it, behind its stamp.
    """

    __slots__ = ("_alerted", "_kept", "_long_is_selected", "alters_nothing", "keeps_all", "prefix")

    def __init__(self, config: Config) -> None:
        self.prefix = config.prefix
        self.keeps_all = not (config.instructions or config.udp_only) and config.udp is None
        self._kept = _Sieve(config.instructions, yes=SELECT, no=DESELECT, initially=True) if config.instructions else _ALL
        self._alerted = _Sieve(config.instructions, yes=ALERT, no=NO_ALERT, initially=False) if config.instructions else _NONE
        self._long_is_selected = False
        self.alters_nothing = not (config.instructions or config.prefix)

    def resume(self, *, long_is_selected: bool) -> None:
        """Go on in the middle of a long line whose head was, or was not, selected."""
        self._long_is_selected = long_is_selected

    @property
    def long_is_selected(self) -> bool:
        """Whether the head of the last long line was selected."""
        return self._long_is_selected

    @property
    def has_alerts(self) -> bool:
        """Whether any line could go to stderr."""
        return self._alerted.lets_through

    def written(self, batch: Batch) -> bytes:
        """Give what of `batch` is written to `current`."""
        if batch.kind == WHOLE:
            return self._marked(self._kept.lines(batch.data), batch.stamp)
        if batch.kind == HEAD:
            self._long_is_selected = self._kept.has(batch.data)
            return batch.stamp + self.prefix + batch.data if self._long_is_selected else b""
        return batch.data if self._long_is_selected else b""

    def alerts(self, batch: Batch) -> bytes:
        """Give what of `batch` goes to stderr."""
        if batch.kind == WHOLE:
            return self._marked(self._alerted.lines(batch.data), batch.stamp)
        if batch.kind == HEAD and self._alerted.has(batch.data):
            return batch.stamp + self.prefix + batch.data + CUT + b"\n"
        return b""

    def messages(self, batch: Batch) -> list[tuple[bytes, bytes]]:
        """Give, line by line, what is sent by UDP, and what is written to `current` when it is written as well."""
        before = batch.stamp + self.prefix
        if batch.kind == REST:
            return [(b"", batch.data)] if self._long_is_selected else []
        if batch.kind == HEAD:
            self._long_is_selected = self._kept.has(batch.data)
            line = before + batch.data
            return [(line + CUT + b"\n", line)] if self._long_is_selected else []
        lines = self._kept.lines(batch.data).split(b"\n")
        return [(before + line + b"\n", before + line + b"\n") for line in lines[:-1]]

    def _marked(self, data: bytes, stamp: bytes) -> bytes:
        before = stamp + self.prefix
        if not before or not data:
            return data
        # Each newline but the last gets what stands before the next line. To replace all, and cut the last off, takes a sixth of
        # the time of counting how many to replace: count looks at every byte by itself.
        return b"".join((before, memoryview(data.replace(b"\n", b"\n" + before))[: -len(before)]))


class _Sieve:
    """Which lines the instructions `yes` and `no` leave over, when `initially` all or none are.

    A pattern whose needle (the text without which it cannot match) is not in a batch is left out of the question; and when
    few lines have any needle, only those are asked.
    """

    __slots__ = ("_all", "_asks", "_instructions", "_needles", "_no", "_questions", "_yes", "lets_through")

    def __init__(self, instructions: Iterable[Instruction], *, yes: int, no: int, initially: bool) -> None:
        own = [instruction for instruction in instructions if instruction.action in (yes, no)]
        # A `*` decides every line: what stands before it has no say.
        last = max((number for number, each in enumerate(own) if each.pattern == b"*"), default=-1)
        self._all = own[last].action == yes if last >= 0 else initially
        self._instructions = own[last + 1 :]
        self._needles = [patterns.needle(each.pattern) for each in self._instructions]
        self._yes, self._no = yes, no
        self._questions: dict[tuple[bool, ...], _Question] = {}
        self._asks: dict[bytes, Ask] = {}
        self.lets_through = self._all or any(each.action == yes for each in self._instructions)

    def lines(self, data: bytes) -> bytes:
        """Give the lines of `data` that are left over."""
        if not self._instructions:
            return data if self._all else b""
        asked = tuple([needle in data for needle in self._needles])
        question = self._question(asked)
        if question.runs is None:
            return data if question.all else b""
        needles = [needle for needle, is_there in zip(self._needles, asked, strict=True) if is_there]
        if all(needles) and _are_rare(needles, data[:SAMPLE]):
            return b"".join(self._sparse(data, needles, question))
        return b"".join(question.runs.findall(data))

    def has(self, head: bytes) -> bool:
        """Tell whether a long line with this head is left over."""
        question = self._question((True,) * len(self._instructions))
        return question.all if question.kept is None else question.kept.match(head + b"\n") is not None

    def _question(self, asked: tuple[bool, ...]) -> _Question:
        """Give what is asked when only these instructions can match anything."""
        if asked not in self._questions:
            if len(self._questions) >= QUESTIONS_MAX:
                self._questions.clear()
            instructions = [each for each, is_asked in zip(self._instructions, asked, strict=True) if is_asked]
            self._questions[asked] = _Question(instructions, self._asks, yes=self._yes, no=self._no, initially=self._all)
        return self._questions[asked]

    def _sparse(self, data: bytes, needles: list[bytes], question: _Question) -> list[bytes]:
        """Ask only the lines that have a needle."""
        assert question.kept is not None
        starts = set()
        for needle in needles:
            at = data.find(needle)
            while at >= 0:
                starts.add(data.rfind(b"\n", 0, at) + 1)
                at = data.find(needle, data.index(b"\n", at))
        parts = []
        done = 0
        for start in sorted(starts):
            if (question.kept.match(data, start) is not None) is self._all:
                continue
            end = data.index(b"\n", start) + 1
            parts.append(data[done:start] if self._all else data[start:end])
            done = end
        if self._all:
            parts.append(data[done:])
        return parts


_ALL = _Sieve((), yes=SELECT, no=DESELECT, initially=True)
_NONE = _Sieve((), yes=ALERT, no=NO_ALERT, initially=False)
"""Of every log without instructions: a pool has thousands."""


def _are_rare(needles: list[bytes], sample: bytes) -> bool:
    return sum(map(sample.count, needles)) * DENSE <= sample.count(b"\n")


class _Question:
    """Some instructions as regular expressions. all: what becomes of every line when `runs` and `kept` are None.

    asks: those of single patterns, made when they are needed and kept for other questions.
    """

    __slots__ = ("all", "kept", "runs")

    def __init__(self, instructions: list[Instruction], asks: dict[bytes, Ask], *, yes: int, no: int, initially: bool) -> None:
        self.all = initially
        self.runs: Lines | None = None
        self.kept: Lines | None = None
        if all(each.action == (yes if initially else no) for each in instructions):
            return
        if len(instructions) + max(each.pattern.count(b"+") for each in instructions) > NESTED_MAX:
            self.runs = self.kept = _OneByOne(instructions, asks, yes=yes, initially=initially)
            return
        import re

        keep = _decision(instructions, yes=yes, initially=initially)
        drop = _decision(instructions, yes=no, initially=not initially)
        assert keep and drop
        # The groups are greedy, not possessive: Python before 3.11.5 gives back a byte of what a possessive group took.
        self.runs = re.compile(rb"(?:%b.*+\n)*((?:%b.*+\n)*)" % (drop, keep))
        self.kept = re.compile(keep)


class _OneByOne:
    """Lines: any number of instructions, of which the last one that matches is looked for.

    One expression for all of them takes as long for patterns that begin with a star, and would be made anew for each choice of needles.
    """

    __slots__ = ("_asks", "_initially")

    def __init__(self, instructions: list[Instruction], asks: dict[bytes, Ask], *, yes: int, initially: bool) -> None:
        self._initially = initially
        self._asks: list[tuple[Ask, bool]] = []
        for each in reversed(instructions):
            ask = asks.get(each.pattern)
            if ask is None:
                ask = asks[each.pattern] = _ask(each.pattern)
            self._asks.append((ask, each.action == yes))

    def match(self, data: bytes, at: int = 0) -> bool | None:
        for ask, keeps in self._asks:
            if ask(data, at) is not None:
                return keeps or None
        return self._initially or None

    def findall(self, data: bytes) -> list[bytes]:
        kept = []
        at = 0
        while at < len(data):
            end = data.index(b"\n", at) + 1
            if self.match(data, at):
                kept.append(data[at:end])
            at = end
        return kept


def _ask(pattern: bytes) -> Ask:
    if pattern.count(b"+") > NESTED_MAX:
        return lambda data, at: patterns.match(pattern, data[at : data.index(b"\n", at)]) or None
    import re

    return re.compile(patterns.expression(pattern)).match


def _decision(instructions: Iterable[Instruction], *, yes: int, initially: bool) -> bytes | None:
    """Give the expression of the lines that are decided `yes`: nothing for every line, None for no line."""
    decision = b"" if initially else None
    for instruction in instructions:
        expression = patterns.expression(instruction.pattern)
        if instruction.action == yes:
            decision = b"(?:%b)" % expression if decision is None else b"(?:%b|%b)" % (expression, decision) if decision else b""
        elif decision is not None:
            decision = b"(?:(?!%b)%b)" % (expression, decision)
    return decision
