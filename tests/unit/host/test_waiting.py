"""What a service is waited for to be."""

from __future__ import annotations

import pytest

from runit_provision.host.letters import Life, is_over, reached

UP: Life = (True, True, True, 7, 100, False, True)
DOWN: Life = (True, False, False, 0, 200, False, True)
ENDED: Life = (True, False, True, 0, 200, False, True)
GONE: Life = (False, False, False, 0, 0, False, True)
SILENT: Life = (True, True, True, 8, 100, False, False)


@pytest.mark.parametrize(
    ("condition", "reached_by"),
    [
        ("supervised", [True, True, True, False]),
        ("running", [True, False, False, False]),
        ("renewed", [False, False, False, False]),
        ("ended", [False, True, True, True]),
        ("down", [False, True, False, True]),
        ("unsupervised", [False, False, False, True]),
    ],
)
def test_a_condition_is_reached_by_these_lives(condition: str, reached_by: list[bool]) -> None:
    assert [reached(("/a", condition, 7, 100), life) for life in (UP, DOWN, ENDED, GONE)] == reached_by


def test_a_process_started_later_is_a_new_one_even_with_the_same_pid() -> None:
    assert reached(("/a", "renewed", 7, 99), UP)


def test_what_has_still_to_say_that_it_is_ready_is_supervised_and_no_more() -> None:
    conditions = ("supervised", "running", "renewed", "ended")
    assert [reached(("/a", condition, 7, 100), SILENT) for condition in conditions] == [True, False, False, True]


def test_who_gave_up_since_is_not_waited_for() -> None:
    gave_up: Life = (True, False, False, 0, 300, True, True)
    assert [is_over(("/a", "running", 0, since), gave_up) for since in (200, 300)] == [True, False]
    assert not is_over(("/a", "unsupervised", 0, 0), gave_up)
