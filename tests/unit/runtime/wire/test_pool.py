"""What a pool says that it has, to supervisors of this version and of those before."""

from __future__ import annotations

import pytest

from runit_provision.runtime.wire import pool as wire


def through_bytes(records: list[wire.Record]) -> list[tuple[int, int]]:
    return [log for record in records for log in wire.had(wire.unpack(wire.pack(record)))]


def test_what_a_pool_has_is_said_in_few_records() -> None:
    logs = [(slot, slot % 4) for slot in range(1, 1001)]
    records = wire.haves(logs)
    assert through_bytes(records) == logs
    assert len(records) == 20
    assert wire.haves([]) == []


def test_a_pool_of_a_version_before_says_one_log_in_a_record() -> None:
    assert wire.had(wire.Record(wire.HAVE, slot=7, value=wire.CLOSING)) == [(7, wire.CLOSING)]


@pytest.mark.parametrize(
    "record",
    [
        wire.Record(wire.HAVE, slot=1, name=b"four"),
        wire.Record(wire.ENDED, slot=1, value=0x7F),
        wire.Record(wire.ENDED, slot=1, value=-1),
        wire.Record(wire.ENDED, slot=1, value=1 << 16),
        wire.Record(wire.WAITS, slot=1, name=b"@4"),
        wire.Record(wire.WAITS, slot=1, value=-4),
    ],
    ids=repr,
)
def test_what_no_pool_says_is_not_heard(record: wire.Record) -> None:
    with pytest.raises(ValueError, match=r"no record of a pool|TAI64N|fromhex"):
        wire.heard(wire.pack(record))


def test_a_text_of_a_pool_is_one_line_and_all_else_is_as_it_was_said() -> None:
    said = wire.Record(wire.SAYS, name=b"a\nb\r\0\x7f\xc2\x85 caf\xc3\xa9 \xff")
    assert wire.heard(wire.pack(said)).name == b"a\\x0ab\\x0d\\x00\\x7f\\x85 caf\xc3\xa9 \xff"
    assert wire.heard(wire.pack(wire.Record(wire.ENDED, slot=3, value=111 << 8))) == wire.Record(wire.ENDED, slot=3, value=111 << 8)
