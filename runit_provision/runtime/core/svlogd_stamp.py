"""The stamps before svlogd's lines, and the names of its old files; svlogd(8) -t, -tt, -ttt."""

from __future__ import annotations

from ..wire import tai

SIZE = 26
"""Bytes of a stamp, with the blank behind it."""


_last = [(-1, b"", b"")]
"""The second that was asked for last, with which separator, and its text: of a thousand lines a second one makes it."""


def stamp(epoch_ns: int, kind: int) -> bytes:
    """Give the stamp for `epoch_ns`, Unix time in nanoseconds, with its blank: TAI64N, or UTC to ten microseconds.

    kind: how many -t were given.
    """
    match kind:
        case 0:
            return b""
        case 1:
            return tai.text(epoch_ns).encode() + b" "
        case 2:
            return _clock(epoch_ns, b"_")
        case 3:
            return _clock(epoch_ns, b"T")
        case _:
            raise ValueError(f"unknown kind of stamp: {kind}")


def _clock(epoch_ns: int, separator: bytes) -> bytes:
    seconds, nanoseconds = divmod(epoch_ns, tai.NANOSECONDS)
    known = _last[0]
    if known[0] != seconds or known[1] != separator:
        days, second = divmod(seconds, 86400)
        minute, second = divmod(second, 60)
        hour, minute = divmod(minute, 60)
        known = _last[0] = seconds, separator, b"%s%s%02d:%02d:%02d" % (_date(days), separator, hour, minute, second)
    return b"%s.%05d " % (known[2], nanoseconds // 10_000)


def _date(days: int) -> bytes:
    """Give YYYY-MM-DD of a day after 1970-01-01, by counting years from March, so that a leap day is a year's last."""
    era, day = divmod(days + 719468, 146097)
    year = (day - day // 1460 + day // 36524 - day // 146096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5 - 1
    month = month + 3 if month < 10 else month - 9
    return b"%04d-%02d-%02d" % (era * 400 + year + (month <= 2), month, day)


def old_name(epoch_ns: int, suffix: str) -> str:
    """Give the name of a file that was rotated at `epoch_ns`: `@` and TAI64N, a dot and s, u or t."""
    return f"{tai.text(epoch_ns)}.{suffix}"


def is_old(name: str) -> bool:
    """Tell whether svlogd takes `name` for an old file: 27 bytes, the first of them `@`."""
    return name[:1] == "@" and len(name) == 27
