"""supervise/detail survives the way through bytes; of another process, or of nonsense, it says nothing."""

from __future__ import annotations

import pytest

from runit_provision.runtime.wire import detail
from runit_provision.runtime.wire.detail import Detail

WHEN = 1_700_000_000_123_456_789


def values(known: Detail) -> tuple[object, ...]:
    return tuple(getattr(known, name) for name in Detail.__slots__)


@pytest.mark.parametrize(
    "known",
    [
        Detail(pid=7, notifies=True),
        Detail(pid=7, notifies=True, ready=WHEN, kill_at=WHEN + 1),
        Detail(starts_at=WHEN, deaths=5, dying_since=WHEN - 9, ended="exited 1"),
        Detail(starts_at=WHEN, deaths=5, dying_since=WHEN - 9, ended="unknown"),
        Detail(deaths=2, dying_since=WHEN - 9, ended="signal 11"),
        Detail(kill_at=WHEN, pid=2**22),
        Detail(pid=7, log_waits=WHEN, log_reason=28),
        Detail(pid=7, log_waits=WHEN, log_reason=-1),
    ],
)
def test_what_is_told_is_read(known: Detail) -> None:
    assert values(detail.unpack(detail.pack(known), known.pid)) == values(known)
    assert len(detail.pack(known)) <= detail.SIZE_MAX


def test_who_has_nothing_to_tell_has_no_file() -> None:
    assert detail.pack(Detail(pid=7, ended="exited 1")) == b""


def test_of_another_process_it_says_nothing() -> None:
    text = detail.pack(Detail(pid=7, notifies=True, ready=WHEN))
    assert values(detail.unpack(text, 8)) == values(Detail(pid=8))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"ready no",
        b"of seven\nready no\n",
        b"of 7\nready yes\nkill @xyz\nstart\ndeaths 1 2 3\n\xff\n\n",
        b"of 7\ndeaths 5 @400000006553f10a075bcd15 \x1b[2J 1\n",
        b"of 7\nready @\xff\n",
        b"of 7\nlog @400000006553f10a075bcd15 \x1b[2J\n",
    ],
)
def test_nonsense_says_nothing(text: bytes) -> None:
    assert values(detail.unpack(text, 7)) == values(Detail(pid=7))


def test_an_ending_is_said_in_words() -> None:
    assert [detail.ending(status) for status in (0, 256, 9, 139, -1)] == ["exited 0", "exited 1", "signal 9", "signal 11", "unknown"]
