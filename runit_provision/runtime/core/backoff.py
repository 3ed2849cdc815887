"""How often a service that keeps dying has died, and how long it rests before its next start where its directory has a `max-delay`.

    run ends, unasked, within max-delay, or a second    it is one death more
    it lasts longer                                     the count begins anew
    the first death                                     as in runsv: a second after a run shorter than that, else no pause at all
    the second, third, ...                              2, 4, 8, ... seconds, max-delay at most; without one, as in runsv

So one knob says both how long it rests at most, and how long a run must last to be a good one. What was asked for (TERM by a letter,
want down) is no death, and the count begins anew. So it does by `u`, `o` and `t`, which end the rest too: whoever asks has mended what
was wrong. One that is taken down by its own finish, or while it rests, has died as often as it had.
"""

from __future__ import annotations

from ..wire.beyond import DEATHS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..wire.beyond import Beyond

SECOND = 1_000_000_000
_DOUBLINGS_MAX = 32


def counted(deaths: int, dying_since: int, *, since: int, now: int, most: int) -> tuple[int, int]:
    """Give how often, and since when, one dies whose run began at `since` and ended unasked.

    deaths, dying_since: before that; most: max-delay in nanoseconds, 0 for none.
    """
    # A clock that was set back makes no run a long one.
    if deaths == 0 or now - since >= max(most, SECOND):
        return 1, since
    return min(deaths + 1, DEATHS_MAX), dying_since


def rest(beyond: Beyond, *, quick: bool, most: int) -> int:
    """Give the nanoseconds before the next start; quick: whether the last run was shorter than a second."""
    longer = min(most, SECOND << min(beyond.deaths - 1, _DOUBLINGS_MAX)) if beyond.deaths > 1 else 0
    return max(SECOND if quick else 0, longer)
