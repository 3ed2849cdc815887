"""What a pool says that it has, to supervisors of this version and of those before."""

from __future__ import annotations

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
