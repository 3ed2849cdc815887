"""How soon another one takes the place of a helper that died: at once, unless one after the other dies as soon as it is there.

What the helper has open only supervisor and one more have open too: each moment without it is one in which those two must not die.
"""

from __future__ import annotations

_LASTED_SECONDS = 0.1
"""Who lived that long could do its work."""
_AT_ONCE = 5
"""So many in a row may die sooner."""
_BREATH_SECONDS = 1.0


class Breath:
    """The pauses between helpers of one kind and place. Each `now` is seconds of a clock that nobody sets.

    most: what a pause grows to, each being twice the one before.
    """

    __slots__ = ("_began", "_most", "_pause", "_quick")

    def __init__(self, most: float = _BREATH_SECONDS) -> None:
        self._began = 0.0
        self._quick = 0
        self._pause = 0.0
        self._most = most

    def begin(self, now: float) -> None:
        """Take note that one begins."""
        self._began = now

    def seconds(self, now: float) -> float:
        """Give how long to wait before the next one, since one has died."""
        lasted = now - self._began >= _LASTED_SECONDS
        self._quick = 0 if lasted else self._quick + 1
        self._pause = 0.0 if self._quick <= _AT_ONCE else min(max(2 * self._pause, _BREATH_SECONDS), self._most)
        return self._pause
