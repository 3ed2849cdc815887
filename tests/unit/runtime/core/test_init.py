"""What follows the end of a stage; runit(8)."""

from __future__ import annotations

import pytest

from runit_provision.runtime.core import init


@pytest.mark.parametrize(
    ("stage", "code", "following", "kills"),
    [
        (init.FIRST, 0, init.SECOND, False),
        (init.FIRST, 1, init.SECOND, False),
        (init.FIRST, 100, init.THIRD, False),
        (init.FIRST, -9, init.THIRD, False),
        (init.SECOND, 0, init.THIRD, False),
        (init.SECOND, 100, init.THIRD, False),
        (init.SECOND, 111, init.SECOND, True),
        (init.SECOND, -15, init.SECOND, True),
        (init.THIRD, 0, init.OVER, False),
        (init.THIRD, 111, init.OVER, False),
        (init.THIRD, -9, init.OVER, False),
    ],
)
def test_the_stage_that_follows(stage: int, code: int, following: int, kills: bool) -> None:
    ended = init.ended(stage, code)
    assert (ended.next_stage, ended.kills) == (following, kills)


def test_a_failure_is_told_before_the_stage_is_left() -> None:
    assert init.ended(init.THIRD, 3).lines == [
        b"- runit: warning: child failed: /etc/runit/3",
        b"- runit: leave stage: /etc/runit/3",
    ]
