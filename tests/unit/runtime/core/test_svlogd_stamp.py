"""Stamps are UTC, to ten microseconds, on any day."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runit_provision.runtime.core import svlogd_stamp


@given(st.integers(0, 253_402_300_799_999_999_999))
def test_a_stamp_is_the_date_in_utc(epoch_ns: int) -> None:
    date = datetime.datetime.fromtimestamp(epoch_ns // 1_000_000_000, datetime.UTC)
    fraction = epoch_ns % 1_000_000_000 // 10_000
    assert svlogd_stamp.stamp(epoch_ns, 2) == f"{date:%Y-%m-%d_%H:%M:%S}.{fraction:05d} ".encode()
    assert svlogd_stamp.stamp(epoch_ns, 3) == f"{date:%Y-%m-%dT%H:%M:%S}.{fraction:05d} ".encode()
    assert len(svlogd_stamp.stamp(epoch_ns, 1)) == svlogd_stamp.SIZE


def test_none_and_tai64n() -> None:
    assert svlogd_stamp.stamp(0, 0) == b""
    assert svlogd_stamp.stamp(1, 1) == b"@400000000000000a00000001 "
    with pytest.raises(ValueError, match="unknown kind"):
        svlogd_stamp.stamp(0, 4)


def test_names_of_old_files() -> None:
    assert svlogd_stamp.old_name(0, "s") == "@400000000000000a00000000.s"
    assert svlogd_stamp.is_old("@400000000000000a00000000.s")
    assert not svlogd_stamp.is_old("current")
