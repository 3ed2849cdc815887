"""svlogd's line work: whatever the chunks, the lines come out the same."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runit_provision.runtime.core.svlogd_lines import HEAD, REST, WHOLE, Batch, Lines, replacement
from runit_provision.runtime.core.svlogd_selection import Selection
from runit_provision.runtime.wire import patterns
from runit_provision.runtime.wire.svlogd_config import ALERT, DESELECT, NO_ALERT, SELECT, Config, Instruction

TEXT = st.lists(st.sampled_from([b"a", b"b", b"+", b"*", b"\n", b"\n", b"\xff"]), max_size=80).map(b"".join)


def test_whole_lines_come_as_one_batch() -> None:
    assert Lines().feed(b"one\ntwo\nthr", b"T ") == [Batch(WHOLE, b"T ", b"one\ntwo\n")]


def test_a_line_is_stamped_with_the_time_of_its_first_byte() -> None:
    lines = Lines()
    assert lines.feed(b"be", b"1 ") == []
    assert lines.feed(b"gu", b"2 ") == []
    assert lines.feed(b"n\nnext\n", b"3 ") == [Batch(WHOLE, b"1 ", b"begun\n"), Batch(WHOLE, b"3 ", b"next\n")]


def test_a_long_line_has_a_head_and_a_rest() -> None:
    lines = Lines(limit=4)
    assert lines.feed(b"ab\nlong", b"1 ") == [Batch(WHOLE, b"1 ", b"ab\n"), Batch(HEAD, b"1 ", b"long")]
    assert lines.feed(b" line", b"2 ") == [Batch(REST, b"", b" line")]
    assert lines.inside_a_line
    assert lines.feed(b"!\nabc\n", b"3 ") == [Batch(REST, b"", b"!\n"), Batch(WHOLE, b"3 ", b"abc\n")]


def test_what_is_not_complete_is_dropped_at_the_end_unless_it_is_long() -> None:
    lines = Lines(limit=4)
    lines.feed(b"abc", b"")
    assert lines.end() == []
    lines.feed(b"abcd", b"")
    assert lines.end() == [Batch(REST, b"", b"\n")]


def test_replacement_ends_with_the_head() -> None:
    lines = Lines(limit=3, table=replacement(b"_", b"b"))
    assert lines.feed(b"a\x01\nabcb\x01\n", b"") == [Batch(WHOLE, b"", b"a_\n"), Batch(HEAD, b"", b"a_c"), Batch(REST, b"", b"b\x01\n")]


def test_where_nothing_is_replaced_a_line_may_be_longer_than_its_limit() -> None:
    lines = Lines(limit=3, table=replacement(b"_"))
    assert lines.feed(b"abcdef\nlong", b"", limits=False) == [Batch(WHOLE, b"", b"abcdef\n"), Batch(HEAD, b"", b"long")]
    assert lines.feed(b"\x01\n\x01\n", b"", limits=False) == [Batch(REST, b"", b"\x01\n"), Batch(WHOLE, b"", b"_\n")]


def by_hand(text: bytes, limit: int, table: bytes, config: Config) -> tuple[bytes, bytes]:
    """What svlogd writes, and tells stderr, of `text`: line by line, as its manual has it."""
    written, alerts = b"", b""
    for line in text.split(b"\n")[:-1]:
        head = line[:limit].translate(table) if table else line[:limit]
        selected, alerted = True, False
        for instruction in config.instructions:
            if patterns.match(instruction.pattern, head):
                if instruction.action in (SELECT, DESELECT):
                    selected = instruction.action == SELECT
                else:
                    alerted = instruction.action == ALERT
        if alerted:
            alerts += config.prefix + head + (b"..." if len(head) == limit else b"") + b"\n"
        if selected:
            written += config.prefix + head + line[limit:] + b"\n"
    return written, alerts


@given(
    text=TEXT,
    cuts=st.lists(st.integers(0, 80), max_size=6),
    limit=st.integers(1, 12),
    table=st.sampled_from([b"", replacement(b"_"), replacement(b"a", b"b")]),
    instructions=st.lists(
        st.builds(
            Instruction,
            st.sampled_from([SELECT, DESELECT, ALERT, NO_ALERT]),
            st.lists(st.sampled_from([b"a", b"b", b"*", b"+", b"_"]), max_size=5).map(b"".join),
        ),
        max_size=5,
    ),
    prefix=st.sampled_from([b"", b"p "]),
)
def test_chunks_do_not_matter(
    text: bytes, cuts: list[int], limit: int, table: bytes, instructions: list[Instruction], prefix: bytes
) -> None:
    config = Config(instructions=instructions, prefix=prefix)
    lines, selection = Lines(limit=limit, table=table), Selection(config)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    written, alerts = b"", b""
    for start, end in itertools.pairwise(bounds):
        for batch in lines.feed(text[start:end], b""):
            written += selection.written(batch)
            alerts += selection.alerts(batch)
    expected = by_hand(text[: text.rfind(b"\n") + 1], limit, table, config)
    # The head of a last, long line is written before its end comes.
    assert written.startswith(expected[0])
    assert len(written) - len(expected[0]) <= len(prefix) + len(text) - text.rfind(b"\n") - 1
    assert alerts.startswith(expected[1])


@given(
    text=TEXT,
    cuts=st.lists(st.integers(0, 80), max_size=6),
    limit=st.integers(1, 12),
    prefix=st.sampled_from([b"", b"p "]),
    table=st.sampled_from([b"", replacement(b"_"), replacement(b"a", b"b")]),
)
def test_where_nothing_asks_for_long_lines_the_same_is_written(
    text: bytes, cuts: list[int], limit: int, prefix: bytes, table: bytes
) -> None:
    looked, unseen = Lines(limit=limit, table=table), Lines(limit=limit, table=table)
    selection = Selection(Config(prefix=prefix))
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for number, (start, end) in enumerate(itertools.pairwise(bounds)):
        chunk, stamp = text[start:end], b"%d " % number
        expected = b"".join(map(selection.written, looked.feed(chunk, stamp)))
        assert b"".join(map(selection.written, unseen.feed(chunk, stamp, limits=False))) == expected
        assert (looked.carry, looked.stamp, looked.long) == (unseen.carry, unseen.stamp, unseen.long)


@given(text=TEXT, cuts=st.lists(st.integers(0, 80), max_size=6), limit=st.integers(1, 12), more=TEXT)
def test_what_nothing_alters_is_taken_with_a_look_at_its_end_alone(text: bytes, cuts: list[int], limit: int, more: bytes) -> None:
    looked, unseen = Lines(limit=limit), Lines(limit=limit)
    selection = Selection(Config())
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    for start, end in itertools.pairwise(bounds):
        chunk, carry = text[start:end], unseen.carry
        if not chunk:
            continue
        length = unseen.feed_unaltered(len(chunk), chunk[-limit:])
        written = b"".join(map(selection.written, looked.feed(chunk, b"")))
        assert written == (carry + chunk[:length] if length else b"")
        assert (looked.carry, looked.long) == (unseen.carry, unseen.long)
    # From here on either may go on as the other.
    assert looked.feed(more, b"") == unseen.feed(more, b"")


def _many(actions: bytes, count: int) -> list[Instruction]:
    """Give instructions of which several match the same lines, and most of these say otherwise than the one before."""
    return [Instruction(actions[number % len(actions)], b"*x%d*" % (number % 233)) for number in range(count)]


@pytest.mark.parametrize("actions", [b"-", b"+", b"-+", b"-e+E"])
@pytest.mark.parametrize("before", [[], [Instruction(DESELECT, b"*"), Instruction(ALERT, b"*")]], ids=["all", "none"])
def test_any_number_of_instructions_decides(before: list[Instruction], actions: bytes) -> None:
    config = Config(instructions=[*before, *_many(actions, 700)])
    dense = b"".join(b"x%d z\n" % number for number in range(280))
    sparse = b"".join(b"x%d z\n" % number + b"quiet\n" * 20 for number in range(0, 280, 7))
    selection = Selection(config)
    for text in (dense, sparse, dense[:25], b"quiet\n"):
        batch = Batch(WHOLE, b"", text)
        assert (selection.written(batch), selection.alerts(batch)) == by_hand(text, 1000, b"", config)
    for line in (b"x7 z", b"x279 z", b"quiet"):
        assert bool(selection.written(Batch(HEAD, b"", line))) is bool(by_hand(line + b"\n", 1000, b"", config)[0])


@pytest.mark.parametrize("count", [1, 60, 300])
def test_a_pattern_of_any_number_of_plusses_decides(count: int) -> None:
    config = Config(instructions=[*_many(b"-+", count), Instruction(DESELECT, b"+a+b" * 300)])
    text = b"".join(line + b"\n" for line in (b"ab" * 300, b"aab", b"a", b"b", b"ab" * 300 + b"a", b"abx1", b"x2", b""))
    assert Selection(config).written(Batch(WHOLE, b"", text)) == by_hand(text, 1000, b"", config)[0]


NEEDLES = [b"*", b"*error*", b"*warning*", b"an *", b""]


@given(
    lines=st.lists(st.sampled_from([b"nothing here", b"an error", b"a warning", b"error and warning", b""]), min_size=60, max_size=120),
    instructions=st.lists(
        st.builds(Instruction, st.sampled_from([SELECT, DESELECT]), st.sampled_from(NEEDLES)),
        max_size=4,
    ),
)
def test_few_or_many_needles_do_not_matter(lines: list[bytes], instructions: list[Instruction]) -> None:
    # Mostly lines without a needle, so that the sparse way is taken.
    text = b"".join(line + b"\n" + b"quiet\n" * 9 for line in lines[:12]) + b"".join(line + b"\n" for line in lines[60:62])
    config = Config(instructions=instructions)
    assert Selection(config).written(Batch(WHOLE, b"", text)) == by_hand(text, 1000, b"", config)[0]
