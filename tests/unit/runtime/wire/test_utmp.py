"""Login records by machine; utmp(5)."""

from __future__ import annotations

import pytest

from runit_provision.runtime.wire import utmp


@pytest.mark.parametrize(
    ("machine", "byteorder", "size", "kind", "time"),
    [
        ("x86_64", "little", 384, b"\x08\0", (340, b"\x78\x56\x34\x12\0\0\0\0")),
        ("i686", "little", 384, b"\x08\0", (340, b"\x78\x56\x34\x12\0\0\0\0")),
        ("s390x", "big", 384, b"\0\x08", (340, b"\x12\x34\x56\x78\0\0\0\0")),
        ("aarch64", "little", 400, b"\x08\0", (344, b"\x78\x56\x34\x12\0\0\0\0")),
    ],
)
def test_a_logout_is_a_dead_process_on_its_line(machine: str, byteorder: str, size: int, kind: bytes, time: tuple[int, bytes]) -> None:
    record = utmp.Layout(machine, byteorder).logout(b"tty1", now=0x12345678)
    at, seconds = time
    assert len(record) == size
    assert record.startswith(kind)
    assert record[8:13] == b"tty1\0"
    assert record[at : at + 8] == seconds


def test_a_login_loses_its_user_and_host_and_nothing_else() -> None:
    layout = utmp.Layout("x86_64", "little")
    login = b"\x07\0\0\0PID.tty1" + bytes(28) + b"id\0\0" + b"user" + bytes(28) + b"host" + bytes(252) + bytes(52)
    assert layout.is_login(login, b"tty1")
    assert not layout.is_login(login, b"tty")
    out = layout.logged_out(login, now=1)
    assert not layout.is_login(out, b"tty1")
    assert out == b"\x08\0\0\0PID.tty1" + bytes(28) + b"id\0\0" + bytes(288 + 8) + b"\x01" + bytes(43)
