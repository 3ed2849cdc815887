"""How soon a holder or a pool has a successor."""

from __future__ import annotations

from runit_provision.runtime.core.breath import Breath


def pauses(*lives: float, **settings: float) -> list[float]:
    """Give the pause after each of these lives, in seconds, one after the other."""
    breath, now, found = Breath(**settings), 1000.0, []
    for life in lives:
        breath.begin(now)
        now += life
        found.append(breath.seconds(now))
        now += found[-1]
    return found


def test_who_has_worked_for_a_while_is_followed_at_once_however_often_it_dies() -> None:
    assert pauses(*[0.25] * 100) == [0.0] * 100


def test_from_the_sixth_in_a_row_that_dies_as_soon_as_it_is_there_a_second_passes() -> None:
    assert pauses(*[0.01] * 8) == [*[0.0] * 5, *[1.0] * 3]


def test_one_that_works_lets_the_next_deaths_count_anew() -> None:
    assert pauses(*[0.01] * 6, 5.0, *[0.01] * 6) == [*[0.0] * 5, 1.0, 0.0, *[0.0] * 5, 1.0]


def test_a_pause_may_grow_until_one_has_worked() -> None:
    assert pauses(*[0.01] * 10, 5.0, *[0.01] * 6, most=5.0) == [*[0.0] * 5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.0, *[0.0] * 5, 1.0]
