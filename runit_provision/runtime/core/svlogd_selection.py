"""What becomes of a log's lines: selected, deselected, alerted, stamped, prefixed; svlogd(8) "CONFIG".

The instructions + - e E of a config become two regular expressions, one for what is written and one for what goes to stderr,
each of which answers for all instructions at once: the last one that matches stands outermost. Runs of lines that are kept
are taken from a batch at a stroke.
"""

from __future__ import annotations

from ..wire import patterns
from ..wire.svlogd_config import ALERT, DESELECT, NO_ALERT, SELECT
from .svlogd_lines import HEAD, REST, WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..wire.svlogd_config import Config, Instruction
    from .svlogd_lines import Batch

CUT = b"..."
"""Behind a line, on stderr and by UDP, that was cut to the limit."""


DENSE = 8
"""Lines for each that has a needle, from which on the lines are asked one by one."""


class Selection:
    """A log's `config`, made ready for bulk. `selected` is kept from a long line's head to its rest."""

    __slots__ = ("_alerted", "_kept", "_long_is_selected", "_prefix")

    def __init__(self, config: Config) -> None:
        self._prefix = config.prefix
        self._kept = _Sieve(config.instructions, yes=SELECT, no=DESELECT, initially=True)
        self._alerted = _Sieve(config.instructions, yes=ALERT, no=NO_ALERT, initially=False)
        self._long_is_selected = False

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
            return batch.stamp + self._prefix + batch.data if self._long_is_selected else b""
        return batch.data if self._long_is_selected else b""

    def alerts(self, batch: Batch) -> bytes:
        """Give what of `batch` goes to stderr."""
        if batch.kind == WHOLE:
            return self._marked(self._alerted.lines(batch.data), batch.stamp)
        if batch.kind == HEAD and self._alerted.has(batch.data):
            return batch.stamp + self._prefix + batch.data + CUT + b"\n"
        return b""

    def messages(self, batch: Batch) -> list[tuple[bytes, bytes]]:
        """Give, line by line, what is sent by UDP, and what is written to `current` when it is written as well."""
        before = batch.stamp + self._prefix
        if batch.kind == REST:
            return [(b"", batch.data)] if self._long_is_selected else []
        if batch.kind == HEAD:
            self._long_is_selected = self._kept.has(batch.data)
            line = before + batch.data
            return [(line + CUT + b"\n", line)] if self._long_is_selected else []
        lines = self._kept.lines(batch.data).split(b"\n")
        return [(before + line + b"\n", before + line + b"\n") for line in lines[:-1]]

    def _marked(self, data: bytes, stamp: bytes) -> bytes:
        before = stamp + self._prefix
        if not before or not data:
            return data
        # Each newline but the last gets what stands before the next line.
        return before + data.replace(b"\n", b"\n" + before, data.count(b"\n") - 1)


class _Sieve:
    """Which lines the instructions `yes` and `no` leave over, when `initially` all or none are.

    A line that has no pattern's needle (the text without which the pattern cannot match) is decided by those that are `*` alone. So a
    batch without any needle is decided at once, and one with few of them only where they are.
    """

    __slots__ = ("_all", "_needles", "_runs", "_whole_line")

    def __init__(self, instructions: Iterable[Instruction], *, yes: int, no: int, initially: bool) -> None:
        own = [instruction for instruction in instructions if instruction.action in (yes, no)]
        decision = _decision(own, yes=yes, no=no, initially=initially)
        self._all = _decision([each for each in own if each.pattern == b"*"], yes=yes, no=no, initially=initially) == b""
        self._needles = [patterns.needle(each.pattern) for each in own if each.pattern != b"*"]
        self._runs = self._whole_line = None
        if decision:
            import re

            # The groups are greedy, not possessive: Python before 3.11.5 gives back a byte of what a possessive group took.
            self._runs = re.compile(rb"(?:(?!%b).*+\n)*((?:%b.*+\n)*)" % (decision, decision))
            self._whole_line = re.compile(decision)

    @property
    def lets_through(self) -> bool:
        return self._all or self._runs is not None

    def lines(self, data: bytes) -> bytes:
        """Give the lines of `data` that are left over."""
        if self._runs is None:
            return data if self._all else b""
        if all(self._needles):
            hits = sum(map(data.count, self._needles))
            if not hits:
                return data if self._all else b""
            if hits * DENSE < data.count(b"\n"):
                return b"".join(self._sparse(data))
        return b"".join(self._runs.findall(data))

    def has(self, head: bytes) -> bool:
        """Tell whether a long line with this head is left over."""
        if self._whole_line is not None:
            return self._whole_line.match(head + b"\n") is not None
        return self._all

    def _sparse(self, data: bytes) -> list[bytes]:
        """Ask only the lines that have a needle."""
        assert self._whole_line is not None
        starts = set()
        for needle in self._needles:
            at = data.find(needle)
            while at >= 0:
                starts.add(data.rfind(b"\n", 0, at) + 1)
                at = data.find(needle, data.index(b"\n", at))
        parts = []
        done = 0
        for start in sorted(starts):
            if (self._whole_line.match(data, start) is not None) is self._all:
                continue
            end = data.index(b"\n", start) + 1
            parts.append(data[done:start] if self._all else data[start:end])
            done = end
        if self._all:
            parts.append(data[done:])
        return parts


def _decision(instructions: Iterable[Instruction], *, yes: int, no: int, initially: bool) -> bytes | None:
    """Give the expression of the lines that are decided `yes`: nothing for every line, None for no line."""
    decision = b"" if initially else None
    for instruction in instructions:
        if instruction.action not in (yes, no):
            continue
        if instruction.pattern == b"*":
            decision = b"" if instruction.action == yes else None
            continue
        expression = patterns.expression(instruction.pattern)
        if instruction.action == yes:
            decision = b"(?:%b)" % expression if decision is None else b"(?:%b|%b)" % (expression, decision) if decision else b""
        elif decision is not None:
            decision = b"(?:(?!%b)%b)" % (expression, decision)
    return decision
