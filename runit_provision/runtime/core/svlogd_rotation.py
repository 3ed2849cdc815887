"""When `current` is full, and which old file goes; svlogd(8) "LOG FILE ROTATION"."""

from __future__ import annotations

from .svlogd_stamp import is_old

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def piece(text: bytes | memoryview, start: int, *, size: int, maximum: int, limit: int) -> tuple[int, bool]:
    """Give where the part of `text` from `start` ends that goes into `current` now, and whether `current` is rotated behind it.

    size: bytes that `current` has, less than `maximum` (0: no limit). It is full at the first newline within the last `limit`
    bytes, and at `maximum` wherever that cuts a line; the latter is rotated only before the next byte. A maximum less
    than the limit has no such newline.
    """
    if not maximum:
        return len(text), False
    end = start + maximum - size
    if limit <= maximum:
        first = max(end - limit - 1, start)
        if first >= len(text):
            return len(text), False
        newline = bytes(text[first:end]).find(b"\n")
        if newline >= 0:
            return first + newline + 1, True
    return min(len(text), end), False


def oldest(names: Iterable[str], *, more_than: int) -> str | None:
    """Give the oldest of the old files among `names` when there are `more_than` that many.

    What is being processed (.t) and what waits for it (.u) does not count.
    """
    old = [name for name in names if is_old(name) and name[26] not in "tu"]
    return min(old) if len(old) > more_than else None
